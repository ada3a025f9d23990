//! The cells that many threads change at once, against the pure algorithms and against what those promise.

mod agreement;
mod guarantee;
mod leases;
mod model;
mod threads;
mod turns;
