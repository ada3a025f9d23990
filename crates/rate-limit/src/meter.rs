//! What several limits in one decision, and headers, need of any limiter.

use seawall_core::Name;
use seawall_core::time::{Clock, Timestamp};

use crate::figures::{Figures, Limits};
use crate::grant::Grant;
use crate::limiter::Limiter;
use crate::throttled::Throttled;

/// What one limit would say to a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Standing {
    /// It has room.
    Passes { name: Name, figures: Figures, limits: Limits },
    /// It refuses.
    Refuses(Throttled),
}

/// A limiter of keys, asked with a time that was read already.
pub(crate) trait Meter<Key: ?Sized>: Send + Sync {
    fn name(&self) -> Name;
    fn clock(&self) -> &Clock;
    /// What it would say. Takes nothing, counts nothing.
    fn look(&self, key: &Key, cells: u32, now: Timestamp) -> Standing;
    /// Takes and counts.
    fn take(&self, key: &Key, cells: u32, now: Timestamp) -> Result<Grant, Throttled>;
    fn give_back(&self, grant: Grant, now: Timestamp);
    /// Counts a call that was refused after a look, for bursts too.
    fn count_refused(&self, key: &Key, now: Timestamp);
    /// The quota under which this was granted.
    fn limits(&self, grant: &Grant) -> Limits;
}

impl Meter<()> for Limiter {
    fn name(&self) -> Name {
        Self::name(self)
    }

    fn clock(&self) -> &Clock {
        Self::clock(self)
    }

    fn look(&self, (): &(), cells: u32, now: Timestamp) -> Standing {
        self.stand(cells, now)
    }

    fn take(&self, (): &(), cells: u32, now: Timestamp) -> Result<Grant, Throttled> {
        self.decide(crate::limit::Want::now(now, cells))
    }

    fn give_back(&self, grant: Grant, now: Timestamp) {
        Self::give_back(self, grant, now);
    }

    fn count_refused(&self, (): &(), now: Timestamp) {
        self.note_refused(now);
    }

    fn limits(&self, _: &Grant) -> Limits {
        Self::limits(self)
    }
}
