use std::time::Duration;

use seawall_core::ConfigError;

use super::CorrelationLimit;
use crate::limit::Scale;
use crate::limit::settings::Fields;

/// Keeps a short queue as [`Vegas`](crate::limit::Vegas) does, of averages instead of single calls, and sees by correlations when more calls
/// in flight bring no more throughput (failsafe-go's adaptive limiter, with its constants).
///
/// A window ends with the first call that ends after `window`, or after twice the time of the quickest call if that is longer, up to
/// `longest`, once there were `min_samples` calls. The `quantile` of its calls goes through a median of the last `median`
/// windows and an average over `smoothing`; that is `recent`, and `baseline` is its average over `baseline`. With `L` the limit, `lg`
/// its logarithm and `q = ⌈L · (1 − baseline / recent)⌉` calls that wait, the limit
///
/// - falls by `step` if `q > beta`, if a call was dropped, or if all of it was in use and throughput falls as more is in flight
///   (correlation below 0), or hardly grows (below 0.3, or it varies by less than 0.2) while calls take longer (above 0.5);
/// - else rises by `step` if `q < alpha` and at least the share `min_use` of it was in use;
/// - and falls by `step` if it is above `max_factor` times what was in flight at most.
///
/// Correlations are of the last `correlation` windows, once there were ten. The limit falls at most once in the time of `recent`.
/// Abandoned and dropped calls took at least their time: where that is above the quantile of those that completed, they count.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Correlation {
    /// The limit to begin with: from `min` to `max`. Default 20.
    pub initial: u32,
    /// The lowest limit: at least 1. Default 1.
    pub min: u32,
    /// The highest limit. Default 200.
    pub max: u32,
    /// How long a window is at least: up to 366 days. Default 1 s.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub window: Duration,
    /// How long a window is at most, unless there are too few calls: not below `window`. Default 30 s.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub longest: Duration,
    /// How many calls a window takes: 1 to 1 000 000. Default 50.
    pub min_samples: u32,
    /// Which share of the calls is quicker than what stands for all of them: above 0 and at most 1. Default 0.9.
    pub quantile: f64,
    /// Of how many windows the median is taken: 1 to 1000. Default 5.
    pub median: u32,
    /// How many windows the recent average goes back: 1 to 1 000 000. Default 5.
    pub smoothing: u32,
    /// How many windows the baseline goes back: 1 to 1 000 000. Default 10.
    pub baseline: u32,
    /// Of how many windows correlations are: 2 to 1000. Default 50.
    pub correlation: u32,
    /// A shorter queue raises the limit. Default three times the logarithm.
    pub alpha: Scale,
    /// A longer queue lowers the limit. Default six times the logarithm.
    pub beta: Scale,
    /// By how much the limit rises and falls. Default the logarithm.
    pub step: Scale,
    /// How many times what is in flight the limit may be: 1 to 1 000 000. Default 5.
    pub max_factor: f64,
    /// By how much that is less for ten times as many in flight: 0 to 1 000 000. Default 0.
    pub factor_decay: f64,
    /// What it is at least: 1 to 1 000 000. Default 1.2.
    pub min_factor: f64,
    /// For how long the most in flight counts, so that a short lull does not lower the limit: up to 366 days. Default 0: only the last
    /// window.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub stabilization: Duration,
    /// Which share of the limit must be in use for it to rise: 0 to 1. Default 0.5. failsafe-go's is 0: there only `max_factor`
    /// holds a limit back that is not used.
    pub min_use: f64,
}

setters!(Correlation {
    initial: u32,
    min: u32,
    max: u32,
    window: Duration,
    longest: Duration,
    min_samples: u32,
    quantile: f64,
    median: u32,
    smoothing: u32,
    baseline: u32,
    correlation: u32,
    alpha: Scale,
    beta: Scale,
    step: Scale,
    max_factor: f64,
    factor_decay: f64,
    min_factor: f64,
    stabilization: Duration,
    min_use: f64,
});

impl Default for Correlation {
    fn default() -> Self {
        Self {
            initial: 20,
            min: 1,
            max: 200,
            window: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            min_samples: 50,
            quantile: 0.9,
            median: 5,
            smoothing: 5,
            baseline: 10,
            correlation: 50,
            alpha: Scale::Log10(3),
            beta: Scale::Log10(6),
            step: Scale::Log10(1),
            max_factor: 5.0,
            factor_decay: 0.0,
            min_factor: 1.2,
            stabilization: Duration::ZERO,
            min_use: 0.5,
        }
    }
}

impl Correlation {
    /// The algorithm at its beginning.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn build(self) -> Result<CorrelationLimit, ConfigError> {
        const MANY: u32 = 1_000_000;
        let fields = Fields("correlation");
        fields.bounds(self.initial, self.min, self.max)?;
        fields.duration("window", self.window)?;
        fields.duration("longest", self.longest)?;
        if self.longest < self.window {
            let valid = format!("at least the `window` of {:?}", self.window);
            return Err(fields.error("longest", format!("{:?}", self.longest), valid));
        }
        fields.count("min_samples", self.min_samples, 1, MANY)?;
        fields.share("quantile", self.quantile)?;
        fields.count("median", self.median, 1, 1_000)?;
        fields.count("smoothing", self.smoothing, 1, MANY)?;
        fields.count("baseline", self.baseline, 1, MANY)?;
        fields.count("correlation", self.correlation, 2, 1_000)?;
        self.alpha.check(fields, "alpha")?;
        self.beta.check(fields, "beta")?;
        self.step.check(fields, "step")?;
        fields.number("max_factor", self.max_factor, 1.0, MANY.into())?;
        fields.number("factor_decay", self.factor_decay, 0.0, MANY.into())?;
        fields.number("min_factor", self.min_factor, 1.0, MANY.into())?;
        if !self.stabilization.is_zero() {
            fields.duration("stabilization", self.stabilization)?;
        }
        fields.number("min_use", self.min_use, 0.0, 1.0)?;
        Ok(CorrelationLimit::new(self))
    }

    /// How high the limit may be with so many in flight: `in_flight · max(min_factor, max_factor − factor_decay · log₁₀ in_flight)`.
    pub fn highest_for(&self, in_flight: u32) -> f64 {
        let in_flight = f64::from(in_flight);
        in_flight * (self.max_factor - self.factor_decay * in_flight.max(1.0).log10()).max(self.min_factor)
    }
}
