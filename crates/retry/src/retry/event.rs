use std::fmt;
use std::time::Duration;

use seawall_core::Name;

/// Why a call ended with the result that it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Reason {
    /// It is what was wanted.
    Good,
    /// Another attempt would not change it.
    Final,
    /// There were as many attempts as are allowed.
    Exhausted,
    /// The budget had nothing left.
    Budget,
    /// Another attempt would have begun after the deadline, or the deadline passed.
    Deadline,
    /// The dependency asked for a longer wait than this caller keeps to.
    Hint,
}

impl Reason {
    pub(crate) const ALL: [Self; 6] =
        [Self::Good, Self::Final, Self::Exhausted, Self::Budget, Self::Deadline, Self::Hint];

    /// The reason in `snake_case`, as in metrics, events and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Final => "final",
            Self::Exhausted => "exhausted",
            Self::Budget => "budget",
            Self::Deadline => "deadline",
            Self::Hint => "hint",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A call is made again, or given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Another attempt will be made.
    Again {
        /// Whose calls these are.
        name: Name,
        /// How many attempts there were.
        attempts: u32,
        /// How long it is waited before the next.
        wait: Duration,
    },
    /// No other attempt will be made although the result is not what was wanted.
    GivenUp {
        /// Whose calls these are.
        name: Name,
        /// How many attempts there were.
        attempts: u32,
        /// Why not.
        reason: Reason,
    },
}

impl Event {
    /// Logs the event: target `seawall::retry`, at DEBUG for another attempt and at INFO for a call that is given up.
    pub(crate) fn trace(&self) {
        match self {
            Self::Again { name, attempts, wait } => tracing::debug!(
                target: "seawall::retry",
                name = name.as_str(),
                attempts,
                wait_seconds = wait.as_secs_f64(),
                "call is made again"
            ),
            Self::GivenUp { name, attempts, reason } => tracing::info!(
                target: "seawall::retry",
                name = name.as_str(),
                attempts,
                reason = reason.as_str(),
                "call is given up"
            ),
        }
    }
}
