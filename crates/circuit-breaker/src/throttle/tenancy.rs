//! One throttle that guards one dependency after another: how a member of a keyed store is used again.

use std::sync::Arc;

use seawall_core::observe::Observer;

use super::event::Event;
use super::handle::Throttle;
use super::settings::Settings;
use super::snapshot::Total;
use crate::state::Worth;

/// Whom a throttle guards, where it has more to say of that than its name: it logs the events in the throttle's stead.
pub(crate) type Tenant = Arc<dyn Observer<Event>>;

impl Throttle {
    /// Begins anew for `to`, if `may` agrees to lose what would be lost: with nothing counted, and nobody told. Calls that were
    /// admitted before change nothing.
    ///
    /// `may` runs under the lock, so that nothing happens between its answer and the beginning.
    pub(crate) fn hand_over(&self, to: impl FnOnce() -> Option<Tenant>, may: impl FnOnce(Worth) -> bool) -> bool {
        let now = self.clock().now();
        let mut locked = self.locked.lock();
        self.absorb(&mut locked);
        if !may(locked.machine.worth(now)) {
            return false;
        }
        locked.former_episodes += locked.machine.episodes();
        locked.machine.start_over(now);
        locked.before = self.counted();
        let former = std::mem::replace(&mut locked.tenant, to());
        self.publish(&mut locked);
        drop(locked);
        drop(former);
        true
    }

    /// Takes over new settings of the same name.
    pub(crate) fn take_over(&self, settings: Arc<Settings>) {
        let now = self.clock().now();
        self.locked(now, None, |locked| ((), locked.machine.reconfigure(settings, now)));
    }

    /// What was counted for all whom it ever guarded. Lets no time pass.
    pub(crate) fn lifetime(&self) -> Total {
        let mut total = self.counted();
        let locked = self.locked.lock();
        total.episodes = locked.former_episodes + locked.machine.episodes();
        total
    }

    /// Whether it refused any calls when it was last looked at. Lets no time pass, and takes no lock.
    pub(crate) fn last_refused(&self) -> bool {
        !self.chance().is_never()
    }
}
