use std::time::Duration;

use seawall_core::ConfigError;

use super::GradientLimit;
use crate::limit::settings::Fields;

/// Compares what calls take with what they took when there were few of them (Envoy's adaptive concurrency: its gradient
/// controller, with its constants).
///
/// Every `probe_every`, and at the beginning, the limit is `min` until `probe_calls` calls have completed that began in that time:
/// their `percentile` is `minRTT`. Then the limit is what it was before. In between, at the end of each `window` in which a call
/// has completed, with `L` the limit and `sampleRTT` the `percentile` of those calls:
///
/// ```text
/// g  = minRTT · (1 + buffer) / sampleRTT, from 0.5 to 2
/// L' = ⌊L · g + √(L · g)⌋, from `min` to `max`
/// ```
///
/// Five windows in a row that leave the limit at `min` say that `minRTT` is wrong: it is measured at once.
///
/// Unlike Envoy's, the limit rises only if in the window half of it was in use, and falls only if since the last fall at least
/// `sampleRTT` has passed. A dropped call takes at least its time, as an abandoned one does: where that is above the percentile of those
/// that completed, it is one of the window's. A window with a dropped call leaves at most `backoff` of the limit.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Gradient {
    /// The lowest limit, with which it begins, and during measurements of `minRTT`: at least 1. Default 3.
    pub min: u32,
    /// The highest limit. Default 1000.
    pub max: u32,
    /// How often the limit is found anew: up to 366 days. Default 100 ms.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub window: Duration,
    /// Which share of the calls is quicker than what stands for all of them: above 0 and at most 1. Default 0.5.
    pub percentile: f64,
    /// How much longer than `minRTT` calls may take before the limit falls, as a share of it: 0 to 1000. Default 0.25.
    pub buffer: f64,
    /// How often `minRTT` is measured: up to 366 days. Default 60 s.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub probe_every: Duration,
    /// Up to which share of `probe_every` is added to it at random, so that instances do not measure at once: 0 to 1. Default 0.15.
    pub jitter: f64,
    /// How many calls it takes to measure `minRTT`: 1 to 10 000. Default 50.
    pub probe_calls: u32,
    /// What a window with a dropped call leaves of the limit at most: above 0 and at most 1. Default 0.9.
    pub backoff: f64,
    /// Seeds the draw of the jitter. Instances that differ in it do not measure together. Default 0.
    pub seed: u64,
}

setters!(Gradient {
    min: u32,
    max: u32,
    window: Duration,
    percentile: f64,
    buffer: f64,
    probe_every: Duration,
    jitter: f64,
    probe_calls: u32,
    backoff: f64,
    seed: u64,
});

impl Default for Gradient {
    fn default() -> Self {
        Self {
            min: 3,
            max: 1_000,
            window: Duration::from_millis(100),
            percentile: 0.5,
            buffer: 0.25,
            probe_every: Duration::from_secs(60),
            jitter: 0.15,
            probe_calls: 50,
            backoff: 0.9,
            seed: 0,
        }
    }
}

impl Gradient {
    /// The algorithm at its beginning: it measures `minRTT`.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn build(self) -> Result<GradientLimit, ConfigError> {
        let fields = Fields("gradient");
        fields.bounds(self.min, self.min, self.max)?;
        fields.duration("window", self.window)?;
        fields.share("percentile", self.percentile)?;
        fields.number("buffer", self.buffer, 0.0, 1_000.0)?;
        fields.duration("probe_every", self.probe_every)?;
        fields.number("jitter", self.jitter, 0.0, 1.0)?;
        fields.count("probe_calls", self.probe_calls, 1, 10_000)?;
        fields.share("backoff", self.backoff)?;
        Ok(GradientLimit::new(self))
    }

    /// After which time `minRTT` is measured again, if this number was drawn: `probe_every` and, of the milliseconds that are the
    /// `jitter`, as many as are left when the number is divided by them.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "366 days of milliseconds")]
    pub fn probe_after(&self, random: u64) -> Duration {
        let range = (self.probe_every.as_secs_f64() * 1e3 * self.jitter) as u64;
        self.probe_every.saturating_add(Duration::from_millis(random.checked_rem(range).unwrap_or(0)))
    }

    /// How much calls that take `sample` are to be more or less, if with little load they take `least`.
    pub(super) fn gradient(&self, least: f64, sample: f64) -> f64 {
        (least * (1.0 + self.buffer) / sample.max(1.0)).clamp(0.5, 2.0)
    }

    /// The limit that follows on `limit`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to bounds that are u32")]
    pub(super) fn next(&self, limit: u32, gradient: f64, dropped: bool) -> u32 {
        let wanted = if dropped {
            f64::from(limit) * gradient.min(self.backoff)
        } else {
            let scaled = f64::from(limit) * gradient;
            scaled + scaled.sqrt()
        };
        wanted.clamp(self.min.into(), self.max.into()) as u32
    }
}
