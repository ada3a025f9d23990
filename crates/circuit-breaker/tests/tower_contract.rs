//! The tower adapter's contract, for the breaker.
#![cfg(feature = "tower")]

use seawall_circuit_breaker::{Breaker, CircuitBreaker, Config, HalfOpen, State};
use seawall_core::Shared;
use seawall_testkit::contract::{Situation, Subject};

struct OfBreaker;

impl OfBreaker {
    fn make(situation: &Situation) -> CircuitBreaker {
        let one_probe = HalfOpen::probes(1);
        let config = Config::empty().consecutive_failures(1_000_000).half_open(one_probe);
        CircuitBreaker::with_clock(config, situation.clock.clone()).expect("a valid configuration")
    }
}

impl Subject for OfBreaker {
    type Policy = Breaker;

    fn admitting(&self, situation: &Situation) -> Shared<Breaker> {
        Self::make(situation)
    }

    fn single(&self, situation: &Situation) -> Shared<Breaker> {
        let breaker = Self::make(situation);
        breaker.trip();
        breaker.half_open().expect("it is open");
        breaker
    }

    fn refusing(&self, situation: &Situation) -> Shared<Breaker> {
        let breaker = Self::make(situation);
        breaker.force_open();
        breaker
    }

    fn in_use(&self, breaker: &Breaker) -> usize {
        let snapshot = breaker.snapshot();
        match snapshot.probes_left {
            Some(left) if snapshot.state == State::HalfOpen => 1 - usize::try_from(left).expect("one probe at most"),
            _ => 0,
        }
    }
}

seawall_testkit::tower_contract!(OfBreaker);
