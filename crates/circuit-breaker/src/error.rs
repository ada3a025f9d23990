use std::error::Error;
use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use seawall_core::{Kind, Name, Rejection};

use crate::event::{Cause, State};

static OPEN: Kind = Kind::new("circuit_breaker", "open");
static HALF_OPEN: Kind = Kind::new("circuit_breaker", "half_open");
static FORCED_OPEN: Kind = Kind::new("circuit_breaker", "forced_open");

/// The circuit did not let the call through.
///
/// `Copy`, and made without touching memory that other threads write: refusing is the cheapest thing that a breaker does. Its
/// `source()` is the [`Rejection`], so that [`Rejection::find`] finds it behind any box.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// The place of the cause in its list, plus one: a whole word, because reading a word that was written in parts stalls
    /// the processor.
    cause: NonZeroU64,
    rejection: Rejection,
}

impl Open {
    /// A refusal for so many nanoseconds, or until nobody knows when if they are all ones.
    #[inline]
    pub(crate) const fn new(name: Name, state: State, cause: u64, left: u64) -> Self {
        let kind = match state {
            State::HalfOpen => &HALF_OPEN,
            State::ForcedOpen => &FORCED_OPEN,
            _ => &OPEN,
        };
        let rejection = Rejection::new(kind, name).after_nanos(left);
        Self { cause: NonZeroU64::MIN.saturating_add(cause), rejection }
    }

    /// Which breaker refused.
    pub const fn name(&self) -> Name {
        self.rejection.name()
    }

    /// The state in which it refused: open, forced open, or half-open with all probes taken.
    pub fn state(&self) -> State {
        match self.rejection.reason() {
            "half_open" => State::HalfOpen,
            "forced_open" => State::ForcedOpen,
            _ => State::Open,
        }
    }

    /// Why the circuit opened.
    pub const fn cause(&self) -> Cause {
        Cause::at(self.cause.get() - 1)
    }

    /// When the dependency will be tried again, or, in half-open, by when it is decided. `None` if no time brings that: the
    /// circuit was opened by hand, or probes may take any time.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.rejection.retry_after()
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open")
            .field("name", &self.name())
            .field("state", &self.state())
            .field("cause", &self.cause())
            .field("retry_after", &self.retry_after())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the circuit `{}` is {} because of {}", self.name(), self.state(), self.cause())
    }
}

impl Error for Open {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

impl From<Open> for Rejection {
    #[inline]
    fn from(open: Open) -> Self {
        open.rejection
    }
}

/// A circuit that is not open has nothing to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOpen {
    pub(crate) state: State,
}

impl NotOpen {
    /// The state that it is in.
    pub const fn state(&self) -> State {
        self.state
    }
}

impl fmt::Display for NotOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the circuit is {}: only an open one can become half_open", self.state)
    }
}

impl Error for NotOpen {}
