//! What goes wrong around a breaker: clocks that step back, user code that panics, dependencies that talk nonsense.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use seawall_circuit_breaker::{CircuitBreaker, Config, Event, HalfOpen, State};
use seawall_core::time::{Clock, ManualTime};
use seawall_core::{Permit, Rejection, Report};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Opens at the first failure, for 30 s; one probe, which may take any time.
fn fragile() -> Config {
    let one_probe = HalfOpen::probes(1).without_max();
    Config::empty().consecutive_failures(1).open_for(30 * SECOND).half_open(one_probe)
}

fn opened(config: Config) -> (CircuitBreaker, ManualTime) {
    let (clock, time) = Clock::manual();
    time.advance(HOUR);
    let breaker = CircuitBreaker::with_clock(config, clock).expect("a valid configuration");
    breaker.try_admit().expect("closed").failure();
    assert_eq!(breaker.state(), State::Open);
    (breaker, time)
}

fn panics(work: impl FnOnce()) {
    catch_unwind(AssertUnwindSafe(work)).expect_err("it panics");
}

#[test]
fn a_clock_that_steps_back_locks_nobody_out() {
    let (breaker, time) = opened(fragile());
    time.step_back(HOUR);
    assert_eq!(breaker.try_admit().expect_err("still open").retry_after(), Some(30 * SECOND));
    time.advance(30 * SECOND);
    breaker.try_admit().expect("the interval is over").success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_clock_that_steps_back_makes_no_failures_recent() {
    let (clock, time) = Clock::manual();
    time.advance(HOUR);
    let breaker = CircuitBreaker::with_clock(Config::empty().failures_in_period(3, 10 * SECOND), clock).expect("valid");
    breaker.try_admit().expect("closed").failure();
    time.step_back(HOUR);
    for _ in 0..2 {
        time.advance(600 * SECOND);
        breaker.try_admit().expect("closed").failure();
    }
    assert_eq!(breaker.state(), State::Closed, "three failures, ten minutes apart");
}

#[test]
fn an_observer_that_panics_loses_no_probe() {
    let (breaker, time) = opened(fragile().observer(|event: &Event| assert_ne!(event.to, State::HalfOpen, "observed")));
    time.advance(30 * SECOND);
    panics(|| drop(breaker.try_admit()));
    breaker.try_admit().expect("the probe was given back").success();
}

#[test]
fn an_error_that_cannot_be_shown_loses_no_probe() {
    struct Unspeakable;
    impl fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no words")
        }
    }
    let (breaker, time) = opened(fragile());
    time.advance(30 * SECOND);
    let probe = breaker.try_admit().expect("a probe");
    panics(|| probe.finish(Report::failure().because(&Unspeakable)));
    assert_eq!(breaker.state(), State::Open, "the call had failed all the same");
    time.advance(30 * SECOND);
    breaker.try_admit().expect("a probe").success();
}

#[test]
fn an_interval_rule_that_panics_opens_for_the_configured_time() {
    let (breaker, _time) = opened(fragile());
    breaker.reset();
    breaker.reconfigure(fragile().open_by(|_| panic!("no idea"))).expect("valid");
    let permit = breaker.try_admit().expect("closed");
    panics(|| permit.failure());
    assert_eq!(breaker.try_admit().expect_err("open").retry_after(), Some(30 * SECOND));
    assert_eq!(breaker.snapshot().total.opened, 2);
}

#[test]
fn looking_at_a_circuit_does_not_hurry_its_probes() {
    let two_of_three = || Config::empty().consecutive_failures(1).open_for(30 * SECOND);
    let (breaker, time) = opened(two_of_three());
    time.advance(30 * SECOND);
    assert_eq!(breaker.state(), State::HalfOpen);
    time.advance(HOUR);
    breaker.try_admit().expect("nobody was waited for").success();

    let (breaker, time) = opened(two_of_three());
    for _ in 0..3 {
        time.advance(45 * SECOND);
        breaker.try_admit().expect("a call now and then").success();
    }
    assert_eq!(breaker.state(), State::Closed, "rare successes close it too");
}

#[test]
fn a_hint_to_come_at_once_does_not_keep_the_circuit_closed() {
    let (breaker, _time) = opened(fragile());
    breaker.reset();
    breaker.try_admit().expect("closed").finish(Report::failure().retry_after(Duration::ZERO));
    assert_eq!(breaker.try_admit().expect_err("open").retry_after(), Some(30 * SECOND));
}

#[test]
fn a_refusal_is_found_behind_any_box() {
    let (breaker, _time) = opened(fragile().name("payment"));
    let boxed: Box<dyn std::error::Error + Send + Sync> = breaker.try_admit().expect_err("open").into();
    let found = Rejection::find(&*boxed).expect("it is the refusal's source");
    assert_eq!((found.reason(), found.retry_after()), ("open", Some(30 * SECOND)));
    assert_eq!(boxed.to_string(), "the circuit `payment` is open because of consecutive_failures");
}

#[test]
fn a_fallback_answers_for_a_refused_call() {
    let (breaker, _time) = opened(fragile());
    let answer = ready(breaker.run_or_else(async { Ok::<_, &str>("live") }, |open| {
        assert_eq!(open.state(), State::Open);
        Ok("stored")
    }));
    assert_eq!(answer, Ok("stored"));
    breaker.reset();
    let failed = breaker.run_or_else(async { Err::<&str, _>("the call's own") }, |_| Ok("stored"));
    assert_eq!(ready(failed), Err("the call's own"));
}

#[test]
fn while_disabled_nothing_is_recorded() {
    let (breaker, _time) = opened(fragile());
    breaker.disable();
    let before = breaker.snapshot().total;
    (0..5).for_each(|_| breaker.try_admit().expect("disabled").failure());
    breaker.try_admit().map(Permit::success).expect("disabled");
    drop(breaker.try_admit());
    assert_eq!(breaker.snapshot().total, before);
}

/// Polls a future that is ready at once.
fn ready<F: Future>(future: F) -> F::Output {
    match std::pin::pin!(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("it waits for nothing"),
    }
}
