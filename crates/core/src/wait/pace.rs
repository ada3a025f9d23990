use std::time::Duration;

use crate::time::Timestamp;

/// How fast a line moves, and so how long a wait will be: a moving average of the time for each permit that was handed out
/// while somebody waited.
///
/// The average is the arithmetic mean of the first [`KNOWN_AFTER`](Self::KNOWN_AFTER) turns and moves by an eighth of the difference from then on. With
/// `n` permits asked for ahead, the wait is `n` times the average: Little's law for a line whose servers are all busy.
///
/// An estimate never outlives its own prediction: when the line is empty and no turn was given for as long as it foretells,
/// nothing is known any more, and a line that forms then is learnt anew, so that a slow hour does not refuse the callers of
/// a fast one. While somebody waits, the step that is not over yet counts with what it has taken already, if that is more
/// than the average; those behind it count with the average, for one late step does not make all of them late.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    /// Nanoseconds for each permit.
    average: u64,
    turns: u32,
    /// When the last turn was given, or when the first of those who wait came.
    last: Timestamp,
}

impl Pace {
    /// How many turns are looked at before anything is foretold.
    pub const KNOWN_AFTER: u32 = 8;

    /// Somebody begins to wait, whom nobody waits before.
    pub fn line_forms(&mut self, now: Timestamp) {
        if nanos(now.saturating_duration_since(self.last)) > self.average {
            *self = Self::default();
        }
        self.last = now;
    }

    /// Somebody who waited got so many permits.
    pub fn turn(&mut self, permits: u32, now: Timestamp) {
        let gap = nanos(now.saturating_duration_since(self.last)) / u64::from(permits.max(1));
        self.turns = self.turns.saturating_add(1);
        let share = i128::from(self.turns.min(Self::KNOWN_AFTER));
        let moved = (i128::from(gap) - i128::from(self.average)) / share;
        self.average = u64::try_from(i128::from(self.average) + moved).unwrap_or(u64::MAX);
        self.last = now;
    }

    /// Nanoseconds for each permit; zero when nothing is known.
    pub const fn average(&self) -> u64 {
        if self.turns < Self::KNOWN_AFTER { 0 } else { self.average }
    }

    /// How long it takes until so many permits were handed out. `None` when nothing is known.
    pub fn until(&self, permits: u64, somebody_waits: bool, now: Timestamp) -> Option<Duration> {
        if self.turns < Self::KNOWN_AFTER {
            return None;
        }
        let since = nanos(now.saturating_duration_since(self.last));
        if somebody_waits {
            let behind = self.average.saturating_mul(permits.saturating_sub(1));
            return Some(Duration::from_nanos(self.average.max(since).saturating_add(behind)));
        }
        let predicted = self.average.saturating_mul(permits);
        (since <= predicted).then_some(Duration::from_nanos(predicted))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
