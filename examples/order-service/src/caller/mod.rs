//! Who calls: a user of a tenant, which a key tells, or an address.
//!
//! [`told_apart`] is put around the routes whose callers matter; whoever answers them, and every layer further in, finds the
//! [`Caller`] in the request's extensions.

mod fingerprint;
mod identify;
mod keyring;
mod refresh;
mod store;

use std::net::IpAddr;
use std::sync::Arc;

use seawall_rate_limit::http::AddressPrefix;

pub(crate) use identify::{known, told_apart};
pub(crate) use keyring::Keyring;
pub(crate) use refresh::Refresh;
pub(crate) use store::KeyStore;

/// Who sent a request, an extension of every request to a route that [tells its callers apart](told_apart).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The user whose key it has, or where it is.
    pub(crate) party: Party,
    /// The user's tenant.
    pub(crate) tenant: Option<Arc<str>>,
}

/// Whoever has one share of what there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Party {
    /// A user; no two tenants share one.
    User(Arc<str>),
    /// Where somebody without a key calls from: of IPv6 the network, in which one machine may have any address.
    Address(AddressPrefix),
}

/// Whom a key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    user: Arc<str>,
    tenant: Arc<str>,
}

impl Caller {
    fn new(member: Option<Member>, address: IpAddr) -> Self {
        match member {
            Some(Member { user, tenant }) => Self { party: Party::User(user), tenant: Some(tenant) },
            None => Self { party: Party::Address(AddressPrefix::of(address)), tenant: None },
        }
    }

    /// The user, if it is known.
    pub(crate) fn user(&self) -> Option<&str> {
        match &self.party {
            Party::User(user) => Some(user),
            Party::Address(_) => None,
        }
    }

    /// Where it is, if that is all that is known.
    pub(crate) fn address(&self) -> Option<&AddressPrefix> {
        match &self.party {
            Party::User(_) => None,
            Party::Address(address) => Some(address),
        }
    }
}
