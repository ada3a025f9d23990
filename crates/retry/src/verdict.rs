use std::error::Error;
use std::time::Duration;

use seawall_core::{Outcome, Rejection, Report};

/// What the result of an attempt means for the next one.
///
/// ```
/// use seawall_retry::Verdict;
/// use std::time::Duration;
///
/// // Busy, and it said for how long.
/// let verdict = Verdict::again().after(Duration::from_secs(2));
/// assert!(verdict.wants_another());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    kind: Kind,
    after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Good,
    Final,
    Again,
    Refused,
}

impl Verdict {
    const fn new(kind: Kind) -> Self {
        Self { kind, after: None }
    }

    /// The result is what was wanted.
    pub const fn good() -> Self {
        Self::new(Kind::Good)
    }

    /// It is not, but another attempt would not change that: bad input, a conflict.
    pub const fn is_final() -> Self {
        Self::new(Kind::Final)
    }

    /// Another attempt may do better.
    pub const fn again() -> Self {
        Self::new(Kind::Again)
    }

    /// The attempt was refused before it reached the dependency, by a circuit breaker for example: another one may do better,
    /// and as this one was no load it costs no budget.
    pub const fn refused() -> Self {
        Self::new(Kind::Refused)
    }

    /// The same, and another attempt makes no sense before so much time has passed.
    #[must_use]
    pub const fn after(mut self, wait: Duration) -> Self {
        self.after = Some(wait);
        self
    }

    /// Whether the result is what was wanted.
    pub const fn is_good(self) -> bool {
        matches!(self.kind, Kind::Good)
    }

    /// Whether another attempt may do better.
    pub const fn wants_another(self) -> bool {
        matches!(self.kind, Kind::Again | Kind::Refused)
    }

    /// Whether the attempt never reached the dependency.
    pub const fn was_refused(self) -> bool {
        matches!(self.kind, Kind::Refused)
    }

    /// How long the next attempt must wait at least.
    pub const fn wait(self) -> Option<Duration> {
        self.after
    }

    /// That of a rejection: refused, and no sooner than it says.
    pub const fn of_rejection(rejection: &Rejection) -> Self {
        Self { kind: Kind::Refused, after: rejection.retry_after() }
    }
}

/// A failure asks for another attempt, no sooner than its hint says; everything else is as it should be.
impl From<Report<'_>> for Verdict {
    fn from(report: Report<'_>) -> Self {
        match report.outcome() {
            Outcome::Failure => Self { kind: Kind::Again, after: report.hint() },
            Outcome::Success => Self::good(),
            _ => Self::is_final(),
        }
    }
}

/// Judges what an attempt returned.
///
/// Closures from `&T` to [`Verdict`] judge; [`ErrIsRetryable`] is the default for every `Result`; [`Errors`] and [`BoxedErrors`]
/// know refusals.
pub trait Judge<T: ?Sized> {
    /// What `result` means for the next attempt.
    fn judge(&self, result: &T) -> Verdict;
}

impl<T: ?Sized, F: Fn(&T) -> Verdict> Judge<T> for F {
    fn judge(&self, result: &T) -> Verdict {
        self(result)
    }
}

/// `Ok` is good, and every `Err` asks for another attempt.
#[derive(Clone, Copy, Debug, Default)]
pub struct ErrIsRetryable;

impl<T, E> Judge<Result<T, E>> for ErrIsRetryable {
    fn judge(&self, result: &Result<T, E>) -> Verdict {
        if result.is_ok() { Verdict::good() } else { Verdict::again() }
    }
}

/// `Ok` is good. An error asks for another attempt; if it is a [`Rejection`], or was caused by one, the attempt was
/// [refused](Verdict::refused), and the next one waits as long as the rejection says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Errors;

impl<T, E: Error + 'static> Judge<Result<T, E>> for Errors {
    fn judge(&self, result: &Result<T, E>) -> Verdict {
        match result {
            Ok(_) => Verdict::good(),
            Err(error) => Rejection::find(error).map_or(Verdict::again(), Verdict::of_rejection),
        }
    }
}

/// The same for boxed errors, as tower's own middleware and every layer's `boxed()` give them.
#[derive(Clone, Copy, Debug, Default)]
pub struct BoxedErrors;

impl<T> Judge<Result<T, Box<dyn Error + Send + Sync>>> for BoxedErrors {
    fn judge(&self, result: &Result<T, Box<dyn Error + Send + Sync>>) -> Verdict {
        match result {
            Ok(_) => Verdict::good(),
            Err(error) => Rejection::find(&**error).map_or(Verdict::again(), Verdict::of_rejection),
        }
    }
}
