use std::error::Error;
use std::fmt;
use std::time::Duration;

use seawall_core::{Kind, Name, Rejection};

/// Why a bulkhead did not let a call through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Reason {
    /// Everything is in use, and so is the queue.
    Full,
    /// Its turn was expected after its deadline, so it did not wait at all.
    TooLate,
    /// It waited as long as it might.
    TimedOut,
    /// The queue was full, and a call of a higher priority came.
    Displaced,
    /// It had waited longer than the target of a queue that does not empty.
    Overdue,
    /// It asks for more than the limit: it will never pass.
    TooLarge,
}

impl Reason {
    const fn kind(self) -> &'static Kind {
        static FULL: Kind = Kind::new("bulkhead", "full");
        static TOO_LATE: Kind = Kind::new("bulkhead", "too_late");
        static TIMED_OUT: Kind = Kind::new("bulkhead", "timed_out");
        static DISPLACED: Kind = Kind::new("bulkhead", "displaced");
        static OVERDUE: Kind = Kind::new("bulkhead", "overdue");
        static TOO_LARGE: Kind = Kind::new("bulkhead", "too_large");
        match self {
            Self::Full => &FULL,
            Self::TooLate => &TOO_LATE,
            Self::TimedOut => &TIMED_OUT,
            Self::Displaced => &DISPLACED,
            Self::Overdue => &OVERDUE,
            Self::TooLarge => &TOO_LARGE,
        }
    }
}

/// The bulkhead did not let the call through.
///
/// `Copy`, and made without an allocation: refusing is what a bulkhead does most when it is needed most. Its `source()` is
/// the [`Rejection`], so that [`Rejection::find`] finds it behind any box.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Full {
    rejection: Rejection,
    reason: Reason,
    figures: Figures,
}

/// What a bulkhead looked like when it refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) limit: u32,
    pub(crate) in_flight: u32,
    pub(crate) queued: u32,
    /// What the call asked for.
    pub(crate) permits: u32,
}

impl Full {
    #[inline]
    pub(crate) const fn new(name: Name, reason: Reason, figures: Figures, retry_after: Option<Duration>) -> Self {
        let rejection = Rejection::new(reason.kind(), name);
        let rejection = match retry_after {
            Some(after) => rejection.after(after),
            None => rejection,
        };
        Self { rejection, reason, figures }
    }

    /// Which bulkhead refused.
    pub const fn name(&self) -> Name {
        self.rejection.name()
    }

    /// Why.
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// How many permits there were.
    pub const fn limit(&self) -> u32 {
        self.figures.limit
    }

    /// How many permits were in use: more than the limit after it was lowered.
    pub const fn in_flight(&self) -> u32 {
        self.figures.in_flight
    }

    /// How many calls waited.
    pub const fn queued(&self) -> u32 {
        self.figures.queued
    }

    /// How many permits the call asked for.
    pub const fn permits(&self) -> u32 {
        self.figures.permits
    }

    /// How long a call that came now and waited behind all others would wait, as fast as the queue moved lately. `None` if
    /// the queue has not moved yet, or if the call will [never](Self::is_never) pass.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.rejection.retry_after()
    }

    /// Whether the call asks for more than the limit, so that waiting does not help.
    pub const fn is_never(&self) -> bool {
        matches!(self.reason, Reason::TooLarge)
    }
}

impl From<Full> for Rejection {
    #[inline]
    fn from(full: Full) -> Self {
        full.rejection
    }
}

impl fmt::Debug for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Full")
            .field("name", &self.name())
            .field("reason", &self.reason)
            .field("limit", &self.limit())
            .field("in_flight", &self.in_flight())
            .field("queued", &self.queued())
            .field("permits", &self.permits())
            .field("retry_after", &self.retry_after())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, Figures { limit, in_flight, queued, permits }) = (self.name(), self.figures);
        match self.reason {
            Reason::Full => write!(f, "the bulkhead `{name}` is full")?,
            Reason::TooLate => write!(f, "a turn in the bulkhead `{name}` is expected after the deadline")?,
            Reason::TimedOut => write!(f, "the bulkhead `{name}` had no turn in time")?,
            Reason::Displaced => write!(f, "the bulkhead `{name}` gave the place to a call of a higher priority")?,
            Reason::Overdue => write!(f, "the call waited too long for the bulkhead `{name}`")?,
            Reason::TooLarge => {
                return write!(f, "{permits} permits are more than the limit {limit} of the bulkhead `{name}`");
            }
        }
        write!(f, ": {in_flight} of {limit} in use, {queued} queued")?;
        match self.retry_after() {
            Some(after) => write!(f, ", retry after {after:?}"),
            None => Ok(()),
        }
    }
}

impl Error for Full {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}
