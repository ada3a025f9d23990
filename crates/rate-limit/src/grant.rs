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
    /// Which limiter of this process, above, and how often it had been configured, below. One word: a grant is moved often, and
    /// halves that were just written cannot be read as a whole without waiting for them.
    of: u64,
    /// The key's fingerprint; 0 where there is no key.
    pub(crate) key: u64,
}

impl Origin {
    pub(crate) const fn new(limiter: u32, generation: u32, key: u64) -> Self {
        Self { of: (limiter as u64) << 32 | generation as u64, key }
    }

    pub(crate) const fn limiter(self) -> u32 {
        (self.of >> 32) as u32
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower half of a word")]
    pub(crate) const fn generation(self) -> u32 {
        self.of as u32
    }
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
