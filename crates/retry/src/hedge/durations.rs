use std::collections::VecDeque;
use std::time::Duration;

use super::config::HedgeDelay;

/// How long the last calls took, and the delay that follows from it.
pub(crate) struct Durations {
    rule: HedgeDelay,
    /// In nanoseconds, the oldest first.
    last: VecDeque<u64>,
    sum: u128,
    /// Observations since the delay was told.
    unseen: usize,
    scratch: Vec<u64>,
}

impl Durations {
    pub(crate) fn new(rule: HedgeDelay) -> Self {
        Self { rule, last: VecDeque::new(), sum: 0, unseen: 0, scratch: Vec::new() }
    }

    /// The same observations under another rule.
    pub(crate) fn under(mut self, rule: HedgeDelay) -> Self {
        self.rule = rule;
        while self.last.len() > self.window() {
            self.forget();
        }
        self
    }

    fn window(&self) -> usize {
        match self.rule {
            HedgeDelay::Never | HedgeDelay::Fixed(_) => 0,
            HedgeDelay::Quantile { window, .. } | HedgeDelay::Mean { window, .. } => window as usize,
        }
    }

    fn forget(&mut self) {
        self.sum -= u128::from(self.last.pop_front().unwrap_or_default());
    }

    /// A call took so long. Tells whether the delay is to be asked for again: sorting is spared while it would hardly move.
    pub(crate) fn observe(&mut self, took: Duration) -> bool {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.last.push_back(took);
        self.sum += u128::from(took);
        if self.last.len() > self.window() {
            self.forget();
        }
        self.unseen += 1;
        matches!(self.rule, HedgeDelay::Mean { .. }) || self.unseen * 32 > self.last.len()
    }

    /// The delay; `None` before there were enough calls.
    pub(crate) fn delay(&mut self) -> Option<Duration> {
        self.unseen = 0;
        match self.rule {
            HedgeDelay::Never => None,
            HedgeDelay::Fixed(delay) => Some(delay),
            HedgeDelay::Quantile { quantile, warm_up, .. } => {
                if self.last.len() < warm_up as usize {
                    return None;
                }
                self.scratch.clear();
                self.scratch.extend(&self.last);
                let rank = rank(quantile, self.scratch.len());
                let (_, at, _) = self.scratch.select_nth_unstable(rank);
                Some(Duration::from_nanos(*at))
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

    fn delay(rule: HedgeDelay, took: &[u32]) -> Option<Duration> {
        let mut durations = Durations::new(rule);
        for took in took {
            durations.observe(*took * MS);
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
        for took in [30_u32, 20, 10] {
            durations.observe(took * MS);
        }
        assert_eq!(durations.under(HedgeDelay::mean(1.0).window(2).warm_up(1)).delay(), Some(15 * MS));
    }
}
