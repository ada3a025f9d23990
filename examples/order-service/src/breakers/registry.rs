//! All breakers of the service, by name.

use parking_lot::Mutex;
use seawall_circuit_breaker::{CircuitBreaker, Config, NotOpen, Snapshot};
use seawall_core::ConfigError;
use seawall_core::time::Clock;

use super::preset::named;

/// All breakers of the service, in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Breakers {
    entries: Vec<Entry>,
}

/// What a breaker is there for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Role {
    pub(crate) name: &'static str,
    /// The part of the settings that has its configuration.
    pub(crate) section: &'static str,
    /// Whether nothing works while it is open.
    pub(crate) vital: bool,
    /// What callers notice while it is open.
    pub(crate) without: &'static str,
}

/// The database as a whole.
pub(crate) const DATABASE: Role =
    Role { name: "database", section: "database", vital: true, without: "what needs the database is refused" };

/// Writes, which may fail while reads succeed.
pub(crate) const DATABASE_WRITES: Role = Role {
    name: "database-writes",
    section: "database",
    vital: false,
    without: "orders are refused; what is stored can be read",
};

/// Calls of the payment provider.
pub(crate) const PAYMENT: Role = Role {
    name: "payment",
    section: "payment",
    vital: false,
    without: "orders are accepted with their payment pending",
};

/// Calls of the inventory provider.
pub(crate) const INVENTORY: Role = Role {
    name: "inventory",
    section: "inventory",
    vital: false,
    without: "orders are accepted, and what they need is reserved and paid later",
};

/// A breaker, and how it is configured.
#[derive(Debug)]
pub(crate) struct Entry {
    role: Role,
    breaker: CircuitBreaker,
    /// Held while the breaker is changed by hand, so that what was before and after a change is known.
    config: Mutex<Config>,
}

/// What a change by hand replaced, and by what.
#[derive(Debug)]
pub(crate) struct Change<T> {
    pub(crate) before: T,
    pub(crate) after: T,
}

impl Breakers {
    /// Makes the breaker for `role`.
    pub(crate) fn make(&mut self, role: Role, config: Config, clock: &Clock) -> Result<CircuitBreaker, ConfigError> {
        let config = config.name(role.name);
        let breaker = CircuitBreaker::with_clock(config.clone(), clock.clone())?;
        self.entries.push(Entry { role, breaker: breaker.clone(), config: Mutex::new(config) });
        Ok(breaker)
    }

    /// The one of this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.role.name == name)
    }

    /// The names of all.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.entries.iter().map(|entry| entry.role.name)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
}

impl Entry {
    pub(crate) fn role(&self) -> &Role {
        &self.role
    }

    pub(crate) fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    pub(crate) fn config(&self) -> Config {
        self.config.lock().clone()
    }

    /// Takes over `config`, keeping the state and what was counted.
    pub(crate) fn reconfigure(&self, config: Config) -> Result<Change<Config>, ConfigError> {
        let config = named(config, self.role.name)?;
        let mut current = self.config.lock();
        self.breaker.reconfigure(config.clone())?;
        let before = std::mem::replace(&mut *current, config.clone());
        Ok(Change { before, after: config })
    }

    /// Has `hand` change the state; nobody else does so meanwhile, but time and calls.
    pub(crate) fn change(
        &self,
        hand: impl FnOnce(&CircuitBreaker) -> Result<(), NotOpen>,
    ) -> Result<Change<Snapshot>, NotOpen> {
        let _alone = self.config.lock();
        let before = self.breaker.snapshot();
        hand(&self.breaker)?;
        Ok(Change { before, after: self.breaker.snapshot() })
    }
}
