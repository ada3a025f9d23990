use std::error::Error;
use std::fmt;
use std::time::Duration;

use seawall_core::{Kind, Name, Rejection};

/// Why a partitioned bulkhead did not let a call through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Reason {
    /// Nothing is free for its partition, and the queue is full.
    Full,
    /// Its turn was expected after its deadline, so it did not wait at all.
    TooLate,
    /// It waited as long as it might.
    TimedOut,
    /// The queue was full, and a call came that goes before it.
    Displaced,
    /// It had waited longer than the target in a partition where somebody always waits.
    Overdue,
    /// It asks for more than the limit: it will never pass.
    TooLarge,
    /// There is no partition of its name, and none for such calls.
    UnknownPartition,
}

impl Reason {
    pub(super) const ALL: [Self; 7] = [
        Self::Full,
        Self::TooLate,
        Self::TimedOut,
        Self::Displaced,
        Self::Overdue,
        Self::TooLarge,
        Self::UnknownPartition,
    ];
    pub(super) const COUNT: usize = Self::ALL.len();

    pub(super) const fn kind(self) -> &'static Kind {
        static FULL: Kind = Kind::new("bulkhead", "full");
        static TOO_LATE: Kind = Kind::new("bulkhead", "too_late");
        static TIMED_OUT: Kind = Kind::new("bulkhead", "timed_out");
        static DISPLACED: Kind = Kind::new("bulkhead", "displaced");
        static OVERDUE: Kind = Kind::new("bulkhead", "overdue");
        static TOO_LARGE: Kind = Kind::new("bulkhead", "too_large");
        static UNKNOWN: Kind = Kind::new("bulkhead", "unknown_partition");
        match self {
            Self::Full => &FULL,
            Self::TooLate => &TOO_LATE,
            Self::TimedOut => &TIMED_OUT,
            Self::Displaced => &DISPLACED,
            Self::Overdue => &OVERDUE,
            Self::TooLarge => &TOO_LARGE,
            Self::UnknownPartition => &UNKNOWN,
        }
    }

    /// As in metrics.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::TooLate => "too_late",
            Self::TimedOut => "timed_out",
            Self::Displaced => "displaced",
            Self::Overdue => "overdue",
            Self::TooLarge => "too_large",
            Self::UnknownPartition => "unknown_partition",
        }
    }
}

/// The partitioned bulkhead did not let the call through.
///
/// `Copy`, and made without an allocation. Its `source()` is the [`Rejection`], so that [`Rejection::find`] finds it behind any
/// box.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Full {
    rejection: Rejection,
    reason: Reason,
    partition: Option<Name>,
    figures: Figures,
}

/// What a bulkhead looked like when it refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) limit: u32,
    pub(super) in_flight: u32,
    pub(super) queued: u32,
    pub(super) share: u32,
    pub(super) partition_in_flight: u32,
    pub(super) partition_queued: u32,
    /// What the call asked for.
    pub(super) permits: u32,
}

impl Full {
    pub(super) const fn new(
        name: Name,
        partition: Option<Name>,
        reason: Reason,
        figures: Figures,
        retry_after: Option<Duration>,
    ) -> Self {
        let rejection = Rejection::new(reason.kind(), name);
        let rejection = match retry_after {
            Some(after) => rejection.after(after),
            None => rejection,
        };
        Self { rejection, reason, partition, figures }
    }

    /// Which bulkhead refused.
    pub const fn name(&self) -> Name {
        self.rejection.name()
    }

    /// Which partition the call was of; `None` if there is none of its name, or if the bulkhead was full whatever the call.
    pub const fn partition(&self) -> Option<Name> {
        self.partition
    }

    /// Why.
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// How many permits there were.
    pub const fn limit(&self) -> u32 {
        self.figures.limit
    }

    /// How many permits were in use, of all partitions.
    pub const fn in_flight(&self) -> u32 {
        self.figures.in_flight
    }

    /// How many calls waited, of all partitions.
    pub const fn queued(&self) -> u32 {
        self.figures.queued
    }

    /// How many permits were the partition's own.
    pub const fn share(&self) -> u32 {
        self.figures.share
    }

    /// How many permits the partition had in use.
    pub const fn partition_in_flight(&self) -> u32 {
        self.figures.partition_in_flight
    }

    /// How many calls of the partition waited.
    pub const fn partition_queued(&self) -> u32 {
        self.figures.partition_queued
    }

    /// How many permits the call asked for.
    pub const fn permits(&self) -> u32 {
        self.figures.permits
    }

    /// How long a call that came now and waited behind all others of its partition would wait, as fast as they got their
    /// turns lately. `None` if that is not known, or if the call will [never](Self::is_never) pass.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.rejection.retry_after()
    }

    /// Whether waiting does not help: the call asks for more than the limit, or its partition is unknown.
    pub const fn is_never(&self) -> bool {
        matches!(self.reason, Reason::TooLarge | Reason::UnknownPartition)
    }
}

impl From<Full> for Rejection {
    #[inline]
    fn from(full: Full) -> Self {
        full.rejection
    }
}

impl fmt::Debug for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Full")
            .field("name", &self.name())
            .field("partition", &self.partition)
            .field("reason", &self.reason)
            .field("limit", &self.limit())
            .field("in_flight", &self.in_flight())
            .field("queued", &self.queued())
            .field("share", &self.share())
            .field("partition_in_flight", &self.partition_in_flight())
            .field("partition_queued", &self.partition_queued())
            .field("permits", &self.permits())
            .field("retry_after", &self.retry_after())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, Figures { limit, in_flight, queued, permits, .. }) = (self.name(), self.figures);
        match self.reason {
            Reason::Full => write!(f, "the bulkhead `{name}` is full")?,
            Reason::TooLate => write!(f, "a turn in the bulkhead `{name}` is expected after the deadline")?,
            Reason::TimedOut => write!(f, "the bulkhead `{name}` had no turn in time")?,
            Reason::Displaced => write!(f, "the bulkhead `{name}` gave the place to a call that goes before")?,
            Reason::Overdue => write!(f, "the call waited too long for the bulkhead `{name}`")?,
            Reason::TooLarge => {
                return write!(f, "{permits} permits are more than the limit {limit} of the bulkhead `{name}`");
            }
            Reason::UnknownPartition => return write!(f, "the bulkhead `{name}` has no such partition"),
        }
        write!(f, ": {in_flight} of {limit} in use, {queued} queued")?;
        if let Some(partition) = self.partition {
            let Figures { share, partition_in_flight, partition_queued, .. } = self.figures;
            write!(f, "; `{partition}` has {partition_in_flight}, its share is {share}, {partition_queued} queued")?;
        }
        match self.retry_after() {
            Some(after) => write!(f, ", retry after {after:?}"),
            None => Ok(()),
        }
    }
}

impl Error for Full {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}
