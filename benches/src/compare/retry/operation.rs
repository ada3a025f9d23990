//! What is called, and the settings that all sides share.

use std::error::Error;
use std::fmt;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::time::Duration;

use seawall_core::Rejection;
use tower::{Service, service_fn};

/// How often a call may be made, the first time included.
pub(super) const ATTEMPTS: u32 = 3;
/// The wait before another attempt, which nobody reaches.
pub(super) const WAIT: Duration = Duration::from_millis(100);
/// How long a budget remembers calls.
pub(super) const TTL: Duration = Duration::from_secs(10);
/// The share of calls that may be made again.
pub(super) const RATIO: f32 = 0.2;
/// Further attempts a second that a budget gives whatever the load.
pub(super) const FREE_PER_SECOND: u32 = 10;
/// Longer than any run.
pub(super) const FOREVER: Duration = Duration::from_hours(1);
/// From this quantile of the durations on a call is hedged, once that many were measured.
pub(super) const QUANTILE: f32 = 0.95;
/// Calls before the quantile is trusted.
pub(super) const WARM_UP: u32 = 100;

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

/// A layer of ours answers a timeout with the service's own error.
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

/// The service that every layer wraps: ready at once, answers at once.
pub(super) fn service()
-> impl Service<u64, Response = u64, Error = Failure, Future = Ready<Answer>> + Clone + Send + Sync + 'static {
    service_fn(|_: u64| ready(succeed()))
}

/// The same, failing.
pub(super) fn failing_service()
-> impl Service<u64, Response = u64, Error = Failure, Future = Ready<Answer>> + Clone + Send + Sync + 'static {
    service_fn(|_: u64| ready(fail()))
}
