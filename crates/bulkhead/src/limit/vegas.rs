use seawall_core::ConfigError;
use seawall_core::random::Random;
use seawall_core::time::Timestamp;

use super::round_trip::RoundTrip;
use super::settings::Fields;
use super::{Decrease, LimitAlgorithm, Sample, Scale, Signal};

/// Keeps a short queue, whose length follows from how much longer calls take than without one (Brakmo and Peterson, "TCP Vegas",
/// 1994; constants of Netflix' `VegasLimit`).
///
/// With `L` the limit, `rtt` what a call took and `rtt₀` what the quickest took, `q = ⌈L · (1 − rtt₀ / rtt)⌉` calls wait. With
/// `lg = max(1, ⌊log₁₀ L⌋)`, by default:
///
/// | | limit |
/// |---|---|
/// | the call was dropped | `− lg` |
/// | `q ≤ lg` | `+ 6 lg` |
/// | `q < 3 lg` | `+ lg` |
/// | `q > 6 lg` | `− lg` |
/// | otherwise | stays |
///
/// and `smoothing` of the step is taken. The limit changes at most once in each round trip, and only if half of it is in use; a drop
/// lowers it in any case. `rtt₀` is measured again after `probe · L` completed calls, less up to half of them at random, so that
/// instances do not probe at once and a service that has become slower is believed.
///
/// An abandoned call can lower the limit when its time says that there is too long a queue. `rtt₀` is taken from completed calls
/// only.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Vegas {
    /// The limit to begin with: from `min` to `max`. Default 20.
    pub initial: u32,
    /// The lowest limit: at least 1. Default 1.
    pub min: u32,
    /// The highest limit. Default 1000.
    pub max: u32,
    /// How much of each step is taken: above 0 and at most 1. Default 1.
    pub smoothing: f64,
    /// A queue that is not longer raises the limit by `beta`: there is as good as none. Default the logarithm.
    pub threshold: Scale,
    /// A shorter queue raises the limit by `increase`. Default three times the logarithm.
    pub alpha: Scale,
    /// A longer queue lowers the limit. Default six times the logarithm.
    pub beta: Scale,
    /// By how much the limit is raised. Default the logarithm.
    pub increase: Scale,
    /// How the limit is lowered. Default by the logarithm.
    pub decrease: Decrease,
    /// After how many times the limit of completed calls the quickest is measured again: 1 to 1 000 000. Default 30.
    pub probe: u32,
    /// Seeds the draw of when that is. Instances that differ in it do not probe together. Default 0.
    pub seed: u64,
}

setters!(Vegas {
    initial: u32,
    min: u32,
    max: u32,
    smoothing: f64,
    threshold: Scale,
    alpha: Scale,
    beta: Scale,
    increase: Scale,
    decrease: Decrease,
    probe: u32,
    seed: u64,
});

impl Default for Vegas {
    fn default() -> Self {
        Self {
            initial: 20,
            min: 1,
            max: 1_000,
            smoothing: 1.0,
            threshold: Scale::Log10(1),
            alpha: Scale::Log10(3),
            beta: Scale::Log10(6),
            increase: Scale::Log10(1),
            decrease: Decrease::By(Scale::Log10(1)),
            probe: 30,
            seed: 0,
        }
    }
}

impl Vegas {
    /// The algorithm at its beginning.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn build(self) -> Result<VegasLimit, ConfigError> {
        let fields = Fields("vegas");
        fields.bounds(self.initial, self.min, self.max)?;
        fields.share("smoothing", self.smoothing)?;
        for (field, scale) in
            [("threshold", self.threshold), ("alpha", self.alpha), ("beta", self.beta), ("increase", self.increase)]
        {
            scale.check(fields, field)?;
        }
        self.decrease.check(fields, "decrease")?;
        fields.count("probe", self.probe, 1, 1_000_000)?;
        let mut random = Random::new(self.seed);
        let jitter = jitter(&mut random);
        Ok(VegasLimit {
            config: self,
            limit: self.initial.into(),
            least: None,
            calls: 0,
            jitter,
            random,
            round_trip: RoundTrip::default(),
        })
    }
}

/// Half of the calls between two measurements to all of them.
fn jitter(random: &mut Random) -> f64 {
    0.5 + random.next_share() / 2.0
}

/// [`Vegas`] at work.
#[derive(Clone, Debug)]
pub struct VegasLimit {
    config: Vegas,
    limit: f64,
    /// What the quickest call took, in nanoseconds.
    least: Option<u64>,
    /// How many calls completed since that was measured.
    calls: u64,
    jitter: f64,
    random: Random,
    round_trip: RoundTrip,
}

impl LimitAlgorithm for VegasLimit {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds that are u32")]
    fn limit(&self) -> u32 {
        self.limit as u32
    }

    fn on_sample(&mut self, sample: &Sample) -> u32 {
        self.round_trip.follow(sample.at);
        if sample.signal == Signal::Completed && self.measures(sample) {
            return self.limit();
        }
        let limit = self.after(sample);
        let may =
            if limit < self.limit { self.round_trip.may_lower(sample) } else { self.round_trip.may_raise(sample) };
        if may {
            self.round_trip.note(sample.at, self.limit, limit);
            self.limit = limit;
        }
        self.limit()
    }

    fn on_tick(&mut self, now: Timestamp) -> u32 {
        self.round_trip.follow(now);
        self.limit()
    }
}

impl VegasLimit {
    /// What the quickest call took, once one has completed.
    pub fn min_rtt(&self) -> Option<std::time::Duration> {
        self.least.map(std::time::Duration::from_nanos)
    }

    /// Whether the call is the quickest: then it says nothing about a queue.
    #[expect(clippy::cast_precision_loss, reason = "a count of calls")]
    fn measures(&mut self, sample: &Sample) -> bool {
        let rtt = sample.nanos();
        self.calls += 1;
        if self.calls as f64 >= self.jitter * f64::from(self.config.probe) * self.limit {
            self.calls = 0;
            self.jitter = jitter(&mut self.random);
            self.least = Some(rtt);
            return true;
        }
        if self.least.is_none_or(|least| rtt < least) {
            self.least = Some(rtt);
            return true;
        }
        false
    }

    /// The limit after this call, if the round trip lets it change.
    fn after(&self, sample: &Sample) -> f64 {
        let config = &self.config;
        let whole = self.limit();
        let lowered = || config.decrease.of(self.limit, whole);
        let wanted = if sample.signal == Signal::Dropped {
            lowered()
        } else if !sample.uses_half(whole) {
            return self.limit;
        } else {
            let Some(queue) = self.queue(sample) else { return self.limit };
            let completed = sample.signal == Signal::Completed;
            if queue > f64::from(config.beta.of(whole)) {
                lowered()
            } else if completed && queue <= f64::from(config.threshold.of(whole)) {
                self.limit + f64::from(config.beta.of(whole))
            } else if completed && queue < f64::from(config.alpha.of(whole)) {
                self.limit + f64::from(config.increase.of(whole))
            } else {
                return self.limit;
            }
        };
        let wanted = wanted.clamp(config.min.into(), config.max.into());
        (self.limit + config.smoothing * (wanted - self.limit)).clamp(config.min.into(), config.max.into())
    }

    /// How many calls wait, if it is known what one takes that does not.
    #[expect(clippy::cast_precision_loss, reason = "times are known to far less than 53 bits")]
    fn queue(&self, sample: &Sample) -> Option<f64> {
        let least = self.least? as f64;
        Some((self.limit * (1.0 - least / sample.nanos() as f64)).ceil())
    }
}
