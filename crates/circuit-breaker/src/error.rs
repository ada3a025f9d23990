use std::error::Error;
use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use seawall_core::{Kind, Name, Rejection};

use crate::event::{Cause, State};

static OPEN: Kind = Kind::new("circuit_breaker", "open");
static HALF_OPEN: Kind = Kind::new("circuit_breaker", "half_open");
static FORCED_OPEN: Kind = Kind::new("circuit_breaker", "forced_open");

/// The circuit let the call not through.
///
/// `Copy`, and made without touching memory that other threads write: refusing is the cheapest thing that a breaker does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// The places of the cause and, less one, of the state in their lists: one word, because reading a word that was
    /// written in parts stalls the processor.
    why: NonZeroU64,
    /// In nanoseconds, because making a duration of them costs a division; none if it is all ones.
    retry_after: u64,
    name: Name,
}

impl Open {
    const NEVER: u64 = u64::MAX;

    #[inline]
    pub(crate) const fn new(name: Name, state: State, cause: u64, retry_after: u64) -> Self {
        let why = NonZeroU64::MIN.saturating_add((cause << 8) | state as u64);
        Self { why, retry_after, name }
    }

    /// Which breaker refused.
    pub const fn name(&self) -> Name {
        self.name
    }

    /// The state in which it refused: open, forced open, or half-open with all probes taken.
    pub const fn state(&self) -> State {
        State::at((self.why.get() - 1) & 0xff)
    }

    /// Why the circuit opened.
    pub const fn cause(&self) -> Cause {
        Cause::at((self.why.get() - 1) >> 8)
    }

    /// When the dependency will be tried again, or, in half-open, by when it is decided. `None` if no time brings that: the
    /// circuit was opened by hand, or probes may take any time.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self.retry_after {
            Self::NEVER => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open")
            .field("name", &self.name)
            .field("state", &self.state())
            .field("cause", &self.cause())
            .field("retry_after", &self.retry_after())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rejection::from(*self).fmt(f)
    }
}

impl Error for Open {}

impl From<Open> for Rejection {
    #[inline]
    fn from(open: Open) -> Self {
        let kind = match open.state() {
            State::HalfOpen => &HALF_OPEN,
            State::ForcedOpen => &FORCED_OPEN,
            _ => &OPEN,
        };
        let rejection = Self::new(kind, open.name);
        match open.retry_after() {
            Some(after) => rejection.after(after),
            None => rejection,
        }
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
