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
        // Made only if it is pinned: dropping it unpins.
        tenancy.pin(number).then(|| Self { member, tenancy })
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

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_tenancy_that_is_over_is_left_alone() {
        let tenancy = Tenancy::new();
        let number = tenancy.end(true).expect("nobody holds it");
        let held = Pinned::new(&7, &tenancy, number).expect("it goes on");
        assert!(Pinned::new(&7, &tenancy, number.wrapping_sub(1)).is_none());
        assert_eq!((tenancy.end(true), *held), (None, 7), "it is still held");
        drop(held);
        assert!(tenancy.end(true).is_some());
    }
}
