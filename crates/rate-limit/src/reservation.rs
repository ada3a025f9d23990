use std::fmt;
use std::time::Duration;

use seawall_core::time::Timestamp;

use crate::grant::Grant;
use crate::limiter::Limiter;

/// A turn that was promised: from [`act_at`](Self::act_at) on the cells may be used.
///
/// Turns are promised in the order of the questions and cannot be overtaken. Dropped before its turn, a reservation is given
/// back: as much of it as nobody has built upon who came later, and the rest once all of those have given up too. After its turn, or if its turn was at once, it counts as used;
/// [`keep`](Self::keep) it to use it whenever it is dropped.
#[must_use = "a reservation that is dropped before its turn is given back"]
pub struct Reservation<'a> {
    pub(crate) limiter: &'a Limiter,
    pub(crate) grant: Option<Grant>,
}

impl Reservation<'_> {
    /// From when on the cells may be used.
    pub fn act_at(&self) -> Timestamp {
        self.grant.as_ref().map_or(Timestamp::ZERO, Grant::act_at)
    }

    /// How many cells.
    pub fn cells(&self) -> u32 {
        self.grant.as_ref().map_or(0, Grant::cells)
    }

    /// How long after the question that is.
    pub fn wait(&self) -> Duration {
        self.grant.as_ref().map_or(Duration::ZERO, Grant::wait)
    }

    /// Keeps the cells, to be used from the turn on.
    #[expect(clippy::missing_panics_doc, reason = "it is there until the reservation is dropped")]
    pub fn keep(mut self) -> Grant {
        self.grant.take().expect("it is there until the reservation is dropped")
    }

    /// Waits for the turn. Dropped before, the future gives the reservation back.
    pub async fn turn(self) -> Grant {
        self.limiter.clock().sleep_until(self.act_at()).await;
        self.keep()
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if let Some(grant) = self.grant.take() {
            self.limiter.cancel(grant);
        }
    }
}

impl fmt::Debug for Reservation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").field("act_at", &self.act_at()).finish_non_exhaustive()
    }
}
