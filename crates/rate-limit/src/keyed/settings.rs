use std::hash::Hash;
use std::mem;
use std::sync::OnceLock;

use seawall_core::sync::atomic::Ordering;
use seawall_core::time::{Clock, Timestamp};
use seawall_core::{ConfigError, Configure};

use super::config::{Keyed, of_each};
use super::limiter::{KeyedLimiter, Parts};
use super::print::Print;
use super::seed::{Seed, SeededHash};
use super::store::{Keep, Store};
use super::watch::Watch;
use crate::adaptive::checked_load;
use crate::config::{Config, Mode};
use crate::event::Event;
use crate::limit::Carry;
use crate::quota::Quota;

/// What a limiter was configured with, and how much of it holds.
pub(super) struct Settings<K: ?Sized> {
    config: Keyed<K>,
    /// The share of the quotas that the load leaves.
    share: f64,
}

impl<K: ?Sized> Settings<K> {
    fn new(config: Keyed<K>) -> Self {
        let share = config.each.adaptive.map_or(1.0, |adaptive| adaptive.initial());
        Self { config, share }
    }

    /// The quotas that hold, by class.
    pub(super) fn quotas(&self) -> Vec<Quota> {
        self.config.quotas(self.share)
    }

    /// Whether `store` can keep every quota that may hold.
    fn check(&self, store: &dyn Keep) -> Result<(), ConfigError> {
        let algorithm = self.each().algorithm;
        store.check(&self.quotas(), algorithm)?;
        let Some(adaptive) = self.each().adaptive else { return Ok(()) };
        let least = self.config.quotas(adaptive.within(0.0));
        store.check(&least, algorithm)?;
        store.check(&self.config.quotas(adaptive.within(f64::MAX)), algorithm)?;
        let whole = std::iter::once(&self.each().quota).chain(&self.config.classes);
        for (class, quota) in whole.enumerate().filter(|(_, quota)| quota.has_burst()) {
            // The limit and the burst of a share are rounded each by itself: what refills a burst is at most doubled.
            let mut doubled = least.clone();
            doubled[class] = quota.burst(quota.burst_size().saturating_mul(2));
            store.check(&doubled, algorithm).map_err(|error| {
                let valid = format!("half of {}, as the quota is adaptive", error.valid());
                ConfigError::new(error.field().to_owned(), quota.burst_size(), valid)
            })?;
        }
        Ok(())
    }

    /// The first class's.
    fn quota(&self) -> Quota {
        self.quotas().first().copied().unwrap_or(self.config.each.quota)
    }

    pub(super) const fn each(&self) -> &Config {
        &self.config.each
    }

    pub(super) const fn share(&self) -> f64 {
        self.share
    }

    pub(super) fn is_shadow(&self) -> bool {
        self.each().mode == Mode::Shadow
    }

    pub(super) fn max_wait(&self) -> u64 {
        self.each().max_wait_nanos()
    }
}

/// Numbers keyed limiters, so that each knows what it has granted itself.
pub(super) fn next_id() -> u32 {
    static LIMITERS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
    LIMITERS.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

impl<K: ?Sized, S> KeyedLimiter<K, S> {
    /// Tells how loaded the service is, from 0 to 1: an [adaptive](Config::adaptive) limiter moves the share of its quotas that
    /// holds by one step, and says so with an [`Event`] if the first class's changes. Any other limiter does nothing. Gives the
    /// first class's quota that holds now.
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
            let Some(adaptive) = settings.each().adaptive else { return Ok(settings.quota()) };
            let (before, from) = (settings.quotas(), settings.quota());
            let share = adaptive.next(settings.share, load);
            let after = settings.config.quotas(share);
            if before != after {
                self.store.keep().carry(&after, settings.each().algorithm, Carry::AsIs, now)?;
            }
            settings.share = share;
            let to = settings.quota();
            if before == after {
                return Ok(to);
            }
            (Event::Adapted { name: self.name, load, from, to }, settings.each().observer.clone())
        };
        event.tell(observer.as_deref());
        Ok(self.settings.lock().quota())
    }

    #[cold]
    pub(super) fn tell_burst(&self, print: Print) {
        let (burst, observer) = {
            let settings = self.settings.lock();
            (settings.each().burst, settings.each().observer.clone())
        };
        if let Some(burst) = burst {
            burst.event(self.name, print.word()).tell(observer.as_deref());
        }
    }

    /// What a limiter keeps for its life, and the new configuration must not change.
    fn check_kept(&self, kept: &Keyed<K>, config: &Keyed<K>) -> Result<(), ConfigError> {
        if config.check()? != self.name {
            let valid = format!("{:?}: a limiter keeps its name", self.name);
            return Err(ConfigError::new("each.name", format!("{:?}", config.each.name), valid));
        }
        if config.capacity != kept.capacity {
            let valid = format!("{}: a limiter keeps its capacity", kept.capacity);
            return Err(ConfigError::new("capacity", config.capacity, valid));
        }
        if config.classes.len() != kept.classes.len() {
            let valid = format!("{} quotas: a limiter keeps its classes", kept.classes.len());
            return Err(ConfigError::new("classes", format!("{} quotas", config.classes.len()), valid));
        }
        Ok(())
    }
}

impl<K: Hash + ?Sized, S: SeededHash> Configure for KeyedLimiter<K, S> {
    type Config = Keyed<K>;

    fn build(config: Keyed<K>, clock: Clock) -> Result<Self, ConfigError> {
        let name = config.check()?;
        let (keys, now) = (config.capacity as usize, clock.now());
        let (seed, class_of) = (config.seed.unwrap_or_else(Seed::unforeseen), config.class_of.clone());
        let watch = OnceLock::new();
        if let Some(burst) = &config.each.burst {
            let _ = watch.set(Watch::new(burst, keys, now).map_err(of_each)?);
        }
        let settings = Settings::new(config);
        let store = Store::new(&settings.quotas(), settings.each().algorithm, keys, now).map_err(of_each)?;
        settings.check(store.keep()).map_err(of_each)?;
        Ok(Self::of(Parts { store, seed, class_of, clock, name, settings, watch }))
    }

    /// Quotas, modes, waits and observers are replaced; the name, the algorithm, the capacity, the number of classes, what finds
    /// them and the seed stay, whatever the new configuration says of the last two. The share of the quotas that the load leaves
    /// stays too, as far as the new floor and ceiling allow it.
    fn reconfigure(&self, config: Keyed<K>) -> Result<(), ConfigError> {
        let now = self.clock.now();
        // Outlives the lock, whether it takes the place of the old one or not: an observer may ask this limiter when it is dropped.
        let mut next = Settings::new(config);
        let (event, observer) = {
            let mut settings = self.settings.lock();
            self.check_kept(&settings.config, &next.config)?;
            if let (Some(_), Some(adaptive)) = (settings.each().adaptive, next.each().adaptive) {
                next.share = adaptive.within(settings.share);
            }
            // Nothing changes before all of it can.
            let keep = self.store.keep();
            next.check(keep).map_err(of_each)?;
            let from = settings.quota();
            self.watch_for(&next, now).map_err(of_each)?;
            keep.carry(&next.quotas(), next.each().algorithm, next.each().carry, now).map_err(of_each)?;
            self.shadow.store(next.is_shadow(), Ordering::Relaxed);
            self.max_wait.store(next.max_wait(), Ordering::Relaxed);
            let event = Event::Reconfigured { name: self.name, from, to: next.quota() };
            let observer = next.each().observer.clone();
            mem::swap(&mut *settings, &mut next);
            (event, observer)
        };
        event.tell(observer.as_deref());
        Ok(())
    }
}

impl<K: ?Sized, S> KeyedLimiter<K, S> {
    fn watch_for(&self, settings: &Settings<K>, now: Timestamp) -> Result<(), ConfigError> {
        match (self.watch.get(), &settings.each().burst) {
            (Some(watch), burst) => watch.reconfigure(burst.as_ref(), now),
            (None, Some(burst)) => {
                let _ = self.watch.set(Watch::new(burst, settings.config.capacity as usize, now)?);
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }
}
