//! One bulkhead serves every runtime, and none.

use seawall_bulkhead::{Bulkhead, Config, Event, Full, Reason, Snapshot, Token, Waiting};
use seawall_core::Rejection;
use seawall_core::time::Clock;
use seawall_testkit::exec::{Executor, yield_now};
use std::time::Duration;

use crate::SECOND;

/// A turn that comes and one that does not.
async fn wait_for_both(clock: Clock) {
    let config = Config::new(1).queue(2).max_wait(Duration::from_millis(5));
    let bulkhead = Bulkhead::with_clock(config, clock.clone()).expect("valid");
    let running = bulkhead.admit().await.expect("free");
    let full = bulkhead.admit().await.expect_err("it is held");
    assert_eq!(full.reason(), Reason::TimedOut);
    let waiter = std::thread::spawn({
        let bulkhead = bulkhead.clone();
        move || bulkhead.admit_blocking(60 * SECOND).map(seawall_core::Permit::success)
    });
    while bulkhead.queued() == 0 {
        yield_now().await;
    }
    running.success();
    waiter.join().expect("no panic").expect("its turn");
    assert_eq!(bulkhead.run(async { Ok::<_, ()>(7) }).await, Ok(Ok(7)));
    assert_eq!((bulkhead.in_flight(), bulkhead.snapshot().waited), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_tokio() {
    tokio::spawn(wait_for_both(Clock::system())).await.expect("no panic");
}

#[test]
fn under_smol() {
    smol::block_on(wait_for_both(Clock::system()));
}

#[test]
fn on_manual_time_every_order_serves_everybody() {
    for seed in 0..200 {
        let executor = Executor::new(seed);
        let config = Config::new(3).queue(100).max_wait(1_000 * SECOND);
        let bulkhead = Bulkhead::with_clock(config, executor.clock()).expect("valid");
        let most = std::rc::Rc::new(std::cell::Cell::new(0));
        let calls: Vec<_> = (0..20)
            .map(|_| {
                let (bulkhead, clock, most) = (bulkhead.clone(), executor.clock(), most.clone());
                executor.spawn(async move {
                    let permit = bulkhead.admit().await.expect("there is time");
                    most.set(most.get().max(bulkhead.in_flight()));
                    clock.sleep(SECOND).await;
                    permit.success();
                })
            })
            .collect();
        assert_eq!(executor.run(), 0, "somebody waits for ever; seed {seed}");
        drop(calls);
        assert_eq!((most.get(), bulkhead.in_flight()), (3, 0), "seed {seed}");
        assert_eq!(executor.now().as_nanos(), 7_000_000_000, "twenty calls, three at once; seed {seed}");
    }
}

#[test]
fn what_crosses_threads_may_and_what_is_copied_is_small() {
    fn crosses<T: Send + Sync + 'static>() {}
    fn is_copied<T: Copy>() -> usize {
        size_of::<T>()
    }
    crosses::<(Bulkhead, Config, Event, Snapshot, Waiting)>();
    assert!(is_copied::<Token>() <= 16);
    assert!(is_copied::<Full>() <= 96, "{}", is_copied::<Full>());
    assert!(is_copied::<Rejection>() <= 56);
}
