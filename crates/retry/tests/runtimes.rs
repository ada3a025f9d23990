//! One retry and one hedge serve every runtime, and what crosses threads is `Send` and `Sync`.

use std::time::Duration;

use seawall_core::Jitter;
use seawall_core::time::Clock;
use seawall_retry::{Attempt, Budget, Config, Event, Hedge, HedgeConfig, HedgeSnapshot, Retry, Snapshot, TimedOut};

const MS: Duration = Duration::from_millis(1);

async fn rescued(clock: Clock) {
    let retry = Retry::with_clock(Config::default().fixed(MS).jitter(Jitter::None), clock.clone()).expect("valid");
    let flaky = |attempt: Attempt| async move { if attempt.number < 3 { Err("down") } else { Ok(attempt.number) } };
    assert_eq!(retry.run(flaky).await, Ok(Ok(3)));

    let limited =
        Retry::with_clock(Config::default().attempt_timeout(MS).max_attempts(1), clock.clone()).expect("valid");
    let hangs = limited.run(|_| std::future::pending::<Result<(), ()>>()).await;
    assert!(!hangs.expect_err("it hangs").is_deadline());

    let hedge = Hedge::with_clock(HedgeConfig::default().delay(MS), clock).expect("valid");
    let slow_first = |attempt: Attempt| async move {
        if attempt.number == 1 {
            std::future::pending::<()>().await;
        }
        Ok::<_, ()>(attempt.number)
    };
    assert_eq!(hedge.run(slow_first).await, Ok(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_tokio_with_threads() {
    tokio::spawn(rescued(Clock::system())).await.expect("no panic");
}

#[tokio::test]
async fn under_tokio_with_one_thread() {
    rescued(Clock::system()).await;
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn under_tokios_own_time() {
    rescued(Clock::tokio()).await;
}

#[test]
fn under_smol() {
    smol::block_on(rescued(Clock::system()));
}

#[test]
fn on_manual_time() {
    let executor = seawall_testkit::exec::Executor::new(1);
    let clock = executor.clock();
    executor.block_on(rescued(clock));
}

#[test]
fn what_crosses_threads_may() {
    fn shared<T: Send + Sync + 'static>() {}
    fn moved<T: Send>(_: &T) {}
    shared::<Retry>();
    shared::<Hedge>();
    shared::<Budget>();
    shared::<TimedOut>();
    shared::<(Event, Snapshot, HedgeSnapshot)>();
    let retry = Retry::new(Config::default()).expect("valid");
    moved(&retry.run(|_| async { Ok::<(), ()>(()) }));
}
