use std::collections::VecDeque;
use std::time::Duration;

use super::config::HedgeDelay;

/// How long the last calls took, in nanoseconds, and the delay that follows from it.
pub(super) struct Durations {
    rule: HedgeDelay,
    /// The oldest first.
    last: VecDeque<u64>,
    sum: u128,
    /// Those that came since the delay was told.
    unseen: usize,
    ranked: Ranked,
}

impl Durations {
    pub(super) fn new(rule: HedgeDelay) -> Self {
        Self { rule, last: VecDeque::new(), sum: 0, unseen: 0, ranked: Ranked::default() }
    }

    /// Keeps the newest under another rule.
    pub(super) fn follow(&mut self, rule: HedgeDelay) {
        let before = std::mem::replace(self, Self::new(rule));
        before.last.into_iter().for_each(|nanos| self.observe(nanos));
    }

    fn window(&self) -> usize {
        match self.rule {
            HedgeDelay::Never | HedgeDelay::Fixed(_) => 0,
            HedgeDelay::Quantile { window, .. } | HedgeDelay::Mean { window, .. } => window as usize,
        }
    }

    /// A call took so long.
    pub(super) fn observe(&mut self, nanos: u64) {
        let ranks = matches!(self.rule, HedgeDelay::Quantile { .. });
        self.last.push_back(nanos);
        self.sum += u128::from(nanos);
        if ranks {
            self.ranked.came.push(nanos);
        }
        if self.last.len() > self.window()
            && let Some(oldest) = self.last.pop_front()
        {
            self.sum -= u128::from(oldest);
            if ranks {
                self.ranked.went.push(oldest);
            }
        }
        self.unseen += 1;
    }

    #[cfg(test)]
    pub(super) fn last(&self) -> impl Iterator<Item = u64> {
        self.last.iter().copied()
    }

    /// Whether the delay is to be told again: ranking is spared while it would hardly move.
    pub(super) fn is_due(&self) -> bool {
        matches!(self.rule, HedgeDelay::Mean { .. }) || self.unseen * Self::PARTS > self.last.len()
    }

    /// A delay is told anew when more than one in so many is new.
    const PARTS: usize = 32;

    /// After how many more it will be due. A mean is due at once for a thread that is alone; several threads would only
    /// hinder each other.
    pub(super) fn due_in(&self, alone: bool) -> u64 {
        if alone && matches!(self.rule, HedgeDelay::Mean { .. }) {
            return 1;
        }
        // The least `more` for which `(unseen + more) * PARTS` is above `last.len() + more`, or above the window.
        let seen = self.unseen * Self::PARTS;
        let growing = self.last.len().saturating_sub(seen) / (Self::PARTS - 1);
        let full = self.window().saturating_sub(seen) / Self::PARTS;
        growing.min(full) as u64 + 1
    }

    /// The delay; `None` before there were enough calls.
    pub(super) fn delay(&mut self) -> Option<Duration> {
        self.unseen = 0;
        match self.rule {
            HedgeDelay::Never => None,
            HedgeDelay::Fixed(delay) => Some(delay),
            HedgeDelay::Quantile { quantile, warm_up, .. } => {
                if self.last.len() < warm_up as usize {
                    return None;
                }
                let ranked = self.ranked.settle();
                Some(Duration::from_nanos(ranked[rank(quantile, ranked.len())]))
            }
            HedgeDelay::Mean { factor, plus, warm_up, .. } => {
                if self.last.len() < warm_up as usize {
                    return None;
                }
                let mean = self.sum / (self.last.len() as u128).max(1);
                let mean = Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX));
                let times = Duration::try_from_secs_f64(mean.as_secs_f64() * factor).unwrap_or(Duration::MAX);
                Some(times.saturating_add(plus))
            }
        }
    }
}

/// The window by size. What came and what went since it was last asked for is merged in by one pass, which copies what lies
/// between two changes as a whole.
#[derive(Default)]
struct Ranked {
    /// As it was when it was last asked for, the shortest first.
    all: Vec<u64>,
    came: Vec<u64>,
    /// Each of them is among `all` or `came`.
    went: Vec<u64>,
    merged: Vec<u64>,
}

impl Ranked {
    /// What is in the window now, the shortest first.
    fn settle(&mut self) -> &[u64] {
        self.came.sort_unstable();
        self.went.sort_unstable();
        self.merged.clear();
        let (mut rest, mut came, mut went) = (&self.all[..], &self.came[..], &self.went[..]);
        while let Some(&change) = came.first().into_iter().chain(went.first()).min() {
            let (below, from_change) = rest.split_at(rest.partition_point(|nanos| *nanos < change));
            self.merged.extend_from_slice(below);
            rest = from_change;
            match (came.strip_prefix(&[change]), went.strip_prefix(&[change])) {
                (Some(later), None) => {
                    self.merged.push(change);
                    came = later;
                }
                (None, Some(later)) => {
                    rest = &rest[1..];
                    went = later;
                }
                (Some(came_later), Some(went_later)) => (came, went) = (came_later, went_later),
                (None, None) => unreachable!("it is the first of one of them"),
            }
        }
        self.merged.extend_from_slice(rest);
        self.came.clear();
        self.went.clear();
        std::mem::swap(&mut self.all, &mut self.merged);
        &self.all
    }
}

/// The place of the smallest value that at least the share `quantile` of all is not above (nearest rank).
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and a count of at most 10 000"
)]
fn rank(quantile: f64, count: usize) -> usize {
    ((quantile * count as f64).ceil() as usize).clamp(1, count) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn nanos(ms: u32) -> u64 {
        u64::from(ms) * 1_000_000
    }

    fn delay(rule: HedgeDelay, took: &[u32]) -> Option<Duration> {
        let mut durations = Durations::new(rule);
        for took in took {
            durations.observe(nanos(*took));
        }
        durations.delay()
    }

    #[test]
    fn a_quantile_is_the_nearest_rank_of_the_last_calls() {
        let p90 = HedgeDelay::quantile(0.9).window(10).warm_up(3);
        assert_eq!(delay(p90.clone(), &[1, 1]), None, "two calls are not three");
        assert_eq!(delay(p90.clone(), &[1, 1, 1, 1, 1, 1, 1, 1, 10, 10]), Some(10 * MS));
        assert_eq!(delay(p90.clone(), &[1, 1, 1, 1, 1, 1, 1, 1, 1, 10]), Some(MS));
        assert_eq!(
            delay(p90, &[99, 99, 1, 1, 1, 1, 1, 1, 1, 1, 1, 10]),
            Some(MS),
            "the first two are out of the window"
        );
    }

    #[test]
    fn a_mean_is_multiplied_and_lengthened() {
        let rule = HedgeDelay::mean(2.0).window(2).warm_up(1).plus(5 * MS);
        assert_eq!(delay(rule.clone(), &[]), None);
        assert_eq!(delay(rule.clone(), &[10]), Some(25 * MS));
        assert_eq!(delay(rule, &[1_000, 10, 20]), Some(35 * MS));
    }

    #[test]
    fn a_smaller_window_keeps_the_newest() {
        let mut durations = Durations::new(HedgeDelay::mean(1.0).window(3).warm_up(1));
        for took in [30, 20, 10] {
            durations.observe(nanos(took));
        }
        durations.follow(HedgeDelay::mean(1.0).window(2).warm_up(1));
        assert_eq!(durations.delay(), Some(15 * MS));
    }

    #[test]
    fn it_is_known_after_how_many_more_a_delay_is_due() {
        for (window, mean) in [(1, false), (31, false), (32, false), (200, false), (200, true), (1_000, false)] {
            let rule = if mean { HedgeDelay::mean(1.0) } else { HedgeDelay::quantile(0.9) };
            let mut durations = Durations::new(rule.window(window).warm_up(1));
            let (mut told, mut expected) = (0, durations.due_in(false));
            for calls in 1..3_000 {
                durations.observe(calls);
                // What is due is counted from any moment between two times that it is told.
                let due = durations.unseen * Durations::PARTS > durations.last.len();
                assert_eq!(due, calls - told == expected, "window {window}, call {calls}");
                if due {
                    durations.delay();
                    (told, expected) = (calls, durations.due_in(false));
                } else {
                    assert_eq!(durations.due_in(false), told + expected - calls);
                }
                assert!(!mean || (durations.is_due() && durations.due_in(true) == 1));
            }
        }
    }
}
