use seawall_core::Name;
use seawall_core::stripe::Tally;

use super::limiter::KeyedLimiter;
use crate::algorithm::Algorithm;
use crate::config::Mode;
use crate::limiter::Counts;
use crate::quota::Quota;

/// What is known of all keys together.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct KeyedSnapshot {
    /// Which instance.
    pub name: Name,
    /// How the limits are kept.
    pub algorithm: Algorithm,
    /// The quotas that hold, by class.
    pub quotas: Vec<Quota>,
    /// Whether they are enforced.
    pub mode: Mode,
    /// The share of the configured quotas that the load leaves.
    pub share: f64,
    /// How many keys have taken something that still counts: exact below 65 536 slots, above from a sample.
    pub keys: usize,
    /// For how many there is room.
    pub capacity: usize,
    /// How much memory the table takes, in bytes, however many keys there are.
    pub memory: usize,
    /// Calls that passed within the limit.
    pub admitted: u64,
    /// Calls that were refused.
    pub throttled: u64,
    /// Calls that passed beyond the limit, which is not enforced.
    pub shadowed: u64,
    /// Calls of those admitted that had to wait for their turn.
    pub waited: u64,
    /// Grants that were given back.
    pub given_back: u64,
    /// Bursts of calls.
    pub bursts: u64,
    /// Keys that were given a slot, each time anew.
    pub arrived: u64,
    /// Keys that had to go although they had taken something that counted: more than a few say that the capacity is too small.
    pub evicted_live: u64,
    /// Cells that newcomers were charged for the sake of keys that had to go.
    pub inherited: u64,
}

impl<K: ?Sized, S> KeyedLimiter<K, S> {
    /// What is known of all keys together. Looks at the table, and takes locks of it one after the other for a moment.
    pub fn snapshot(&self) -> KeyedSnapshot {
        let (algorithm, quotas, mode, share) = {
            let settings = self.settings.lock();
            (settings.each().algorithm, settings.quotas(), settings.each().mode, settings.share())
        };
        let keep = self.store.keep();
        let arrivals = keep.arrivals();
        let sum = |part: fn(&Counts) -> &Tally| self.counts.iter().map(|counts| part(counts).get()).sum();
        KeyedSnapshot {
            name: self.name,
            algorithm,
            quotas,
            mode,
            share,
            keys: keep.live(self.clock.now()),
            capacity: keep.capacity(),
            memory: keep.memory(),
            admitted: sum(|counts| &counts.admitted),
            throttled: sum(|counts| &counts.throttled),
            shadowed: sum(|counts| &counts.shadowed),
            waited: sum(|counts| &counts.waited),
            given_back: sum(|counts| &counts.given_back),
            bursts: sum(|counts| &counts.bursts),
            arrived: arrivals.arrived,
            evicted_live: arrivals.evicted_live,
            inherited: arrivals.inherited,
        }
    }
}
