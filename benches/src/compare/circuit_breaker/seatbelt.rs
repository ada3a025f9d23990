//! seatbelt: a mutex around state and buckets, locked twice a call; asynchronous only.
//!
//! Its own `layered` form is measured: unlike its tower adapter it boxes no future. The futures are polled to their end without
//! a runtime, because nothing here waits.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::Waker;

use layered::{Execute, Layer, Service};
use seatbelt::breaker::{Breaker, HalfOpenMode};
use seatbelt::{RecoveryInfo, ResilienceContext};
use tick::runtime::{ClockDriver, InactiveClock};

use super::operation::{Answer, FOREVER, Failure, WINDOW_CALLS, WINDOW_TIME, fail, succeed};
use crate::harness::{Mismatch, Subject, drive_sync, poll_to_end};

/// Closed, every call succeeds.
pub(super) fn closed_success() -> Subject {
    subject(breaker(), true)
}

/// Open for longer than the run.
pub(super) fn open() -> Subject {
    let breaker = breaker();
    while poll_to_end(breaker.service.execute(false)) != Err(Refused) {}
    subject(breaker, false)
}

/// What a call with the input `true` (succeed) or `false` (fail) answers.
type Out = Result<u64, Refusal>;

/// The peer wants its refusal to be a value of the operation's own error type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Refused,
    Failed(Failure),
}
use Refusal::{Failed, Refused};

struct Protected<S> {
    service: S,
    /// The clock reads the time without its driver, but counts as gone once the driver is.
    _driver: ClockDriver,
}

fn breaker() -> Protected<impl Service<bool, Out = Out> + 'static> {
    let (clock, driver) = InactiveClock::default().activate(Waker::noop().clone());
    let context = ResilienceContext::<bool, Out>::new(&clock);
    let layer = Breaker::layer("payment", &context)
        .recovery_with(|out: &Out, _| match out {
            Ok(_) => RecoveryInfo::never(),
            Err(_) => RecoveryInfo::retry(),
        })
        .rejected_input_error(|_, _| Refused)
        .failure_threshold(0.5)
        .min_throughput(u32::try_from(WINDOW_CALLS).expect("a small constant"))
        .sampling_duration(WINDOW_TIME)
        .break_duration(FOREVER)
        .half_open_mode(HalfOpenMode::quick());
    Protected { service: layer.layer(Execute::new(operation)), _driver: driver }
}

fn operation(succeeds: bool) -> Ready<Out> {
    let answer: Answer = if succeeds { succeed() } else { fail() };
    ready(answer.map_err(Failed))
}

fn subject<S>(breaker: Protected<S>, admits: bool) -> Subject
where
    S: Service<bool, Out = Out> + 'static,
{
    let breaker = Arc::new(breaker);
    let audited = Arc::clone(&breaker);
    Subject::new(move |_| {
        let breaker = Arc::clone(&breaker);
        drive_sync(move || poll_to_end(breaker.service.execute(true)) != Err(Refused))
    })
    .audited(move |_| {
        let admitted = poll_to_end(audited.service.execute(true)) != Err(Refused);
        Mismatch::check("admits at the end", admits, admitted)
    })
}
