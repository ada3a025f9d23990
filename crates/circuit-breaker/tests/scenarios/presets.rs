//! The presets open and close where the libraries do after which they are named.

use std::time::Duration;

use seawall_circuit_breaker::{Config, State};
use seawall_core::Outcome;

use crate::{NANO, SECOND, breaker, call, calls, calls_until_open, just_before, wait};

struct Expected {
    config: Config,
    /// So many calls succeed before all others fail.
    good_before: usize,
    /// The call that opens it.
    opens_at: usize,
    open_for: Duration,
    /// So many successes close it.
    closes_after: usize,
}

#[test]
fn each_preset_opens_stays_open_and_closes_as_its_library_does() {
    let presets = [
        (Config::classic(), 0, 5, 60, 3),
        (Config::failsafe(), 0, 1, 60, 1),
        (Config::gobreaker(), 7, 13, 60, 1),
        (Config::hystrix(), 10, 20, 5, 1),
        (Config::polly(), 90, 100, 5, 1),
        (Config::resilience4j(), 50, 100, 60, 10),
    ];
    for (config, good_before, opens_at, open_for, closes_after) in presets {
        let told = format!("{config:?}");
        let expected = Expected { config, good_before, opens_at, open_for: SECOND * open_for, closes_after };
        check(expected, &told);
    }
}

fn check(expected: Expected, told: &str) {
    let Expected { config, good_before, opens_at, open_for, closes_after } = expected;
    let (breaker, time) = breaker(config);
    let outcomes = std::iter::repeat_n(true, good_before).chain(std::iter::repeat(false));
    assert_eq!(calls_until_open(&breaker, outcomes.take(opens_at)), Some(opens_at), "{told}");
    assert_eq!(wait(&breaker), Some(open_for), "{told}");
    time.advance(just_before(open_for));
    assert_eq!(breaker.state(), State::Open, "{told}");
    time.advance(NANO);
    calls(&breaker, closes_after - 1, Outcome::Success);
    assert_eq!(breaker.state(), State::HalfOpen, "{told}");
    call(&breaker, Outcome::Success);
    assert_eq!(breaker.state(), State::Closed, "{told}");
}
