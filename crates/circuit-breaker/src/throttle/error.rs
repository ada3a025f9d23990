use std::error::Error;
use std::fmt;

use seawall_core::{Kind, Name, Rejection};

use super::chance::Chance;

static THROTTLED: Kind = Kind::new("adaptive_throttle", "throttled");

/// The throttle drew, and did not let the call through.
///
/// `Copy`, and made without touching memory that other threads write. Its `source()` is the [`Rejection`], so that
/// [`Rejection::find`] finds it behind any box.
///
/// It has no `retry_after`: the next call may pass at once, or be refused in a minute, and a caller that tries again only adds
/// to what must be refused. Give up, or take a fallback.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Throttled {
    chance: Chance,
    rejection: Rejection,
}

impl Throttled {
    #[inline]
    pub(super) const fn new(name: Name, chance: Chance) -> Self {
        Self { chance, rejection: Rejection::new(&THROTTLED, name) }
    }

    /// Which throttle refused.
    pub const fn name(&self) -> Name {
        self.rejection.name()
    }

    /// With which probability the call was refused.
    pub fn probability(&self) -> f64 {
        self.chance.probability()
    }
}

impl fmt::Debug for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttled")
            .field("name", &self.name())
            .field("probability", &self.probability())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Throttled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.probability() * 100.0;
        write!(f, "the throttle `{}` refuses {percent:.1} % of the calls, this one too", self.name())
    }
}

impl Error for Throttled {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

impl From<Throttled> for Rejection {
    #[inline]
    fn from(throttled: Throttled) -> Self {
        throttled.rejection
    }
}
