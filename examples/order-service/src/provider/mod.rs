//! What the service has others do over HTTP: how they are asked, what protects the service from them, and providers of its own
//! to depend on.

mod behaviour;
mod calls;
mod client;
mod stand_in;

pub use behaviour::Behaviour;
pub(crate) use calls::{Calls, Unanswerable, named, pay_from};
pub(crate) use client::{CallError, Client};
pub(crate) use stand_in::check_behaviour;
pub use stand_in::{Figures, Provider, Trade};
