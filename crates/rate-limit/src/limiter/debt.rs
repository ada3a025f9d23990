use std::time::Duration;

use seawall_core::time::Timestamp;

use super::Limiter;
use crate::cell::Denied;

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
}

impl Limiter {
    /// What was granted that counts now: to be [restored](Self::restore) after a restart.
    pub fn debt(&self) -> Debt {
        let (figures, limits) = match self.look() {
            Ok(standing) => standing,
            Err(Denied { figures, limits, .. }) => (figures, limits),
        };
        Debt { owed: figures.reset_after(), cells: limits.burst_size().saturating_sub(figures.remaining()) }
    }

    /// Has granted at least what it had when the debt was told, `elapsed` ago by any clock that both instances trust. The quota
    /// should be the same. What was granted before cannot be given back any more.
    ///
    /// Under any other algorithm than [`Gcra`](crate::Algorithm::Gcra) all of it counts as if it had come when the last of it came.
    /// Turns that are still to come, and what a pacer's last call has yet to pay, are not restored.
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
            let reset_at: Timestamp = now + left;
            self.cell.raise(debt.cells, reset_at, now);
        }
    }
}
