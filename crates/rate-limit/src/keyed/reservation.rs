use std::fmt;
use std::time::Duration;

use seawall_core::time::Timestamp;

use super::limiter::KeyedLimiter;
use crate::grant::Grant;

/// A key's turn that was promised: from [`act_at`](Self::act_at) on the cells may be used.
///
/// Turns of one key are promised in the order of the questions and cannot be overtaken. Dropped before its turn, a reservation is
/// given back: as much of it as nobody has built upon who came later. From its turn on it counts as used; [`keep`](Self::keep) it
/// to use it whenever it is dropped.
#[must_use = "a reservation that is dropped before its turn is given back"]
pub struct KeyedReservation<'a, K: ?Sized, S> {
    pub(super) limiter: &'a KeyedLimiter<K, S>,
    pub(super) grant: Option<Grant>,
}

impl<K: ?Sized, S> KeyedReservation<'_, K, S> {
    /// From when on the cells may be used.
    pub fn act_at(&self) -> Timestamp {
        self.grant.as_ref().map_or(Timestamp::ZERO, Grant::act_at)
    }

    /// How long after the question that is.
    pub fn wait(&self) -> Duration {
        self.grant.as_ref().map_or(Duration::ZERO, Grant::wait)
    }

    /// Keeps the cells, to be used from the turn on.
    pub fn keep(mut self) -> Grant {
        match self.grant.take() {
            Some(grant) => grant,
            None => unreachable!("it is there until the reservation is dropped"),
        }
    }

    /// Waits for the turn. Dropped before, the future gives the reservation back.
    pub async fn turn(self) -> Grant {
        self.limiter.clock().sleep_until(self.act_at()).await;
        self.keep()
    }
}

impl<K: ?Sized, S> Drop for KeyedReservation<'_, K, S> {
    fn drop(&mut self) {
        if let Some(grant) = self.grant.take() {
            self.limiter.cancel(grant);
        }
    }
}

impl<K: ?Sized, S> fmt::Debug for KeyedReservation<'_, K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedReservation").field("act_at", &self.act_at()).finish_non_exhaustive()
    }
}
