//! What is asked of a subject, and what it shows.

use std::time::Duration;

use seawall_core::time::Timestamp;
use serde_json::{Value, json};

use super::case::Rate;

/// What each was seen to be, by the vectors' names without the `expect_`.
pub(super) type Seen = crate::case::Seen;

/// One question.
#[derive(Clone, Copy)]
pub(super) enum Ask<'s> {
    /// All of the cells or none.
    Check {
        cells: u32,
        passed: Option<Passed>,
    },
    /// Would so many pass? Nothing is taken.
    Peek {
        cells: u32,
    },
    TakeUpTo {
        cells: u32,
    },
    /// Gives back so many of the cells that were taken last, as far as it is safe.
    Refund {
        cells: u32,
    },
    Reset,
    /// A turn, which may be cancelled if it has a name.
    Reserve {
        cells: u32,
        max_wait: Option<Duration>,
        name: Option<&'s str>,
    },
    Cancel {
        name: &'s str,
    },
    SetRate(Rate),
    SetLimit(u32),
}

/// How many calls passed in this second, and in the one before.
#[derive(Clone, Copy)]
pub(super) struct Passed {
    pub(super) now: u32,
    pub(super) before: u32,
}

/// What vectors are played on: one key's limits.
pub(super) trait Subject {
    fn ask(&mut self, now: Timestamp, ask: &Ask<'_>) -> Result<Seen, String>;
}

impl Ask<'_> {
    /// It has no meaning for this subject.
    pub(super) fn unknown(&self) -> Result<Seen, String> {
        let name = match self {
            Self::Check { .. } => "check",
            Self::Peek { .. } => "peek",
            Self::TakeUpTo { .. } => "take_up_to",
            Self::Refund { .. } => "refund",
            Self::Reset => "reset",
            Self::Reserve { .. } => "reserve",
            Self::Cancel { .. } => "cancel",
            Self::SetRate(_) => "set_rate",
            Self::SetLimit(_) => "set_limit",
        };
        Err(format!("{name} has no meaning for this algorithm"))
    }
}

/// In milliseconds, as the vectors have them.
#[expect(clippy::cast_precision_loss, reason = "times in vectors are days at most")]
pub(super) fn ms(duration: Duration) -> Value {
    json!(duration.as_nanos() as f64 / 1e6)
}

/// A wait; never, if there is none.
pub(super) fn maybe_ms(duration: Option<Duration>) -> Value {
    duration.map_or(Value::Null, ms)
}

/// In nanoseconds, from milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "times in vectors are days at most")]
pub(super) fn nanos(ms: f64) -> i64 {
    (ms * 1e6).round() as i64
}

/// A duration from milliseconds; none below zero.
pub(super) fn duration(ms: f64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos(ms)).unwrap_or(0))
}

pub(super) fn count(seen: &Seen, field: &str) -> Option<u64> {
    seen.get(field)?.as_u64()
}
