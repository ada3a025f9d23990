use std::fmt;
use std::time::Duration;

use seawall_core::ConfigError;

/// How much may pass: `limit` cells in every `period`, and for token buckets `burst` of them at once.
///
/// A cell is whatever is counted: a request, a kilobyte, a token of a language model. A call takes one unless it says how many.
///
/// ```
/// use seawall_rate_limit::Quota;
/// use std::time::Duration;
///
/// let api = Quota::per_minute(100);
/// let uploads = Quota::new(5, Duration::from_secs(10));
/// // Ten a second on average, fifty at once after five quiet seconds.
/// let bursty = Quota::per_second(10).burst(50);
/// # let _ = (api, uploads, bursty);
/// ```
///
/// It is checked when a limiter is made of it: `limit` and `burst` at least 1, `period` from a microsecond to 366 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Quota {
    limit: u32,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    period: Duration,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    burst: Option<u32>,
}

impl Quota {
    /// The shortest period.
    pub const SHORTEST: Duration = Duration::from_micros(1);
    /// The longest period.
    pub const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

    /// `limit` cells in every `period`.
    pub const fn new(limit: u32, period: Duration) -> Self {
        Self { limit, period, burst: None }
    }

    /// `limit` cells a second.
    pub const fn per_second(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(1))
    }

    /// `limit` cells a minute.
    pub const fn per_minute(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(60))
    }

    /// `limit` cells an hour.
    pub const fn per_hour(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(3_600))
    }

    /// `limit` cells a day of 24 hours.
    pub const fn per_day(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(24 * 3_600))
    }

    /// How many cells may pass at once after a long enough pause; as many as the limit if it is not said. Only token buckets
    /// ([`Gcra`](crate::Algorithm::Gcra), [`TokenSteps`](crate::Algorithm::TokenSteps)) tell it from the limit; every other
    /// algorithm refuses a quota that has one.
    #[must_use]
    pub const fn burst(mut self, burst: u32) -> Self {
        self.burst = Some(burst);
        self
    }

    /// How many cells in every period.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// The period.
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// How many cells at once.
    pub const fn burst_size(&self) -> u32 {
        match self.burst {
            Some(burst) => burst,
            None => self.limit,
        }
    }

    /// This share of it: at least one cell.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "shares are finite and above zero, and a cast saturates"
    )]
    pub(crate) fn scaled(self, share: f64) -> Self {
        // What is a whole number but for the rounding of a product is meant to be one.
        let scale = |cells: u32| ((f64::from(cells) * share + 1e-6).floor() as u32).max(1);
        Self { limit: scale(self.limit), burst: self.burst.map(scale), ..self }
    }

    /// Whether a burst was set.
    pub(crate) const fn has_burst(&self) -> bool {
        self.burst.is_some()
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.limit == 0 {
            return Err(ConfigError::new("quota.limit", self.limit, format!("1 to {}", u32::MAX)));
        }
        if self.burst == Some(0) {
            return Err(ConfigError::new("quota.burst", 0, format!("1 to {}", u32::MAX)));
        }
        if !(Self::SHORTEST..=Self::LONGEST).contains(&self.period) {
            return Err(ConfigError::new("quota.period", format!("{:?}", self.period), "1µs to 366 days"));
        }
        Ok(())
    }

    /// The period in nanoseconds. Of a checked quota.
    pub(crate) fn period_nanos(&self) -> u64 {
        u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {:?}", self.limit, self.period)?;
        match self.burst {
            Some(burst) => write!(f, ", burst {burst}"),
            None => Ok(()),
        }
    }
}
