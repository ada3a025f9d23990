use std::fmt;
use std::time::Duration;

/// How a call that ran is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The dependency did its work.
    Success,
    /// The dependency failed.
    Failure,
    /// It says nothing about the dependency: a caller's mistake, for example.
    Ignored,
}

/// An [`Outcome`] and what else is known of it.
///
/// ```
/// use seawall_core::{Outcome, Report};
/// use std::time::Duration;
///
/// let report = Report::failure().because(&"connection reset").retry_after(Duration::from_secs(2));
/// assert_eq!(report.outcome(), Outcome::Failure);
/// ```
#[derive(Clone, Copy)]
pub struct Report<'a> {
    outcome: Outcome,
    retry_after: Option<Duration>,
    error: Option<&'a dyn fmt::Display>,
}

impl<'a> Report<'a> {
    /// The call succeeded.
    #[inline(always)]
    pub const fn success() -> Self {
        Self::new(Outcome::Success)
    }

    /// The call failed.
    #[inline(always)]
    pub const fn failure() -> Self {
        Self::new(Outcome::Failure)
    }

    /// The call says nothing about the dependency.
    #[inline(always)]
    pub const fn ignored() -> Self {
        Self::new(Outcome::Ignored)
    }

    #[inline(always)]
    const fn new(outcome: Outcome) -> Self {
        Self { outcome, retry_after: None, error: None }
    }

    /// The same, with the error that a snapshot may show.
    #[must_use]
    pub const fn because(mut self, error: &'a dyn fmt::Display) -> Self {
        self.error = Some(error);
        self
    }

    /// The same, with the dependency's own word on when to ask again (`Retry-After`).
    #[must_use]
    pub const fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// How the call is judged.
    #[inline(always)]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// When the dependency wants to be asked again.
    pub const fn hint(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The error, if it was given.
    pub fn error(&self) -> Option<&'a dyn fmt::Display> {
        self.error
    }
}

impl From<Outcome> for Report<'_> {
    #[inline(always)]
    fn from(outcome: Outcome) -> Self {
        Self::new(outcome)
    }
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("outcome", &self.outcome)
            .field("retry_after", &self.retry_after)
            .field("error", &self.error.map(ToString::to_string))
            .finish()
    }
}

/// How an admitted call ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Ending<'a> {
    /// The call ran to its end.
    Finished(Report<'a>),
    /// The call never started: what was taken for it is given back.
    Cancelled,
    /// The call was dropped before its end. What that means is each pattern's own, documented rule.
    Abandoned,
    /// The call panicked.
    Panicked,
}

/// Judges what a call returned.
///
/// Closures from `&T` to [`Report`] classify; [`ErrIsFailure`] is the default for every `Result`.
///
/// ```
/// use seawall_core::{Classify, Outcome, Report};
///
/// fn by_status(response: &Result<u16, std::io::Error>) -> Report<'_> {
///     match response {
///         Ok(status) if *status < 500 => Report::success(),
///         Ok(_) => Report::failure(),
///         Err(error) => Report::failure().because(error),
///     }
/// }
/// assert_eq!(by_status.classify(&Ok(503)).outcome(), Outcome::Failure);
/// ```
pub trait Classify<T: ?Sized> {
    /// The judgement of `result`.
    fn classify<'a>(&self, result: &'a T) -> Report<'a>;
}

impl<T: ?Sized, F> Classify<T> for F
where
    F: Fn(&T) -> Report<'_>,
{
    #[inline(always)]
    fn classify<'a>(&self, result: &'a T) -> Report<'a> {
        self(result)
    }
}

/// `Ok` is a success, `Err` a failure.
#[derive(Clone, Copy, Debug, Default)]
pub struct ErrIsFailure;

impl<T, E> Classify<Result<T, E>> for ErrIsFailure {
    #[inline(always)]
    fn classify<'a>(&self, result: &'a Result<T, E>) -> Report<'a> {
        match result {
            Ok(_) => Report::success(),
            Err(_) => Report::failure(),
        }
    }
}
