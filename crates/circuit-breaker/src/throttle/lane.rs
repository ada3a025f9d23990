use seawall_core::random::Random;
use seawall_core::stripe::{Striped, Tally};
use seawall_core::sync::atomic::{AtomicU64, Ordering};

use super::gate::Gate;
use super::snapshot::Total;
use super::state::Counts;

/// What each thread counts for itself, and how far it may count before it looks at all lanes.
///
/// Limits are written under the lock by whoever holds it in the name of this lane, and read without it: in the lane that
/// threads share, an old one costs a look or a call more.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) asked: Tally,
    pub(super) refused: Tally,
    pub(super) accepted: Tally,
    pub(super) withdrawn: Tally,
    pub(super) failed: Tally,
    pub(super) abandoned: Tally,
    pub(super) ignored: Tally,
    pub(super) stale: Tally,
    /// Of the gate that the limits were set by.
    epoch: AtomicU64,
    ask_limit: AtomicU64,
    relief_limit: AtomicU64,
    /// Where this lane's draws begin.
    seed: AtomicU64,
}

impl Lane {
    /// Lanes whose draws follow from `seed`.
    pub(super) fn striped(lanes: usize, seed: u64) -> Striped<Self> {
        let striped = Striped::<Self>::new(lanes);
        let mut seeds = Random::new(seed);
        for lane in striped.iter() {
            lane.seed.store(seeds.next(), Ordering::Relaxed);
        }
        striped
    }

    /// Whether one more request may be counted without a look.
    #[inline]
    pub(super) fn may_ask(&self, gate: Gate) -> bool {
        self.epoch.load(Ordering::Relaxed) == gate.epoch() && self.asked.get() < self.ask_limit.load(Ordering::Relaxed)
    }

    /// Whether one more call that is accepted or taken back may be counted without a look.
    #[inline]
    pub(super) fn may_relieve(&self, gate: Gate) -> bool {
        self.epoch.load(Ordering::Relaxed) == gate.epoch()
            && self.relieved() < self.relief_limit.load(Ordering::Relaxed)
    }

    fn relieved(&self) -> u64 {
        self.accepted.get().wrapping_add(self.withdrawn.get())
    }

    /// All that was counted here has been looked at.
    pub(super) fn renew(&self, gate: Gate) {
        self.ask_limit.store(self.asked.get().wrapping_add(gate.asks()), Ordering::Relaxed);
        self.relief_limit.store(self.relieved().wrapping_add(gate.reliefs()), Ordering::Relaxed);
        self.epoch.store(gate.epoch(), Ordering::Relaxed);
    }

    /// A word that is drawn for the next request of this lane.
    ///
    /// The generator's state after n draws is its seed plus n times a constant, so the count of requests is all the state that
    /// it needs. In the lane that threads share, two that ask at the same moment may draw the same word.
    #[inline]
    pub(super) fn draw(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let drawn = self.asked.get().wrapping_mul(STEP);
        Random::new(self.seed.load(Ordering::Relaxed).wrapping_add(drawn)).next()
    }

    /// What the window has to know of.
    pub(super) fn counts(&self) -> Counts {
        Counts {
            asked: self.asked.get(),
            accepted: self.accepted.get(),
            withdrawn: self.withdrawn.get(),
            refused: self.refused.get(),
        }
    }

    pub(super) fn add_to(&self, total: &mut Total) {
        total.requests += self.asked.get();
        total.refused += self.refused.get();
        total.successes += self.accepted.get();
        total.failures += self.failed.get();
        total.abandoned += self.abandoned.get();
        total.ignored += self.ignored.get();
        total.stale += self.stale.get();
    }
}
