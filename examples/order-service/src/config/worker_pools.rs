//! Who processes orders, and how many at once.

use std::time::Duration;

use seawall_core::ConfigError;
use seawall_worker_pool::Config;
use serde::Deserialize;

use super::rules::InvalidConfig;

/// The pools that process orders, and how long whoever places one waits for that.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerPools {
    /// How long whoever places an order waits for its processing before the answer is that it is queued.
    #[serde(with = "humantime_serde")]
    pub patience: Duration,
    /// For orders of priority 1 to 3, and for those that are tried again.
    pub standard: Config,
    /// For orders of priority 4 and 5.
    #[serde(rename = "high-priority")]
    pub high_priority: Config,
}

impl Default for WorkerPools {
    fn default() -> Self {
        let pool = |name: &str, workers, queue| {
            Config::new(workers).name(name).queue(queue).keep_alive(Duration::from_secs(30)).dead_letters(100)
        };
        Self {
            patience: Duration::from_millis(250),
            standard: pool("standard", 3..=20, 1000),
            high_priority: pool("high-priority", 2..=10, 500),
        }
    }
}

impl WorkerPools {
    /// Whether each can be.
    ///
    /// # Errors
    /// The first that cannot.
    pub(super) fn check(&self) -> Result<(), InvalidConfig> {
        for (name, config) in [("standard", &self.standard), ("high-priority", &self.high_priority)] {
            named_pool(config.clone(), name)
                .map_err(|error| InvalidConfig::of_part(&format!("worker_pools.{name}"), &error))?;
        }
        Ok(())
    }
}

/// `config` for the pool that is called `name`, which the file and the caller need not say and cannot change.
pub(crate) fn named_pool(config: Config, name: &'static str) -> Result<Config, ConfigError> {
    let given = config.check()?;
    if given.as_str() == name || given.as_str() == Config::new(1..=1).get_name() {
        Ok(config.name(name))
    } else {
        Err(ConfigError::new("name", given, format!("{name}, or left out")))
    }
}
