//! failsafe: one mutex around state and policy, locked twice a call.

use std::time::Duration;

use failsafe::backoff::{Constant, constant};
use failsafe::failure_policy::{
    ConsecutiveFailures, SuccessRateOverTimeWindow, consecutive_failures, success_rate_over_time_window,
};
use failsafe::{CircuitBreaker, Config, Error, StateMachine};

use super::operation::{Answer, FOREVER, WINDOW_CALLS, WINDOW_TIME, fail, fail_every_second, succeed};
use crate::harness::{Mismatch, Subject, drive_sync};

/// Closed, every call succeeds; the success rate is averaged over the time window.
pub(super) fn closed_success_time_window() -> Subject {
    subject(success_rate(0.5), || succeed, true)
}

/// Closed, every call succeeds; only consecutive failures would open.
pub(super) fn closed_success_consecutive() -> Subject {
    subject(consecutive(5, FOREVER), || succeed, true)
}

/// Closed, every second call fails, which stays above the success rate that it demands.
pub(super) fn closed_failure_time_window() -> Subject {
    subject(success_rate(0.25), fail_every_second, true)
}

/// Open for longer than the run.
pub(super) fn open() -> Subject {
    let breaker = consecutive(1, FOREVER);
    admitted(&breaker.call(fail));
    subject(breaker, || succeed, false)
}

/// Each call finds its open interval over, is admitted as a probe, fails and opens the circuit again.
pub(super) fn half_open_reopens() -> Subject {
    let breaker = consecutive(1, Duration::ZERO);
    admitted(&breaker.call(fail));
    subject(breaker, || fail, true)
}

fn success_rate(required: f64) -> StateMachine<SuccessRateOverTimeWindow<Constant>, ()> {
    let minimum = u32::try_from(WINDOW_CALLS).expect("a small constant");
    let policy = success_rate_over_time_window(required, minimum, WINDOW_TIME, constant(FOREVER));
    Config::new().failure_policy(policy).build()
}

fn consecutive(failures: u32, open: Duration) -> StateMachine<ConsecutiveFailures<Constant>, ()> {
    Config::new().failure_policy(consecutive_failures(failures, constant(open))).build()
}

fn subject<B, O>(breaker: B, operation: fn() -> O, admits: bool) -> Subject
where
    B: CircuitBreaker + Clone + Send + Sync + 'static,
    O: FnMut() -> Answer + 'static,
{
    let audited = breaker.clone();
    Subject::new(move |_| {
        let breaker = breaker.clone();
        let mut operation = operation();
        drive_sync(move || admitted(&breaker.call(&mut operation)))
    })
    .audited(move |_| Mismatch::check("admits at the end", admits, audited.is_call_permitted()))
}

fn admitted<T, E>(result: &Result<T, Error<E>>) -> bool {
    !matches!(result, Err(Error::Rejected))
}
