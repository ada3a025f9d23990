//! Work that runs elsewhere: tasks in the background, and work that blocks a thread.
//!
//! A [`Spawner`] says where, without a type parameter, as a [`Clock`](crate::time::Clock) says when. Nothing of the family
//! chooses a runtime: what runs in the background, runs where its user says.

mod blocking;
mod error;
mod handover;
mod offload;
mod spawner;

pub use blocking::BlockingError;
pub use error::SpawnError;
pub use offload::Offloaded;
pub use spawner::{Spawn, Spawner, Work};
