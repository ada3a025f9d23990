use seawall_core::Name;
use seawall_core::observe::Observer;

/// A rare change of a partitioned bulkhead: told to its observer and as a `tracing` event with target `seawall::bulkhead`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Another configuration holds from now on. What it adds and removes is told before.
    Reconfigured {
        /// Which bulkhead.
        name: Name,
        /// The limit before.
        from: u32,
        /// The limit now.
        to: u32,
    },
    /// A [resize](super::Partitions::resize) changed the limit, and so the shares.
    LimitChanged {
        /// Which bulkhead.
        name: Name,
        /// The limit before.
        from: u32,
        /// The limit now.
        to: u32,
    },
    /// Calls of this partition are known from now on.
    PartitionAdded {
        /// Which bulkhead.
        name: Name,
        /// Which partition.
        partition: Name,
    },
    /// Calls of this partition are unknown from now on. Those that are out, or wait, go on to their end.
    PartitionRemoved {
        /// Which bulkhead.
        name: Name,
        /// Which partition.
        partition: Name,
    },
}

impl Event {
    /// Tells it to `tracing` and to the observer; no lock is held.
    pub(super) fn tell(&self, observer: Option<&dyn Observer<Self>>) {
        match self {
            Self::Reconfigured { name, from, to } => {
                tracing::info!(target: "seawall::bulkhead", %name, from, to, "reconfigured");
            }
            Self::LimitChanged { name, from, to } => {
                tracing::debug!(target: "seawall::bulkhead", %name, from, to, "limit changed");
            }
            Self::PartitionAdded { name, partition } => {
                tracing::info!(target: "seawall::bulkhead", %name, %partition, "partition added");
            }
            Self::PartitionRemoved { name, partition } => {
                tracing::info!(target: "seawall::bulkhead", %name, %partition, "partition removed");
            }
        }
        if let Some(observer) = observer {
            observer.observe(self);
        }
    }
}
