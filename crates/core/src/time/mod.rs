//! One concrete time seam: [`Timestamp`], [`Clock`] and [`Sleep`].
//!
//! A [`Clock`] is a value without a type parameter. Algorithms never hold one: they take a [`Timestamp`]. Handles read
//! their clock once per call, through [`Now`], and only if a decision asks for the time.

mod clock;
mod manual;
mod now;
mod sleep;
mod timestamp;

pub use clock::{Clock, TimeDriver};
pub use manual::ManualTime;
pub use now::Now;
pub use sleep::Sleep;
pub use timestamp::Timestamp;

use std::pin::Pin;

/// A boxed future, as a custom [`TimeDriver`] returns it.
pub type BoxFuture<T = ()> = Pin<Box<dyn Future<Output = T> + Send>>;
