//! The algorithms, and limiters of them.

use std::time::Duration;

use seawall_core::Shared;
use seawall_core::time::{Clock, ManualTime};
use seawall_rate_limit::limit::Alignment;
use seawall_rate_limit::{Algorithm, Config, Quota, RateLimiter, Snapshot, Weighed};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const NANO: Duration = Duration::from_nanos(1);

/// How many cells a second the limiters of these tests let pass.
pub(crate) const LIMIT: u32 = 10;

/// Every algorithm.
pub(crate) fn algorithms() -> Vec<Algorithm> {
    [countings(), pacings()].concat()
}

/// Those that let a call pass if its cells fit in what is left.
pub(crate) fn countings() -> Vec<Algorithm> {
    vec![
        Algorithm::sliding_window(),
        Algorithm::SlidingWindow { buckets: 1 },
        Algorithm::SlidingWindow { buckets: 3 },
        Algorithm::Gcra,
        Algorithm::SlidingLog,
        Algorithm::WindowCounter,
        Algorithm::fixed_window(),
        Algorithm::FixedWindow { alignment: Alignment::Clock { offset: Duration::from_millis(77) } },
        Algorithm::FixedWindow { alignment: Alignment::FirstCell },
        Algorithm::TokenSteps,
    ]
}

/// Those that give every call a turn and let the next one pay for it.
pub(crate) fn pacings() -> Vec<Algorithm> {
    vec![Algorithm::pacer(), Algorithm::Pacer { slack: 4 }, Algorithm::warm_up(Duration::from_secs(2))]
}

/// The two of which the state is kept in atomic words.
pub(crate) fn lock_free() -> [Algorithm; 2] {
    [Algorithm::sliding_window(), Algorithm::Gcra]
}

pub(crate) fn config(algorithm: Algorithm) -> Config {
    Config::new(Quota::per_second(LIMIT)).algorithm(algorithm).name("test")
}

/// A limiter at a time that is no boundary of anything.
pub(crate) fn limiter(config: Config) -> (RateLimiter, ManualTime) {
    let (clock, time) = Clock::manual();
    time.advance(Duration::from_nanos(5_123_456_789));
    (RateLimiter::with_clock(config, clock).expect("a valid configuration"), time)
}

/// One limiter of each algorithm.
pub(crate) fn each(
    algorithms: impl IntoIterator<Item = Algorithm>,
    check: impl Fn(&Algorithm, &RateLimiter, &ManualTime),
) {
    for algorithm in algorithms {
        let (limiter, time) = limiter(config(algorithm));
        check(&algorithm, &limiter, &time);
    }
}

/// A call that is a number of cells.
pub(crate) type Weigh = fn(&u32) -> u32;

/// The same limiter for calls that are numbers of cells.
pub(crate) fn weighed(limiter: &RateLimiter) -> Shared<Weighed<Weigh>> {
    Weighed::by(limiter, |cells: &u32| *cells)
}

/// What is left, however it is counted: equal standings decide alike.
pub(crate) fn standing(limiter: &RateLimiter) -> (u32, Duration) {
    let Snapshot { remaining, reset_after, .. } = limiter.snapshot();
    (remaining, reset_after)
}

/// Takes cell by cell until none is left; how many there were.
pub(crate) fn exhaust(limiter: &RateLimiter) -> u32 {
    let mut taken = 0;
    while limiter.check().is_ok() {
        taken += 1;
        assert!(taken < 1_000_000, "there is no end to it: {limiter:?}, {:?}", limiter.snapshot());
    }
    taken
}

/// A nanosecond less.
pub(crate) fn just_below(time: Duration) -> Duration {
    time.saturating_sub(NANO)
}
