use std::fmt;
use std::ops::Deref;

use super::tenancy::Tenancy;
use crate::breaker::Breaker;

/// What guards one key, which is not forgotten while this is held.
///
/// It gives the [`Breaker`]'s own methods, or the [`Throttle`](crate::Throttle)'s: its snapshot, and control by hand.
pub struct Pinned<'a, P = Breaker> {
    member: &'a P,
    tenancy: &'a Tenancy,
}

impl<'a, P> Pinned<'a, P> {
    /// Pins the tenancy of this number, if it goes on.
    pub(super) fn new(member: &'a P, tenancy: &'a Tenancy, number: u32) -> Option<Self> {
        tenancy.pin(number).then_some(Self { member, tenancy })
    }
}

impl<P> Deref for Pinned<'_, P> {
    type Target = P;

    fn deref(&self) -> &P {
        self.member
    }
}

impl<P> Drop for Pinned<'_, P> {
    fn drop(&mut self) {
        self.tenancy.unpin();
    }
}

impl<P: fmt::Debug> fmt::Debug for Pinned<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pinned").field(self.member).finish()
    }
}
