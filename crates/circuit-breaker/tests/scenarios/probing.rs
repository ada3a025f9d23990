//! Half-open: who gets through, and what closes or opens the circuit again.

use seawall_circuit_breaker::{Abandoned, Cause, Config, HalfOpen, State, Window};
use seawall_core::Outcome;

use crate::{MS, SECOND, breaker, call, calls, half_opened, rated, single_probe};

/// C: closed, H: half-open, O: open; after each call.
#[test]
fn one_all_a_share_or_the_rates_of_the_probes_decide_as_soon_as_it_is_settled() {
    let one = HalfOpen::probes(1);
    let all = HalfOpen::probes(3);
    let three_of_five = HalfOpen::probes(5).successes(3);
    let by_rates = HalfOpen::probes(4).by_rates();
    for (half_open, outcomes, states) in [
        (one, "+", "C"),
        (one, "-", "O"),
        (all, "+++", "HHC"),
        (all, "++-", "HHO"),
        (all, "-", "O"),
        (three_of_five, "+++", "HHC"),
        (three_of_five, "-+-++", "HHHHC"),
        (three_of_five, "---", "HHO"),
        (three_of_five, "-++--", "HHHHO"),
        (by_rates, "+++", "HHC"),
        (by_rates, "-+++", "HHHC"),
        (by_rates, "--", "HO"),
        (by_rates, "+-+-", "HHHO"),
        (by_rates.wait_for_all(), "++++", "HHHC"),
        (by_rates.wait_for_all(), "----", "HHHO"),
        (three_of_five.wait_for_all(), "+++--", "HHHHC"),
    ] {
        let breaker = half_opened(rated(Window::count(10)).half_open(half_open));
        let seen: String = outcomes
            .chars()
            .map(|outcome| {
                call(&breaker, if outcome == '+' { Outcome::Success } else { Outcome::Failure });
                match breaker.state() {
                    State::Closed => 'C',
                    State::HalfOpen => 'H',
                    _ => 'O',
                }
            })
            .collect();
        assert_eq!(seen, states, "{outcomes} of {half_open:?}");
    }
}

#[test]
fn a_number_of_successes_decides_whatever_the_rates_would_say() {
    let half_open = HalfOpen::probes(10).successes(2);
    let breaker = half_opened(rated(Window::count(10)).failure_rate(0.1).half_open(half_open));
    calls(&breaker, 8, Outcome::Failure);
    call(&breaker, Outcome::Success);
    assert_eq!(breaker.state(), State::HalfOpen);
    call(&breaker, Outcome::Success);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn an_ignored_probe_gives_its_place_back_and_decides_nothing() {
    for half_open in [single_probe(), single_probe().wait_for_all(), single_probe().by_rates()] {
        let breaker = half_opened(rated(Window::count(10)).half_open(half_open));
        for _ in 0..100 {
            call(&breaker, Outcome::Ignored);
            let snapshot = breaker.snapshot();
            assert_eq!((snapshot.state, snapshot.probes_left, snapshot.figures.calls), (State::HalfOpen, Some(1), 0));
        }
        call(&breaker, Outcome::Success);
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[test]
fn a_probe_that_is_given_up_leaves_the_place_to_another() {
    let (breaker, time) = breaker(Config::classic().half_open(single_probe()).abandoned(Abandoned::Ignore));
    breaker.trip();
    time.advance(60 * SECOND);
    for _ in 0..100 {
        drop(breaker.try_admit().expect("free again"));
    }
    let completed = breaker.try_admit().expect("free again");
    assert!(breaker.try_admit().is_err());
    completed.success();
    assert_eq!((breaker.state(), breaker.snapshot().total.abandoned), (State::Closed, 100));
}

#[test]
fn a_single_probe_that_hangs_is_given_up_and_another_one_is_admitted() {
    let config = Config::classic().open_for(30 * SECOND).half_open(single_probe().max(10 * SECOND));
    let (breaker, time) = breaker(config);
    breaker.trip();
    time.advance(30 * SECOND);
    let hangs = breaker.try_admit().expect("the probe");
    time.advance(9_999 * MS);
    let refused = breaker.try_admit().map(drop).expect_err("it is out");
    assert_eq!((refused.state(), refused.retry_after()), (State::HalfOpen, Some(MS)));
    time.advance(MS);
    let refused = breaker.try_admit().map(drop).expect_err("it was given up");
    assert_eq!((refused.state(), refused.cause()), (State::Open, Cause::ProbesUndecided));
    time.advance(30 * SECOND);
    call(&breaker, Outcome::Success);
    hangs.failure();
    assert_eq!((breaker.state(), breaker.snapshot().total.stale), (State::Closed, 1));
}

#[test]
fn whoever_asks_first_when_the_interval_is_over_has_the_first_probe() {
    let (breaker, time) = breaker(Config::classic().open_for(SECOND));
    breaker.trip();
    time.advance(SECOND);
    let first = breaker.try_admit().expect("nobody looked before");
    assert_eq!((breaker.state(), breaker.snapshot().probes_left), (State::HalfOpen, Some(2)));
    first.success();
    calls(&breaker, 2, Outcome::Success);
    assert_eq!(breaker.state(), State::Closed, "the first one counts");
}

#[test]
fn a_straggler_of_another_generation_decides_nothing() {
    let (breaker, time) = breaker(Config::empty().consecutive_failures(2).half_open(single_probe()));
    let stragglers: Vec<_> = (0..6).map(|_| breaker.try_admit().expect("closed")).collect();
    let mut stragglers = stragglers.into_iter();
    let mut next = || stragglers.next().expect("there are six");
    (0..2).for_each(|_| call(&breaker, Outcome::Failure));
    next().success();
    assert_eq!(breaker.state(), State::Open, "while it is shut");
    time.advance(30 * SECOND);
    assert_eq!(breaker.state(), State::HalfOpen);
    next().success();
    next().failure();
    assert_eq!(breaker.state(), State::HalfOpen, "while it is probed");
    let probe = breaker.try_admit().expect("the probe");
    breaker.force_closed();
    probe.failure();
    next().failure();
    next().failure();
    assert_eq!(breaker.snapshot().consecutive_failures, 0, "when it is closed again");
    drop(next());
    assert_eq!(breaker.snapshot().total.stale, 7);
}

#[test]
fn probes_that_are_slower_than_the_window_is_long_still_decide() {
    let half_open = HalfOpen::probes(3).without_max();
    let (breaker, time) = breaker(rated(Window::time(10 * SECOND)).half_open(half_open));
    breaker.trip();
    time.advance(30 * SECOND);
    for _ in 0..3 {
        let probe = breaker.try_admit().expect("a probe");
        time.advance(20 * SECOND);
        probe.success();
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_slow_probe_does_not_close_it_even_if_it_succeeds() {
    let config = Config::classic().slow_calls(SECOND, 1.0).open_for(SECOND).half_open(single_probe());
    let (breaker, time) = breaker(config);
    breaker.trip();
    time.advance(SECOND);
    let probe = breaker.try_admit().expect("the probe");
    time.advance(SECOND + MS);
    probe.success();
    assert_eq!((breaker.state(), breaker.snapshot().cause), (State::Open, Some(Cause::ProbesFailed)));
}

#[test]
fn probes_that_are_dropped_one_after_the_other_do_not_keep_it_half_open() {
    let (breaker, time) = breaker(Config::default());
    breaker.trip();
    time.advance(30 * SECOND);
    breaker.try_admit().expect("a probe").success();
    // The dependency hangs, and a timeout outside cuts every probe off.
    let mut dropped = 0;
    while breaker.state() == State::HalfOpen {
        let probe = breaker.try_admit().expect("a probe");
        time.advance(SECOND);
        drop(probe);
        dropped += 1;
        assert!(dropped <= 30, "half-open after {dropped} dropped probes");
    }
    let snapshot = breaker.snapshot();
    assert_eq!((dropped, snapshot.state, snapshot.cause), (30, State::Open, Some(Cause::ProbesUndecided)));
}
