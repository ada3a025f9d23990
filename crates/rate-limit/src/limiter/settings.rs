use std::sync::{Arc, OnceLock};

use seawall_core::observe::Observer;
use seawall_core::stripe::{self, Striped};
use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use seawall_core::time::Clock;
use seawall_core::{ConfigError, Configure};

use super::Limiter;
use crate::adaptive::checked_load;
use crate::burst::Watch;
use crate::cell::Cell;
use crate::config::{Config, Mode};
use crate::event::Event;
use crate::limit::Carry;
use crate::quota::Quota;

/// What a limiter was configured with, and how much of it holds.
pub(super) struct Settings {
    config: Config,
    /// The share of the quota that the load leaves.
    share: f64,
}

impl Settings {
    fn new(config: Config) -> Self {
        let share = config.adaptive.map_or(1.0, |adaptive| adaptive.initial());
        Self { config, share }
    }

    /// The quota that holds.
    fn quota(&self) -> Quota {
        if self.config.adaptive.is_some() { self.config.quota.scaled(self.share) } else { self.config.quota }
    }

    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    pub(super) const fn share(&self) -> f64 {
        self.share
    }
}

/// Numbers limiters, so that each knows what it has granted itself.
pub(crate) fn next_id() -> u32 {
    static LIMITERS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
    LIMITERS.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

impl Limiter {
    /// Tells how loaded the service is, from 0 to 1: an [adaptive](crate::Config::adaptive) limiter moves the share of its quota
    /// that holds by one step, and says so with an [`Event`] if the quota changes. Any other limiter does nothing. Gives the quota
    /// that holds now.
    ///
    /// Steps are as frequent as the calls: once a second suits most services.
    ///
    /// # Errors
    /// If the load is not a number from 0 to 1; nothing changes then.
    pub fn adapt(&self, load: f64) -> Result<Quota, ConfigError> {
        let load = checked_load(load)?;
        let now = self.clock.now();
        let (event, observer) = {
            let mut settings = self.settings.lock();
            let Some(adaptive) = settings.config.adaptive else { return Ok(settings.quota()) };
            let from = settings.quota();
            settings.share = adaptive.next(settings.share, load);
            let to = settings.quota();
            if from == to {
                return Ok(to);
            }
            self.replace(to, settings.config(), Carry::AsIs, now)?;
            (Event::Adapted { name: self.name, load, from, to }, settings.config.observer.clone())
        };
        event.tell(observer.as_deref());
        Ok(self.quota())
    }

    fn replace(
        &self,
        quota: Quota,
        config: &Config,
        carry: Carry,
        now: seawall_core::time::Timestamp,
    ) -> Result<(), ConfigError> {
        // First the generation: what was granted under the old quota is not taken back under the new one.
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.cell.carry(quota, config.algorithm, carry, now)
    }

    #[cold]
    pub(super) fn tell_burst(&self) {
        let (burst, observer) = {
            let settings = self.settings.lock();
            (settings.config.burst, settings.config.observer.clone())
        };
        if let Some(burst) = burst {
            burst.event(self.name, 0).tell(observer.as_deref());
        }
    }
}

impl Configure for Limiter {
    type Config = Config;

    fn build(config: Config, clock: Clock) -> Result<Self, ConfigError> {
        let name = config.check()?;
        let max_wait = config.max_wait_nanos();
        let watch = OnceLock::new();
        if let Some(burst) = &config.burst {
            let _ = watch.set(Watch::new(burst)?);
        }
        let settings = Settings::new(config);
        Ok(Self {
            cell: Cell::scaled(settings.quota(), settings.config.algorithm, settings.config.scaling)?,
            clock,
            name,
            id: next_id(),
            generation: AtomicU32::new(0),
            shadow: AtomicBool::new(settings.config.mode == Mode::Shadow),
            max_wait: AtomicU64::new(max_wait),
            counts: Striped::new(stripe::seats()),
            watch,
            settings: Mutex::new(settings),
        })
    }

    /// The name, the algorithm and the scaling stay. The share of the quota that the load leaves stays too, as far as the new
    /// floor and ceiling allow it.
    fn reconfigure(&self, config: Config) -> Result<(), ConfigError> {
        config.check()?.eq(&self.name).then_some(()).ok_or_else(|| {
            ConfigError::new("name", format!("{:?}", config.name), format!("{:?}: a limiter keeps its name", self.name))
        })?;
        let now = self.clock.now();
        let (event, observer) = {
            let mut settings = self.settings.lock();
            let kept = settings.config();
            if config.scaling != kept.scaling {
                let valid = format!("{:?}: a limiter keeps its scaling", kept.scaling);
                return Err(ConfigError::new("scaling", format!("{:?}", config.scaling), valid));
            }
            let mut next = Settings::new(config);
            if let (Some(_), Some(adaptive)) = (kept.adaptive, next.config.adaptive) {
                next.share = adaptive.within(settings.share);
            }
            // Nothing has changed yet, and what can fail comes first.
            let from = settings.quota();
            self.replace(next.quota(), next.config(), next.config.carry, now)?;
            self.watch_for(&next, now)?;
            self.shadow.store(next.config.mode == Mode::Shadow, Ordering::Relaxed);
            self.max_wait.store(next.config.max_wait_nanos(), Ordering::Relaxed);
            let event = Event::Reconfigured { name: self.name, from, to: next.quota() };
            let observer: Option<Arc<dyn Observer<Event>>> = next.config.observer.clone();
            *settings = next;
            (event, observer)
        };
        event.tell(observer.as_deref());
        Ok(())
    }
}

impl Limiter {
    fn watch_for(&self, settings: &Settings, now: seawall_core::time::Timestamp) -> Result<(), ConfigError> {
        match (self.watch.get(), &settings.config.burst) {
            (Some(watch), burst) => watch.reconfigure(burst.as_ref(), now),
            (None, Some(burst)) => {
                let _ = self.watch.set(Watch::new(burst)?);
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }
}
