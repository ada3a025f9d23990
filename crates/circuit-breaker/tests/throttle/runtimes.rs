//! One throttle serves every runtime, and none; what crosses threads is `Send` and `Sync`; what is copied is small.

use seawall_circuit_breaker::throttle::{Config, Event, Formula, Snapshot, Token};
use seawall_circuit_breaker::{AdaptiveThrottle, Throttle, Throttled};
use seawall_core::Permit;
use seawall_core::time::Clock;

use crate::SECOND;

/// From all is well to mostly refused, and back when the window has passed.
async fn there_and_back(clock: Clock) {
    let window = SECOND / 20;
    let config = Config::default().window(window).minimum_calls(0).seed(1);
    let throttle = AdaptiveThrottle::with_clock(config, clock.clone()).expect("valid");
    assert_eq!(throttle.run(async { Ok::<_, ()>(7) }).await, Ok(Ok(7)));
    let mut refused = 0;
    for _ in 0..1_000 {
        match throttle.run(async { Err::<(), _>("down") }).await {
            Ok(result) => assert_eq!(result, Err("down")),
            Err(Throttled { .. }) => refused += 1,
        }
    }
    assert!(refused > 0);
    clock.sleep(2 * window).await;
    let permit = throttle.admit_within(SECOND).await.expect("what was counted has left the window");
    permit.success();
    throttle.admit().await.expect("all is well").success();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_tokio_with_threads() {
    tokio::spawn(there_and_back(Clock::system())).await.expect("no panic");
}

#[tokio::test]
async fn under_tokio_with_one_thread() {
    there_and_back(Clock::system()).await;
}

#[test]
fn under_smol() {
    smol::block_on(smol::spawn(there_and_back(Clock::system())));
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn on_tokios_paused_time() {
    there_and_back(Clock::tokio()).await;
}

#[test]
fn on_manual_time() {
    let executor = seawall_testkit::exec::Executor::new(0);
    let call = executor.spawn(there_and_back(executor.clock()));
    assert_eq!(executor.run(), 0);
    assert!(call.take().is_some());
}

#[test]
fn on_threads_without_any_future() {
    let throttle = AdaptiveThrottle::new(Config::default()).expect("valid");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for call in 0..1_000 {
                    assert_eq!(throttle.run_sync(|| Ok::<_, ()>(call)), Ok(Ok(call)));
                }
                throttle.admit_blocking(SECOND).expect("all is well").success();
            });
        }
    });
    assert_eq!(throttle.snapshot().total.successes, 4_004);
    throttle.hold(1.0).expect("a probability");
    assert!(throttle.run_sync(|| Ok::<_, ()>(())).is_err());
    assert!(throttle.admit_blocking(SECOND).is_err(), "a throttle does not wait");
}

#[test]
fn what_crosses_threads_is_send_and_sync() {
    const fn shared<T: Send + Sync + 'static>() {}

    shared::<AdaptiveThrottle>();
    shared::<Throttle>();
    shared::<Config>();
    shared::<Formula>();
    shared::<Token>();
    shared::<Throttled>();
    shared::<Snapshot>();
    shared::<Event>();
    shared::<Permit<AdaptiveThrottle>>();
}

#[test]
fn what_is_copied_is_small() {
    const fn is_copy<T: Copy>() {}

    assert!(size_of::<Throttled>() <= 56, "{}", size_of::<Throttled>());
    assert_eq!(size_of::<Option<Token>>(), 8, "a permit needs no flag beside its token");
    assert!(size_of::<Permit<&Throttle>>() <= 16, "{}", size_of::<Permit<&Throttle>>());
    is_copy::<Throttled>();
    is_copy::<Formula>();
}
