use std::sync::{Arc, OnceLock};

use seawall_core::observe::Observer;
use seawall_core::stripe::{self, Striped};
use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use seawall_core::time::Clock;
use seawall_core::{ConfigError, Configure};

use super::Limiter;
use crate::adaptive::checked_load;
use crate::algorithm::Algorithm;
use crate::burst::Watch;
use crate::cell::{Cell, Steps};
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

    /// Whether a call is decided by its cell alone, on a clock with these steps.
    fn is_plain(&self, steps: &Steps) -> bool {
        self.config.mode == Mode::Enforce && self.config.burst.is_none() && !steps.may_come()
    }

    /// Whether `cell` can keep every quota that may hold.
    fn check(&self, cell: &Cell) -> Result<(), ConfigError> {
        let Config { quota, algorithm, adaptive, .. } = self.config;
        cell.check(self.quota(), algorithm)?;
        let Some(adaptive) = adaptive else { return Ok(()) };
        for share in [adaptive.within(0.0), adaptive.within(f64::MAX)] {
            cell.check(quota.scaled(share), algorithm)?;
        }
        if quota.has_burst() {
            // The limit and the burst of a share are rounded each by itself: what refills a burst is at most doubled.
            let doubled = quota.burst(quota.burst_size().saturating_mul(2));
            cell.check(doubled, algorithm).map_err(|error| {
                let valid = format!("half of {}, as the quota is adaptive", error.valid());
                ConfigError::new(error.field().to_owned(), quota.burst_size(), valid)
            })?;
        }
        Ok(())
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
            let share = adaptive.next(settings.share, load);
            let to = settings.config.quota.scaled(share);
            if from != to {
                self.cell.carry(to, settings.config.algorithm, Carry::AsIs, now)?;
            }
            settings.share = share;
            if from == to {
                return Ok(to);
            }
            (Event::Adapted { name: self.name, load, from, to }, settings.config.observer.clone())
        };
        event.tell(observer.as_deref());
        Ok(self.quota())
    }

    /// The algorithm, the share of the quota that the load leaves, and the mode.
    pub(crate) fn configured(&self) -> (Algorithm, f64, Mode) {
        let settings = self.settings.lock();
        (settings.config.algorithm, settings.share, settings.config.mode)
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
        let (max_wait, now) = (config.max_wait_nanos(), clock.now());
        let watch = OnceLock::new();
        if let Some(burst) = &config.burst {
            let _ = watch.set(Watch::new(burst, now)?);
        }
        let settings = Settings::new(config);
        let cell = Cell::scaled(settings.quota(), settings.config.algorithm, settings.config.scaling, now)?;
        settings.check(&cell)?;
        let steps = Steps::new(&clock);
        Ok(Self {
            cell,
            clock,
            name,
            id: next_id(),
            shadow: AtomicBool::new(settings.config.mode == Mode::Shadow),
            plain: AtomicBool::new(settings.is_plain(&steps)),
            steps,
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
        let (event, observer, _old) = {
            let mut settings = self.settings.lock();
            let kept = &settings.config;
            if config.scaling != kept.scaling {
                let valid = format!("{:?}: a limiter keeps its scaling", kept.scaling);
                return Err(ConfigError::new("scaling", format!("{:?}", config.scaling), valid));
            }
            let mut next = Settings::new(config);
            if let (Some(_), Some(adaptive)) = (kept.adaptive, next.config.adaptive) {
                next.share = adaptive.within(settings.share);
            }
            // Nothing changes before all of it can.
            next.check(&self.cell)?;
            let from = settings.quota();
            self.watch_for(&next, now)?;
            self.cell.carry(next.quota(), next.config.algorithm, next.config.carry, now)?;
            self.shadow.store(next.config.mode == Mode::Shadow, Ordering::Relaxed);
            self.plain.store(next.is_plain(&self.steps), Ordering::Relaxed);
            self.max_wait.store(next.config.max_wait_nanos(), Ordering::Relaxed);
            let event = Event::Reconfigured { name: self.name, from, to: next.quota() };
            let observer: Option<Arc<dyn Observer<Event>>> = next.config.observer.clone();
            // What was configured before is dropped after the lock is released: an observer may be anything.
            (event, observer, std::mem::replace(&mut *settings, next))
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
                let _ = self.watch.set(Watch::new(burst, now)?);
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }
}
