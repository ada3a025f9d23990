//! How what an order needs is set aside: the inventory provider as it is called, and one of the service's own.

mod desk;
mod shelf;
mod stock;

pub use shelf::{Reservations, Shelf};
pub(crate) use stock::{Inventory, Reservation, Reserved};

/// An inventory provider to depend on.
pub type Provider = crate::provider::Provider<Shelf>;
