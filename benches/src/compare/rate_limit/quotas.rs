//! The quotas under which all sides are measured: one that never runs out, and one that has.

use std::num::NonZeroU32;
use std::time::Duration;

use seawall_rate_limit::Quota;

/// The interval between two cells of the quota that never runs out: a hundred million a second.
pub(super) const INTERVAL: Duration = Duration::from_nanos(10);
/// How many cells come at once, and in every long window: more than any run has calls.
pub(super) const PLENTY: u32 = u32::MAX;
/// Longer than any run.
pub(super) const FOREVER: Duration = Duration::from_hours(1);
/// Where each call is remembered: more calls than come in [`BRIEFLY`], and few enough to be remembered.
pub(super) const LOGGED: u32 = 60_000;
/// A window that ends many times in a run.
pub(super) const BRIEFLY: Duration = Duration::from_micros(100);

/// A token bucket that never runs out.
pub(super) const fn bucket() -> Quota {
    Quota::per_second(100_000_000).burst(PLENTY)
}

/// A window that is never full.
pub(super) const fn window() -> Quota {
    Quota::new(PLENTY, FOREVER)
}

/// A window that is never full and remembers each call.
pub(super) const fn log() -> Quota {
    Quota::new(LOGGED, BRIEFLY)
}

/// One call in an hour, which is taken before the first round.
pub(super) const fn exhausted() -> Quota {
    Quota::new(1, FOREVER)
}

/// [`bucket`] as governor has it.
pub(super) fn governors_bucket() -> governor::Quota {
    governor::Quota::with_period(INTERVAL).expect("longer than nothing").allow_burst(plenty())
}

/// [`exhausted`] as governor has it.
pub(super) fn governors_exhausted() -> governor::Quota {
    governor::Quota::with_period(FOREVER).expect("longer than nothing")
}

fn plenty() -> NonZeroU32 {
    NonZeroU32::new(PLENTY).expect("not zero")
}
