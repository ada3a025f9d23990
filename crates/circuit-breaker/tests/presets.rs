//! Configurations that behave as breakers which others know.

use std::time::Duration;

use seawall_circuit_breaker::{CircuitBreaker, Config, HalfOpen, State};
use seawall_core::time::Clock;
use seawall_core::{ConfigError, Outcome};

#[test]
fn ten_probes_are_awaited_even_when_the_rest_cannot_change_the_decision() -> Result<(), ConfigError> {
    let breaker = half_open(Config::resilience4j())?;
    for failures in 1..=9 {
        breaker.record(Outcome::Failure, Duration::ZERO);
        assert_eq!(breaker.state(), State::HalfOpen, "after {failures} failures");
    }
    breaker.record(Outcome::Success, Duration::ZERO);
    assert_eq!(breaker.state(), State::Open);
    Ok(())
}

#[test]
fn without_waiting_the_fifth_failure_of_ten_probes_decides() -> Result<(), ConfigError> {
    let early = HalfOpen::probes(10).by_rates();
    let breaker = half_open(Config::resilience4j().half_open(early))?;
    for _ in 0..4 {
        breaker.record(Outcome::Failure, Duration::ZERO);
    }
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.record(Outcome::Failure, Duration::ZERO);
    assert_eq!(breaker.state(), State::Open);
    Ok(())
}

#[test]
fn an_open_circuit_shows_the_rate_by_which_its_probes_opened_it() -> Result<(), ConfigError> {
    // Ten probes are fewer than the hundred calls that the window asks for.
    let breaker = half_open(Config::resilience4j())?;
    for outcome in [Outcome::Failure; 6].into_iter().chain([Outcome::Success; 4]) {
        breaker.record(outcome, Duration::ZERO);
    }
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.figures.calls, snapshot.failure_rate), (State::Open, 10, Some(0.6)));

    // Below the window's minimum there is no rate, whether the circuit is closed or was opened by hand.
    breaker.reset();
    breaker.record(Outcome::Failure, Duration::ZERO);
    assert_eq!(breaker.snapshot().failure_rate, None);
    breaker.trip();
    assert_eq!((breaker.snapshot().figures.failed, breaker.snapshot().failure_rate), (1, None));
    Ok(())
}

fn half_open(config: Config) -> Result<CircuitBreaker, ConfigError> {
    let (clock, _time) = Clock::manual();
    let breaker = CircuitBreaker::with_clock(config, clock)?;
    breaker.trip();
    breaker.half_open().expect("it is open");
    Ok(breaker)
}
