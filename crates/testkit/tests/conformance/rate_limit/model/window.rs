use seawall_core::time::Timestamp;
use seawall_rate_limit::limit::Alignment;

use super::{at, ms, seen};
use crate::rate_limit::ask::{Ask, Seen, Subject};

/// Windows that lie end to end.
pub(super) struct Window {
    limit: u32,
    period: i128,
    alignment: Alignment,
    counts: Counts,
    end: i128,
    used: i128,
    /// What was taken in this window and is kept.
    kept: i128,
}

/// What is counted although it did not pass.
#[derive(Clone, Copy)]
pub(super) struct Counts {
    pub(super) refused: bool,
    /// What is left when a call is refused.
    pub(super) rest: bool,
}

impl Window {
    pub(super) fn new(limit: u32, period: u128, alignment: Alignment, counts: Counts) -> Self {
        Self { limit, period: period.cast_signed(), alignment, counts, end: 0, used: 0, kept: 0 }
    }

    /// Ends a window that is over.
    fn turn(&mut self, now: i128) {
        if now >= self.end {
            (self.used, self.kept) = (0, 0);
        }
    }

    /// Counts in the window of this time, beginning one if there is none.
    fn count(&mut self, now: i128, used: i128, kept: i128) {
        if now >= self.end {
            let offset = match self.alignment {
                Alignment::Clock { offset } => offset.as_nanos().cast_signed(),
                _ => now,
            };
            self.end = now + self.period - (now - offset).rem_euclid(self.period);
        }
        self.used += used;
        self.kept += kept;
    }

    fn limit(&self) -> i128 {
        i128::from(self.limit)
    }

    fn show(&self, allowed: bool) -> Seen {
        seen(allowed, (self.limit() - self.used).max(0))
    }

    fn check(&mut self, now: i128, cells: u32) -> Seen {
        let cells = i128::from(cells);
        if cells == 0 || self.used + cells <= self.limit() {
            if cells > 0 {
                self.count(now, cells, cells);
            }
            return self.show(true);
        }
        if self.counts.refused {
            self.count(now, cells, 0);
        } else if self.counts.rest {
            let rest = self.limit() - self.used;
            self.count(now, rest, rest);
        }
        let mut seen = self.show(false);
        if cells <= self.limit() || self.counts.refused {
            seen.insert("retry_after_ms", ms(self.end - now));
        }
        seen
    }
}

impl Subject for Window {
    fn ask(&mut self, now: Timestamp, ask: &Ask<'_>) -> Result<Seen, String> {
        let now = at(now);
        self.turn(now);
        Ok(match *ask {
            Ask::Check { cells, .. } => self.check(now, cells),
            Ask::Peek { cells } => self.show(cells == 0 || self.used + i128::from(cells) <= self.limit()),
            Ask::TakeUpTo { cells } => {
                let taken = (self.limit() - self.used).max(0).min(i128::from(cells));
                if taken > 0 {
                    self.count(now, taken, taken);
                }
                self.show(cells == 0 || taken > 0)
            }
            Ask::Refund { cells } => {
                let given = i128::from(cells).min(self.kept);
                self.used -= given;
                self.kept -= given;
                self.show(true)
            }
            Ask::Reset => {
                (self.end, self.used, self.kept) = (0, 0, 0);
                self.show(true)
            }
            Ask::SetLimit(limit) => {
                self.limit = limit;
                self.show(true)
            }
            _ => return ask.unknown(),
        })
    }
}
