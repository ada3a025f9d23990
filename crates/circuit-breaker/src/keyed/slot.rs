use std::sync::Arc;

use seawall_core::sync::Mutex;

use super::member::Member;
use super::tenancy::Tenancy;
use super::tenant::Tenant;
use crate::state::Worth;

/// A member that serves one key after another, and who that is: its tenant.
pub(super) struct Slot<M, T> {
    member: M,
    tenancy: Tenancy,
    resident: Mutex<Option<Resident<T>>>,
}

/// Who lives in a slot, in which tenancy.
pub(super) struct Resident<T> {
    pub(super) tenancy: u32,
    pub(super) tenant: Arc<T>,
}

impl<T> Clone for Resident<T> {
    fn clone(&self) -> Self {
        Self { tenancy: self.tenancy, tenant: self.tenant.clone() }
    }
}

impl<M, T> Slot<M, T> {
    pub(super) fn new(member: M) -> Self {
        Self { member, tenancy: Tenancy::new(), resident: Mutex::new(None) }
    }

    #[inline(always)]
    pub(super) const fn member(&self) -> &M {
        &self.member
    }

    #[inline(always)]
    pub(super) const fn tenancy(&self) -> &Tenancy {
        &self.tenancy
    }

    /// Who lives here, if anybody.
    pub(super) fn resident(&self) -> Option<Resident<T>> {
        self.resident.lock().clone()
    }
}

/// Whose tenancy ended, and the number of the one that began.
pub(super) type HandedOver<T> = (Option<Resident<T>>, u32);

impl<M: Member<K>, K> Slot<M, Tenant<K, M::Event>> {
    /// Ends the tenancy and begins one for `to`, or for nobody, unless somebody holds it or `may` does not agree to lose what
    /// would be lost.
    pub(super) fn hand_over(
        &self,
        to: Option<&Arc<Tenant<K, M::Event>>>,
        mut may: impl FnMut(Worth) -> bool,
    ) -> Option<HandedOver<Tenant<K, M::Event>>> {
        let mut began = None;
        self.member.hand_over(to, &mut |worth| {
            if may(worth) {
                // Under the member's lock, and before it begins anew.
                began = self.tenancy.end(to.is_some());
            }
            began.is_some()
        });
        let tenancy = began?;
        let resident = to.map(|tenant| Resident { tenancy, tenant: tenant.clone() });
        Some((std::mem::replace(&mut *self.resident.lock(), resident), tenancy))
    }
}
