//! Waiting for capacity: [`WaitQueue`].

mod line;
mod queue;

pub use line::{Place, Priority};
pub use queue::{Turn, WaitQueue};
