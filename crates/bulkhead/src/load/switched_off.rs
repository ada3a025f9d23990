use std::error::Error;
use std::fmt;
use std::time::Duration;

use seawall_core::{Kind, Name, Rejection};

use super::level::Level;

static SWITCHED_OFF: Kind = Kind::new("bulkhead", "switched_off");

/// A feature is switched off, so the call was not let through.
///
/// `Copy`, and made without an allocation. Its `source()` is the [`Rejection`], so that [`Rejection::find`] finds it behind
/// any box. Over HTTP it is 503.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SwitchedOff {
    rejection: Rejection,
    level: Level,
    until: Level,
}

impl SwitchedOff {
    #[inline]
    pub(crate) const fn new(feature: Name, level: Level, until: Level, retry_after: Duration) -> Self {
        Self { rejection: Rejection::new(&SWITCHED_OFF, feature).after(retry_after), level, until }
    }

    /// Which feature.
    pub const fn name(&self) -> Name {
        self.rejection.name()
    }

    /// The level when it was refused.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// The level from which on the feature is off.
    pub const fn until(&self) -> Level {
        self.until
    }

    /// After how long the feature may be on again at the earliest.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.rejection.retry_after()
    }
}

impl From<SwitchedOff> for Rejection {
    #[inline]
    fn from(off: SwitchedOff) -> Self {
        off.rejection
    }
}

impl fmt::Debug for SwitchedOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwitchedOff")
            .field("name", &self.name())
            .field("level", &self.level)
            .field("until", &self.until)
            .field("retry_after", &self.retry_after())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for SwitchedOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the feature `{}` is switched off: the load is {}", self.name(), self.level)?;
        match self.retry_after() {
            Some(after) => write!(f, ", retry after {after:?}"),
            None => Ok(()),
        }
    }
}

impl Error for SwitchedOff {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}
