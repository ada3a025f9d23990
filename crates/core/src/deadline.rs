use std::fmt;
use std::time::Duration;

use crate::time::{Clock, Timestamp};

/// When a caller stops waiting: carried from the edge inwards, so that no queue, retry or hedge outlives whoever asked.
///
/// It belongs to the clock it was made with. Between processes it travels as the time that is left.
///
/// ```
/// use seawall_core::Deadline;
/// use seawall_core::time::Clock;
/// use std::time::Duration;
///
/// let (clock, time) = Clock::manual();
/// let deadline = Deadline::after(&clock, Duration::from_secs(2));
/// time.advance(Duration::from_millis(500));
/// assert_eq!(deadline.left(clock.now()), Duration::from_millis(1_500));
/// assert!(!deadline.is_over(clock.now()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Timestamp);

impl Deadline {
    /// At this time.
    pub const fn at(time: Timestamp) -> Self {
        Self(time)
    }

    /// So much later than now.
    pub fn after(clock: &Clock, left: Duration) -> Self {
        Self(clock.now() + left)
    }

    /// The time itself.
    pub const fn time(self) -> Timestamp {
        self.0
    }

    /// How much time is left at `now`.
    pub const fn left(self, now: Timestamp) -> Duration {
        self.0.saturating_duration_since(now)
    }

    /// Whether it has passed at `now`: the deadline itself is past.
    pub fn is_over(self, now: Timestamp) -> bool {
        now >= self.0
    }

    /// The earlier of both, where there are two.
    #[must_use]
    pub fn earlier(self, other: Option<Self>) -> Self {
        other.map_or(self, |other| self.min(other))
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Deadline").field(&self.0).finish()
    }
}
