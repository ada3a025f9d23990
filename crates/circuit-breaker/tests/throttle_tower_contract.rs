//! The tower adapter's contract, for the adaptive throttle.
#![cfg(feature = "tower")]

use seawall_circuit_breaker::throttle::Config;
use seawall_circuit_breaker::{AdaptiveThrottle, Throttle};
use seawall_core::Shared;
use seawall_testkit::contract::{Situation, Subject};

struct OfThrottle;

impl OfThrottle {
    fn make(config: Config, situation: &Situation) -> AdaptiveThrottle {
        AdaptiveThrottle::with_clock(config, situation.clock.clone()).expect("a valid configuration")
    }
}

impl Subject for OfThrottle {
    type Policy = Throttle;

    fn admitting(&self, situation: &Situation) -> Shared<Throttle> {
        Self::make(Config::default().minimum_calls(1_000_000), situation)
    }

    /// After one request that has not ended, all others are refused: with a probability of 0.993 and more, and by this
    /// seed's draws with certainty.
    fn single(&self, situation: &Situation) -> Shared<Throttle> {
        Self::make(Config::default().minimum_calls(0).aggression(100.0).seed(1), situation)
    }

    fn refusing(&self, situation: &Situation) -> Shared<Throttle> {
        let throttle = Self::make(Config::default(), situation);
        throttle.hold(1.0).expect("a probability");
        throttle
    }

    /// A throttle keeps no count of calls that run.
    fn in_use(&self, _throttle: &Throttle) -> usize {
        0
    }
}

seawall_testkit::tower_contract!(OfThrottle);
