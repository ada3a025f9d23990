use std::time::Duration;

use super::Line;
use crate::time::Timestamp;

/// Which of those who wait is served next, and who is not served at all: pure rules over a [`Line`] whose classes are in
/// order of priority, the highest last.
///
/// ```
/// use seawall_core::wait::{CoDel, Discipline, Order};
/// use std::time::Duration;
///
/// let discipline = Discipline::default()
///     .aging(Some(Duration::from_secs(1)))
///     .order(Order::AdaptiveLifo { after: Duration::from_millis(100) })
///     .codel(Some(CoDel::default()));
/// assert_eq!(discipline, discipline.clone());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discipline {
    order: Order,
    aging: Option<Duration>,
    codel: Option<CoDel>,
}

/// In which order those of one priority are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum Order {
    /// First come, first served.
    #[default]
    Fifo,
    /// First come, first served, until the line has been standing, never empty, for `after`: then the last to come is
    /// served first, because the first are about to give up. Source: B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015.
    AdaptiveLifo {
        /// How long a line stands before it is an overload.
        #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
        after: Duration,
    },
}

/// Controlled delay: while the line has been standing, never empty, for an `interval`, whoever has waited longer than the
/// `target` is not served any more, so that those who are served have waited little.
///
/// The last one in the line is always served: capacity is never left unused. The rule is the variant for servers in
/// B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015, of K. Nichols and V. Jacobson's discipline (RFC 8289).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct CoDel {
    /// How long a call may wait in a standing line. Default 5 ms.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub target: Duration,
    /// How long a line stands before calls are dropped. Default 100 ms.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub interval: Duration,
}

impl CoDel {
    /// The target and the interval.
    pub const fn new(target: Duration, interval: Duration) -> Self {
        Self { target, interval }
    }
}

impl Default for CoDel {
    fn default() -> Self {
        Self::new(Duration::from_millis(5), Duration::from_millis(100))
    }
}

impl Discipline {
    /// In which order those of one priority are served. Default [`Order::Fifo`].
    #[must_use]
    pub const fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// After how long a wait somebody counts as one priority higher, again and again. `None`, the default: never, so a lower
    /// priority is served only when no higher one waits.
    ///
    /// Of two, the one is served first whose arrival lies earlier when `aging` is taken off for each priority: nobody is
    /// passed by more than `3 * aging` worth of later arrivals. In an overload of [`Order::AdaptiveLifo`] it has no effect.
    #[must_use]
    pub const fn aging(mut self, aging: Option<Duration>) -> Self {
        self.aging = aging;
        self
    }

    /// Whether calls that have waited for too long in a standing line are dropped. Default: no.
    #[must_use]
    pub const fn codel(mut self, codel: Option<CoDel>) -> Self {
        self.codel = codel;
        self
    }

    /// Whether the newest is served first now.
    fn is_newest_first(&self, line: &Line, now: Timestamp) -> bool {
        match self.order {
            Order::Fifo => false,
            Order::AdaptiveLifo { after } => line.standing(now) >= after,
        }
    }

    /// The slot of the one to serve next.
    ///
    /// # Complexity
    /// One look at each class.
    pub fn next(&self, line: &Line, now: Timestamp) -> Option<usize> {
        if self.is_newest_first(line, now) {
            return (0..line.classes()).rev().find_map(|class| line.last(class));
        }
        let Some(aging) = self.aging else {
            return (0..line.classes()).rev().find_map(|class| line.first(class));
        };
        // The highest class first, so that of two who are equal it wins.
        (0..line.classes())
            .rev()
            .filter_map(|class| Some((class, line.first(class)?)))
            .min_by_key(|(class, at)| {
                let bonus = aging.as_nanos().saturating_mul(*class as u128);
                i128::from(line.since(*at).as_nanos()) - i128::try_from(bonus).unwrap_or(i128::MAX)
            })
            .map(|(_, at)| at)
    }

    /// The slot of one that has waited for too long and is to be dropped, the lowest class first.
    ///
    /// # Complexity
    /// One look at each class.
    pub fn late(&self, line: &Line, now: Timestamp) -> Option<usize> {
        let codel = self.codel?;
        if line.waiting() < 2 || line.standing(now) < codel.interval {
            return None;
        }
        (0..line.classes())
            .filter_map(|class| line.first(class))
            .find(|at| now.saturating_duration_since(line.since(*at)) > codel.target)
    }

    /// How many permits those ask for who will be served before one that comes now, as near as aging lets it be told.
    pub fn ahead(&self, line: &Line, class: usize, now: Timestamp) -> u64 {
        let from = if self.is_newest_first(line, now) { class + 1 } else { class };
        (from..line.classes()).map(|class| line.wanted(class)).sum()
    }

    /// The slot of the one that gives way to one of `class` when the line is full: the newest of the lowest class below.
    pub fn displaced(line: &Line, class: usize) -> Option<usize> {
        (0..class.min(line.classes())).find_map(|class| line.last(class))
    }
}
