//! What keeps calls from dependencies that fail: a circuit breaker and a time limit for each.
//!
//! | dependency | breaker | a call may take |
//! |---|---|---|
//! | the database | `database` for the whole, `database-writes` for writes besides | 30 seconds |
//! | the payment provider | `payment` | 60 seconds |
//! | the inventory provider | `inventory` | 60 seconds |
//!
//! [`Preset`] has what each kind of dependency is given, [`Dependency`] makes the calls, through breaker and
//! [bulkhead](crate::bulkheads).

mod by_hand;
mod control;
mod database;
mod dependency;
mod preset;
mod registry;
mod routes;
mod sign;

pub(crate) use control::control_routes;
pub(crate) use database::{Guard, Guarded, NoData};
pub use dependency::{Dependency, Unanswered, Until};
pub use preset::Preset;
pub(crate) use preset::named;
pub(crate) use registry::{Breakers, DATABASE, DATABASE_WRITES, Entry, INVENTORY, PAYMENT, Role};
pub(crate) use routes::routes;
