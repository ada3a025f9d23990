//! How long a circuit stays open, and what it shows and refuses meanwhile.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall_circuit_breaker::{Breaker, Cause, CircuitBreaker, Config, OpenInterval, State, Trip, Window};
use seawall_core::{Jitter, Outcome, Permit, Rejection};

use crate::{HOUR, MS, SECOND, breaker, call, calls, just_before, rated, single_probe, wait};

#[test]
fn the_interval_doubles_while_probes_fail_and_begins_anew_after_a_recovery() {
    let open = OpenInterval::exponential(5 * SECOND, 2.0, 300 * SECOND);
    let (breaker, time) = breaker(Config::empty().consecutive_failures(3).open(open).half_open(single_probe()));
    let wait = || breaker.try_admit().map(|_| ()).expect_err("open").retry_after();
    (0..3).for_each(|_| call(&breaker, Outcome::Failure));
    time.advance(2 * SECOND);
    assert_eq!(wait(), Some(3 * SECOND));
    time.advance(4 * SECOND);
    for expected in [10, 20, 40, 80, 160, 300, 300] {
        call(&breaker, Outcome::Failure);
        assert_eq!(wait(), Some(expected * SECOND));
        time.advance(expected * SECOND);
    }
    call(&breaker, Outcome::Success);
    (0..3).for_each(|_| call(&breaker, Outcome::Failure));
    assert_eq!(wait(), Some(5 * SECOND));
}

#[test]
fn a_break_ends_with_its_last_nanosecond() {
    let (breaker, time) = breaker(Config::empty().consecutive_failures(1).open_for(100 * MS).half_open(single_probe()));
    call(&breaker, Outcome::Failure);
    time.advance(99 * MS);
    assert_eq!(breaker.try_admit().map(|_| ()).expect_err("open").retry_after(), Some(MS));
    time.advance(MS);
    breaker.try_admit().expect("the probe").success();
    assert_eq!(breaker.state(), State::Closed);
}

/// What a rule for the interval was told: the cause, calls, failures, and how often the circuit had opened before.
type Told = Arc<Mutex<Vec<(Cause, u64, u64, u32)>>>;

#[test]
fn a_rule_for_the_interval_is_told_the_figures_and_how_often_it_opened_before() {
    let told = Told::default();
    let rule = {
        let told = told.clone();
        move |trip: &Trip| {
            let Trip { cause, figures, opened_before, .. } = *trip;
            told.lock().expect("no panic").push((cause, figures.calls, figures.failed, opened_before));
            SECOND * (1 + opened_before)
        }
    };
    let (breaker, time) = breaker(rated(Window::count(4).minimum_calls(4)).half_open(single_probe()).open_by(rule));
    let trip = || {
        calls(&breaker, 2, Outcome::Success);
        calls(&breaker, 2, Outcome::Failure);
    };
    trip();
    for before in 0..3 {
        assert_eq!(wait(&breaker), Some(SECOND * (1 + before)));
        time.advance(SECOND * (1 + before));
        call(&breaker, if before < 2 { Outcome::Failure } else { Outcome::Success });
    }
    trip();
    let (rate, probes) = (Cause::FailureRate, Cause::ProbesFailed);
    let closed_between = [(rate, 4, 2, 0), (probes, 1, 1, 1), (probes, 1, 1, 2), (rate, 4, 2, 0)];
    assert_eq!(*told.lock().expect("no panic"), closed_between);
}

#[test]
fn an_interval_that_outlasts_the_clock_never_ends_and_a_hand_still_ends_it() {
    let endless: [fn(&CircuitBreaker); 2] = [|it| it.isolate(Duration::MAX), |it| call(it, Outcome::Failure)];
    for open in endless {
        let (breaker, time) = breaker(Config::empty().consecutive_failures(1).open_by(|_| Duration::MAX));
        time.advance(HOUR);
        open(&breaker);
        assert_eq!(wait(&breaker), None, "no time brings it");
        time.advance(Duration::from_secs(100 * 366 * 24 * 3600));
        assert_eq!((breaker.state(), wait(&breaker)), (State::Open, None));
        breaker.half_open().expect("it is open");
        calls(&breaker, 2, Outcome::Success);
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[test]
fn jitter_shortens_an_interval_by_half_at_most_and_never_lengthens_it() {
    let open = OpenInterval::exponential(SECOND, 2.0, 60 * SECOND).jitter(Jitter::Equal);
    let (breaker, time) = breaker(Config::empty().consecutive_failures(1).open(open).half_open(single_probe()));
    let mut waits = Vec::new();
    for _ in 0..100 {
        breaker.reset();
        for whole in [SECOND, 2 * SECOND, 4 * SECOND] {
            call(&breaker, Outcome::Failure);
            let wait = wait(&breaker).expect("open for a time");
            assert!((whole / 2..=whole).contains(&wait), "{wait:?} of {whole:?}");
            waits.push(wait);
            time.advance(wait);
        }
    }
    waits.sort();
    waits.dedup();
    assert!(waits.len() > 200, "{} different ones of 300: clients would come back together", waits.len());
}

#[test]
fn while_it_is_open_the_figures_that_opened_it_stay_to_be_seen() {
    let config = rated(Window::time(10 * SECOND).minimum_calls(8)).open_for(HOUR);
    let (breaker, time) = breaker(config);
    calls(&breaker, 4, Outcome::Success);
    calls(&breaker, 4, Outcome::Failure);
    let opened = breaker.snapshot();
    time.advance(just_before(HOUR));
    (0..3).for_each(|_| assert!(breaker.try_admit().is_err()));
    let later = breaker.snapshot();
    assert_eq!((later.state, later.figures, later.failure_rate), (State::Open, opened.figures, Some(0.5)));
    assert_eq!((later.figures.calls, later.figures.failed), (8, 4));
    assert_eq!((later.refused_in_state, later.total.refused), (3, 3));
}

#[test]
fn results_that_come_while_it_is_shut_change_nothing() {
    let shut: [fn(&CircuitBreaker); 3] = [|it| it.trip(), |it| it.isolate(HOUR), |it| it.force_open()];
    for shut in shut {
        let (breaker, _time) = breaker(Config::classic());
        call(&breaker, Outcome::Failure);
        let early: Vec<_> = (0..4).map(|_| breaker.try_admit().expect("closed")).collect();
        shut(&breaker);
        let before = breaker.snapshot();
        let ends: [fn(Permit<&Breaker>); 4] = [|it| it.success(), |it| it.failure(), |it| it.ignore(), |it| drop(it)];
        early.into_iter().zip(ends).for_each(|(permit, end)| end(permit));
        for outcome in [Outcome::Success, Outcome::Failure, Outcome::Ignored] {
            breaker.record(outcome, HOUR);
        }
        let mut after = breaker.snapshot();
        assert_eq!(after.total.stale, 4);
        after.total.stale = before.total.stale;
        assert_eq!(after, before);
    }
}

#[test]
fn a_refusal_names_its_breaker_and_says_when_to_come_again() {
    let (breaker, time) = breaker(Config::classic().name("payment").half_open(single_probe()));
    breaker.trip();
    time.advance(18 * SECOND);
    let rejection = Rejection::from(breaker.try_admit().map(|_| ()).expect_err("open"));
    let shown = rejection.to_string();
    assert_eq!(shown, "circuit_breaker `payment` refused the call: open, retry after 42s");
    breaker.force_open();
    let rejection = Rejection::from(breaker.try_admit().map(|_| ()).expect_err("open"));
    assert_eq!((rejection.reason(), rejection.retry_after()), ("forced_open", None));
}
