//! One breaker that guards one dependency after another: how a member of a keyed store is used again.

use std::ops::AddAssign;
use std::sync::Arc;

use seawall_core::observe::Observer;

use super::{Breaker, Totals};
use crate::event::{Event, State};
use crate::settings::Settings;
use crate::state::Worth;

/// Whom a breaker guards, where it has more to say of that than its name: it logs the events in the breaker's stead.
pub(crate) type Tenant = Arc<dyn Observer<Event>>;

impl Breaker {
    /// Begins anew for `to`, if `may` agrees to lose what would be lost: closed, with nothing counted, and nobody told. Calls
    /// that were admitted before change nothing.
    ///
    /// `may` runs under the lock, so that nothing happens between its answer and the beginning.
    pub(crate) fn hand_over(&self, to: impl FnOnce() -> Option<Tenant>, may: impl FnOnce(Worth) -> bool) -> bool {
        let now = self.clock.now();
        let (handed_over, _former) = self.locked(|locked, _| {
            if !may(locked.machine.worth(now)) {
                return (false, None);
            }
            locked.machine.start_over(now);
            locked.former += std::mem::take(&mut locked.totals);
            locked.refused_for_others = self.sum(|lane| lane.refused.get());
            locked.last_error = None;
            (true, std::mem::replace(&mut locked.tenant, to()))
        });
        handed_over
    }

    /// Takes over new settings of the same name.
    pub(crate) fn take_over(&self, settings: Arc<Settings>) {
        let now = self.clock.now();
        self.locked(|locked, events| locked.machine.reconfigure(settings, now, events));
    }

    /// What was counted for all whom it ever guarded. Lets no time pass.
    pub(crate) fn lifetime(&self) -> Totals {
        self.locked(|locked, _| {
            let mut sum = locked.former;
            sum += locked.totals;
            sum.refused = self.sum(|lane| lane.refused.get());
            sum
        })
    }

    /// The state in which it was last seen. Lets no time pass, and takes no lock.
    pub(crate) fn last_state(&self) -> State {
        self.gate().state()
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.successes += other.successes;
        self.failures += other.failures;
        self.ignored += other.ignored;
        self.abandoned += other.abandoned;
        self.stale += other.stale;
        self.refused += other.refused;
        for (sum, entered) in self.transitions.iter_mut().zip(other.transitions) {
            *sum += entered;
        }
    }
}
