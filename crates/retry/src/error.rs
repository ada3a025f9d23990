use std::error::Error;
use std::fmt;
use std::time::Duration;

use seawall_core::{Kind, Name, Rejection};

static ELAPSED: Kind = Kind::new("timeout", "elapsed");
static DEADLINE: Kind = Kind::new("timeout", "deadline_passed");

/// A call that had not ended when its time was over; it was dropped.
///
/// `Copy`, and made without an allocation. Its `source()` is the [`Rejection`], so that [`Rejection::find`] finds it behind any
/// box.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TimedOut {
    after: Duration,
    rejection: Rejection,
}

impl TimedOut {
    /// The call's own time, `after`, was over.
    pub(crate) const fn elapsed(name: Name, after: Duration) -> Self {
        Self { after, rejection: Rejection::new(&ELAPSED, name) }
    }

    /// The caller's deadline passed, `after` so much time; zero if it had passed before the call began.
    pub(crate) const fn deadline_passed(name: Name, after: Duration) -> Self {
        Self { after, rejection: Rejection::new(&DEADLINE, name) }
    }

    /// Whose time it was.
    pub const fn name(&self) -> Name {
        self.rejection.name()
    }

    /// How long the call had run.
    pub const fn after(&self) -> Duration {
        self.after
    }

    /// Whether it was the caller's deadline, and not the time that this call was given.
    pub fn is_deadline(&self) -> bool {
        self.rejection.reason() == "deadline_passed"
    }
}

impl fmt::Debug for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimedOut")
            .field("name", &self.name())
            .field("reason", &self.rejection.reason())
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_deadline() {
            true if self.after.is_zero() => {
                write!(f, "`{}`: the deadline had passed before the call began", self.name())
            }
            true => write!(f, "`{}`: the deadline passed after {:?}", self.name(), self.after),
            false => write!(f, "`{}` did not end within {:?}", self.name(), self.after),
        }
    }
}

impl Error for TimedOut {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

impl From<TimedOut> for Rejection {
    fn from(timed_out: TimedOut) -> Self {
        timed_out.rejection
    }
}
