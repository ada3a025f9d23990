use std::time::Duration;

use seawall_core::time::Timestamp;

use crate::figures::Figures;
use crate::limit::Taken;

/// Cells that were taken: what is left after them, and the receipt by which they can be [given back](crate::Limiter::refund).
///
/// It is neither `Copy` nor `Clone`, so that nothing is given back twice.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    pub(crate) taken: Taken,
    pub(crate) figures: Figures,
    /// Of which instance, key and configuration.
    pub(crate) origin: Origin,
}

/// By whom something was granted: only there, and only under the same quota, can it be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Which limiter of this process.
    pub(crate) limiter: u32,
    /// How often it had been configured.
    pub(crate) generation: u32,
    /// The key's fingerprint; 0 where there is no key.
    pub(crate) key: u64,
}

impl Grant {
    /// How many cells were taken.
    pub const fn cells(&self) -> u32 {
        self.taken.cells
    }

    /// How many more could be taken at the same moment.
    pub fn remaining(&self) -> u32 {
        self.figures.remaining()
    }

    /// After how long everything will be as if nothing had ever been taken, if nothing more is.
    pub const fn reset_after(&self) -> Duration {
        self.figures.reset_after()
    }

    /// From when on the cells may be used: at once, unless they were waited for.
    pub const fn act_at(&self) -> Timestamp {
        self.taken.act_at
    }

    /// How long after the question the cells may be used: nothing, unless they were waited for.
    pub const fn wait(&self) -> Duration {
        self.taken.act_at.saturating_duration_since(self.taken.at)
    }
}
