use std::time::Duration;

use seawall_core::ConfigError;

/// How long calls took, where that is kept: see [`Config::durations`](crate::Config::durations).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Durations {
    /// The calls whose duration is known: all that succeeded or failed while durations were kept.
    pub calls: u64,
    /// How long they took together, in seconds.
    #[cfg_attr(feature = "serde", serde(rename = "total_seconds", with = "seawall_core::observe::seconds"))]
    pub total: Duration,
}

impl Durations {
    /// How long such a call took on average: the arithmetic mean, rounded down to nanoseconds. `None` if there are no calls.
    pub fn mean(&self) -> Option<Duration> {
        (self.calls > 0).then(|| duration(self.total.as_nanos() / u128::from(self.calls)))
    }

    /// Of one call.
    pub(crate) const fn of(took: Duration) -> Self {
        Self { calls: 1, total: took }
    }

    /// The same mean of fewer calls.
    pub(crate) fn part(self, calls: u64) -> Self {
        if calls == self.calls {
            return self;
        }
        let nanos = self.total.as_nanos().saturating_mul(calls.into()) / u128::from(self.calls.max(1));
        Self { calls, total: duration(nanos) }
    }

    /// Whether these can be the durations of as many calls as this, or fewer.
    pub(crate) fn check(&self, calls: u64) -> Result<(), ConfigError> {
        if self.calls > calls {
            return Err(ConfigError::new("durations.calls", self.calls, "at most `figures.calls`"));
        }
        if self.calls == 0 && !self.total.is_zero() {
            return Err(ConfigError::new(
                "durations.total",
                format!("{:?}", self.total),
                "zero, as there are no calls",
            ));
        }
        Ok(())
    }
}

/// The span of so many nanoseconds.
fn duration(nanos: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    let rest = (nanos % SECOND) as u32;
    u64::try_from(nanos / SECOND).map_or(Duration::MAX, |seconds| Duration::new(seconds, rest))
}
