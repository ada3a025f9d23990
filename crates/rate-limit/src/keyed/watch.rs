use seawall_core::ConfigError;
use seawall_core::sync::atomic::{AtomicBool, Ordering};
use seawall_core::time::{Clock, Timestamp};

use super::print::Print;
use super::store::{Keep, Store};
use crate::algorithm::Algorithm;
use crate::burst::BurstConfig;
use crate::cell::Denied;
use crate::limit::{Carry, Want};

/// What watches the calls of every key for bursts: two tables of the same bounds as the limiter's own.
pub(super) struct Watch {
    counted: Store,
    told: Store,
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
    pub(super) fn new(config: &BurstConfig, keys: usize) -> Result<Self, ConfigError> {
        let counted = Store::new(&[config.counted()?], Algorithm::sliding_window(), keys)?;
        let told = Store::new(&[config.told()?], Algorithm::Gcra, keys)?;
        let (punishes, watches) = (AtomicBool::new(config.punishes()), AtomicBool::new(true));
        Ok(Self { counted, told, punishes, watches })
    }

    /// Watches by another configuration, or not at all.
    pub(super) fn reconfigure(&self, config: Option<&BurstConfig>, now: Timestamp) -> Result<(), ConfigError> {
        if let Some(config) = config {
            self.counted.keep().carry(&[config.counted()?], Algorithm::sliding_window(), Carry::AsIs, now)?;
            self.told.keep().carry(&[config.told()?], Algorithm::Gcra, Carry::Reset, now)?;
            self.punishes.store(config.punishes(), Ordering::Relaxed);
        }
        self.watches.store(config.is_some(), Ordering::Relaxed);
        Ok(())
    }

    /// Takes a call into account.
    ///
    /// A key that came without a slot may be taken for one that has called before, so that a burst is told too early rather than
    /// too late. One that finds no slot begins none: a flood of other keys is not its burst.
    pub(super) fn note(&self, print: Print, now: Timestamp, clock: &Clock) -> Noted {
        if !self.watches.load(Ordering::Relaxed) {
            return Noted { begins: false, punished: None };
        }
        if let Some(denied) = self.punished(print, now) {
            return Noted { begins: false, punished: Some(denied) };
        }
        let one = Want::one(now);
        let (counted, told): (&dyn Keep, &dyn Keep) = (self.counted.keep(), self.told.keep());
        let bursts = counted.take(print, one, clock).is_err() && counted.has_slot(print);
        let begins = bursts && told.take(print, one, clock).is_ok();
        let punished = self.punished(print, now);
        if punished.is_some() {
            // A key that comes back when it was told to begins anew.
            counted.reset(print);
        }
        Noted { begins, punished }
    }

    /// The refusal, if bursts are punished and the key made one a while ago: the key itself, not those that had to go.
    pub(super) fn punished(&self, print: Print, now: Timestamp) -> Option<Denied> {
        if self.watches.load(Ordering::Relaxed) && self.punishes.load(Ordering::Relaxed) {
            let told = self.told.keep();
            told.has_slot(print).then(|| told.look(print, now, 1).err()).flatten()
        } else {
            None
        }
    }

    pub(super) fn reset(&self, print: Print) {
        self.counted.keep().reset(print);
        self.told.keep().reset(print);
    }
}
