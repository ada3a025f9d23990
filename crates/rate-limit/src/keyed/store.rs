use std::time::Duration;

use seawall_core::ConfigError;
use seawall_core::time::{Clock, Timestamp};

use super::arrivals::Arrivals;
use super::debts::{Debt, Evicted};
use super::gcra_store::GcraStore;
use super::locked_store::LockedStore;
use super::locked_table::Newcomers;
use super::print::Print;
use crate::algorithm::Algorithm;
use crate::cell::{Decision, Denied, Epoch};
use crate::figures::{Figures, Limits};
use crate::limit::{
    Carry, FixedWindow, Pacer, SlidingLog, SlidingWindow, Taken, TokenSteps, Want, WarmUp, WindowCounter,
};
use crate::quota::Quota;

/// The states of all keys, whatever the algorithm.
pub(super) enum Store {
    Gcra(GcraStore),
    Any(Box<dyn Keep>),
}

/// What a store does, whatever its algorithm.
pub(super) trait Keep: Send + Sync {
    /// Takes what is wanted. `clock` is read again where a state is found to lie in the future.
    fn take(&self, print: Print, want: Want, clock: &Clock) -> Decision;
    /// What is left, and whether so many cells would be refused now. Takes nothing.
    fn look(&self, print: Print, at: Timestamp, cells: u32) -> Result<(Figures, Limits), Denied>;
    /// The quota of a class; of a class that there is not, the first.
    fn limits(&self, class: u8) -> Limits;
    /// To be read before something is taken, and written on its receipt.
    fn epoch(&self) -> &Epoch;
    /// Gives back what is safe to give back of what was granted in this epoch, at the time that it is once the key's state is known.
    fn give_back(&self, print: Print, taken: Taken, epoch: u32, now: &dyn Fn() -> Timestamp);
    /// Makes the key one that was never seen.
    fn reset(&self, print: Print);
    /// Whether the quotas of all classes could be replaced by these.
    fn check(&self, quotas: &[Quota], algorithm: Algorithm) -> Result<(), ConfigError>;
    /// Replaces the quotas of all classes. Nothing changes if one of them cannot be.
    fn carry(&self, quotas: &[Quota], algorithm: Algorithm, carry: Carry, now: Timestamp) -> Result<(), ConfigError>;
    /// For how many keys there is room.
    fn capacity(&self) -> usize;
    /// In how many sets.
    fn sets(&self) -> usize;
    /// How much memory that is, in bytes.
    fn memory(&self) -> usize;
    /// How many keys have taken something that counts.
    fn live(&self, now: Timestamp) -> usize;
    fn arrivals(&self) -> Arrivals;
    /// Tells what every key has left that has taken something which counts.
    fn each(&self, now: Timestamp, tell: &mut dyn FnMut(Print, Figures));
    /// Tells what every key has taken that counts.
    fn debts(&self, now: Timestamp, tell: &mut dyn FnMut(Debt));
    /// Tells what those keys at most have taken that have no slot.
    fn evicted(&self, now: Timestamp, tell: &mut dyn FnMut(Evicted));
    /// Makes a key have taken at least this, `after` it was told.
    fn owe(&self, debt: Debt, after: Duration, now: Timestamp);
    /// Makes every new key of a set have taken at least this, `after` it was told.
    fn owe_anew(&self, evicted: Evicted, after: Duration, now: Timestamp);
}

impl Store {
    /// Room for so many keys of classes with these quotas, of which there is at least one.
    pub(super) fn new(
        quotas: &[Quota],
        algorithm: Algorithm,
        keys: usize,
        now: Timestamp,
    ) -> Result<Self, ConfigError> {
        macro_rules! under_locks {
            ($limit:ty) => {
                Self::Any(Box::new(LockedStore::<$limit>::new(quotas, algorithm, keys, Newcomers::Inherit, now)?))
            };
        }
        Ok(match algorithm {
            Algorithm::Gcra => Self::Gcra(GcraStore::new(quotas, keys, now)?),
            Algorithm::SlidingWindow { .. } => under_locks!(SlidingWindow),
            Algorithm::SlidingLog => under_locks!(SlidingLog),
            Algorithm::WindowCounter => under_locks!(WindowCounter),
            Algorithm::FixedWindow { .. } => under_locks!(FixedWindow),
            Algorithm::TokenSteps => under_locks!(TokenSteps),
            Algorithm::WarmUp { .. } => under_locks!(WarmUp),
            Algorithm::Pacer { .. } => under_locks!(Pacer),
        })
    }

    pub(super) fn keep(&self) -> &dyn Keep {
        match self {
            Self::Gcra(store) => store,
            Self::Any(store) => &**store,
        }
    }

    /// As much of `want.cells` as there is.
    pub(super) fn take_up_to(&self, print: Print, want: Want, clock: &Clock) -> Decision {
        let mut want = want;
        loop {
            let most = match self.keep().take(print, want, clock) {
                Ok(granted) => return Ok(granted),
                Err(denied) => denied.figures.remaining(),
            };
            // Others may take meanwhile, so that it can be less each time; nothing is always there. A single cell is asked for before
            // that: only who wants some gets a slot, or is mended after a step of the clock.
            want.cells = most.max(1).min(want.cells - 1);
        }
    }
}

/// Names the class in an error about its quota.
pub(super) fn of_class(class: usize, error: ConfigError) -> ConfigError {
    let Some(place) = class.checked_sub(1) else { return error };
    let field = error.field().strip_prefix("quota.").unwrap_or(error.field());
    ConfigError::new(format!("classes[{place}].{field}"), error.value(), error.valid().to_owned())
}
