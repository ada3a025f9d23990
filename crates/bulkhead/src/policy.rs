use std::task::{Context, Poll};
use std::time::Duration;

use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Admits, Ask, Claim, Ending, Entry, Place, Policy, Turn, Unserved};

use crate::compartment::Compartment;
use crate::full::{Full, Reason};

/// What an admitted call carries: what it gives back, and when it began, if that is measured.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub(crate) permits: u32,
    /// [`Timestamp::NEVER`] when calls are not timed.
    pub(crate) since: Timestamp,
}

/// A place in the queue.
#[derive(Debug)]
pub struct Waiting {
    place: Option<Place>,
    permits: u32,
    /// When it gives up.
    deadline: Timestamp,
}

/// Permits come back however a call ends; how it ended is told to an adaptive limit.
impl Policy for Compartment {
    type Token = Token;
    type Place = Waiting;
    type Refusal = Full;

    const WAITS: bool = true;
    const SCARCE: bool = true;

    #[inline(always)]
    fn clock(&self) -> Option<&Clock> {
        Some(self.clock())
    }

    #[inline(always)]
    fn settle(&self, token: Token, ending: Ending<'_>, now: &Now<'_>) {
        match ending {
            Ending::Abandoned => self.counts().lane().count(|counts| &counts.abandoned),
            Ending::Cancelled => self.counts().lane().count(|counts| &counts.cancelled),
            _ => {}
        }
        if token.since == Timestamp::NEVER {
            self.queue().release_many(token.permits, now);
            return;
        }
        let in_flight = self.queue().taken();
        self.queue().release_many(token.permits, now);
        self.learn(token, ending, in_flight, now);
    }

    #[inline]
    fn peek(&self, _now: &Now<'_>) -> Result<(), Full> {
        if self.queue().would_refuse(1) { Err(self.full(Reason::Full, 1, None)) } else { Ok(()) }
    }

    /// A call that may wait is only refused at once if there is no queue.
    fn peek_until(&self, now: &Now<'_>, _deadline: Option<Timestamp>) -> Result<(), Full> {
        if self.queue().bound() > 0 { Ok(()) } else { self.peek(now) }
    }

    fn renew(&self, token: &mut Token, now: &Now<'_>) -> Result<(), Full> {
        // What is measured is the call, not the time for which its permit was reserved.
        if token.since != Timestamp::NEVER {
            token.since = now.get();
        }
        Ok(())
    }

    fn wake_at(&self, waiting: &Waiting) -> Option<Timestamp> {
        Some(waiting.deadline)
    }

    fn leave(&self, waiting: Waiting) {
        if let Some(place) = waiting.place {
            self.queue().leave(place, &Now::new(Some(self.clock())));
        }
    }
}

impl Compartment {
    #[inline(always)]
    pub(crate) fn ask(&self, claim: Claim, now: &Now<'_>) -> Result<Token, Full> {
        let permits = claim.wanted();
        match self.queue().try_take_many(permits) {
            Ok(()) => Ok(self.token(permits, now)),
            Err(free) => Err(self.refuse_at_once(permits, free)),
        }
    }

    #[inline(never)]
    fn refuse_at_once(&self, permits: u32, free: u32) -> Full {
        if permits > self.queue().permits() {
            return self.refuse(Reason::TooLarge, permits, None);
        }
        self.counts().lane().count(|counts| &counts.full);
        self.full_beside(Reason::Full, permits, None, free)
    }

    pub(crate) fn line_up<Call: ?Sized>(
        &self,
        claim: Claim,
        ask: &Ask<'_, Call>,
    ) -> Result<Entry<Token, Waiting>, Full> {
        let permits = claim.wanted();
        let claim = claim.earlier(ask.deadline).or_within(self.max_wait());
        match self.queue().enter(claim, ask.now) {
            Turn::Now => Ok(Entry::Admitted(self.token(permits, ask.now))),
            Turn::Later(place) => {
                let deadline = claim.deadline_from(ask.now.get()).unwrap_or(Timestamp::NEVER);
                Ok(Entry::Queued(Waiting { place: Some(place), permits, deadline }))
            }
            Turn::Full => Err(self.tell(Reason::Full, permits, None, ask)),
            Turn::TooLate(wait) => Err(self.tell(Reason::TooLate, permits, wait, ask)),
            Turn::Never => Err(self.tell(Reason::TooLarge, permits, None, ask)),
        }
    }

    /// A reservation that is refused is asked for again when its call comes, and counted then.
    fn tell<Call: ?Sized>(&self, reason: Reason, permits: u32, wait: Option<Duration>, ask: &Ask<'_, Call>) -> Full {
        if ask.is_reservation() { self.full(reason, permits, wait) } else { self.refuse(reason, permits, wait) }
    }

    /// A turn that has come is taken even if the deadline has passed meanwhile: the permit is there.
    pub(crate) fn poll_turn<Call: ?Sized>(
        &self,
        ask: &Ask<'_, Call>,
        waiting: &mut Waiting,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Token, Full>> {
        let permits = waiting.permits;
        let Some(place) = &waiting.place else {
            return Poll::Ready(self.ask(Claim::new().permits(permits), ask.now));
        };
        let turn = match self.queue().poll(place, cx) {
            Poll::Ready(turn) => turn,
            Poll::Pending if ask.now.get() < waiting.deadline => return Poll::Pending,
            Poll::Pending => {
                if let Some(place) = waiting.place.take() {
                    self.queue().leave(place, ask.now);
                }
                return Poll::Ready(Err(self.tell(Reason::TimedOut, permits, None, ask)));
            }
        };
        waiting.place = None;
        Poll::Ready(match turn {
            Ok(()) => {
                self.counts().lane().count(|counts| &counts.waited);
                Ok(self.token(permits, ask.now))
            }
            Err(Unserved::Displaced) => Err(self.tell(Reason::Displaced, permits, None, ask)),
            Err(Unserved::Late) => Err(self.tell(Reason::Overdue, permits, None, ask)),
            Err(Unserved::Never) => Err(self.tell(Reason::TooLarge, permits, None, ask)),
        })
    }
}

/// Whatever the call is, it takes one permit, at normal priority. [`Claiming`](crate::Claiming) tells calls apart.
impl<Call: ?Sized> Admits<Call> for Compartment {
    #[inline(always)]
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<Token, Full> {
        self.ask(Claim::new(), ask.now)
    }

    fn enter(&self, ask: &Ask<'_, Call>) -> Result<Entry<Token, Waiting>, Full> {
        self.line_up(Claim::new(), ask)
    }

    fn poll_place(
        &self,
        ask: &Ask<'_, Call>,
        waiting: &mut Waiting,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Token, Full>> {
        self.poll_turn(ask, waiting, cx)
    }
}
