use std::ops::AddAssign;
use std::time::Duration;

use seawall_core::Name;

/// All that is known of a throttle at one moment.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// Which throttle.
    pub name: Name,
    /// The window's requests: calls that asked, refused ones too, without those that were taken back.
    pub requests: u64,
    /// The window's calls that were accepted.
    pub accepts: u64,
    /// The window's calls that were refused here.
    pub refused: u64,
    /// With which probability the next call is refused: 0 to 1.
    pub probability: f64,
    /// The probability that is [held](crate::Throttle::hold) by hand.
    pub held: Option<f64>,
    /// How long it has been throttling, in seconds. Just after the probability fell to 0 it still is: see
    /// [`Event`](super::Event).
    #[cfg_attr(
        feature = "serde",
        serde(rename = "throttling_seconds", with = "seawall_core::observe::seconds::option")
    )]
    pub throttling: Option<Duration>,
    /// What was counted since the throttle was made.
    pub total: Total,
}

/// What was counted since a throttle was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Total {
    /// Calls that asked or were recorded: refused ones too, and those that were taken back.
    pub requests: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Calls that were accepted.
    pub successes: u64,
    /// Calls that failed or panicked.
    pub failures: u64,
    /// Calls that were dropped before their end.
    pub abandoned: u64,
    /// Calls that said nothing about the dependency.
    pub ignored: u64,
    /// Calls that ended after what had been counted was forgotten, and counted nowhere.
    pub stale: u64,
    /// How many times throttling began.
    pub episodes: u64,
}

impl AddAssign for Total {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.refused += other.refused;
        self.successes += other.successes;
        self.failures += other.failures;
        self.abandoned += other.abandoned;
        self.ignored += other.ignored;
        self.stale += other.stale;
        self.episodes += other.episodes;
    }
}

impl Total {
    pub(super) const fn since(self, before: &Self) -> Self {
        Self {
            requests: self.requests - before.requests,
            refused: self.refused - before.refused,
            successes: self.successes - before.successes,
            failures: self.failures - before.failures,
            abandoned: self.abandoned - before.abandoned,
            ignored: self.ignored - before.ignored,
            stale: self.stale - before.stale,
            episodes: self.episodes - before.episodes,
        }
    }
}
