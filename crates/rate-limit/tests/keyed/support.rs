use std::hash::Hash;
use std::time::Duration;

use seawall_core::time::{Clock, ManualTime};
use seawall_rate_limit::{Algorithm, Config, Keyed, KeyedRateLimiter, Quota, Seed};

/// All algorithms that let a whole quota pass at once.
pub(crate) const AT_ONCE: [Algorithm; 6] = [
    Algorithm::Gcra,
    Algorithm::sliding_window(),
    Algorithm::SlidingLog,
    Algorithm::WindowCounter,
    Algorithm::fixed_window(),
    Algorithm::TokenSteps,
];

/// A limiter of `limit` cells a second for each key, on a clock that is an hour old.
pub(crate) fn limiter<K: Hash + ?Sized>(
    algorithm: Algorithm,
    limit: u32,
    keys: u32,
) -> (KeyedRateLimiter<K>, ManualTime) {
    // Always the same seed: which keys share a set must not differ from run to run.
    let seed = Seed::new(1, 2);
    with(Keyed::new(Config::new(Quota::per_second(limit)).algorithm(algorithm).name("keys")).capacity(keys).seed(seed))
}

pub(crate) fn with<K: Hash + ?Sized>(config: Keyed<K>) -> (KeyedRateLimiter<K>, ManualTime) {
    let (clock, time) = Clock::manual();
    time.advance(Duration::from_secs(3_600));
    (KeyedRateLimiter::with_clock(config, clock).expect("a valid configuration"), time)
}
