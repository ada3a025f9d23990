//! What opens a circuit, and at which call exactly.

use std::time::Duration;

use seawall_circuit_breaker::{Abandoned, CircuitBreaker, Config, Figures, State, Window};
use seawall_core::Outcome;
use seawall_core::time::Clock;

use crate::{HOUR, MS, NANO, SECOND, breaker, call, calls, calls_until_open, just_before, rated, single_probe};

#[test]
fn it_opens_at_exactly_the_call_that_meets_a_rule() {
    let (ok, no) = (true, false);
    let four = || rated(Window::count(4).minimum_calls(4));
    let ten = || rated(Window::count(10).minimum_calls(10));
    let three_in_a_row = || Config::empty().consecutive_failures(3);
    for (config, outcomes, opens) in [
        (four(), vec![ok, no, ok, no], Some(4)),
        (four(), vec![no, no, no, no], Some(4)),
        (ten(), vec![no, ok, no, ok, no, ok, no, ok, ok, no], Some(10)),
        (ten(), vec![no, ok, no, ok, no, ok, no, ok, ok, ok], None),
        (three_in_a_row(), vec![ok, no, no, no], Some(4)),
        (three_in_a_row(), vec![no, no, ok, no, no], None),
    ] {
        let (breaker, _time) = breaker(config);
        assert_eq!(calls_until_open(&breaker, outcomes.clone()), opens, "{outcomes:?}");
    }
}

/// A rate that is met exactly is reached; a call that took exactly as long as allowed is not slow.
#[test]
fn a_rate_is_reached_where_it_is_met_and_a_call_is_slow_only_beyond_the_limit() {
    for (rate, failures, opens) in [(0.3, 3, true), (0.3, 2, false), (1.0, 10, true), (1.0, 9, false)] {
        let (breaker, _time) = breaker(rated(Window::count(10)).failure_rate(rate));
        calls(&breaker, 10 - failures, Outcome::Success);
        calls(&breaker, failures, Outcome::Failure);
        assert_eq!(breaker.state() == State::Open, opens, "{failures} of ten at {rate}");
    }
    for (took, opens) in [(SECOND, false), (SECOND + NANO, true)] {
        for outcome in [Outcome::Success, Outcome::Failure] {
            let (breaker, time) = breaker(Config::empty().slow_calls(SECOND, 1.0).window(Window::count(1)));
            let permit = breaker.try_admit().expect("closed");
            time.advance(took);
            permit.finish(outcome);
            assert_eq!(breaker.state() == State::Open, opens, "{outcome:?} after {took:?}");
        }
    }
}

#[test]
fn a_window_of_calls_slides_however_many_were_good_before() {
    let (breaker, _time) = breaker(rated(Window::count(100)));
    assert_eq!(calls_until_open(&breaker, std::iter::repeat_n(true, 1_000)), None);
    assert_eq!(calls_until_open(&breaker, std::iter::repeat(false)), Some(50));
}

#[test]
fn a_window_of_time_forgets_by_age_and_not_by_how_calls_arrive() {
    let (breaker, time) = breaker(rated(Window::time(10 * SECOND).minimum_calls(5)).failure_rate(0.8));
    // Four failures are too few; they are gone eleven seconds later.
    (0..4).for_each(|_| call(&breaker, Outcome::Failure));
    time.advance(11 * SECOND);
    assert_eq!(breaker.snapshot().figures.calls, 0);
    (0..4).for_each(|_| call(&breaker, Outcome::Failure));
    assert_eq!(breaker.state(), State::Closed);
    call(&breaker, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open, "the fifth");

    // Eight of ten, whether in one burst or one each half second.
    for pause in [Duration::ZERO, 500 * MS] {
        breaker.reset();
        let outcomes = [true, false, true, false, false, false, false, false, false, false];
        let took = outcomes.into_iter().position(|succeeds| {
            call(&breaker, if succeeds { Outcome::Success } else { Outcome::Failure });
            time.advance(pause);
            breaker.state() == State::Open
        });
        assert_eq!(took, Some(9), "pause {pause:?}");
    }
}

/// Buckets begin at whole multiples of their length since the clock's origin, not with the breaker or the first call.
#[test]
fn a_bucket_begins_at_a_multiple_of_its_length_whenever_calls_come() {
    let (clock, time) = Clock::manual();
    time.advance(700 * MS);
    let config = rated(Window::time(3 * SECOND).buckets(3).minimum_calls(100));
    let breaker = CircuitBreaker::with_clock(config, clock).expect("valid");
    let held = || breaker.snapshot().figures.calls;
    time.advance(299 * MS);
    call(&breaker, Outcome::Success);
    time.advance(MS);
    call(&breaker, Outcome::Success);
    time.advance(just_before(2 * SECOND));
    assert_eq!(held(), 2);
    time.advance(NANO);
    assert_eq!(held(), 1, "the first is two seconds old, and of a bucket that is three seconds old");
    time.advance(just_before(SECOND));
    assert_eq!(held(), 1);
    time.advance(NANO);
    assert_eq!(held(), 0);
}

#[test]
fn half_of_two_calls_slower_than_allowed_open_it() {
    let config = Config::empty().slow_calls(10 * MS, 0.5).window(Window::count(2).minimum_calls(2));
    let (breaker, time) = breaker(config);
    call(&breaker, Outcome::Success);
    let slow = breaker.try_admit().expect("closed");
    time.advance(20 * MS);
    slow.success();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn so_many_failures_in_less_than_a_period_open_it_whatever_succeeds_between() {
    let (breaker, time) = breaker(Config::empty().failures_in_period(3, 10 * SECOND));
    let fail_after = |pause| {
        calls(&breaker, 50, Outcome::Success);
        time.advance(pause);
        call(&breaker, Outcome::Failure);
        breaker.state()
    };
    assert_eq!(fail_after(SECOND), State::Closed);
    assert_eq!(fail_after(4 * SECOND), State::Closed);
    assert_eq!(fail_after(6 * SECOND), State::Closed, "the first was ten seconds ago");
    assert_eq!(fail_after(just_before(4 * SECOND)), State::Open, "the second was less than ten seconds ago");
}

#[test]
fn an_ignored_outcome_is_no_call_no_success_and_no_end_of_a_run() {
    let config = rated(Window::count(10).minimum_calls(3)).failure_rate(1.0).consecutive_failures(3);
    let (breaker, _time) = breaker(config);
    for _ in 0..2 {
        call(&breaker, Outcome::Failure);
        calls(&breaker, 20, Outcome::Ignored);
    }
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.figures.calls, snapshot.consecutive_failures), (State::Closed, 2, 2));
    assert_eq!(snapshot.total.ignored, 40);
    call(&breaker, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open, "the third in a row");
}

#[test]
fn dropped_calls_alone_open_it_and_one_success_among_them_keeps_it_closed() {
    let config = || rated(Window::time(30 * SECOND).minimum_calls(3));
    let (hanging, _time) = breaker(config());
    (0..3).for_each(|_| drop(hanging.try_admit().expect("closed")));
    assert_eq!(hanging.state(), State::Open);
    let (answering, _time) = breaker(config());
    call(&answering, Outcome::Success);
    (0..50).for_each(|_| drop(answering.try_admit().expect("closed")));
    assert_eq!(answering.state(), State::Closed);
}

#[test]
fn what_is_dropped_before_its_first_poll_was_never_a_call() {
    let (breaker, _time) = breaker(Config::empty().consecutive_failures(1).abandoned(Abandoned::Failure));
    drop(breaker.run(async { Ok::<_, ()>(()) }));
    assert_eq!((breaker.state(), breaker.snapshot().total.abandoned), (State::Closed, 0));
}

#[test]
fn too_few_calls_have_no_rate() {
    let (breaker, _time) = breaker(rated(Window::count(10).minimum_calls(3)).failure_rate(0.9).slow_calls(SECOND, 0.9));
    let rates = || (breaker.snapshot().failure_rate, breaker.snapshot().slow_rate);
    assert_eq!(rates(), (None, None));
    calls(&breaker, 2, Outcome::Failure);
    assert_eq!(rates(), (None, None), "two are too few, though both failed");
    calls(&breaker, 2, Outcome::Success);
    assert_eq!(rates(), (Some(0.5), Some(0.0)));
}

#[test]
fn what_was_counted_before_a_trip_is_forgotten_when_it_closes() {
    let config = rated(Window::count(10).minimum_calls(4)).failures_in_period(5, HOUR).half_open(single_probe());
    let (breaker, time) = breaker(config.open_for(SECOND));
    calls(&breaker, 4, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open);
    time.advance(SECOND);
    call(&breaker, Outcome::Success);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.figures), (State::Closed, Figures::default()));
    calls(&breaker, 3, Outcome::Failure);
    assert_eq!(breaker.state(), State::Closed, "three, and not seven in the hour");
    call(&breaker, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open);
}
