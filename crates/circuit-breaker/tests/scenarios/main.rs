//! The situations in which other breakers were found wrong, or in which theirs is worth keeping.

mod by_hand;
#[cfg(feature = "tower")]
mod layers;
mod open;
mod opening;
mod presets;
mod probing;
mod sharing;
mod stages;

use std::time::Duration;

use seawall_circuit_breaker::{CircuitBreaker, Config, HalfOpen, State, Window};
use seawall_core::Outcome;
use seawall_core::time::{Clock, ManualTime};

const NANO: Duration = Duration::from_nanos(1);
const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// The last moment before.
fn just_before(duration: Duration) -> Duration {
    duration.saturating_sub(NANO)
}

fn breaker(config: Config) -> (CircuitBreaker, ManualTime) {
    let (clock, time) = Clock::manual();
    (CircuitBreaker::with_clock(config, clock).expect("valid"), time)
}

fn half_opened(config: Config) -> CircuitBreaker {
    let (breaker, _time) = breaker(config);
    breaker.trip();
    breaker.half_open().expect("it is open");
    breaker
}

/// Opens when half of the window's calls fail.
fn rated(window: Window) -> Config {
    Config::default().window(window).failure_rate(0.5)
}

fn single_probe() -> HalfOpen {
    HalfOpen::probes(1)
}

fn call(breaker: &CircuitBreaker, outcome: Outcome) {
    breaker.try_admit().expect("admitted").finish(outcome);
}

fn calls(breaker: &CircuitBreaker, times: usize, outcome: Outcome) {
    (0..times).for_each(|_| call(breaker, outcome));
}

/// How long whoever asks an open circuit is told to wait.
fn wait(breaker: &CircuitBreaker) -> Option<Duration> {
    breaker.try_admit().map(drop).expect_err("open").retry_after()
}

/// Makes calls until the circuit opens; how many it took.
fn calls_until_open(breaker: &CircuitBreaker, outcomes: impl IntoIterator<Item = bool>) -> Option<usize> {
    let ends = |succeeds| if succeeds { Outcome::Success } else { Outcome::Failure };
    let mut outcomes = outcomes.into_iter();
    (1..).map_while(|number| outcomes.next().map(|succeeds| (number, succeeds))).find_map(|(number, succeeds)| {
        call(breaker, ends(succeeds));
        (breaker.state() == State::Open).then_some(number)
    })
}
