//! How orders are paid: the provider as it is called, one of the service's own, and the collection of what is still owed.

mod desk;
mod ledger;
mod payments;
mod redrive;

pub use crate::provider::Behaviour;
pub use ledger::{Charges, Ledger};
pub(crate) use payments::{Charge, Payments, Receipt};
pub(crate) use redrive::Redrive;

/// A payment provider to depend on.
pub type Provider = crate::provider::Provider<Ledger>;
