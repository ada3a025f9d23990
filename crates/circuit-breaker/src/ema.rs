use std::time::Duration;

use seawall_core::Ratio;
use seawall_core::time::Timestamp;

use crate::settings::{EmaOver, EmaRule};
use crate::window::TimeWindow;

/// The exponential moving average of the success rate: each call weighs less the more calls, or the more time, came after it.
pub(crate) struct Ema {
    required: Ratio,
    /// None before the first call.
    average: Option<f64>,
    /// Whether a whole window has passed since the average began.
    ready: bool,
    age: Age,
}

/// How calls grow old.
enum Age {
    Calls {
        window: u64,
        seen: u64,
    },
    Time {
        /// In seconds.
        window: f64,
        minimum: u64,
        began: Timestamp,
        /// When the last call ended.
        last: Timestamp,
        /// The calls of the last window.
        recent: TimeWindow<u64>,
    },
}

/// In how many steps calls leave what the minimum is asked of.
const BUCKETS: u32 = 5;

impl Ema {
    pub(crate) fn new(rule: EmaRule, now: Timestamp) -> Self {
        let age = match rule.over {
            EmaOver::Calls(window) => Age::Calls { window, seen: 0 },
            EmaOver::Time { window, minimum } => {
                let recent = TimeWindow::new(window, BUCKETS, now);
                Age::Time { window: window.as_secs_f64(), minimum, began: now, last: now, recent }
            }
        };
        Self { required: rule.required, average: None, ready: false, age }
    }

    /// A call ended.
    pub(crate) fn observe(&mut self, success: bool, now: Timestamp) {
        let weight = match &mut self.age {
            Age::Calls { window, seen } => {
                *seen = seen.saturating_add(1);
                self.ready |= *seen >= *window;
                weight_of_calls(1, *window)
            }
            Age::Time { window, began, last, recent, .. } => {
                // After a step back of the clock the average goes on from there, and so does the wait for a whole window.
                *began = *began - last.saturating_duration_since(now);
                let elapsed = now.saturating_duration_since(*last).as_secs_f64();
                *last = now;
                recent.advance(now);
                recent.add(&1);
                self.ready |= now.saturating_duration_since(*began).as_secs_f64() >= *window;
                weight_of(elapsed / *window)
            }
        };
        let outcome = if success { 1.0 } else { 0.0 };
        self.average = Some(self.average.map_or(outcome, |average| average + (outcome - average) * weight));
    }

    /// `n` calls succeeded, nobody knows when: over time they are of the same moment as the last one.
    pub(crate) fn succeed(&mut self, n: u64) {
        let weight = match &mut self.age {
            Age::Calls { window, seen } => {
                *seen = seen.saturating_add(n);
                self.ready |= *seen >= *window;
                weight_of_calls(n, *window)
            }
            Age::Time { recent, .. } => {
                recent.add(&n);
                0.0
            }
        };
        self.average = Some(self.average.map_or(1.0, |average| average + (1.0 - average) * weight));
    }

    /// The average as of the last call, once a whole window has passed and its calls are enough.
    pub(crate) fn rate(&self) -> Option<f64> {
        let enough = match &self.age {
            Age::Calls { .. } => true,
            Age::Time { minimum, recent, .. } => recent.figures() >= *minimum,
        };
        self.average.filter(|_| self.ready && enough)
    }

    /// Whether the rate is below what is required. It is asked after failures: a success is never the last straw.
    pub(crate) fn is_met(&self) -> bool {
        self.rate().is_some_and(|rate| rate < self.required.get())
    }

    /// Whether failures still weigh at least a hundredth.
    pub(crate) fn holds_any(&self, now: Timestamp) -> bool {
        let left = match &self.age {
            Age::Calls { .. } => 1.0,
            Age::Time { window, last, .. } => {
                1.0 - weight_of(now.saturating_duration_since(*last).as_secs_f64() / *window)
            }
        };
        self.average.is_some_and(|average| (1.0 - average) * left >= 0.01)
    }

    pub(crate) fn clear(&mut self, now: Timestamp) {
        (self.average, self.ready) = (None, false);
        match &mut self.age {
            Age::Calls { seen, .. } => *seen = 0,
            Age::Time { began, last, recent, .. } => {
                (*began, *last) = (now, now);
                recent.clear(now);
            }
        }
    }

    /// Goes on with this rate of so long ago, as if a whole window of enough calls were behind it; unless that window is over.
    pub(crate) fn restore(&mut self, rate: f64, elapsed: Duration) {
        if let Age::Time { window, minimum, recent, .. } = &mut self.age {
            if elapsed.as_secs_f64() >= *window {
                return;
            }
            recent.add(minimum);
        }
        (self.average, self.ready) = (Some(rate), true);
    }

    /// The same average under another rule; one that begins now if it is over calls instead of time, or the other way round.
    pub(crate) fn reconfigured(self, rule: EmaRule, now: Timestamp) -> Self {
        let mut new = Self::new(rule, now);
        match (self.age, &mut new.age) {
            (Age::Calls { seen: old, .. }, Age::Calls { seen, .. }) => *seen = old,
            (
                Age::Time { began: old_began, last: old_last, recent: old, .. },
                Age::Time { began, last, recent, .. },
            ) => {
                (*began, *last) = (old_began, old_last);
                recent.take_over(old);
            }
            _ => return new,
        }
        Self { average: self.average, ready: self.ready, ..new }
    }
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 calls nothing is left of what was before")]
fn weight_of_calls(calls: u64, window: u64) -> f64 {
    weight_of(calls as f64 / window as f64)
}

/// What a call weighs that comes so many windows after the last, or what so many windows of calls weigh together:
/// `1 - exp(-windows)`.
fn weight_of(windows: f64) -> f64 {
    -(-windows).exp_m1()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_forgotten_once_they_weigh_less_than_a_hundredth() {
        let required = Ratio::ONE;
        let at = |seconds| Timestamp::ZERO + Duration::from_secs(seconds);
        let mut over_calls = Ema::new(EmaRule { required, over: EmaOver::Calls(10) }, at(0));
        assert!(!over_calls.holds_any(at(0)));
        over_calls.observe(false, at(0));
        over_calls.succeed(46);
        assert!(over_calls.holds_any(at(0)), "exp(-4.6)");
        over_calls.succeed(1);
        assert!(!over_calls.holds_any(at(0)), "exp(-4.7)");

        let over = EmaOver::Time { window: Duration::from_secs(10), minimum: 1 };
        let mut over_time = Ema::new(EmaRule { required, over }, at(0));
        over_time.observe(false, at(0));
        assert!(over_time.holds_any(at(46)) && !over_time.holds_any(at(47)));
    }

    #[test]
    fn successes_in_bulk_move_it_as_they_do_one_by_one() {
        let rule = EmaRule { required: Ratio::ONE, over: EmaOver::Calls(25) };
        let (mut bulk, mut single) = (Ema::new(rule, Timestamp::ZERO), Ema::new(rule, Timestamp::ZERO));
        for n in [1, 3, 0, 40, 7] {
            bulk.succeed(n);
            (0..n).for_each(|_| single.observe(true, Timestamp::ZERO));
            bulk.observe(false, Timestamp::ZERO);
            single.observe(false, Timestamp::ZERO);
        }
        let (bulk, single) = (bulk.rate().expect("ready"), single.rate().expect("ready"));
        assert!((bulk - single).abs() < 1e-12, "{bulk} instead of {single}");
    }

    #[test]
    fn a_rate_that_is_exactly_what_is_required_is_not_below_it() {
        let after_one_of_each = |required| {
            let rule = EmaRule { required, over: EmaOver::Calls(10) };
            let mut ema = Ema::new(rule, Timestamp::ZERO);
            ema.observe(true, Timestamp::ZERO);
            ema.observe(false, Timestamp::ZERO);
            ema.succeed(20);
            ema
        };
        let rate = after_one_of_each(Ratio::ONE).rate().expect("ready");
        let exactly = Ratio::new(rate).expect("between 0 and 1");
        assert!(!after_one_of_each(exactly).is_met());
        let above = Ratio::new(rate.next_up()).expect("between 0 and 1");
        assert!(after_one_of_each(above).is_met());
    }
}
