use std::time::Duration;

use seawall_core::ConfigError;
use seawall_core::time::Timestamp;

use super::round_trip::RoundTrip;
use super::settings::Fields;
use super::{LimitAlgorithm, Sample, Signal};

/// Additive increase, multiplicative decrease (Chiu and Jain, 1989; constants of Netflix' `AIMDLimit`).
///
/// A call that completes when at least half of the limit is in use raises it by one, at most once in each round trip. A call that
/// was dropped, or took longer than `timeout`, leaves `backoff` of it, at most once in each round trip: a call that began before
/// the limit was lowered last tells nothing new. An abandoned call counts only if it took longer than `timeout`.
///
/// ```
/// use seawall_bulkhead::limit::{Aimd, LimitAlgorithm, Sample, Signal};
/// use seawall_core::time::Timestamp;
/// use std::time::Duration;
///
/// let mut aimd = Aimd::default().initial(30).build()?;
/// let dropped = |at| Sample::new(Timestamp::ZERO + at, Duration::from_secs(1), 30, Signal::Dropped);
/// assert_eq!(aimd.on_sample(&dropped(Duration::from_secs(5))), 27);
/// assert_eq!(aimd.on_sample(&dropped(Duration::from_millis(5_500))), 27, "it began before");
/// assert_eq!(aimd.on_sample(&dropped(Duration::from_secs(6))), 24);
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Aimd {
    /// The limit to begin with: from `min` to `max`. Default 20.
    pub initial: u32,
    /// The lowest limit: at least 1. Default 20.
    pub min: u32,
    /// The highest limit. Default 200.
    pub max: u32,
    /// What is left of the limit when it is lowered: above 0 and below 1. Default 0.9.
    pub backoff: f64,
    /// A call that takes longer counts as dropped: up to 366 days. Default 5 s.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub timeout: Duration,
}

setters!(Aimd { initial: u32, min: u32, max: u32, backoff: f64, timeout: Duration });

impl Default for Aimd {
    fn default() -> Self {
        Self { initial: 20, min: 20, max: 200, backoff: 0.9, timeout: Duration::from_secs(5) }
    }
}

impl Aimd {
    /// The algorithm at its beginning.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn build(self) -> Result<AimdLimit, ConfigError> {
        let fields = Fields("aimd");
        fields.bounds(self.initial, self.min, self.max)?;
        fields.part("backoff", self.backoff)?;
        fields.duration("timeout", self.timeout)?;
        Ok(AimdLimit { config: self, limit: self.initial, round_trip: RoundTrip::default() })
    }
}

/// [`Aimd`] at work.
#[derive(Clone, Debug)]
pub struct AimdLimit {
    config: Aimd,
    limit: u32,
    round_trip: RoundTrip,
}

impl LimitAlgorithm for AimdLimit {
    fn limit(&self) -> u32 {
        self.limit
    }

    fn on_sample(&mut self, sample: &Sample) -> u32 {
        self.round_trip.follow(sample.at);
        let late = sample.rtt > self.config.timeout;
        let limit = match sample.signal {
            _ if late => self.lowered(sample),
            Signal::Dropped => self.lowered(sample),
            Signal::Completed => self.raised(sample),
            Signal::Abandoned => self.limit,
        };
        self.round_trip.note(sample.at, self.limit.into(), limit.into());
        self.limit = limit;
        limit
    }

    fn on_tick(&mut self, now: Timestamp) -> u32 {
        self.round_trip.follow(now);
        self.limit
    }
}

impl AimdLimit {
    fn raised(&self, sample: &Sample) -> u32 {
        let may = sample.uses_half(self.limit) && self.round_trip.may_raise(sample);
        if may { self.limit.saturating_add(1).min(self.config.max) } else { self.limit }
    }

    fn lowered(&self, sample: &Sample) -> u32 {
        if !self.round_trip.may_lower(sample) {
            return self.limit;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "part of a u32, rounded down")]
        let left = (f64::from(self.limit) * self.config.backoff) as u32;
        left.max(self.config.min)
    }
}
