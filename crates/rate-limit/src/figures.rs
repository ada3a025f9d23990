//! What a decision tells beside yes or no.

use std::time::Duration;

use crate::quota::Quota;

/// What is left after a decision, kept as it was found and divided only when somebody asks: a division costs more than the
/// decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    /// What could still be taken, in ticks of a token bucket or in cells of a window.
    pub(crate) left: u64,
    /// What one cell takes of that.
    pub(crate) unit: u64,
    /// Until everything is as if nothing had been taken, in ticks.
    pub(crate) owed: u64,
    /// Ticks of a nanosecond.
    pub(crate) ticks_per_nano: u64,
}

impl Figures {
    /// Of an algorithm that counts cells and nanoseconds.
    pub(crate) const fn plain(left: u32, owed: u64) -> Self {
        Self { left: left as u64, unit: 1, owed, ticks_per_nano: 1 }
    }

    /// The same of a limit below 2^32.
    pub(crate) const fn window(left: u64, owed: u64) -> Self {
        Self { left, unit: 1, owed, ticks_per_nano: 1 }
    }

    pub(crate) fn remaining(&self) -> u32 {
        u32::try_from(self.left / self.unit).unwrap_or(u32::MAX)
    }

    /// So many ticks in nanoseconds, rounded up.
    #[inline]
    pub(crate) const fn nanos(&self, ticks: u64) -> u64 {
        if self.ticks_per_nano.is_power_of_two() {
            // A shift, where a division would cost as much as the decision.
            let shift = self.ticks_per_nano.trailing_zeros();
            (ticks >> shift) + (ticks & (self.ticks_per_nano - 1) != 0) as u64
        } else {
            // It is never zero. A division that might panic would be made even where nobody looks at what it gives.
            match ticks.checked_div(self.ticks_per_nano) {
                Some(whole) => whole + (whole * self.ticks_per_nano != ticks) as u64,
                None => ticks,
            }
        }
    }

    /// Until there is more than what is left: a token bucket's next cell; what a window counts may take until it is empty.
    #[cfg(feature = "http")]
    pub(crate) const fn more_after(&self) -> Option<Duration> {
        match (self.owed, self.unit) {
            (0, _) => None,
            (owed, 1) => Some(Duration::from_nanos(self.nanos(owed))),
            (owed, unit) => Some(Duration::from_nanos(self.nanos((owed - 1) % unit + 1))),
        }
    }

    pub(crate) const fn reset_after(&self) -> Duration {
        Duration::from_nanos(self.nanos(self.owed))
    }
}

/// A [`Quota`] in two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) limit: u32,
    /// 0 if none was set.
    pub(crate) burst: u32,
    pub(crate) period: u64,
}

impl Limits {
    pub(crate) fn of(quota: Quota) -> Self {
        let burst = if quota.has_burst() { quota.burst_size() } else { 0 };
        Self { limit: quota.limit(), burst, period: quota.period_nanos() }
    }

    #[expect(clippy::cast_possible_truncation, reason = "halves of a word")]
    pub(crate) const fn from_words(sizes: u64, period: u64) -> Self {
        Self { limit: (sizes >> 32) as u32, burst: sizes as u32, period }
    }

    /// The limit above, the burst below.
    pub(crate) const fn sizes(self) -> u64 {
        (self.limit as u64) << 32 | self.burst as u64
    }

    pub(crate) const fn burst_size(self) -> u32 {
        if self.burst == 0 { self.limit } else { self.burst }
    }

    pub(crate) const fn quota(self) -> Quota {
        let quota = Quota::new(self.limit, Duration::from_nanos(self.period));
        if self.burst == 0 { quota } else { quota.burst(self.burst) }
    }
}
