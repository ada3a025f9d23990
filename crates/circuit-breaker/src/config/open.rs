use std::time::Duration;

use seawall_core::Jitter;

/// How long the circuit stays open.
///
/// ```
/// use seawall_circuit_breaker::{Config, OpenInterval};
/// use seawall_core::Jitter;
/// use std::time::Duration;
///
/// let interval = OpenInterval::exponential(Duration::from_secs(5), 2.0, Duration::from_secs(300))
///     .jitter(Jitter::Equal)
///     .stable_after(Duration::from_secs(60));
/// let config = Config::default().open(interval);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "crate::format::OpenInterval"))]
#[non_exhaustive]
pub struct OpenInterval {
    /// How long the first time.
    #[cfg_attr(feature = "serde", serde(rename = "for", with = "humantime_serde"))]
    pub first: Duration,
    /// How many times longer each time that follows without a stable period between: at least 1.
    pub multiplier: f64,
    /// Never longer than this.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub max: Duration,
    /// Whether the interval is shortened at random, so that many clients do not come back at once.
    pub jitter: Jitter,
    /// How long the circuit must stay closed before the interval is the first again. Zero: as soon as it closes.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub stable_after: Duration,
    /// Whether the failure's own hint (`Retry-After`) takes the place of the interval, up to `max`.
    pub honour_hint: bool,
}

impl OpenInterval {
    /// `interval` each time, unless the failure itself asks for another.
    pub fn fixed(interval: Duration) -> Self {
        let default = Self::default();
        Self { first: interval, max: default.max.max(interval), ..default }
    }

    /// `first` the first time, and `multiplier` times longer each time that follows without a stable period between, up to
    /// `max`.
    pub fn exponential(first: Duration, multiplier: f64, max: Duration) -> Self {
        Self { first, multiplier, max, ..Self::default() }
    }

    /// Shortens each interval at random.
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Begins with the first interval again once the circuit has stayed closed so long.
    #[must_use]
    pub const fn stable_after(mut self, period: Duration) -> Self {
        self.stable_after = period;
        self
    }

    /// Keeps to the interval whatever the failure itself asks for (`Retry-After`).
    #[must_use]
    pub const fn ignore_hint(mut self) -> Self {
        self.honour_hint = false;
        self
    }
}

impl Default for OpenInterval {
    /// 30 seconds each time.
    fn default() -> Self {
        let first = Duration::from_secs(30);
        Self {
            first,
            multiplier: 1.0,
            max: Duration::from_secs(600),
            jitter: Jitter::None,
            stable_after: Duration::ZERO,
            honour_hint: true,
        }
    }
}
