use std::time::Duration;

use seawall_core::stripe::Tally;
use seawall_core::{Claim, Name};

use crate::compartment::{Compartment, Counts};

/// All that is known of a bulkhead at one moment. With feature `serde` it is written to any format.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// Which instance.
    pub name: Name,
    /// How many permits there are.
    pub limit: u32,
    /// Whether an algorithm finds the limit.
    pub adaptive: bool,
    /// How many permits are in use: more than the limit after it was lowered.
    pub in_flight: u32,
    /// How many calls wait.
    pub queued: usize,
    /// How many may wait.
    pub queue: usize,
    /// For how long the queue has not been empty, in seconds; zero when it is.
    #[cfg_attr(feature = "serde", serde(rename = "queue_age_seconds", with = "seawall_core::observe::seconds"))]
    pub queue_age: Duration,
    /// How long a call that came now would wait, in seconds, if that is known.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "expected_wait_seconds", with = "seawall_core::observe::seconds::option")
    )]
    pub expected_wait: Option<Duration>,
    /// Calls that were admitted.
    pub admitted: u64,
    /// Calls of those admitted that had to wait.
    pub waited: u64,
    /// Calls of those admitted whose permit was dropped without a word of how they ended: callers that went away, and direct
    /// use that says nothing.
    pub abandoned: u64,
    /// Calls of those admitted that never started: their permit was given back, because something else refused the call or
    /// its caller went away.
    pub cancelled: u64,
    /// Calls that were refused.
    pub refused: Refusals,
}

/// How many calls were refused, by [`Reason`](crate::Reason).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Refusals {
    /// Everything was in use, and so was the queue.
    pub full: u64,
    /// The turn was expected after the deadline.
    pub too_late: u64,
    /// They waited as long as they might.
    pub timed_out: u64,
    /// A call of a higher priority took their place.
    pub displaced: u64,
    /// They had waited too long in a queue that does not empty.
    pub overdue: u64,
    /// They asked for more than the limit.
    pub too_large: u64,
}

impl Refusals {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.full + self.too_late + self.timed_out + self.displaced + self.overdue + self.too_large
    }
}

impl Compartment {
    /// All that is known at this moment. Takes a lock for a moment; counts are exact once the calls are quiet.
    pub fn snapshot(&self) -> Snapshot {
        let sum = |part: fn(&Counts) -> &Tally| self.counts().iter().map(|counts| part(counts).get()).sum();
        Snapshot {
            name: self.name(),
            limit: self.limit(),
            adaptive: self.with_config(|config| config.limit.is_none()),
            in_flight: self.in_flight(),
            queued: self.queued(),
            queue: self.queue().bound(),
            queue_age: self.queue_age(),
            expected_wait: self.expected_wait(Claim::new()),
            admitted: sum(|counts| &counts.admitted),
            waited: sum(|counts| &counts.waited),
            abandoned: sum(|counts| &counts.abandoned),
            cancelled: sum(|counts| &counts.cancelled),
            refused: Refusals {
                full: sum(|counts| &counts.full),
                too_late: sum(|counts| &counts.too_late),
                timed_out: sum(|counts| &counts.timed_out),
                displaced: sum(|counts| &counts.displaced),
                overdue: sum(|counts| &counts.overdue),
                too_large: sum(|counts| &counts.too_large),
            },
        }
    }
}
