use std::fmt;

use seawall_core::ConfigError;
use seawall_core::time::Clock;

use super::GcraCell;
use crate::limit::Refused;
use crate::quota::Quota;

/// A token bucket for all threads, and nothing beside it: no name, no counts, no receipts. One word, one compare-and-swap.
///
/// For who keeps books elsewhere and counts nanoseconds; a [`RateLimiter`](crate::RateLimiter) costs two of them more.
///
/// ```
/// use seawall_rate_limit::limit::{AtomicGcra, Refused};
/// use seawall_rate_limit::Quota;
///
/// let bucket = AtomicGcra::new(Quota::per_hour(2))?;
/// assert!(bucket.check_n(2).is_ok());
/// assert!(matches!(bucket.check(), Err(Refused::Later { .. })));
/// assert_eq!(bucket.check_n(3), Err(Refused::Never));
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
pub struct AtomicGcra {
    cell: GcraCell,
    clock: Clock,
}

impl AtomicGcra {
    /// The bucket of this quota, full, on the system's clock.
    ///
    /// # Errors
    /// If [`Gcra::new`](crate::limit::Gcra::new) refuses the quota.
    pub fn new(quota: Quota) -> Result<Self, ConfigError> {
        Self::with_clock(quota, Clock::system())
    }

    /// The bucket of this quota, full, on this clock. A clock that steps back locks nobody out for longer than the bucket takes to
    /// fill.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_clock(quota: Quota, clock: Clock) -> Result<Self, ConfigError> {
        Ok(Self { cell: GcraCell::new(quota, clock.now())?, clock })
    }

    /// Takes a cell if there is one.
    ///
    /// # Errors
    /// [`Refused::Later`] if there is none, and for how long.
    #[inline(always)]
    pub fn check(&self) -> Result<(), Refused> {
        self.check_n(1)
    }

    /// Takes so many cells if there are as many: all or none.
    ///
    /// # Errors
    /// [`Refused::Later`] if there are fewer, [`Refused::Never`] if there never are as many at once.
    #[inline(always)]
    pub fn check_n(&self, cells: u32) -> Result<(), Refused> {
        match self.cell.take(self.clock.now(), cells, 0, &self.clock) {
            Ok(_) => Ok(()),
            Err(denied) => Err(denied.refused),
        }
    }

    /// How many cells could be taken now.
    pub fn remaining(&self) -> u32 {
        self.cell.look(self.clock.now(), 0).map_or(0, |(figures, _)| figures.remaining())
    }
}

impl fmt::Debug for AtomicGcra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicGcra").field("quota", &self.cell.limits().quota()).finish_non_exhaustive()
    }
}
