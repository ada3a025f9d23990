use std::fmt;
use std::ops::Deref;

use super::slot::Slot;
use crate::breaker::Breaker;

/// The member of one key, which is not forgotten while this is held.
///
/// It gives the member's own methods: a [`Breaker`]'s snapshot and control by hand.
pub struct Pinned<'a, K, P = Breaker> {
    slot: &'a Slot<P, K>,
}

impl<'a, K, P> Pinned<'a, K, P> {
    /// Pins the slot, if the tenancy of this number goes on.
    pub(super) fn new(slot: &'a Slot<P, K>, tenancy: u32) -> Option<Self> {
        slot.pin(tenancy).then_some(Self { slot })
    }
}

impl<K, P> Deref for Pinned<'_, K, P> {
    type Target = P;

    fn deref(&self) -> &P {
        self.slot.member()
    }
}

impl<K, P> Drop for Pinned<'_, K, P> {
    fn drop(&mut self) {
        self.slot.unpin();
    }
}

impl<K, P: fmt::Debug> fmt::Debug for Pinned<'_, K, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pinned").field(&**self).finish()
    }
}
