//! How often callers may ask, and whoever asks more often is told when to come back.
//!
//! | limit | a minute | of | which requests |
//! |---|---|---|---|
//! | `expensive` | 20 | each caller: a user, or an address | those that are listed in [`EXPENSIVE`](limited::EXPENSIVE) |
//! | `learning` | 10 | each caller | those that are listed in [`LEARNING`](limited::LEARNING) |
//! | `address` | 20 | each address, of IPv6 each /64 | those without a key that is known |
//! | `user` | 100 | each user | those with one |
//! | `tenant` | 500 | each tenant | the same |
//! | `global` | 1 000 | everybody together, less under load | all |
//!
//! A request takes from all that concern it or from none. Before that `burst` watches each caller: more than 50 requests in 10
//! seconds, taken or refused, are told, and punished if it is configured so.

mod control;
mod limited;
mod load;
mod registry;
mod routes;

pub(crate) use control::control_routes;
pub(crate) use limited::limited;
pub(crate) use load::{Load, follow};
pub(crate) use registry::RateLimits;
pub(crate) use routes::routes;
