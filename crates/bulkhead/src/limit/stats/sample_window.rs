use super::QuantileWindow;
use crate::limit::{Sample, Signal};

/// What stands for all calls of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Summary {
    /// Their average, in whole nanoseconds.
    #[default]
    Average,
    /// The one of this rank, as a share: above 0 and at most 1. Ranks are rounded to the nearest.
    Percentile(f64),
}

/// The calls of one window (Netflix' sample windows): completed and dropped ones alike, abandoned ones where they took longer than the
/// summary of the others.
///
/// ```
/// use seawall_bulkhead::limit::stats::{SampleWindow, Summary};
/// use seawall_bulkhead::limit::{Sample, Signal};
/// use seawall_core::time::Timestamp;
/// use std::time::Duration;
///
/// let mut window = SampleWindow::new(Summary::Average);
/// for nanos in [5_000, 500, 10] {
///     let rtt = Duration::from_nanos(nanos);
///     window.add(&Sample::new(Timestamp::ZERO, rtt, 1, Signal::Completed));
/// }
/// assert_eq!(window.summary(), Some((1_836, false)));
/// ```
#[derive(Clone, Debug)]
pub struct SampleWindow {
    summary: Summary,
    times: QuantileWindow,
    /// What calls took at least that are no part of `sum`.
    bounds: Vec<u64>,
    sum: u128,
    /// How many are in the sum.
    summed: u32,
    count: u32,
    least: u64,
    in_flight: u32,
    completed: u32,
    dropped: u32,
    /// Which share of the calls that ended may be dropped.
    max_dropped: f64,
}

/// How many calls are kept for a percentile.
const CALLS: u32 = 256;

impl SampleWindow {
    /// A window whose calls are summed up so.
    pub fn new(summary: Summary) -> Self {
        Self {
            summary,
            times: QuantileWindow::new(CALLS, 0).nearest_rank(),
            bounds: Vec::with_capacity(CALLS as usize),
            sum: 0,
            summed: 0,
            count: 0,
            least: u64::MAX,
            in_flight: 0,
            completed: 0,
            dropped: 0,
            max_dropped: 0.0,
        }
    }

    /// The same, which bears it if no more than this share of the calls is dropped that completed or were dropped: 0 to 1. Above 0 a
    /// dropped call counts as an abandoned one does, where it took longer: what a refusal takes is not what calls take.
    #[must_use]
    pub const fn max_dropped(mut self, share: f64) -> Self {
        self.max_dropped = share;
        self
    }

    /// Takes a call. Of those that count where they took longer, the first 256 are kept for an average.
    pub fn add(&mut self, sample: &Sample) {
        let nanos = sample.nanos();
        self.count = self.count.saturating_add(1);
        self.in_flight = self.in_flight.max(sample.in_flight);
        match sample.signal {
            Signal::Completed => {
                self.completed = self.completed.saturating_add(1);
                self.least = self.least.min(nanos);
            }
            Signal::Dropped => self.dropped = self.dropped.saturating_add(1),
            Signal::Abandoned => {}
        }
        let is_bound = match sample.signal {
            Signal::Completed => false,
            Signal::Dropped => self.max_dropped > 0.0,
            Signal::Abandoned => true,
        };
        if is_bound {
            match self.summary {
                Summary::Percentile(_) => self.times.add_at_least(nanos),
                Summary::Average if self.bounds.len() < CALLS as usize => self.bounds.push(nanos),
                Summary::Average => {}
            }
            return;
        }
        self.summed = self.summed.saturating_add(1);
        match self.summary {
            Summary::Average => self.sum += u128::from(nanos),
            Summary::Percentile(_) => self.times.add(nanos),
        }
    }

    /// What the calls took in nanoseconds, and whether that is only what they took at least, as all of them were abandoned; `None` if
    /// there were none.
    pub fn summary(&mut self) -> Option<(u64, bool)> {
        let nanos = match self.summary {
            Summary::Percentile(quantile) => self.times.quantile_at_least(quantile, Some(0))?,
            Summary::Average => {
                let average = self.sum.checked_div(u128::from(self.summed)).unwrap_or_default();
                let longer = self.bounds.iter().map(|nanos| u128::from(*nanos)).filter(|nanos| *nanos > average);
                let count = u128::from(self.summed) + longer.clone().count() as u128;
                u64::try_from((self.sum + longer.sum::<u128>()).checked_div(count)?).unwrap_or(u64::MAX)
            }
        };
        Some((nanos, self.summed == 0))
    }

    /// How many calls there were.
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// Whether there were none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What the quickest completed call took in nanoseconds; 0 if none completed.
    pub const fn least(&self) -> u64 {
        if self.least == u64::MAX { 0 } else { self.least }
    }

    /// How many were in flight at most.
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Whether one was dropped, or more of them than [`max_dropped`](Self::max_dropped).
    pub fn dropped(&self) -> bool {
        let ended = f64::from(self.completed) + f64::from(self.dropped);
        // Of no calls it is not a number, and not more.
        f64::from(self.dropped) / ended > self.max_dropped
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.times.clear();
        self.bounds.clear();
        (self.sum, self.summed, self.count) = (0, 0, 0);
        (self.completed, self.dropped) = (0, 0);
        (self.least, self.in_flight) = (u64::MAX, 0);
    }
}
