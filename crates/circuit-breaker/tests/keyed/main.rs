//! One circuit for each key: which key a call counts for, who is forgotten to make room, and what is never forgotten.

mod calls;
mod cancellation;
mod config;
mod control;
mod events;
mod log;
mod metrics;
mod properties;
mod room;
mod threads;
mod throttles;

use std::time::Duration;

use seawall_circuit_breaker::{CircuitBreakers, Config, Keyed, State};
use seawall_core::Permit;
use seawall_core::time::{Clock, ManualTime};

const SECOND: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(60);

/// Opens at the second failure in a row.
fn fragile() -> Config {
    Config::empty().name("hosts").consecutive_failures(2).open_for(INTERVAL)
}

fn breakers(config: Keyed<String>) -> (CircuitBreakers<String>, ManualTime) {
    let (clock, time) = Clock::manual();
    (CircuitBreakers::with_clock(config, clock).expect("a valid configuration"), time)
}

fn succeed(breakers: &CircuitBreakers<String>, key: &str) {
    breakers.with(key).try_admit().expect("closed").success();
}

fn fail(breakers: &CircuitBreakers<String>, key: &str) {
    breakers.with(key).try_admit().expect("closed").failure();
}

fn open(breakers: &CircuitBreakers<String>, key: &str) {
    fail(breakers, key);
    fail(breakers, key);
    assert!(is_refused(breakers, key), "{key} should be open");
}

/// Asks, and takes the call back if it is admitted.
fn is_refused(breakers: &CircuitBreakers<String>, key: &str) -> bool {
    breakers.with(key).try_admit().map(Permit::cancel).is_err()
}

fn state(breakers: &CircuitBreakers<String>, key: &str) -> Option<State> {
    breakers.get(key).map(|breaker| breaker.state())
}
