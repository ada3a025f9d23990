//! What the reference model once found: one small test for each.

use std::time::Duration;

use seawall_circuit_breaker::{Abandoned, CircuitBreaker, Config, Figures, HalfOpen, State, Window};
use seawall_core::Outcome;
use seawall_core::time::{Clock, ManualTime};

const SECOND: Duration = Duration::from_secs(1);

fn breaker(config: Config) -> (CircuitBreaker, ManualTime) {
    let (clock, time) = Clock::manual();
    (CircuitBreaker::with_clock(config, clock).expect("valid"), time)
}

fn call(breaker: &CircuitBreaker, outcome: Outcome, times: usize) {
    (0..times).for_each(|_| breaker.try_admit().expect("admitted").finish(outcome));
}

/// Eight successes, then five failures, in a window that the successes leave first.
fn about_to_forget_successes() -> (CircuitBreaker, ManualTime) {
    let (breaker, time) = breaker(Config::default().window(Window::time(10 * SECOND).minimum_calls(5)));
    call(&breaker, Outcome::Success, 8);
    time.advance(5 * SECOND);
    call(&breaker, Outcome::Failure, 5);
    time.advance(5 * SECOND);
    (breaker, time)
}

#[test]
fn looking_at_the_circuit_does_not_change_when_it_opens() {
    for looks in [false, true] {
        let (breaker, _time) = about_to_forget_successes();
        if looks {
            assert_eq!(breaker.state(), State::Closed);
        }
        call(&breaker, Outcome::Success, 1);
        assert_eq!(breaker.state(), State::Open, "five of six failed; looked: {looks}");
    }
}

#[test]
fn an_ignored_call_never_opens_it() {
    let (breaker, _time) = about_to_forget_successes();
    call(&breaker, Outcome::Ignored, 1);
    assert_eq!(breaker.state(), State::Closed);
    call(&breaker, Outcome::Failure, 1);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn calls_that_run_when_slow_ones_begin_to_matter_are_not_slow() {
    let config = || Config::default().window(Window::count(2).minimum_calls(2));
    let (breaker, time) = breaker(config());
    time.advance(3_600 * SECOND);
    let running = [(); 2].map(|()| breaker.try_admit().expect("closed"));
    breaker.reconfigure(config().slow_calls(SECOND, 0.5)).expect("valid");
    running.into_iter().for_each(seawall_core::Permit::success);
    assert_eq!((breaker.state(), breaker.snapshot().figures.slow), (State::Closed, 0));
}

#[test]
fn fewer_probes_and_then_more_are_never_more_than_there_are() {
    let probes = |probes| {
        let half_open = HalfOpen::probes(probes).without_max();
        Config::classic().abandoned(Abandoned::Ignore).half_open(half_open)
    };
    let (breaker, _time) = breaker(probes(3));
    breaker.trip();
    breaker.half_open().expect("open");
    let mut out: Vec<_> = (0..3).map(|_| breaker.try_admit().expect("a probe")).collect();
    breaker.reconfigure(probes(1)).expect("valid");
    drop(out.pop());
    assert!(breaker.try_admit().is_err(), "two are out, and one may be");
    breaker.reconfigure(probes(3)).expect("valid");
    let third = breaker.try_admit().expect("two are out, and three may be");
    assert!(breaker.try_admit().is_err());
    drop((out, third));
    assert_eq!(breaker.snapshot().probes_left, Some(3));
}

#[test]
fn another_minimum_leaves_the_calls_their_age() {
    let window = |minimum| Config::default().window(Window::time(10 * SECOND).minimum_calls(minimum));
    let (breaker, time) = breaker(window(20));
    call(&breaker, Outcome::Failure, 3);
    time.advance(5 * SECOND);
    breaker.reconfigure(window(10)).expect("valid");
    time.advance(5 * SECOND);
    assert_eq!(breaker.snapshot().figures, Figures::default(), "they are ten seconds old");
}

#[test]
fn a_stricter_rule_holds_at_once() {
    let rate = |rate| Config::default().window(Window::count(10).minimum_calls(4)).failure_rate(rate);
    let (breaker, _time) = breaker(rate(0.9));
    call(&breaker, Outcome::Success, 4);
    call(&breaker, Outcome::Failure, 4);
    breaker.reconfigure(rate(0.5)).expect("valid");
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_probe_that_never_started_did_not_end_late() {
    let (breaker, _time) = breaker(Config::classic());
    breaker.trip();
    breaker.half_open().expect("open");
    let probe = breaker.try_admit().expect("a probe");
    breaker.force_open();
    probe.cancel();
    assert_eq!(breaker.snapshot().total.stale, 0);
}

#[test]
fn a_success_is_no_failure_in_a_period_whatever_the_clock_does() {
    let period = |failures| Config::empty().failures_in_period(failures, SECOND);
    let (breaker, time) = breaker(period(2));
    call(&breaker, Outcome::Failure, 1);
    time.advance(6 * SECOND);
    breaker.reconfigure(period(1)).expect("valid");
    assert_eq!(breaker.state(), State::Closed, "the failure is too old");
    time.step_back(6 * SECOND);
    call(&breaker, Outcome::Success, 1);
    breaker.record(Outcome::Success, 2 * SECOND);
    assert_eq!(breaker.state(), State::Closed);
}
