//! What an algorithm promises of all that it has admitted, in whole numbers.

use seawall_rate_limit::limit::Alignment;
use seawall_rate_limit::{Algorithm, Quota};

/// A call that passed, at some moment of this span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) cells: u32,
}

/// Checks every span between two calls: what must lie in it whole is no more than `most` of its length in nanoseconds allows.
pub(crate) fn every_span(algorithm: Algorithm, passed: &[Passed], most: impl Fn(u64, u64) -> u128) {
    let mut begins: Vec<u64> = passed.iter().map(|call| call.from).collect();
    begins.sort_unstable();
    begins.dedup();
    let mut by_end: Vec<&Passed> = passed.iter().collect();
    by_end.sort_unstable_by_key(|call| call.to);
    for begin in begins {
        let mut cells = 0_u128;
        for call in by_end.iter().filter(|call| call.from >= begin) {
            cells += u128::from(call.cells);
            let most = most(begin, call.to);
            assert!(cells <= most, "{algorithm:?}: {cells} cells passed from {begin} to {}, {most} may", call.to);
        }
    }
}

/// Checks that at most so many cells passed in any span of less than a period.
fn every_period(algorithm: Algorithm, passed: &[Passed], quota: Quota, most: u32) {
    let period = nanos(quota);
    every_span(algorithm, passed, |from, to| if to - from < period { u128::from(most) } else { u128::MAX });
}

pub(crate) fn nanos(quota: Quota) -> u64 {
    u64::try_from(quota.period().as_nanos()).expect("short")
}

/// Checks what `algorithm` promises under `quota`. Calls of a pacer take one cell each.
pub(crate) fn check(algorithm: Algorithm, quota: Quota, passed: &[Passed]) {
    let (limit, period) = (u128::from(quota.limit()), nanos(quota));
    let at_once_and_by_time = |at_once: u32| {
        move |from: u64, to: u64| u128::from(at_once) + u128::from(to - from) * limit / u128::from(period)
    };
    match algorithm {
        Algorithm::SlidingWindow { .. } | Algorithm::SlidingLog => {
            every_period(algorithm, passed, quota, quota.limit());
        }
        Algorithm::WindowCounter | Algorithm::FixedWindow { alignment: Alignment::FirstCell } => {
            every_period(algorithm, passed, quota, 2 * quota.limit());
        }
        Algorithm::FixedWindow { .. } => {
            every_span(algorithm, passed, |from, to| if from / period == to / period { limit } else { u128::MAX });
        }
        Algorithm::Gcra => every_span(algorithm, passed, at_once_and_by_time(quota.burst_size())),
        Algorithm::TokenSteps => every_span(algorithm, passed, |from, to| {
            // A turn comes with a step, and may be paid for in part by what was there before it.
            u128::from(quota.burst_size()) + limit * u128::from(to / period + 1 - from.div_ceil(period))
        }),
        Algorithm::Pacer { slack } => every_span(algorithm, passed, at_once_and_by_time(slack + 1)),
        Algorithm::WarmUp { .. } => every_span(algorithm, passed, at_once_and_by_time(1)),
        other => panic!("nothing is known of {other:?}"),
    }
}
