//! What is a request, what is accepted, and what a refusal says.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};

use seawall_circuit_breaker::throttle::{Abandoned, Config, Snapshot};
use seawall_circuit_breaker::{Throttle, Throttled};
use seawall_core::time::{Clock, Now};
use seawall_core::{Admits, Ask, Ending, Kind, Name, Outcome, Policy, Rejection, Shared, all};

use crate::{SECOND, admitted, eager, record, throttle};

/// requests, accepts and refused of the window
fn figures(snapshot: &Snapshot) -> (u64, u64, u64) {
    (snapshot.requests, snapshot.accepts, snapshot.refused)
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

#[test]
fn while_half_of_the_requests_are_accepted_all_calls_pass() {
    let (throttle, _time) = throttle(eager());
    for _ in 0..5_000 {
        throttle.try_admit().expect("nothing is known against it").success();
        throttle.try_admit().expect("one accepted pays for two requests").failure();
    }
    let snapshot = throttle.snapshot();
    assert_eq!(figures(&snapshot), (10_000, 5_000, 0));
    assert!(close(snapshot.probability, 0.0) && snapshot.throttling.is_none());
}

#[test]
fn one_failure_more_is_refused_with_the_formulas_probability() {
    let (throttle, _time) = throttle(eager());
    record(&throttle, Outcome::Success, 30);
    record(&throttle, Outcome::Failure, 30);
    assert!(close(throttle.snapshot().probability, 0.0));
    record(&throttle, Outcome::Failure, 1);
    assert!(close(throttle.snapshot().probability, 1.0 / 62.0));
    record(&throttle, Outcome::Failure, 38);
    assert!(close(throttle.snapshot().probability, 39.0 / 100.0));
}

#[test]
fn a_refused_call_is_a_request_too() {
    let (throttle, _time) = throttle(eager());
    record(&throttle, Outcome::Failure, 1_000);
    let refused: Vec<Throttled> = (0..100).filter_map(|_| throttle.try_admit().map(drop).err()).collect();
    let snapshot = throttle.snapshot();
    assert_eq!(figures(&snapshot), (1_100, 0, refused.len() as u64));
    assert!(refused.len() > 90, "of 1 000 none was accepted, and only {} of 100 were refused", refused.len());
    assert!(close(snapshot.probability, 1_100.0 / 1_101.0));
}

#[test]
fn a_call_that_runs_is_a_request_that_is_not_accepted_yet() {
    let (throttle, _time) = throttle(Config::default());
    let running = admitted(&throttle, 100);
    assert!(close(throttle.snapshot().probability, 100.0 / 101.0), "whatever hangs must be noticed");
    for permit in running {
        permit.success();
    }
    assert_eq!(figures(&throttle.snapshot()), (100, 100, 0));
    assert!(close(throttle.snapshot().probability, 0.0));
}

#[test]
fn below_the_minimum_nothing_is_refused() {
    let (throttle, _time) = throttle(Config::default().seed(1));
    for _ in 0..100 {
        throttle.try_admit().expect("below 100 requests").failure();
    }
    assert!(throttle.try_admit().is_err(), "with a probability of 100 / 101");
}

#[test]
fn every_ending_counts_as_it_should() {
    let counted = |abandoned, ending: Ending<'_>| {
        let (throttle, _time) = throttle(eager().abandoned(abandoned));
        record(&throttle, Outcome::Success, 10);
        throttle.try_admit().expect("all is well").end(ending);
        let snapshot = throttle.snapshot();
        let total = snapshot.total;
        let ended = [total.successes - 10, total.failures, total.abandoned, total.ignored, total.stale];
        assert_eq!(total.requests, 11);
        (snapshot.requests - 10, snapshot.accepts - 10, ended)
    };
    for abandoned in [Abandoned::Failure, Abandoned::Ignore] {
        let finished = |outcome: Outcome| counted(abandoned, Ending::Finished(outcome.into()));
        assert_eq!(finished(Outcome::Success), (1, 1, [1, 0, 0, 0, 0]));
        assert_eq!(finished(Outcome::Failure), (1, 0, [0, 1, 0, 0, 0]));
        assert_eq!(finished(Outcome::Ignored), (0, 0, [0, 0, 0, 1, 0]));
        assert_eq!(counted(abandoned, Ending::Cancelled), (0, 0, [0, 0, 0, 0, 0]));
        assert_eq!(counted(abandoned, Ending::Panicked), (1, 0, [0, 1, 0, 0, 0]), "a panic is a failure");
    }
    assert_eq!(counted(Abandoned::Failure, Ending::Abandoned), (1, 0, [0, 0, 1, 0, 0]));
    assert_eq!(counted(Abandoned::Ignore, Ending::Abandoned), (0, 0, [0, 0, 1, 0, 0]));
}

#[test]
fn a_call_that_panics_is_a_failure_and_the_panic_goes_on() {
    let (throttle, _time) = throttle(eager());
    let call = || -> Result<(), ()> { panic!("the call panics, as told") };
    assert!(catch_unwind(AssertUnwindSafe(|| throttle.run_sync(call))).is_err());
    let snapshot = throttle.snapshot();
    assert_eq!((snapshot.requests, snapshot.accepts, snapshot.total.failures), (1, 0, 1));
}

#[test]
fn requests_leave_the_window_bucket_by_bucket() {
    let (throttle, time) = throttle(eager().window(10 * SECOND).buckets(5));
    for second in 0..10 {
        record(&throttle, Outcome::Failure, second);
        time.advance(SECOND);
    }
    let mut seen = Vec::new();
    for _ in 10..20 {
        seen.push(throttle.snapshot().requests);
        time.advance(SECOND);
    }
    // Buckets of two seconds: that of 0 and 1 leaves when that of 10 begins.
    assert_eq!(seen, [44, 44, 39, 39, 30, 30, 17, 17, 0, 0]);
}

#[test]
fn a_call_is_accepted_when_it_ends_whatever_has_left_the_window() {
    let (throttle, time) = throttle(eager());
    let slow = throttle.try_admit().expect("the first");
    time.advance(15 * SECOND);
    record(&throttle, Outcome::Failure, 1);
    slow.success();
    assert_eq!(figures(&throttle.snapshot()), (1, 1, 0), "its request has left, and it has just been accepted");
    let ignored = throttle.try_admit().expect("all is well");
    time.advance(15 * SECOND);
    ignored.ignore();
    assert_eq!(figures(&throttle.snapshot()), (0, 0, 0), "nothing is taken back twice");
}

#[test]
fn a_refusal_says_who_refused_and_how_likely_that_was() {
    let (throttle, _time) = throttle(eager().name("search"));
    record(&throttle, Outcome::Failure, 999);
    let refusal = (0..100).find_map(|_| throttle.try_admit().map(drop).err()).expect("nearly all are refused");
    assert_eq!(refusal.name().as_str(), "search");
    assert!((0.999..1.0).contains(&refusal.probability()));
    assert_eq!(refusal.to_string(), "the throttle `search` refuses 99.9 % of the calls, this one too");
    assert!(format!("{refusal:?}").contains("probability: 0.999"), "{refusal:?}");

    let rejection = Rejection::from(refusal);
    assert_eq!((rejection.pattern(), rejection.reason()), ("adaptive_throttle", "throttled"));
    assert_eq!(rejection.retry_after(), None, "no time makes sure that a call passes");
    let boxed: Box<dyn std::error::Error + Send + Sync> = refusal.into();
    assert_eq!(Rejection::find(&*boxed), Some(&rejection));
}

#[test]
fn a_reservation_is_no_request_until_its_call_comes() {
    let (throttle, _time) = throttle(eager());
    let policy: &Throttle = &throttle;
    record(policy, Outcome::Failure, 1_000_000);
    let now = Now::new(policy.clock());
    let reserve = || policy.try_admit(&Ask::new(&(), &now).reserving()).expect("it has not drawn");
    policy.settle(reserve(), Ending::Cancelled, &now);
    policy.settle(reserve(), Ending::Abandoned, &now);
    assert_eq!(figures(&policy.snapshot()), (1_000_000, 0, 0));

    let mut token = reserve();
    assert!(policy.renew(&mut token, &now).is_err(), "it draws now");
    policy.settle(token, Ending::Cancelled, &now);
    assert_eq!(figures(&policy.snapshot()), (1_000_001, 0, 1));

    policy.reset();
    let mut token = reserve();
    policy.renew(&mut token, &now).expect("nothing is known against it");
    assert_eq!(policy.snapshot().requests, 1);
    record(policy, Outcome::Failure, 1_000_000);
    policy.renew(&mut token, &now).expect("a draw that was won stands");
    policy.settle(token, Ending::Finished(Outcome::Success.into()), &now);
    assert_eq!(figures(&policy.snapshot()), (1_000_001, 1, 0));
}

/// Seems to admit, and never does.
struct Never;

impl Policy for Never {
    type Token = ();
    type Place = Infallible;
    type Refusal = Rejection;

    fn clock(&self) -> Option<&Clock> {
        None
    }

    fn settle(&self, (): (), _: Ending<'_>, _: &Now<'_>) {}
}

impl Admits for Never {
    fn try_admit(&self, _: &Ask<'_, ()>) -> Result<(), Rejection> {
        static NEVER: Kind = Kind::new("never", "never");
        Err(Rejection::new(&NEVER, Name::from_static("test")))
    }
}

#[test]
fn a_call_that_another_policy_refuses_never_was_a_request() {
    let (throttle, _time) = throttle(eager());
    let both = all((throttle.clone(), Shared::from_policy(Never)));
    for _ in 0..10 {
        assert!(both.try_admit().is_err());
    }
    let snapshot = throttle.snapshot();
    assert_eq!((snapshot.requests, snapshot.total.refused), (0, 0));
}

#[test]
fn a_clock_that_steps_back_neither_lets_all_pass_nor_locks_out() {
    let (throttle, time) = throttle(eager());
    time.advance(1_000 * SECOND);
    record(&throttle, Outcome::Failure, 1_000);
    time.step_back(500 * SECOND);
    assert!(throttle.try_admit().is_err(), "what was counted still counts");
    assert!(throttle.snapshot().probability > 0.99);
    time.advance(10 * SECOND);
    throttle.try_admit().expect("a window later it has left").success();
    time.step_back(5 * SECOND);
    time.step_back(2_000 * SECOND);
    throttle.try_admit().expect("all is well").success();
    assert_eq!(figures(&throttle.snapshot()), (2, 2, 0));
}
