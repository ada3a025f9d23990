use std::error::Error;
use std::fmt;
use std::time::Duration;

use seawall_core::{Kind, Name, Rejection};

use crate::figures::{Figures, Limits};
use crate::limit::Refused;
use crate::quota::Quota;

static THROTTLED: Kind = Kind::new("rate_limit", "throttled").over_quota();
static TOO_LARGE: Kind = Kind::new("rate_limit", "too_large").over_quota();

/// The limit did not let the call through.
///
/// `Copy`, and made without an allocation: refusing is what a limiter does most when it is needed most. Its `source()` is the
/// [`Rejection`], so that [`Rejection::find`] finds it behind any box.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Throttled {
    rejection: Rejection,
    figures: Figures,
    limits: Limits,
    cells: u32,
}

impl Throttled {
    /// A refusal of so many cells until so many nanoseconds have passed.
    #[inline]
    pub(crate) const fn later(name: Name, cells: u32, nanos: u64, figures: Figures, limits: Limits) -> Self {
        Self { rejection: Rejection::new(&THROTTLED, name).after_nanos(nanos), figures, limits, cells }
    }

    /// A refusal of more cells than there ever are.
    #[inline]
    pub(crate) const fn never(name: Name, cells: u32, figures: Figures, limits: Limits) -> Self {
        Self { rejection: Rejection::new(&TOO_LARGE, name), figures, limits, cells }
    }

    #[inline]
    pub(crate) const fn new(name: Name, cells: u32, refused: Refused, figures: Figures, limits: Limits) -> Self {
        match refused {
            Refused::Later { retry_after } => Self::later(name, cells, retry_after, figures, limits),
            Refused::Never => Self::never(name, cells, figures, limits),
        }
    }

    /// Which limiter refused: the rule.
    pub const fn name(&self) -> Name {
        self.rejection.name()
    }

    /// After how long the same call would pass, if nothing else is taken meanwhile: exactly then, and not a nanosecond earlier.
    /// `None` if it [never](Self::is_never) does.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.rejection.retry_after()
    }

    /// Whether more cells were wanted than there ever are at once, so that waiting does not help.
    pub const fn is_never(&self) -> bool {
        self.retry_after().is_none()
    }

    /// How many cells were wanted.
    pub const fn cells(&self) -> u32 {
        self.cells
    }

    /// How many cells could have been taken: fewer than were wanted.
    pub fn remaining(&self) -> u32 {
        self.figures.remaining()
    }

    /// After how long everything will be as if nothing had ever been taken, if nothing more is.
    pub const fn reset_after(&self) -> Duration {
        self.figures.reset_after()
    }

    pub(crate) const fn limits(&self) -> Limits {
        self.limits
    }

    /// The quota that was reached.
    pub const fn quota(&self) -> Quota {
        self.limits().quota()
    }
}

impl From<Throttled> for Rejection {
    #[inline]
    fn from(throttled: Throttled) -> Self {
        throttled.rejection
    }
}

impl fmt::Debug for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttled")
            .field("name", &self.name())
            .field("retry_after", &self.retry_after())
            .field("remaining", &self.remaining())
            .field("quota", &self.quota())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cells, name, quota) = (self.cells, self.name(), self.quota());
        match self.retry_after() {
            Some(after) => write!(f, "the limit `{name}` of {quota} is reached, retry after {after:?}"),
            None => write!(f, "{cells} cells are more than the limit `{name}` of {quota} ever has at once"),
        }
    }
}

impl Error for Throttled {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}
