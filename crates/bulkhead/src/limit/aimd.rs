use seawall_core::ConfigError;
use seawall_core::time::Timestamp;

use super::{LimitAlgorithm, Sample, Signal};

/// Additive increase, multiplicative decrease.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Aimd {
    /// The limit to begin with. Default 20.
    pub initial: u32,
    /// The lowest limit. Default 20.
    pub min: u32,
    /// The highest limit. Default 200.
    pub max: u32,
    /// What is left of the limit after a decrease. Default 0.9.
    pub backoff: f64,
}

impl Default for Aimd {
    fn default() -> Self {
        Self { initial: 20, min: 20, max: 200, backoff: 0.9 }
    }
}

impl Aimd {
    /// The algorithm at its beginning.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn build(self) -> Result<AimdLimit, ConfigError> {
        Ok(AimdLimit { settings: self, limit: self.initial, changed: Timestamp::ZERO })
    }
}

/// [`Aimd`] at work.
#[derive(Clone, Debug)]
pub struct AimdLimit {
    settings: Aimd,
    limit: u32,
    changed: Timestamp,
}

impl LimitAlgorithm for AimdLimit {
    fn limit(&self) -> u32 {
        self.limit
    }

    fn on_sample(&mut self, sample: &Sample) -> u32 {
        if sample.began() >= self.changed && sample.signal == Signal::Completed && sample.uses_half(self.limit) {
            self.limit = self.settings.max.min(self.limit + 1);
            self.changed = sample.at;
        }
        self.limit
    }
}
