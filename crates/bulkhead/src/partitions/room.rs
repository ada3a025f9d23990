use std::cmp::Ordering;
use std::time::Duration;

use seawall_core::time::Timestamp;
use seawall_core::wait::{Discipline, Line, Pace};
use seawall_core::{Name, Priority};

use super::state::ratio;

/// One partition: what it holds, and who waits in it.
///
/// A room whose partition was removed is given to another when it is empty. Its line stays the same, so that a place of
/// before never means one of after.
pub(crate) struct Room {
    pub(crate) name: Name,
    /// Tells this partition from others that had the room.
    pub(crate) tenancy: u64,
    pub(crate) kind: Kind,
    pub(crate) share: u32,
    pub(crate) in_flight: u64,
    pub(crate) line: Line,
    pub(super) pace: Pace,
    /// Places that are out: those who wait, and those who have not looked since their wait ended.
    pub(super) places: usize,
    pub(crate) counts: Counts,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// It has this part of the limit.
    Shares { fraction: f64 },
    /// Its calls pass by the limit.
    Bypass,
    /// It was removed, and its last calls have not ended.
    Closing,
    /// No partition.
    Vacant,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) admitted: u64,
    pub(crate) waited: u64,
    /// Turns that were, at least in part, beyond the share.
    pub(crate) borrowed: u64,
    pub(crate) abandoned: u64,
    pub(crate) refused: [u64; super::Reason::COUNT],
}

impl Room {
    pub(super) fn vacant() -> Self {
        Self {
            name: Name::from_static("vacant"),
            tenancy: 0,
            kind: Kind::Vacant,
            share: 0,
            in_flight: 0,
            line: Line::new(Priority::COUNT),
            pace: Pace::default(),
            places: 0,
            counts: Counts::default(),
        }
    }

    /// Another partition has the room.
    pub(super) fn begin(&mut self, name: Name) {
        self.name = name;
        self.tenancy += 1;
        self.pace = Pace::default();
        self.counts = Counts::default();
    }

    pub(super) fn vacate_if_empty(&mut self) {
        if self.kind == Kind::Closing && self.in_flight == 0 && self.places == 0 {
            self.kind = Kind::Vacant;
        }
    }

    /// Whether calls may come.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.kind, Kind::Shares { .. } | Kind::Bypass)
    }

    /// The share of a limit: its fraction, rounded up, at least one.
    pub(super) fn share_of(&mut self, limit: u32) {
        self.share = match self.kind {
            Kind::Shares { fraction } => share(limit, fraction),
            Kind::Bypass | Kind::Closing | Kind::Vacant => 0,
        };
    }

    /// Compares how full two partitions are, for their shares.
    pub(super) fn fill(&self, other: &Self) -> Ordering {
        ratio(self.in_flight, self.share, other.in_flight, other.share)
    }

    /// Permits that are out or waited for.
    pub(super) fn wanted(&self) -> u64 {
        self.in_flight + (0..Priority::COUNT).map(|class| self.line.wanted(class)).sum::<u64>()
    }

    pub(super) fn permits(&self, slot: usize) -> u32 {
        self.line.waiter(slot).map_or(0, |waiter| waiter.permits)
    }

    /// How long one that comes now will wait, as fast as turns came to this partition lately.
    pub(super) fn expected_wait(
        &self,
        discipline: &Discipline,
        class: usize,
        permits: u32,
        now: Timestamp,
    ) -> Option<Duration> {
        let ahead = discipline.ahead(&self.line, class, now);
        self.pace.until(ahead + u64::from(permits), self.line.waiting() > 0, now)
    }

    /// The same behind all who wait, without looking at the time.
    pub(super) fn usual_wait(&self, permits: u32) -> Option<Duration> {
        let waited_for = self.wanted() - self.in_flight + u64::from(permits);
        let average = self.pace.average();
        (average > 0).then(|| Duration::from_nanos(average.saturating_mul(waited_for)))
    }
}

/// `max(1, ceil(limit * fraction))`: Netflix' concurrency-limits, `AbstractPartitionedLimiter`. What a product is beyond a whole
/// number by its rounding alone does not count.
pub(super) fn share(limit: u32, fraction: f64) -> u32 {
    const ROUNDING: f64 = 1e-12;
    let exact = f64::from(limit) * fraction;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a fraction of a whole number of 32 bits"
    )]
    let whole = (exact * (1.0 - ROUNDING)).ceil() as u32;
    whole.clamp(1, limit.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_up_and_never_nothing() {
        assert_eq!((share(10, 0.3), share(10, 0.7), share(20, 0.3)), (3, 7, 6));
        assert_eq!(share(10, 1.0 / 3.0), 4);
        assert_eq!(share(10, 0.01), 1);
        assert_eq!(share(1, 1.0), 1);
        assert_eq!(share(u32::MAX, 1.0), u32::MAX);
        assert_eq!(share(1_000_000, 0.500_000_1), 500_001);
    }

    #[test]
    fn the_rounding_of_a_product_takes_no_permit() {
        // The product is 7.000000000000001.
        assert_eq!(share(100, 0.07), 7);
        for percent in 1..=100_u32 {
            assert_eq!(share(100, f64::from(percent) / 100.0), percent);
        }
    }
}
