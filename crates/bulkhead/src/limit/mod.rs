//! Limits that find themselves: pure algorithms, fed with what calls took, that say how many may be in flight.
//!
//! An algorithm reads no clock and holds no lock: what it decides follows from the samples alone, so a recorded run can be
//! replayed. [`Bulkhead`](crate::Bulkhead) feeds one; a test or a simulation may too.
//!
//! | algorithm | what tells it of overload | what it needs to be told | what it does badly |
//! |---|---|---|---|
//! | [`Gradient`] | calls that take longer than with little load, which it measures again and again | nothing | at the beginning and about once a minute it lets in few calls until 50 of them have completed |
//! | [`Aimd`] | calls that fail or take too long | its `timeout` | the `timeout` is a promise: too long, and all calls take that long; too short for what the service can do, and hardly any are let in |
//! | [`Vegas`] | a queue, by how much longer calls take than the quickest one | how many may wait: its thresholds | calls that differ look like a queue, and a large limit has too little of one |
//! | [`Gradient2`] | calls that take longer than they used to | how long an overload may last: `long_window` and `tolerance`, or how often to `probe` | without a `probe` it creeps up under lasting overload, for it gets used to it |
//! | [`Correlation`] | a queue, and more in flight that brings no more throughput | nothing | it is cautious: calls stay quick, and more could have been answered |
//!
//! [`Adaptive::default`] is the one to begin with: [`Gradient`] as it comes. A limit is worth having if under overload nearly as many
//! calls are answered in time as with the best fixed limit and hardly slower than without load; of these defaults, the constants
//! of the libraries that the algorithms come from, only those of [`Gradient`] do that without a word about the service. The design notes
//! of this crate have the simulation, its figures, and settings with which [`Aimd`], [`Vegas`] and [`Gradient2`] do it too.
//!
//! [`Windowed`] feeds [`Aimd`], [`Vegas`] or [`Gradient2`] with a summary of many calls instead of each of them. [`Bbr`] is no limit but a gate
//! beside one: it refuses calls while the processor is busy.
//!
//! ```
//! use seawall_bulkhead::limit::{LimitAlgorithm, Sample, Signal, Vegas};
//! use seawall_core::time::Timestamp;
//! use std::time::Duration;
//!
//! let mut vegas = Vegas::default().initial(10).build()?;
//! let rtt = Duration::from_millis(10);
//! let mut now = Timestamp::ZERO;
//! for _ in 0..3 {
//!     now = now + rtt;
//!     vegas.on_sample(&Sample::new(now, rtt, 10, Signal::Completed));
//! }
//! assert_eq!(vegas.limit(), 22, "no call has waited: twice six more");
//! # Ok::<(), seawall_core::ConfigError>(())
//! ```
//!
//! # What holds for all of them
//! - A limit that is not used is not raised: traffic that needs less than half of it proves nothing.
//! - It is lowered at most once for the calls of one round trip: they all tell of the same load.
//! - It stays within its bounds, whatever the samples: no time of nothing, no number in flight and no clock that steps back leads
//!   to anything but a limit.
//! - A call that was [abandoned](Signal::Abandoned) would have taken at least its time. It may raise an estimate of what calls take,
//!   and so lower the limit; it never lowers such an estimate and never raises the limit.

#[macro_use]
mod settings;

mod adaptive;
mod aimd;
mod bbr;
mod correlation;
mod gradient;
mod gradient2;
mod rejection;
mod round_trip;
mod scale;
pub mod stats;
mod vegas;
mod windowed;

use std::fmt;
use std::time::Duration;

use seawall_core::time::Timestamp;

pub use adaptive::{Adaptive, PerCall};
pub use aimd::{Aimd, AimdLimit};
pub use bbr::{Bbr, BbrGate};
pub use correlation::{Correlation, CorrelationLimit};
pub use gradient::{Gradient, GradientLimit};
pub use gradient2::{Gradient2, Gradient2Limit};
pub use rejection::{Levels, level, rejection_rate};
pub use scale::{Decrease, Scale};
pub use vegas::{Vegas, VegasLimit};
pub use windowed::{Windowed, WindowedLimit};

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

    /// It is `now`, whether a call has ended or not: closes what was due until now. Tells how many may be in flight from now on.
    ///
    /// Nobody needs to call it, for the next sample does the same. Whoever does gets the limit of a window when the window ends.
    fn on_tick(&mut self, now: Timestamp) -> u32 {
        let _ = now;
        self.limit()
    }
}

impl<T: LimitAlgorithm + ?Sized> LimitAlgorithm for Box<T> {
    fn limit(&self) -> u32 {
        (**self).limit()
    }

    fn on_sample(&mut self, sample: &Sample) -> u32 {
        (**self).on_sample(sample)
    }

    fn on_tick(&mut self, now: Timestamp) -> u32 {
        (**self).on_tick(now)
    }
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

    /// How long it took in nanoseconds, at least one: what a call takes is divided by.
    fn nanos(&self) -> u64 {
        u64::try_from(self.rtt.as_nanos()).unwrap_or(u64::MAX).max(1)
    }
}
