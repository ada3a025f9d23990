//! All limits of the service, by name.

use std::fmt;
use std::hash::Hash;

use parking_lot::Mutex;
use seawall_core::ConfigError;
use seawall_core::time::Clock;
use seawall_rate_limit::http::AddressPrefix;
use seawall_rate_limit::{Config, Keyed, KeyedRateLimiter, KeyedSnapshot, RateLimiter, Snapshot};
use seawall_telemetry::Instances;
use serde::Serialize;

use crate::caller::Party;
use crate::config::{InvalidConfig, RateLimitConfigs, named, plain};

/// All limits of the service.
#[derive(Debug)]
pub(crate) struct RateLimits {
    pub(super) burst: KeyedRateLimiter<Party>,
    pub(super) expensive: KeyedRateLimiter<Party>,
    pub(super) learning: KeyedRateLimiter<Party>,
    pub(super) address: KeyedRateLimiter<AddressPrefix>,
    pub(super) user: KeyedRateLimiter<str>,
    pub(super) tenant: KeyedRateLimiter<str>,
    pub(super) global: RateLimiter,
    entries: Vec<Entry>,
}

/// A limit, and how it is configured.
#[derive(Debug)]
pub(crate) struct Entry {
    name: &'static str,
    /// Whose requests count together.
    per: &'static str,
    limit: Box<dyn Limit>,
    /// Held while the limit is configured, so that what was before and after a change is known.
    config: Mutex<Config>,
}

/// What a change by hand replaced, and by what.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) before: Config,
    pub(crate) after: Config,
}

/// What a limit allows, and what it has done.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Figures {
    One(Snapshot),
    Each(KeyedSnapshot),
}

impl RateLimits {
    /// Limits on `clock`, which each tell so many `keys` apart, and whose figures are `exported`.
    pub(crate) fn new(
        configs: RateLimitConfigs,
        keys: u32,
        clock: &Clock,
        exported: &Instances,
    ) -> Result<Self, InvalidConfig> {
        let RateLimitConfigs { burst, expensive, learning, address, user, tenant, global } = configs;
        let mut made = Assembly { keys, clock, exported, entries: Vec::new() };
        Ok(Self {
            burst: made.each("burst", "caller", burst)?,
            expensive: made.each("expensive", "caller", expensive)?,
            learning: made.each("learning", "caller", learning)?,
            address: made.each("address", "address", address)?,
            user: made.each("user", "user", user)?,
            tenant: made.each("tenant", "tenant", tenant)?,
            global: made.one("global", "service", global)?,
            entries: made.entries,
        })
    }

    /// The one of this name.
    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Tells those that are adaptive how loaded the service is, from 0 to 1.
    pub(super) fn adapt(&self, load: f64) {
        for Entry { name, limit, .. } in &self.entries {
            if let Err(error) = limit.adapt(load) {
                tracing::error!(limit = name, %error, "the limit cannot follow the load");
            }
        }
    }
}

impl Entry {
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn per(&self) -> &'static str {
        self.per
    }

    pub(super) fn figures(&self) -> Figures {
        self.limit.figures()
    }

    pub(super) fn config(&self) -> Config {
        self.config.lock().clone()
    }

    /// Takes over `config`, keeping what was taken as that says.
    pub(super) fn reconfigure(&self, config: Config) -> Result<Change, ConfigError> {
        let config = named(config, self.name)?;
        let mut current = self.config.lock();
        self.limit.reconfigure(config.clone()).map_err(plain)?;
        let before = std::mem::replace(&mut *current, config.clone());
        Ok(Change { before, after: config })
    }
}

/// Makes limits, and has their figures exported.
struct Assembly<'a> {
    keys: u32,
    clock: &'a Clock,
    exported: &'a Instances,
    entries: Vec<Entry>,
}

impl Assembly<'_> {
    fn each<K: Hash + fmt::Debug + ?Sized + 'static>(
        &mut self,
        name: &'static str,
        per: &'static str,
        config: Config,
    ) -> Result<KeyedRateLimiter<K>, InvalidConfig> {
        let keyed = Keyed::new(config.clone()).capacity(self.keys);
        let limiter = KeyedRateLimiter::with_clock(keyed, self.clock.clone()).map_err(|error| invalid(name, error))?;
        self.exported.add(limiter.clone());
        let limit = Box::new(Each { limiter: limiter.clone(), keys: self.keys });
        self.entries.push(Entry { name, per, limit, config: Mutex::new(config) });
        Ok(limiter)
    }

    fn one(&mut self, name: &'static str, per: &'static str, config: Config) -> Result<RateLimiter, InvalidConfig> {
        let made = RateLimiter::with_clock(config.clone(), self.clock.clone());
        let limiter = made.map_err(|error| invalid(name, error))?;
        self.exported.add(limiter.clone());
        self.entries.push(Entry { name, per, limit: Box::new(limiter.clone()), config: Mutex::new(config) });
        Ok(limiter)
    }
}

fn invalid(name: &str, error: ConfigError) -> InvalidConfig {
    InvalidConfig::of_part(&format!("rate_limits.{name}"), &plain(error))
}

/// A limiter, whatever its keys are.
trait Limit: fmt::Debug + Send + Sync {
    fn figures(&self) -> Figures;
    fn reconfigure(&self, config: Config) -> Result<(), ConfigError>;
    fn adapt(&self, load: f64) -> Result<(), ConfigError>;
}

impl Limit for RateLimiter {
    fn figures(&self) -> Figures {
        Figures::One(self.snapshot())
    }

    fn reconfigure(&self, config: Config) -> Result<(), ConfigError> {
        self.reconfigure(config)
    }

    fn adapt(&self, load: f64) -> Result<(), ConfigError> {
        seawall_rate_limit::Limiter::adapt(self, load).map(drop)
    }
}

/// A limit for each key.
#[derive(Debug)]
struct Each<K: ?Sized> {
    limiter: KeyedRateLimiter<K>,
    keys: u32,
}

impl<K: Hash + fmt::Debug + ?Sized + 'static> Limit for Each<K> {
    fn figures(&self) -> Figures {
        Figures::Each(self.limiter.snapshot())
    }

    fn reconfigure(&self, config: Config) -> Result<(), ConfigError> {
        self.limiter.reconfigure(Keyed::new(config).capacity(self.keys))
    }

    fn adapt(&self, load: f64) -> Result<(), ConfigError> {
        self.limiter.adapt(load).map(drop)
    }
}
