//! Policies that keep a member for each key: bounded, and forgetting only those that nothing is lost with.

mod breakers;
mod config;
mod index;
mod member;
mod metrics;
mod pinned;
mod room;
mod slot;
mod slots;
mod snapshot;
mod store;
mod tenancy;
mod tenant;
mod throttles;

use std::fmt;
use std::hash::Hash;

pub use breakers::{Breakers, CircuitBreakers};
pub use config::Keyed;
pub use pinned::Pinned;
pub use snapshot::{KeyedSnapshot, KeysByRefusal, KeysByState};
pub use store::KeyedToken;
pub use throttles::{AdaptiveThrottles, Throttles};

/// What a key must be.
///
/// Implemented for every type that can be: owned, comparable, and shown in logs.
pub trait Key: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static {}

impl<K: Clone + Eq + Hash + fmt::Debug + Send + Sync + 'static> Key for K {}
