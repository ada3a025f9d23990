use std::collections::VecDeque;
use std::time::Duration;

use seawall_core::time::Timestamp;

use super::{Counts, TimeWindow};
use crate::config;
use crate::durations::Durations;
use crate::figures::Figures;

/// How long the calls of a [`RateWindow`](super::RateWindow) took. It hears of each of them one by one, so that it holds the same
/// calls.
#[derive(Debug)]
pub(crate) enum TookWindow {
    Count(CountedCalls),
    Time(TimeWindow<Durations>),
}

/// The last `size` calls: `None` are those of unknown duration, and abandoned ones.
#[derive(Debug)]
pub(crate) struct CountedCalls {
    took: VecDeque<Option<Duration>>,
    size: usize,
    sum: Durations,
}

impl Counts for Durations {
    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.total = self.total.saturating_add(other.total);
    }

    fn subtract(&mut self, other: &Self) {
        self.calls -= other.calls;
        self.total = self.total.saturating_sub(other.total);
    }
}

impl TookWindow {
    pub(crate) fn new(window: config::Window, now: Timestamp) -> Self {
        match window {
            config::Window::Count { size, .. } => {
                let size = size as usize;
                Self::Count(CountedCalls { took: VecDeque::with_capacity(size), size, sum: Durations::default() })
            }
            config::Window::Time { length, buckets, .. } => Self::Time(TimeWindow::new(length, buckets, now)),
        }
    }

    /// A call that the window counts took so long, if that is known.
    pub(crate) fn push(&mut self, took: Option<Duration>) {
        match (self, took) {
            (Self::Count(calls), took) => calls.push(took),
            (Self::Time(window), Some(took)) => window.add(&Durations::of(took)),
            (Self::Time(_), None) => {}
        }
    }

    /// `n` calls of unknown duration.
    pub(crate) fn push_unknown(&mut self, n: u64) {
        if let Self::Count(calls) = self {
            let n = usize::try_from(n).unwrap_or(usize::MAX).min(calls.size);
            (0..n).for_each(|_| calls.push(None));
        }
    }

    pub(crate) fn advance(&mut self, now: Timestamp) {
        if let Self::Time(window) = self {
            window.advance(now);
        }
    }

    pub(crate) const fn sum(&self) -> Durations {
        match self {
            Self::Count(calls) => calls.sum,
            Self::Time(window) => window.figures(),
        }
    }

    pub(crate) fn clear(&mut self, now: Timestamp) {
        match self {
            Self::Count(calls) => {
                calls.took.clear();
                calls.sum = Durations::default();
            }
            Self::Time(window) => window.clear(now),
        }
    }

    /// Takes over what was known of `before`, of which the window has kept as many calls as `kept`: as many in proportion, of the
    /// same mean. Those of unknown duration are taken for the oldest, and so need no place.
    pub(crate) fn fill_with(&mut self, durations: Durations, before: &Figures, kept: &Figures) {
        let in_proportion = || u128::from(durations.calls) * u128::from(kept.calls) / u128::from(before.calls.max(1));
        let calls = if before.calls == kept.calls { durations.calls.into() } else { in_proportion() };
        let calls = u64::try_from(calls).unwrap_or(u64::MAX).min(kept.calls);
        match self {
            Self::Time(window) => window.add(&durations.part(calls)),
            Self::Count(_) => {
                let mut left = durations.part(calls);
                while let Some(mean) = left.mean() {
                    self.push(Some(mean));
                    left.subtract(&Durations::of(mean));
                }
            }
        }
    }

    /// The durations of the same calls under another configuration, of which the window has kept as many as `kept`.
    pub(crate) fn resized(&self, window: config::Window, before: &Figures, kept: &Figures, now: Timestamp) -> Self {
        let mut new = Self::new(window, now);
        match (self, &mut new) {
            (Self::Count(old), Self::Count(new)) => old.took.iter().for_each(|took| new.push(*took)),
            (old, new) => new.fill_with(old.sum(), before, kept),
        }
        new
    }
}

impl CountedCalls {
    fn push(&mut self, took: Option<Duration>) {
        if self.took.len() == self.size
            && let Some(Some(oldest)) = self.took.pop_front()
        {
            self.sum.subtract(&Durations::of(oldest));
        }
        if let Some(took) = took {
            self.sum.add(&Durations::of(took));
        }
        self.took.push_back(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_unknown_duration_take_a_place() {
        let millis = Duration::from_millis;
        let mut window = TookWindow::new(config::Window::count(3), Timestamp::ZERO);
        window.push(Some(millis(1)));
        window.push(Some(millis(2)));
        window.push_unknown(2);
        assert_eq!(window.sum(), Durations { calls: 1, total: millis(2) });
        window.push(Some(millis(4)));
        window.push_unknown(u64::MAX);
        assert_eq!(window.sum(), Durations::default());
    }
}
