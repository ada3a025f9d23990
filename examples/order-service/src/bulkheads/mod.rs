//! How much of each dependency is used at once, so that one which is slow, or flooded, keeps nobody from the others.
//!
//! | bulkhead | at once | may wait | of what |
//! |---|---|---|---|
//! | `database` | 50 | 200 | statements, those of background tasks included; not those of who only watches |
//! | `inventory` | 10 | 100 | calls of the inventory provider |
//! | `payment` | 10 | 100 | calls of the payment provider |
//! | `heavy` | 5 | 100 | requests that make much work: the statistics |
//!
//! Who waits is served by what it is there for, see `Purpose`: placing orders first, what can be done without last. A call
//! decides by breaker and bulkhead at once: nobody waits for a dependency that is known to be down.

mod control;
mod entrance;
mod purpose;
mod refusal;
mod registry;
mod routes;

pub(crate) use control::control_routes;
pub(crate) use entrance::Claims;
pub use entrance::Entrance;
pub(crate) use purpose::{Purpose, Waits};
pub(crate) use refusal::full;
pub(crate) use registry::{Bulkheads, Entry};
pub(crate) use routes::routes;
