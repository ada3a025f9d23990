use seawall_core::{ConfigError, Ratio};

use crate::window::Mark;

/// What a window, or a half-open circuit's probes, have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Figures {
    /// Calls that succeeded or failed.
    pub calls: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls that took longer than allowed, whatever their result.
    pub slow: u64,
    /// Calls that were slow and failed.
    pub slow_failed: u64,
    /// Calls that were dropped before their end, where those count by rate. They are not among `calls`.
    pub abandoned: u64,
}

impl Figures {
    /// Calls that succeeded.
    pub const fn succeeded(&self) -> u64 {
        self.calls - self.failed
    }

    /// The share of calls that failed; `None` below `minimum` calls.
    pub fn failure_rate(&self, minimum: u64) -> Option<f64> {
        rate(self.failed, self.calls, minimum)
    }

    /// The share of calls that were slow; `None` below `minimum` calls.
    pub fn slow_rate(&self, minimum: u64) -> Option<f64> {
        rate(self.slow, self.calls, minimum)
    }

    /// Whether these can be the figures of any calls.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        const MOST: u64 = 1 << 48;
        let within = |field, value, most, of: &str| {
            if value <= most { Ok(()) } else { Err(ConfigError::new(field, value, format!("at most {of}"))) }
        };
        within("figures.calls", self.calls, MOST, "2^48")?;
        within("figures.abandoned", self.abandoned, MOST, "2^48")?;
        within("figures.failed", self.failed, self.calls, "`figures.calls`")?;
        within("figures.slow", self.slow, self.calls, "`figures.calls`")?;
        within("figures.slow_failed", self.slow_failed, self.failed, "`figures.failed`")?;
        within("figures.slow_failed", self.slow_failed, self.slow, "`figures.slow`")?;
        let apart = self.failed + self.slow - self.slow_failed;
        within("figures.calls", apart, self.calls, "as many as failed or were slow")
    }

    pub(crate) const fn succeed(&mut self, n: u64) {
        self.calls += n;
    }

    pub(crate) fn mark(&mut self, mark: Mark) {
        self.calls += u64::from(!mark.abandoned);
        self.failed += u64::from(mark.failed);
        self.slow += u64::from(mark.slow);
        self.slow_failed += u64::from(mark.slow && mark.failed);
        self.abandoned += u64::from(mark.abandoned);
    }

    pub(crate) const fn subtract(&mut self, other: &Self) {
        self.calls -= other.calls;
        self.failed -= other.failed;
        self.slow -= other.slow;
        self.slow_failed -= other.slow_failed;
        self.abandoned -= other.abandoned;
    }

    pub(crate) const fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.slow += other.slow;
        self.slow_failed += other.slow_failed;
        self.abandoned += other.abandoned;
    }

    /// How many calls there are of each kind; `None` is a plain success.
    pub(crate) fn each_kind(&self, mut take: impl FnMut(u64, Option<Mark>)) {
        let mark = |failed, slow, abandoned| Some(Mark { failed, slow, abandoned });
        take(self.abandoned, mark(false, false, true));
        take(self.slow_failed, mark(true, true, false));
        take(self.failed - self.slow_failed, mark(true, false, false));
        take(self.slow - self.slow_failed, mark(false, true, false));
        take(self.calls + self.slow_failed - self.failed - self.slow, None);
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53 are exact, and windows are far smaller")]
fn rate(part: u64, whole: u64, minimum: u64) -> Option<f64> {
    (whole > 0 && whole >= minimum).then(|| part as f64 / whole as f64)
}

/// A rate rule: what share of what, once there are so many.
#[derive(Clone, Copy)]
pub(crate) struct RateRule {
    pub(crate) threshold: Ratio,
    pub(crate) part: u64,
    pub(crate) whole: u64,
    pub(crate) minimum: u64,
}

impl RateRule {
    pub(crate) fn is_met(&self) -> bool {
        self.whole >= self.minimum && self.threshold.is_reached_by(self.part, self.whole)
    }

    /// Whether successes alone could meet it: by completing the minimum, or because time took successes away, so that it is
    /// met by what is left. Beyond that a success only lowers the rate.
    pub(crate) fn can_be_met_by_successes(&self) -> bool {
        self.threshold.is_reached_by(self.part, self.minimum.max(self.whole + 1))
    }
}
