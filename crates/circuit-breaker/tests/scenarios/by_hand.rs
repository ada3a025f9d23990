//! What a hand does to a circuit, from whatever state.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use seawall_circuit_breaker::{CircuitBreaker, Config, Event, State};
use seawall_core::Outcome;

use crate::{HOUR, SECOND, breaker, call, calls};

type Lever = fn(&CircuitBreaker);

/// How each state is reached.
const STATES: [(State, Lever); 6] = [
    (State::Closed, |it| it.reset()),
    (State::Open, |it| it.trip()),
    (State::HalfOpen, |it| {
        it.trip();
        it.half_open().expect("it is open");
    }),
    (State::Disabled, |it| it.disable()),
    (State::ForcedOpen, |it| it.force_open()),
    (State::MetricsOnly, |it| it.metrics_only()),
];

const LEVERS: [(State, Lever); 7] = [
    (State::Open, |it| it.trip()),
    (State::Open, |it| it.isolate(SECOND)),
    (State::ForcedOpen, |it| it.force_open()),
    (State::Closed, |it| it.force_closed()),
    (State::Closed, |it| it.reset()),
    (State::Disabled, |it| it.disable()),
    (State::MetricsOnly, |it| it.metrics_only()),
];

#[test]
fn every_lever_leads_to_its_state_from_every_other() {
    for (from, reach) in STATES {
        for (to, pull) in LEVERS {
            let (breaker, _time) = breaker(Config::classic());
            reach(&breaker);
            assert_eq!(breaker.state(), from);
            pull(&breaker);
            assert_eq!(breaker.state(), to, "from {from}");
        }
    }
}

#[test]
fn only_an_open_circuit_becomes_half_open_and_any_other_stays_what_it_was() {
    for (from, reach) in STATES {
        let (breaker, _time) = breaker(Config::classic());
        reach(&breaker);
        let before = breaker.snapshot();
        let refused = breaker.half_open().err().map(|error| error.state());
        match from {
            State::Open => assert_eq!((refused, breaker.state()), (None, State::HalfOpen)),
            State::HalfOpen => assert_eq!((refused, breaker.snapshot()), (None, before)),
            _ => assert_eq!((refused, breaker.snapshot()), (Some(from), before)),
        }
    }
}

/// An observer that counts what it is told.
fn counting(told: &Arc<AtomicUsize>) -> impl Fn(&Event) + Send + Sync + use<> {
    let told = told.clone();
    move |_| {
        told.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_change_into_the_same_state_is_not_told() {
    for (state, reach) in STATES {
        let told = Arc::new(AtomicUsize::new(0));
        let (breaker, _time) = breaker(Config::classic().observer(counting(&told)));
        reach(&breaker);
        let before = told.load(Ordering::Relaxed);
        match state {
            State::HalfOpen => breaker.half_open().expect("it is half-open"),
            _ => reach(&breaker),
        }
        assert_eq!((breaker.state(), told.load(Ordering::Relaxed)), (state, before));
    }
}

#[test]
fn an_interval_that_is_set_again_begins_again() {
    let (breaker, time) = breaker(Config::classic());
    breaker.trip();
    time.advance(59 * SECOND);
    breaker.trip();
    time.advance(59 * SECOND);
    assert_eq!(breaker.state(), State::Open);
    breaker.isolate(2 * SECOND);
    time.advance(2 * SECOND);
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn a_disabled_circuit_tells_nothing_and_counts_nothing() {
    let told = Arc::new(AtomicUsize::new(0));
    let (breaker, _time) = breaker(Config::classic().failure_rate(0.5).observer(counting(&told)));
    breaker.disable();
    let before = (breaker.snapshot(), told.load(Ordering::Relaxed));
    calls(&breaker, 100, Outcome::Failure);
    breaker.record(Outcome::Failure, SECOND);
    assert_eq!((breaker.snapshot(), told.load(Ordering::Relaxed)), before);
}

#[test]
fn a_circuit_that_is_forced_open_counts_refusals_and_nothing_else() {
    let (breaker, time) = breaker(Config::classic());
    call(&breaker, Outcome::Failure);
    breaker.force_open();
    let before = breaker.snapshot();
    for _ in 0..5 {
        time.advance(HOUR);
        assert_eq!(breaker.try_admit().map(drop).expect_err("forced open").retry_after(), None);
        breaker.record(Outcome::Success, SECOND);
    }
    let after = breaker.snapshot();
    assert_eq!((after.refused_in_state, after.total.refused), (5, 5));
    assert_eq!((after.figures, after.consecutive_failures), (before.figures, before.consecutive_failures));
    assert_eq!((after.total.successes, after.total.failures), (0, 1));
}

#[test]
fn a_panic_of_a_call_is_a_failure_and_goes_on_to_the_caller() {
    let (breaker, _time) = breaker(Config::empty().consecutive_failures(1));
    let call = std::panic::AssertUnwindSafe(|| breaker.run_sync(|| -> Result<(), ()> { panic!("the call's own") }));
    let panic = std::panic::catch_unwind(call).expect_err("it goes on");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"the call's own"));
    assert_eq!((breaker.state(), breaker.snapshot().total.failures), (State::Open, 1));
}
