//! How much of each dependency is used at once.

use std::time::Duration;

use seawall_bulkhead::{Bulkhead, Config};
use seawall_core::ConfigError;
use serde::Deserialize;

use super::rules::InvalidConfig;

/// How much of each dependency is used at once, and how many wait for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bulkheads {
    /// Statements.
    pub database: Config,
    /// Calls of the inventory provider.
    pub inventory: Config,
    /// Calls of the payment provider.
    pub payment: Config,
    /// Requests that make much work.
    pub heavy: Config,
}

impl Default for Bulkheads {
    fn default() -> Self {
        let bulkhead = |name: &str, limit, queue, max_wait| {
            Config::new(limit).name(name).queue(queue).max_wait(Duration::from_millis(max_wait))
        };
        Self {
            database: bulkhead("database", 50, 200, 1000),
            inventory: bulkhead("inventory", 10, 100, 250),
            payment: bulkhead("payment", 10, 100, 250),
            heavy: bulkhead("heavy", 5, 100, 1000),
        }
    }
}

impl Bulkheads {
    /// Whether each can be.
    ///
    /// # Errors
    /// The first that cannot.
    pub(super) fn check(&self) -> Result<(), InvalidConfig> {
        let Self { database, inventory, payment, heavy } = self;
        for (name, config) in [("database", database), ("inventory", inventory), ("payment", payment), ("heavy", heavy)]
        {
            named_bulkhead(config.clone(), name)
                .map_err(|error| InvalidConfig::of_part(&format!("bulkheads.{name}"), &error))?;
        }
        Ok(())
    }
}

/// `config` for the bulkhead that is called `name`, which the file and the caller need not say and cannot change.
pub(crate) fn named_bulkhead(config: Config, name: &'static str) -> Result<Config, ConfigError> {
    let given = Bulkhead::new(config.clone())?.name();
    let unnamed = Bulkhead::new(Config::new(1))?.name();
    if given.as_str() == name || given == unnamed {
        Ok(config.name(name))
    } else {
        Err(ConfigError::new("name", given, format!("{name}, or left out")))
    }
}
