use seawall_core::ConfigError;
use seawall_core::sync::atomic::{AtomicBool, Ordering};
use seawall_core::time::{Clock, Timestamp};

use super::gcra_store::GcraStore;
use super::locked_store::LockedStore;
use super::locked_table::Newcomers;
use super::print::Print;
use super::store::Keep;
use crate::algorithm::Algorithm;
use crate::burst::BurstConfig;
use crate::cell::Denied;
use crate::limit::{Carry, SlidingWindow, Want};

/// What watches the calls of every key for bursts: two tables of the same bounds as the limiter's own.
pub(super) struct Watch {
    /// Forgets whoever had to go, so that nobody is taken for them.
    counted: LockedStore<SlidingWindow>,
    told: GcraStore,
    punishes: AtomicBool,
    /// Whether it watches at all.
    watches: AtomicBool,
}

/// What a call is part of.
pub(super) struct Noted {
    /// Whether a burst begins with it.
    pub(super) begins: bool,
    /// Whether it is refused because of one.
    pub(super) punished: Option<Denied>,
}

impl Watch {
    pub(super) fn new(config: &BurstConfig, keys: usize, now: Timestamp) -> Result<Self, ConfigError> {
        let counted = [config.counted()?];
        let counted = LockedStore::new(&counted, Algorithm::sliding_window(), keys, Newcomers::BeginAnew, now)?;
        let told = GcraStore::new(&[config.told()?], keys, now)?;
        let (punishes, watches) = (AtomicBool::new(config.punishes()), AtomicBool::new(true));
        Ok(Self { counted, told, punishes, watches })
    }

    /// Watches by another configuration, or not at all.
    pub(super) fn reconfigure(&self, config: Option<&BurstConfig>, now: Timestamp) -> Result<(), ConfigError> {
        if let Some(config) = config {
            self.counted.carry(&[config.counted()?], Algorithm::sliding_window(), Carry::AsIs, now)?;
            self.told.carry(&[config.told()?], Algorithm::Gcra, Carry::Reset, now)?;
            self.punishes.store(config.punishes(), Ordering::Relaxed);
        }
        self.watches.store(config.is_some(), Ordering::Relaxed);
        Ok(())
    }

    /// Takes a call into account.
    ///
    /// A key that comes without a slot begins with no call at all: those of others are not its burst, and its own, of before it had
    /// to go for somebody with more of them, are forgotten.
    pub(super) fn note(&self, print: Print, now: Timestamp, clock: &Clock) -> Noted {
        if !self.watches.load(Ordering::Relaxed) {
            return Noted { begins: false, punished: None };
        }
        if let Some(denied) = self.punished(print, now) {
            return Noted { begins: false, punished: Some(denied) };
        }
        let one = Want::one(now);
        let bursts = self.counted.take(print, one, clock).is_err();
        let begins = bursts && self.told.take(print, one, clock).is_ok();
        let punished = self.punished(print, now);
        if punished.is_some() {
            // A key that comes back when it was told to begins anew.
            self.counted.reset(print);
        }
        Noted { begins, punished }
    }

    /// The refusal, if bursts are punished and the key made one a while ago: the key itself, not those that had to go.
    pub(super) fn punished(&self, print: Print, now: Timestamp) -> Option<Denied> {
        if self.watches.load(Ordering::Relaxed) && self.punishes.load(Ordering::Relaxed) {
            self.told.has_slot(print).then(|| self.told.look(print, now, 1).err()).flatten()
        } else {
            None
        }
    }

    pub(super) fn reset(&self, print: Print) {
        self.counted.reset(print);
        self.told.reset(print);
    }
}
