//! The tower adapter's contract, for one limiter of every kind of cell.
#![cfg(feature = "tower")]

use std::time::Duration;

use seawall_core::Shared;
use seawall_rate_limit::{Algorithm, Config, Limiter, Quota, RateLimiter};
use seawall_testkit::contract::{Situation, Subject};

const SECOND: Duration = Duration::from_secs(1);

fn make(config: Config, situation: &Situation) -> RateLimiter {
    RateLimiter::with_clock(config, situation.clock.clone()).expect("a valid configuration")
}

/// A limiter counts cells that time brings back, and not calls that run: at rest nothing is in use.
const IN_USE: usize = 0;

struct OfTokenBucket;

impl Subject for OfTokenBucket {
    type Policy = Limiter;

    fn admitting(&self, situation: &Situation) -> Shared<Limiter> {
        make(Config::new(Quota::per_second(1_000)).algorithm(Algorithm::Gcra), situation)
    }

    /// One at once; eight more have turns a second apart.
    fn single(&self, situation: &Situation) -> Shared<Limiter> {
        make(Config::new(Quota::per_second(1)).algorithm(Algorithm::Gcra).max_wait(8 * SECOND), situation)
    }

    /// The next cell comes in a year.
    fn refusing(&self, situation: &Situation) -> Shared<Limiter> {
        let limiter = make(Config::new(Quota::new(1, Quota::LONGEST)).algorithm(Algorithm::Gcra), situation);
        limiter.check().expect("the only one");
        limiter
    }

    fn in_use(&self, _: &Limiter) -> usize {
        IN_USE
    }
}

seawall_testkit::tower_contract!(OfTokenBucket);

mod window {
    use super::*;

    struct OfWindow;

    impl Subject for OfWindow {
        type Policy = Limiter;

        fn admitting(&self, situation: &Situation) -> Shared<Limiter> {
            make(Config::new(Quota::per_second(1_000)), situation)
        }

        /// One at once; eight more have turns 1.125 seconds apart.
        fn single(&self, situation: &Situation) -> Shared<Limiter> {
            make(Config::new(Quota::per_second(1)).max_wait(9 * SECOND), situation)
        }

        fn refusing(&self, situation: &Situation) -> Shared<Limiter> {
            let limiter = make(Config::new(Quota::new(1, Quota::LONGEST)), situation);
            limiter.check().expect("the only one");
            limiter
        }

        fn in_use(&self, _: &Limiter) -> usize {
            IN_USE
        }
    }

    seawall_testkit::tower_contract!(@mode shed, Shed, OfWindow, cost::a_call_on_a_clone_of_its_own_does_not_allocate);
    seawall_testkit::tower_contract!(@mode wait, Wait, OfWindow, cost::a_call_on_a_clone_of_its_own_does_not_allocate);
    seawall_testkit::tower_contract!(@mode backpressure, Backpressure, OfWindow);
}

mod under_a_lock {
    use super::*;

    struct OfLog;

    impl Subject for OfLog {
        type Policy = Limiter;

        fn admitting(&self, situation: &Situation) -> Shared<Limiter> {
            make(Config::new(Quota::per_second(1_000)).algorithm(Algorithm::WindowCounter), situation)
        }

        fn single(&self, situation: &Situation) -> Shared<Limiter> {
            make(Config::new(Quota::per_second(1)).algorithm(Algorithm::pacer()).max_wait(8 * SECOND), situation)
        }

        fn refusing(&self, situation: &Situation) -> Shared<Limiter> {
            let limiter = make(Config::new(Quota::new(1, Quota::LONGEST)).algorithm(Algorithm::SlidingLog), situation);
            limiter.check().expect("the only one");
            limiter
        }

        fn in_use(&self, _: &Limiter) -> usize {
            IN_USE
        }
    }

    seawall_testkit::tower_contract!(@mode shed, Shed, OfLog);
    seawall_testkit::tower_contract!(@mode wait, Wait, OfLog);
    seawall_testkit::tower_contract!(@mode backpressure, Backpressure, OfLog);
}
