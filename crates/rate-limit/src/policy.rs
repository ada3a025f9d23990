use std::task::{Context, Poll};

use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Admits, Ask, Ending, Entry, Policy};

use crate::grant::Grant;
use crate::limit::Want;
use crate::limiter::Limiter;
use crate::throttled::Throttled;

/// A call that never began gives its cells back; every other ending has used them.
impl Policy for Limiter {
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

    #[inline]
    fn peek(&self, now: &Now<'_>) -> Result<(), Throttled> {
        self.peeks(now)
    }

    fn peek_until(&self, now: &Now<'_>, deadline: Option<Timestamp>) -> Result<(), Throttled> {
        let now = now.get();
        self.glance(now, deadline.map_or_else(|| self.max_wait(), |at| at.as_nanos().saturating_sub(now.as_nanos())))
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

/// A place in the order of turns.
#[derive(Debug)]
pub struct Turn {
    at: Timestamp,
    grant: Option<Grant>,
}

impl Turn {
    /// The cells at once, or a turn for them.
    pub(crate) fn enter(grant: Grant, now: Timestamp) -> Entry<Grant, Self> {
        let at = grant.act_at();
        if at > now { Entry::Queued(Self { at, grant: Some(grant) }) } else { Entry::Admitted(grant) }
    }

    pub(crate) const fn at(&self) -> Timestamp {
        self.at
    }

    /// The cells once the turn has come. Whoever asks again after it has taken them asks anew.
    pub(crate) fn poll(
        &mut self,
        now: Timestamp,
        ask_anew: impl FnOnce() -> Result<Grant, Throttled>,
    ) -> Poll<Result<Grant, Throttled>> {
        if now < self.at {
            return Poll::Pending;
        }
        Poll::Ready(self.grant.take().map_or_else(ask_anew, Ok))
    }

    /// The cells, if the turn was left.
    pub(crate) fn into_grant(self) -> Option<Grant> {
        self.grant
    }
}

impl Limiter {
    #[inline(always)]
    pub(crate) fn ask<Call: ?Sized>(&self, ask: &Ask<'_, Call>, cells: u32) -> Result<Grant, Throttled> {
        self.decide(Want::now(ask.now.get(), cells))
    }

    pub(crate) fn line_up<Call: ?Sized>(
        &self,
        ask: &Ask<'_, Call>,
        cells: u32,
    ) -> Result<Entry<Grant, Turn>, Throttled> {
        let now = ask.now.get();
        let max_wait = match ask.deadline {
            Some(deadline) => deadline.as_nanos().saturating_sub(now.as_nanos()),
            None => self.max_wait(),
        };
        self.decide(Want { now, cells, max_wait }).map(|grant| Turn::enter(grant, now))
    }

    pub(crate) fn poll_turn<Call: ?Sized>(
        &self,
        ask: &Ask<'_, Call>,
        turn: &mut Turn,
        cells: u32,
    ) -> Poll<Result<Grant, Throttled>> {
        turn.poll(ask.now.get(), || self.ask(ask, cells))
    }
}

/// Whatever the call is, it takes one cell. [`Weighed`](crate::Weighed) takes others.
impl<Call: ?Sized> Admits<Call> for Limiter {
    #[inline(always)]
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<Grant, Throttled> {
        self.ask(ask, 1)
    }

    fn enter(&self, ask: &Ask<'_, Call>) -> Result<Entry<Grant, Turn>, Throttled> {
        self.line_up(ask, 1)
    }

    fn poll_place(&self, ask: &Ask<'_, Call>, turn: &mut Turn, _: &mut Context<'_>) -> Poll<Result<Grant, Throttled>> {
        self.poll_turn(ask, turn, 1)
    }
}
