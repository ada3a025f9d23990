use std::hash::Hash;
use std::task::{Context, Poll};

use seawall_core::sync::atomic::Ordering;
use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Admits, Ask, Ending, Entry, Name, Policy};

use super::limiter::KeyedLimiter;
use super::seed::SeededHash;
use crate::figures::Limits;
use crate::grant::Grant;
use crate::limit::Want;
use crate::meter::{Meter, Standing};
use crate::policy::Turn;
use crate::throttled::Throttled;

/// A call that never began gives its cell back; every other ending has used it. A call ends without its key: the grant knows it.
impl<K: ?Sized, S: Send + Sync> Policy for KeyedLimiter<K, S> {
    type Token = Grant;
    /// A turn that was promised.
    type Place = Turn;
    type Refusal = Throttled;

    const WAITS: bool = true;
    const SETTLES: bool = false;

    #[inline(always)]
    fn clock(&self) -> Option<&Clock> {
        Some(self.clock())
    }

    #[inline(always)]
    fn settle(&self, grant: Grant, ending: Ending<'_>, now: &Now<'_>) {
        if let Ending::Cancelled = ending {
            self.give_back(grant, now.get());
        }
    }

    fn wake_at(&self, turn: &Turn) -> Option<Timestamp> {
        Some(turn.at())
    }

    fn leave(&self, turn: Turn) {
        // Nobody has been told that the turn had come, so nobody has used it.
        if let Some(grant) = turn.into_grant() {
            self.give_back(grant, self.clock().now());
        }
    }
}

impl<K: Hash + ?Sized, S: SeededHash> Admits<K> for KeyedLimiter<K, S> {
    #[inline(always)]
    fn try_admit(&self, ask: &Ask<'_, K>) -> Result<Grant, Throttled> {
        self.decide(self.print(ask.call), Want::now(ask.now.get(), 1))
    }

    fn enter(&self, ask: &Ask<'_, K>) -> Result<Entry<Grant, Turn>, Throttled> {
        let now = ask.now.get();
        let max_wait = match ask.deadline {
            Some(deadline) => deadline.as_nanos().saturating_sub(now.as_nanos()),
            None => self.max_wait.load(Ordering::Relaxed),
        };
        let want = Want { now, cells: 1, max_wait };
        self.decide(self.print(ask.call), want).map(|grant| Turn::enter(grant, now))
    }

    fn poll_place(&self, ask: &Ask<'_, K>, turn: &mut Turn, _: &mut Context<'_>) -> Poll<Result<Grant, Throttled>> {
        turn.poll(ask.now.get(), || self.try_admit(ask))
    }
}

impl<K: Hash + ?Sized, S: SeededHash> Meter<K> for KeyedLimiter<K, S> {
    fn name(&self) -> Name {
        Self::name(self)
    }

    fn clock(&self) -> &Clock {
        Self::clock(self)
    }

    fn look(&self, key: &K, cells: u32, now: Timestamp) -> Standing {
        self.stand(self.print(key), cells, now)
    }

    fn take(&self, key: &K, cells: u32, now: Timestamp) -> Result<Grant, Throttled> {
        self.decide(self.print(key), Want::now(now, cells))
    }

    fn give_back(&self, grant: Grant, now: Timestamp) {
        Self::give_back(self, grant, now);
    }

    fn count_refused(&self, key: &K, now: Timestamp) {
        self.note_refused(self.print(key), now);
    }

    fn limits(&self, grant: &Grant) -> Limits {
        self.limits_of(grant)
    }
}
