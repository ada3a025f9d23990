//! All bulkheads of the service, by name.

use parking_lot::Mutex;
use seawall_bulkhead::{Config, Snapshot};
use seawall_core::ConfigError;
use seawall_core::time::Clock;
use seawall_telemetry::Instances;

use super::Entrance;
use crate::config::{self, InvalidConfig};

/// All bulkheads of the service.
#[derive(Debug)]
pub(crate) struct Bulkheads {
    pub(crate) database: Entrance,
    pub(crate) inventory: Entrance,
    pub(crate) payment: Entrance,
    pub(crate) heavy: Entrance,
    entries: Vec<Entry>,
}

/// A bulkhead, and how it is configured.
#[derive(Debug)]
pub(crate) struct Entry {
    name: &'static str,
    /// What callers notice while it is full.
    when_full: &'static str,
    entrance: Entrance,
    /// Held while the bulkhead is configured, so that what was before and after a change is known.
    config: Mutex<Config>,
}

/// What a change by hand replaced, and by what.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) before: Config,
    pub(crate) after: Config,
}

impl Bulkheads {
    /// Bulkheads on `clock`, whose figures are `exported`.
    pub(crate) fn new(configs: &config::Bulkheads, clock: &Clock, exported: &Instances) -> Result<Self, InvalidConfig> {
        let mut entries = Vec::new();
        let mut make = |name, config: &Config, when_full| {
            let invalid = |error| InvalidConfig::of_part(&format!("bulkheads.{name}"), &error);
            let config = config::named_bulkhead(config.clone(), name).map_err(invalid)?;
            let entrance = Entrance::new(config.clone(), clock.clone()).map_err(invalid)?;
            exported.add(entrance.bulkhead().clone());
            entries.push(Entry { name, when_full, entrance: entrance.clone(), config: Mutex::new(config) });
            Ok(entrance)
        };
        Ok(Self {
            database: make("database", &configs.database, "what needs the database is refused")?,
            inventory: make("inventory", &configs.inventory, "orders are accepted, reserved and paid later")?,
            payment: make("payment", &configs.payment, "orders are accepted with their payment pending")?,
            heavy: make("heavy", &configs.heavy, "statistics are refused")?,
            entries,
        })
    }

    /// The one of this name.
    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
}

impl Entry {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn when_full(&self) -> &'static str {
        self.when_full
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.entrance.bulkhead().snapshot()
    }

    pub(super) fn config(&self) -> Config {
        self.config.lock().clone()
    }

    /// Takes over `config`; nobody who waits or is in flight is put out.
    pub(super) fn reconfigure(&self, config: Config) -> Result<Change, ConfigError> {
        let config = config::named_bulkhead(config, self.name)?;
        let mut current = self.config.lock();
        self.entrance.reconfigure(config.clone())?;
        let before = std::mem::replace(&mut *current, config.clone());
        Ok(Change { before, after: config })
    }
}
