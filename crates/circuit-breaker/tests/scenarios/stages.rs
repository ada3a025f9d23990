//! Recovery in stages: what time, clocks and calls that hang do to it.

use seawall_circuit_breaker::{Cause, CircuitBreaker, Config, HalfOpen, Recovery, State, Window};
use seawall_core::Outcome;
use seawall_core::time::ManualTime;

use crate::{HOUR, NANO, SECOND, breaker, call, just_before, rated, single_probe};

fn share(breaker: &CircuitBreaker) -> Option<f64> {
    breaker.snapshot().share
}

/// A circuit in the first stage of its recovery.
fn recovering(config: Config) -> (CircuitBreaker, ManualTime) {
    let (breaker, time) = breaker(config.open_for(SECOND));
    time.advance(HOUR);
    breaker.trip();
    time.advance(SECOND);
    call(&breaker, Outcome::Success);
    assert!(share(&breaker).is_some());
    (breaker, time)
}

/// Half, then nine of ten, of at least ten seconds and one call each.
fn staged(half_open: HalfOpen) -> Config {
    let recovery = Recovery::new([0.5, 0.9]).each(10 * SECOND).calls(1);
    rated(Window::count(10).minimum_calls(4)).half_open(half_open).recovery(recovery)
}

#[test]
fn a_stage_begins_when_the_one_before_was_over_whenever_somebody_looks() {
    let (breaker, time) = recovering(staged(single_probe()));
    call(&breaker, Outcome::Success);
    time.advance(35 * SECOND);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.share, snapshot.in_state), (Some(0.9), 25 * SECOND));
    call(&breaker, Outcome::Success);
    assert_eq!(breaker.state(), State::Closed, "its ten seconds were over long ago");
}

#[test]
fn a_stage_lasts_no_longer_when_the_clock_steps_back() {
    let (breaker, time) = recovering(staged(single_probe()));
    call(&breaker, Outcome::Success);
    time.step_back(HOUR);
    assert_eq!(share(&breaker), Some(0.5));
    time.advance(just_before(10 * SECOND));
    assert_eq!(share(&breaker), Some(0.5));
    time.advance(NANO);
    assert_eq!(share(&breaker), Some(0.9), "ten seconds after the step, and not an hour");
}

#[test]
fn a_stage_lasts_as_long_as_its_present_configuration_says() {
    let lasting = |each| {
        let recovery = Recovery::new([0.5, 0.9]).each(each).calls(1);
        rated(Window::count(10).minimum_calls(4)).half_open(single_probe()).open_for(SECOND).recovery(recovery)
    };
    let (breaker, time) = recovering(lasting(HOUR));
    call(&breaker, Outcome::Success);
    time.advance(5 * SECOND);
    breaker.reconfigure(lasting(10 * SECOND)).expect("valid");
    time.advance(just_before(5 * SECOND));
    assert_eq!(share(&breaker), Some(0.5));
    time.advance(NANO);
    assert_eq!(share(&breaker), Some(0.9), "ten seconds in all");
    call(&breaker, Outcome::Success);
    time.advance(5 * SECOND);
    breaker.reconfigure(lasting(4 * SECOND)).expect("valid");
    assert_eq!(breaker.state(), State::Closed, "it has lasted long enough by now");
}

#[test]
fn an_outcome_that_is_recorded_counts_in_a_stage_whatever_its_share() {
    let (breaker, time) = recovering(staged(single_probe()));
    let first = breaker.try_admit().expect("the first of two");
    assert!(breaker.try_admit().is_err(), "the second of two");
    breaker.record(Outcome::Success, SECOND);
    assert_eq!(breaker.snapshot().figures.calls, 1);
    time.advance(10 * SECOND);
    assert_eq!(share(&breaker), Some(0.9));
    first.success();
    assert_eq!(breaker.snapshot().total.stale, 1);
}

#[test]
fn a_stage_whose_calls_hang_is_given_up_before_its_time_is_over() {
    let (breaker, time) = recovering(staged(single_probe().max(5 * SECOND)));
    let hangs = breaker.try_admit().expect("the first of two");
    breaker.record(Outcome::Success, SECOND);
    time.advance(60 * SECOND);
    let (state, cause, opened) = (breaker.state(), breaker.snapshot().cause, breaker.snapshot().total.opened);
    assert_eq!(
        (state, cause, opened),
        (State::HalfOpen, Some(Cause::ProbesUndecided), 2),
        "it opened, and is probed again"
    );
    drop(hangs);
}

#[test]
fn a_stage_in_which_nobody_calls_waits_for_nobody() {
    let (breaker, time) = recovering(staged(single_probe().max(SECOND)));
    for _ in 0..3 {
        time.advance(HOUR);
        assert_eq!((breaker.state(), breaker.snapshot().total.opened), (State::HalfOpen, 1));
        call(&breaker, Outcome::Ignored);
        assert!(breaker.try_admit().is_err(), "the second of two");
    }
    assert_eq!(share(&breaker), Some(0.5));
}
