use std::time::Duration;

use seawall_core::Name;
use seawall_core::stripe::Tally;

use crate::algorithm::Algorithm;
use crate::cell::Denied;
use crate::config::Mode;
use crate::limiter::{Counts, Limiter};
use crate::quota::Quota;

/// All that is known of a limiter at one moment. With feature `serde` it is written to any format.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// Which instance.
    pub name: Name,
    /// How the limit is kept.
    pub algorithm: Algorithm,
    /// The quota that holds.
    pub quota: Quota,
    /// The share of the configured quota that the load leaves.
    pub share: f64,
    /// Whether the limit is enforced.
    pub mode: Mode,
    /// How many cells could be taken now.
    pub remaining: u32,
    /// After how long everything will be as if nothing had ever been taken, if nothing more is; in seconds.
    #[cfg_attr(feature = "serde", serde(rename = "reset_after_seconds", with = "seawall_core::observe::seconds"))]
    pub reset_after: Duration,
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
}

impl Limiter {
    /// All that is known at this moment. Takes a lock for a moment; counts are exact once the calls are quiet.
    pub fn snapshot(&self) -> Snapshot {
        let (algorithm, share, mode) = self.configured();
        let (figures, limits) = match self.look() {
            Ok(standing) => standing,
            Err(Denied { figures, limits, .. }) => (figures, limits),
        };
        let sum = |part: fn(&Counts) -> &Tally| self.counts().map(|counts| part(counts).get()).sum();
        Snapshot {
            name: self.name(),
            algorithm,
            quota: limits.quota(),
            share,
            mode,
            remaining: figures.remaining(),
            reset_after: figures.reset_after(),
            admitted: sum(|counts| &counts.admitted),
            throttled: sum(|counts| &counts.throttled),
            shadowed: sum(|counts| &counts.shadowed),
            waited: sum(|counts| &counts.waited),
            given_back: sum(|counts| &counts.given_back),
            bursts: sum(|counts| &counts.bursts),
        }
    }
}
