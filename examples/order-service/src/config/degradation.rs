//! What is left undone under load.

use std::time::Duration;

use seawall_bulkhead::load::{Config, LoadGauge};
use seawall_core::ConfigError;
use serde::Deserialize;

use super::rules::InvalidConfig;

/// What is left undone under load.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Degradation {
    /// A line of the database that has not been empty for so long is a load of 1.
    #[serde(with = "humantime_serde")]
    pub queue_age: Duration,
    /// How levels are made of the load.
    pub gauge: Config,
}

impl Default for Degradation {
    fn default() -> Self {
        Self { queue_age: Duration::from_secs(2), gauge: Config::default() }
    }
}

impl Degradation {
    /// Whether the gauge can be.
    ///
    /// # Errors
    /// The first setting that cannot.
    pub(super) fn check(&self) -> Result<(), InvalidConfig> {
        let given = LoadGauge::new(self.gauge.clone()).and_then(|gauge| {
            let name = Config::default().get_name().to_owned();
            let is_own = gauge.name().as_str() == name;
            if is_own { Ok(()) } else { Err(ConfigError::new("name", gauge.name(), format!("{name}, or left out"))) }
        });
        given.map_err(|error| InvalidConfig::of_part("degradation.gauge", &error))
    }
}
