use std::time::Duration;

use seawall_core::Deadline;
use seawall_core::time::Clock;
use seawall_retry::{Timeout, TimeoutConfig};

use crate::counted;

const SHORT: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(30);

/// One call of each kind, on `clock`: those that hang for a `short` time, the others for much less than a `long` one.
async fn of_each_kind(clock: Clock, short: Duration, long: Duration) {
    let timeout = Timeout::with_clock(TimeoutConfig::new(long), clock.clone()).expect("valid");
    assert_eq!(timeout.run(async { 7 }).await, Ok(7));
    let started = clock.now();
    let timed_out = timeout.run(std::future::pending::<()>()).within(short).await.expect_err("it hangs");
    assert!(!timed_out.is_deadline() && timed_out.after() >= short, "{timed_out:?}");
    let deadline = Deadline::after(&clock, short);
    let timed_out = timeout.run_until(deadline, std::future::pending::<()>()).await.expect_err("it hangs");
    assert!(timed_out.is_deadline() && timed_out.after() > Duration::ZERO, "{timed_out:?}");
    assert!(clock.now().saturating_duration_since(started) >= 2 * short);
    let refused = timeout.run_until(deadline, async { 7 }).await.expect_err("it has passed");
    assert_eq!((refused.is_deadline(), refused.after()), (true, Duration::ZERO));
    assert_eq!(timeout.run(clock.sleep(short)).await, Ok(()));
    assert_eq!(counted(&timeout), [2, 1, 1, 1, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_tokio_with_threads() {
    tokio::spawn(of_each_kind(Clock::system(), SHORT, LONG)).await.expect("no panic");
}

#[tokio::test]
async fn under_tokio_with_one_thread() {
    of_each_kind(Clock::system(), SHORT, LONG).await;
}

#[test]
fn under_smol() {
    smol::block_on(smol::spawn(of_each_kind(Clock::system(), SHORT, LONG)));
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn on_tokios_paused_time_an_hour_passes_at_once() {
    let half = Duration::from_secs(1_800);
    let before = Clock::tokio().now();
    of_each_kind(Clock::tokio(), half, 2 * half).await;
    assert!(Clock::tokio().now() >= before + 3 * half);
}
