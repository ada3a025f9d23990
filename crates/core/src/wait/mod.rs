//! Waiting for capacity, written once: who is served next, who is not served at all, and how long it will take.
//!
//! [`WaitQueue`] is what patterns use. [`Line`], [`Discipline`] and [`Pace`] are the pure parts that it is made of, for
//! patterns whose capacity is not one number.

mod claim;
mod discipline;
mod line;
mod pace;
mod priority;
mod queue;
mod stripes;
mod wakers;

pub use claim::{Claim, Turn};
pub use discipline::{CoDel, Discipline, Order};
pub use line::{Found, Line, Place, PlaceId, Waiter};
pub use pace::Pace;
pub use priority::Priority;
pub use queue::WaitQueue;
pub use wakers::Wakers;

/// Why somebody who waited will not be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unserved {
    /// The line was full, and a call of a higher priority came.
    Displaced,
    /// It had waited longer than the [target](CoDel::target) when the line had been standing for too long.
    Late,
    /// It asks for more than there will ever be: the capacity was reduced.
    Never,
}
