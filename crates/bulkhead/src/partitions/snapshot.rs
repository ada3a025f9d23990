use std::time::Duration;

use seawall_core::Name;

use super::bulkhead::{Partitions, figure};
use super::full::Reason;
use super::room::{Kind, Room};

/// All that is known of a partitioned bulkhead at one moment. With feature `serde` it is written to any format.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// Which instance.
    pub name: Name,
    /// How many permits there are.
    pub limit: u32,
    /// How many are in use, but for those of names that pass by the limit.
    pub in_flight: u32,
    /// How many calls wait.
    pub queued: usize,
    /// How many may wait.
    pub queue: usize,
    /// Calls that were refused because nobody knows their partition.
    pub unknown: u64,
    /// The partitions in the order in which they were configured first; last those that pass by the limit, and those that
    /// were removed and have not ended.
    pub partitions: Vec<PartitionSnapshot>,
}

/// All that is known of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PartitionSnapshot {
    /// Which one.
    pub name: Name,
    /// How many permits are its own; 0 if it passes by the limit, or was removed.
    pub share: u32,
    /// Whether its calls pass by the limit.
    pub bypass: bool,
    /// Whether it was removed and has not ended.
    pub closing: bool,
    /// How many permits it has in use.
    pub in_flight: u32,
    /// How many of those lie beyond its share.
    pub borrowed: u32,
    /// How many of its calls wait.
    pub queued: usize,
    /// For how long its queue has not been empty, in seconds; zero when it is.
    #[cfg_attr(feature = "serde", serde(rename = "queue_age_seconds", with = "seawall_core::observe::seconds"))]
    pub queue_age: Duration,
    /// Calls that were admitted.
    pub admitted: u64,
    /// Calls of those admitted that had to wait.
    pub waited: u64,
    /// Calls that got permits beyond the share, all or some.
    pub borrowing: u64,
    /// Calls of those admitted whose permit was dropped without a word of how they ended.
    pub abandoned: u64,
    /// Calls that were refused, for whatever reason.
    pub refused: u64,
}

impl Partitions {
    /// All that is known at this moment. Takes the lock for a moment.
    pub fn snapshot(&self) -> Snapshot {
        let now = self.clock.now();
        let locked = self.locked.lock();
        let part = |room: &Room| PartitionSnapshot {
            name: room.name,
            share: room.share,
            bypass: room.kind == Kind::Bypass,
            closing: room.kind == Kind::Closing,
            in_flight: figure(room.in_flight),
            borrowed: if room.kind == Kind::Bypass {
                0
            } else {
                figure(room.in_flight.saturating_sub(room.share.into()))
            },
            queued: room.line.waiting(),
            queue_age: room.line.standing(now),
            admitted: room.counts.admitted,
            waited: room.counts.waited,
            borrowing: room.counts.borrowed,
            abandoned: room.counts.abandoned,
            refused: room.counts.refused.iter().sum(),
        };
        let mut partitions: Vec<_> = locked.state.rooms().map(part).collect();
        partitions.sort_by_key(|part| (part.closing, part.bypass));
        Snapshot {
            name: self.name,
            limit: locked.state.limit,
            in_flight: figure(locked.state.in_flight()),
            queued: locked.state.waiting(),
            queue: locked.state.bound,
            unknown: locked.unknown,
            partitions,
        }
    }

    /// What was refused, by partition and reason.
    pub(super) fn refusals(&self) -> Vec<(Name, [u64; Reason::COUNT])> {
        self.locked.lock().state.rooms().map(|room| (room.name, room.counts.refused)).collect()
    }
}
