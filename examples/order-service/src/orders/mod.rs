//! Orders: what they are, when they are accepted, where they are kept, and the routes to them.

mod accept;
mod amount;
mod draft;
mod handover;
mod model;
mod page;
mod process;
mod routes;
mod store;
mod validate;

pub(crate) use amount::Amount;
pub(crate) use model::{Item, Payment};
pub(crate) use routes::routes;
pub(crate) use store::{Due, OrderStore, amount, items};
pub(crate) use validate::{ID_RULE, is_id};
