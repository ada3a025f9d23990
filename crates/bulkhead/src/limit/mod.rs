//! Limits that find themselves: pure algorithms, fed with what calls took, that say how many may be in flight.
//!
//! An algorithm reads no clock and holds no lock: what it decides follows from the samples alone, so a recorded run can be
//! replayed. [`Bulkhead`](crate::Bulkhead) feeds one; a test or a simulation may too.

mod adaptive;
mod aimd;

use std::fmt;
use std::time::Duration;

use seawall_core::time::Timestamp;

pub use adaptive::Adaptive;
pub use aimd::{Aimd, AimdLimit};

/// Decides how many calls may be in flight from what calls took.
///
/// Implementations are deterministic: the same samples give the same limits. Three rules hold for all that come with this
/// crate: a limit that is not used is not raised (traffic that needs less than half of it proves nothing), it is lowered at
/// most once for the calls of one round trip, and it stays within its bounds.
pub trait LimitAlgorithm: fmt::Debug + Send {
    /// How many may be in flight now: at least one.
    fn limit(&self) -> u32;

    /// A call has ended. Tells how many may be in flight from now on.
    fn on_sample(&mut self, sample: &Sample) -> u32;
}

/// What one call tells about the load of what it called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// When it ended.
    pub at: Timestamp,
    /// How long it took, without the wait in the queue.
    pub rtt: Duration,
    /// How many permits were in use when it ended, its own included.
    pub in_flight: u32,
    /// How it ended.
    pub signal: Signal,
}

/// How a call ended, as far as it tells about load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// It ran to its end: its time is what such calls take.
    Completed,
    /// It failed as calls fail under overload: a timeout, a refusal.
    Dropped,
    /// Its caller went away. It would have taken at least this time, so it can raise an estimate and never lower one.
    Abandoned,
}

impl Sample {
    /// A call that ended at `at` after `rtt`, when so many permits were in use.
    pub const fn new(at: Timestamp, rtt: Duration, in_flight: u32, signal: Signal) -> Self {
        Self { at, rtt, in_flight, signal }
    }

    /// When the call began.
    pub fn began(&self) -> Timestamp {
        self.at - self.rtt
    }

    /// Whether more calls were wanted than half of `limit`: otherwise the limit was not what held calls back.
    pub const fn uses_half(&self, limit: u32) -> bool {
        self.in_flight as u64 * 2 >= limit as u64
    }
}
