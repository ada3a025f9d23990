//! recloser: a ring of the last calls behind a spin lock, the state behind an epoch-guarded pointer.

use std::sync::Arc;
use std::time::Duration;

use recloser::{Error, Recloser};

use super::operation::{Answer, FOREVER, WINDOW_CALLS, fail, fail_every_second, succeed};
use crate::harness::{Mismatch, Subject, drive_sync};

/// Closed, every call succeeds, the ring is full.
pub(super) fn closed_success() -> Subject {
    let breaker = Arc::new(Recloser::custom().error_rate(0.5).closed_len(WINDOW_CALLS).build());
    subject(breaker, || succeed, true)
}

/// Closed, every second call fails, which stays below the threshold.
pub(super) fn closed_failure() -> Subject {
    let breaker = Arc::new(Recloser::custom().error_rate(0.75).closed_len(WINDOW_CALLS).build());
    subject(breaker, fail_every_second, true)
}

/// Open for longer than the run.
pub(super) fn open() -> Subject {
    let breaker = Recloser::custom().error_rate(0.5).closed_len(1).open_wait(FOREVER).build();
    trip(&breaker);
    subject(Arc::new(breaker), || succeed, false)
}

/// Half-open for the whole run: no rate of failures is low enough to close, so every call is an admitted probe.
pub(super) fn half_open() -> Subject {
    let breaker = Recloser::custom()
        .error_rate_closed(0.5)
        .error_rate_half_open(-1.0)
        .closed_len(1)
        .half_open_len(WINDOW_CALLS)
        .open_wait(Duration::ZERO)
        .build();
    trip(&breaker);
    subject(Arc::new(breaker), || succeed, true)
}

/// The ring decides with the call after the one that filled it.
fn trip(breaker: &Recloser) {
    for _ in 0..2 {
        admitted(&breaker.call(fail));
    }
}

fn subject<O>(breaker: Arc<Recloser>, operation: fn() -> O, admits: bool) -> Subject
where
    O: FnMut() -> Answer + 'static,
{
    let audited = Arc::clone(&breaker);
    Subject::new(move |_| {
        let breaker = Arc::clone(&breaker);
        let mut operation = operation();
        drive_sync(move || admitted(&breaker.call(&mut operation)))
    })
    .audited(move |_| Mismatch::check("admits at the end", admits, admitted(&audited.call(succeed))))
}

fn admitted<T, E>(result: &Result<T, Error<E>>) -> bool {
    !matches!(result, Err(Error::Rejected))
}
