use std::time::Duration;

use seawall_core::Name;

/// All that is known of a [`Timeout`](crate::Timeout) at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TimeoutSnapshot {
    /// Whose time it is.
    pub name: Name,
    /// How long a call may take, in seconds.
    #[cfg_attr(feature = "serde", serde(rename = "duration_seconds", with = "seawall_core::observe::seconds"))]
    pub duration: Duration,
    /// What was counted since it was made.
    pub total: TimeoutTotal,
}

/// Calls, by how they ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TimeoutTotal {
    /// Calls that ended in time, whatever their result.
    pub in_time: u64,
    /// Calls that took longer than they may.
    pub elapsed: u64,
    /// Calls that were out when their caller's deadline passed.
    pub deadline: u64,
    /// Calls that never began, because their caller's deadline had passed.
    pub refused: u64,
    /// Calls that were dropped by others, or panicked.
    pub abandoned: u64,
}
