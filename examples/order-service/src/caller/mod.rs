//! Who calls: a user of a tenant, which a key tells, or an address.
//!
//! [`told_apart`] is put around the routes whose callers matter; whoever answers them, and every layer further in, finds the
//! [`Caller`] in the request's extensions.

mod address;
mod fingerprint;
mod identify;
mod keyring;
mod refresh;
mod store;

use std::net::IpAddr;
use std::sync::Arc;

pub(crate) use identify::told_apart;
pub(crate) use keyring::Keyring;
pub(crate) use refresh::Refresh;
pub(crate) use store::KeyStore;

/// Who sent a request, an extension of every request to a route that [tells its callers apart](told_apart).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The user whose key it has; no two tenants share one.
    pub(crate) user: Option<Arc<str>>,
    /// The user's tenant: there where the user is.
    pub(crate) tenant: Option<Arc<str>>,
    /// Where the request came from, with a key and without.
    pub(crate) address: IpAddr,
}

/// Whom a key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    user: Arc<str>,
    tenant: Arc<str>,
}

impl Caller {
    fn new(member: Option<Member>, address: IpAddr) -> Self {
        let (user, tenant) = member.map(|Member { user, tenant }| (user, tenant)).unzip();
        Self { user, tenant, address }
    }
}
