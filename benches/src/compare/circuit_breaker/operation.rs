//! What is called, and the settings that all breakers share.

use std::error::Error;
use std::fmt;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::time::Duration;

use seawall_core::Rejection;
use tower::{Service, service_fn};

/// Calls in a count window.
pub(super) const WINDOW_CALLS: usize = 100;
/// The length of a time window.
pub(super) const WINDOW_TIME: Duration = Duration::from_secs(30);
/// Longer than any run.
pub(super) const FOREVER: Duration = Duration::from_hours(1);

/// What the operation answers.
pub(super) type Answer = Result<u64, Failure>;

/// The operation's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operation failed")
    }
}

impl Error for Failure {}

/// A layer of ours answers a refusal with the service's own error.
impl From<Rejection> for Failure {
    fn from(_: Rejection) -> Self {
        Self
    }
}

/// An operation that succeeds, which the compiler cannot foresee.
pub(super) fn succeed() -> Answer {
    if black_box(true) { Ok(1) } else { Err(Failure) }
}

/// The same, failing.
pub(super) fn fail() -> Answer {
    if black_box(false) { Ok(1) } else { Err(Failure) }
}

/// Fails and succeeds in turn, beginning with a success.
pub(super) fn fail_every_second() -> impl FnMut() -> Answer + 'static {
    let mut failing = true;
    move || {
        failing = !failing;
        if failing { fail() } else { succeed() }
    }
}

/// The service that every layer protects: ready at once, answers at once.
pub(super) fn service()
-> impl Service<u64, Response = u64, Error = Failure, Future = Ready<Answer>> + Clone + Send + Sync + 'static {
    service_fn(|_: u64| ready(succeed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_call_fails() {
        let mut operation = fail_every_second();
        let answers: Vec<bool> = (0..4).map(|_| operation().is_ok()).collect();
        assert_eq!(answers, [true, false, true, false]);
    }
}
