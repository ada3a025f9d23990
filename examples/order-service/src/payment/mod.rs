//! How orders are paid: the provider over HTTP, what protects the service from it, and the collection of what is still
//! owed.

mod client;
mod protected;
mod provider;
mod redrive;

pub(crate) use client::{Charge, Client, Receipt};
pub(crate) use protected::Payments;
pub(crate) use provider::check_behaviour;
pub use provider::{Behaviour, Figures, Provider};
pub(crate) use redrive::Redrive;
