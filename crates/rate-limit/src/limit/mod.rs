//! The algorithms, pure: what is remembered, a time and a number of cells go in, a decision comes out.
//!
//! Nothing here reads a clock, sleeps, locks or allocates more than its state. The limiters of this crate keep the states and
//! read the clock; whoever has a store or a loop of their own can use a [`Limit`] directly:
//!
//! ```
//! use seawall_rate_limit::limit::{Gcra, Limit, Refused, Want};
//! use seawall_rate_limit::Quota;
//! use seawall_core::time::Timestamp;
//!
//! let limit = Gcra::new(Quota::per_second(10).burst(2))?;
//! let mut state = Default::default();
//! let now = Timestamp::from_nanos(1_000_000_000);
//! assert!(limit.take(&mut state, Want::one(now)).is_ok());
//! assert!(limit.take(&mut state, Want::one(now)).is_ok());
//! assert_eq!(limit.take(&mut state, Want::one(now)).unwrap_err(), Refused::Later { retry_after: 100_000_000 });
//! # Ok::<(), seawall_core::ConfigError>(())
//! ```

mod fixed_window;
mod gcra;
mod owing;
mod pacer;
mod refund;
mod sliding_log;
mod sliding_window;
mod token_steps;
mod warm_up;
mod warm_up_threshold;
mod window_counter;

pub use crate::cell::AtomicGcra;
pub use fixed_window::{Alignment, FixedWindow, FixedWindowState};
pub use gcra::{Gcra, Turns};
pub(crate) use owing::{Owed, owing, still_owing};
pub use pacer::{Pacer, PacerState};
pub use sliding_log::{SlidingLog, SlidingLogState};
pub use sliding_window::{SlidingWindow, SlidingWindowState};
pub use token_steps::{TokenSteps, TokenStepsState};
pub use warm_up::{WarmUp, WarmUpState};
pub use warm_up_threshold::{WarmUpThreshold, WarmUpThresholdState};
pub use window_counter::{WindowCounter, WindowCounterState};

use std::time::Duration;

use seawall_core::time::Timestamp;

/// An algorithm that limits a rate: a pure function of what it remembers.
///
/// An implementation keeps its promise for every order of times that it is given, also when they step back.
pub trait Limit: Send + Sync {
    /// What is remembered of one key. The default is that of a key that was never seen.
    type State: Clone + Default + std::fmt::Debug + Send + Sync + 'static;

    /// Takes what is wanted, or refuses and changes nothing. Retried exactly after the wait that a refusal tells, with nothing
    /// taken in between, it succeeds; a nanosecond earlier it does not.
    ///
    /// # Errors
    /// [`Refused::Later`] while there are not enough cells, [`Refused::Never`] if there never will be.
    fn take(&self, state: &mut Self::State, want: Want) -> Result<Taken, Refused>;

    /// Gives back what was taken and not used, as much of it as is safe: what is kept of all that was taken satisfies the limit
    /// as if the rest had never been asked for.
    ///
    /// A receipt is of no use any more, and must not be given back, once the clock has stepped back, or the state was
    /// [pulled back](Self::pull_back), [carried](Self::carry) or forgotten: its times mean something else then.
    fn give_back(&self, state: &mut Self::State, taken: Taken, now: Timestamp);

    /// How many cells could be taken now.
    fn remaining(&self, state: &Self::State, now: Timestamp) -> u32;

    /// From when on the state is as that of a key that was never seen, if nothing more is taken.
    fn reset_at(&self, state: &Self::State) -> Timestamp;

    /// Makes `state` one that refuses whatever it or `other` would refuse, from the latest time on that either has seen; and
    /// little more than that.
    fn merge(&self, state: &mut Self::State, other: &Self::State);

    /// How far, in nanoseconds, the state lies beyond every time that it could have been brought to by `now` and reservations of
    /// up to `longest_wait`: nothing, unless the clock has stepped back.
    fn ahead(&self, state: &Self::State, now: Timestamp, longest_wait: u64) -> u64;

    /// Moves the state by so many nanoseconds towards the past.
    fn pull_back(&self, state: &mut Self::State, by: u64);

    /// The state for this limit of what `from` remembered. Both count [since](Self::since) the same time.
    fn carry(&self, from: &Self, state: Self::State, carry: Carry, now: Timestamp) -> Self::State;

    /// The same limit, counting from this time on. For limits that count in a fraction of a nanosecond, and would come to their end
    /// on a clock whose zero is long past; states of another time mean something else. Before it nothing passes.
    #[must_use]
    fn since(self, _zero: Timestamp) -> Self
    where
        Self: Sized,
    {
        self
    }
}

/// What is asked of a [`Limit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// The time of the decision.
    pub now: Timestamp,
    /// How many cells. None at all always fits, and is a look at what remains.
    pub cells: u32,
    /// How long the caller would wait for them, in nanoseconds.
    pub max_wait: u64,
}

impl Want {
    /// One cell, now.
    pub const fn one(now: Timestamp) -> Self {
        Self::now(now, 1)
    }

    /// So many cells, now.
    pub const fn now(now: Timestamp, cells: u32) -> Self {
        Self { now, cells, max_wait: 0 }
    }

    /// The turn at this time, or now if that has come, unless it would be waited for too long.
    fn turn(&self, at: u64) -> Result<Timestamp, Refused> {
        let wait = at.saturating_sub(self.now.as_nanos());
        if wait > self.max_wait {
            return Err(Refused::Later { retry_after: wait });
        }
        Ok(Timestamp::from_nanos(at.max(self.now.as_nanos())))
    }
}

/// What was taken: the receipt by which it can be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// When it was asked for.
    pub at: Timestamp,
    /// From when on it may be used.
    pub act_at: Timestamp,
    /// How many cells.
    pub cells: u32,
    /// Where the algorithm has put them.
    pub mark: u64,
}

/// Why a [`Limit`] refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There are not enough cells now.
    Later {
        /// After how many nanoseconds there will be.
        retry_after: u64,
    },
    /// More cells were wanted than there ever are at once.
    Never,
}

/// What becomes of what was already taken when a quota is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Carry {
    /// It stays as it is: a token bucket owes the same time, a window has counted the same cells. Where the quota of a bucket that
    /// has no keys is raised, it owes no more than an empty bucket of the new one, beyond turns that were promised: if the new one
    /// has at least the burst and the rate of all that held since nothing was owed. Otherwise the time that was owed to a slow
    /// quota can be long: [`Proportional`](Self::Proportional) owes the same cells.
    #[default]
    AsIs,
    /// It is scaled: a token bucket owes the same number of cells, a window has used the same share of its limit.
    Proportional,
    /// It is forgotten: everybody begins anew.
    Reset,
}

/// Since when a limit counts that is made now: so long ago that no clock steps back beyond it which is of any use, and at most since
/// the clock's zero.
pub(crate) fn origin(now: Timestamp) -> Timestamp {
    // 417 days, of the nine years that can be counted.
    now - Duration::from_nanos(1 << 55)
}

/// A count by its share of another limit, rounded up.
fn scaled(count: u32, to: u32, from: u32) -> u32 {
    let share = (u64::from(count) * u64::from(to)).div_ceil(u64::from(from));
    u32::try_from(share).unwrap_or(u32::MAX)
}

/// In whole nanoseconds, as far as they go.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
