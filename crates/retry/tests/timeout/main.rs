//! What has a limited time ends in time: one call, a service's calls, on any clock and any runtime.

mod config;
mod cost;
mod properties;
mod run;
mod runtimes;
#[cfg(feature = "tower")]
mod tower;

use std::time::Duration;

use seawall_core::time::{Clock, ManualTime};
use seawall_retry::{Timeout, TimeoutConfig};
use seawall_testkit::alloc::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const MS: Duration = Duration::from_millis(1);
const NS: Duration = Duration::from_nanos(1);

fn just_under(span: Duration) -> Duration {
    span.saturating_sub(NS)
}

/// A limit of `duration` on manual time.
fn timeout(duration: Duration) -> (Timeout, Clock, ManualTime) {
    let (clock, time) = Clock::manual();
    let config = TimeoutConfig::new(duration).name("inventory");
    (Timeout::with_clock(config, clock.clone()).expect("valid"), clock, time)
}

/// Calls in time, too long, past their deadline, refused, abandoned.
fn counted(timeout: &Timeout) -> [u64; 5] {
    let total = timeout.snapshot().total;
    [total.in_time, total.elapsed, total.deadline, total.refused, total.abandoned]
}
