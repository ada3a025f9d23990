use std::time::Duration;

use super::Limiter;
use crate::cell::Denied;
use crate::limit::{Owed, Refused};
use crate::quota::Quota;

/// What a limiter had granted that still counts: to be given to its successor after a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Debt {
    /// For how long it counts.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    owed: Duration,
    /// How many cells it is.
    cells: u32,
    /// After how long the next cell passes.
    #[cfg_attr(feature = "serde", serde(default, with = "humantime_serde"))]
    wait: Duration,
}

impl Debt {
    /// For how long it counts.
    pub const fn owed(&self) -> Duration {
        self.owed
    }

    /// How many cells it is.
    pub const fn cells(&self) -> u32 {
        self.cells
    }

    /// After how long the next cell passes: once a pacer's last call is paid for, or all turns have come.
    pub const fn wait(&self) -> Duration {
        self.wait
    }
}

impl Limiter {
    /// What was granted that counts now: to be [restored](Self::restore) after a restart.
    pub fn debt(&self) -> Debt {
        let (figures, limits, wait) = match self.look_for(1) {
            Err(Denied { figures, limits, refused: Refused::Later { retry_after } }) => (figures, limits, retry_after),
            Ok((figures, limits)) | Err(Denied { figures, limits, .. }) => (figures, limits, 0),
        };
        let cells = limits.burst_size().saturating_sub(figures.remaining());
        Debt { owed: figures.reset_after(), cells, wait: Duration::from_nanos(wait) }
    }

    /// Has granted at least what it had when the debt was told, `elapsed` ago by any clock that both instances trust. The quota
    /// should be the same. What was granted before cannot be given back any more.
    ///
    /// Under any other algorithm than [`Gcra`](crate::Algorithm::Gcra) all of it counts as if it had come when the last of it came.
    /// Turns that were still to come are restored as well, up to a year ahead: whoever was promised one may keep to it in the next
    /// instance too. So is what the last call of a pacer has yet to pay; the next one then finds a warm-up cold. Of
    /// [`TokenSteps`](crate::Algorithm::TokenSteps) turns are not restored, but an empty bucket is.
    ///
    /// ```
    /// use seawall_rate_limit::{Config, Quota, RateLimiter};
    /// use std::time::Duration;
    ///
    /// let config = || Config::new(Quota::per_hour(2));
    /// let before = RateLimiter::new(config())?;
    /// before.check_n(2).expect("two of two");
    ///
    /// let after = RateLimiter::new(config())?;
    /// after.restore(&before.debt(), Duration::from_secs(60));
    /// assert!(after.check().is_err());
    /// # Ok::<(), seawall_core::ConfigError>(())
    /// ```
    pub fn restore(&self, debt: &Debt, elapsed: Duration) {
        let now = self.clock.now();
        let left = debt.owed.saturating_sub(elapsed);
        if !left.is_zero() {
            // No quota's period and no promised turn is longer than a year.
            let (reset_at, free_at) = (now + left.min(3 * Quota::LONGEST), now + debt.wait.saturating_sub(elapsed));
            self.cell.raise(Owed { cells: debt.cells, reset_at, free_at }, now);
        }
    }
}
