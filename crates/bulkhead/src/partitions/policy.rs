use std::task::{Context, Poll};
use std::time::Duration;

use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::wait::Found;
use seawall_core::{Admits, Ask, Ending, Entry, Place, Policy, Unserved};

use super::asks::Asks;
use super::bulkhead::{Locked, Partitions, figure};
use super::full::{Figures, Full, Reason};
use super::state::Turn;

/// What an admitted call carries: what it gives back, and to whom.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    at: usize,
    permits: u32,
}

/// A place in the queue.
#[derive(Debug)]
pub struct Waiting {
    place: Place,
    at: usize,
    permits: u32,
    /// When it gives up.
    deadline: Timestamp,
}

/// Permits come back however a call ends.
impl Policy for Partitions {
    type Token = Token;
    type Place = Waiting;
    type Refusal = Full;

    const WAITS: bool = true;
    const SCARCE: bool = true;

    fn clock(&self) -> Option<&Clock> {
        Some(&self.clock)
    }

    fn settle(&self, token: Token, ending: Ending<'_>, now: &Now<'_>) {
        let has_to_serve = {
            let state = &mut self.locked.lock().state;
            if let Ending::Abandoned = ending {
                state.room_mut(token.at).counts.abandoned += 1;
            }
            state.release(token.at, token.permits);
            state.has_to_serve()
        };
        // The clock is read outside of the lock. Whoever takes what is free meanwhile would have been served before.
        if has_to_serve {
            self.serve(now.get());
        }
    }

    fn peek(&self, _now: &Now<'_>) -> Result<(), Full> {
        let locked = self.locked.lock();
        if locked.state.is_shut() { Err(self.full(&locked, None, Reason::Full, 1, None)) } else { Ok(()) }
    }

    /// A call that may wait is only refused at once if there is no queue.
    fn peek_until(&self, now: &Now<'_>, _deadline: Option<Timestamp>) -> Result<(), Full> {
        if self.locked.lock().state.bound > 0 { Ok(()) } else { self.peek(now) }
    }

    fn wake_at(&self, waiting: &Waiting) -> Option<Timestamp> {
        Some(waiting.deadline)
    }

    fn leave(&self, waiting: Waiting) {
        let (waker, has_to_serve) = {
            let state = &mut self.locked.lock().state;
            (state.leave(waiting.at, &waiting.place), state.has_to_serve())
        };
        drop(waker);
        // Whoever asks for less than the one who left may be served by what is free already.
        if has_to_serve {
            self.serve(self.clock.now());
        }
    }
}

impl Partitions {
    /// The refusal, uncounted.
    fn full(&self, locked: &Locked, at: Option<usize>, reason: Reason, permits: u32, wait: Option<Duration>) -> Full {
        let state = &locked.state;
        let mut figures = Figures {
            limit: state.limit,
            in_flight: figure(state.in_flight()),
            queued: figure(state.waiting()),
            permits,
            ..Figures::default()
        };
        let Some(room) = at.map(|at| state.room(at)) else {
            return Full::new(self.name, None, reason, figures, None);
        };
        figures.share = room.share;
        figures.partition_in_flight = figure(room.in_flight);
        figures.partition_queued = figure(room.line.waiting());
        let wait = if reason == Reason::TooLarge { None } else { wait.or_else(|| room.usual_wait(permits)) };
        Full::new(self.name, Some(room.name), reason, figures, wait)
    }

    fn refuse(&self, locked: &mut Locked, at: usize, reason: Reason, permits: u32, wait: Option<Duration>) -> Full {
        locked.state.room_mut(at).counts.refused[reason as usize] += 1;
        self.full(locked, Some(at), reason, permits, wait)
    }

    fn unknown(&self, locked: &mut Locked, permits: u32) -> Full {
        locked.unknown += 1;
        self.full(locked, None, Reason::UnknownPartition, permits, None)
    }

    pub(super) fn poll_turn(&self, now: &Now<'_>, waiting: &Waiting, cx: &Context<'_>) -> Poll<Result<Token, Full>> {
        let Waiting { place, at, permits, deadline } = waiting;
        let (at, permits) = (*at, *permits);
        let is_over = now.get() >= *deadline;
        // Wakers are the executor's code: they are cloned and dropped outside of the lock.
        let mut waker = (!is_over).then(|| cx.waker().clone());
        let mut locked = self.locked.lock();
        // A turn that has come is taken even if the deadline has passed meanwhile: the permit is there.
        let turn = match locked.state.look(at, place, is_over, &mut waker) {
            Found::Granted { .. } => {
                let counts = &mut locked.state.room_mut(at).counts;
                counts.admitted += 1;
                counts.waited += 1;
                Ok(Token { at, permits })
            }
            Found::Waiting if is_over => Err(self.refuse(&mut locked, at, Reason::TimedOut, permits, None)),
            Found::Waiting | Found::Gone => {
                drop(locked);
                return Poll::Pending;
            }
            Found::Unserved(why) => {
                let reason = match why {
                    Unserved::Displaced => Reason::Displaced,
                    Unserved::Late => Reason::Overdue,
                    Unserved::Never => Reason::TooLarge,
                };
                Err(self.refuse(&mut locked, at, reason, permits, None))
            }
        };
        let has_to_serve = turn.is_err() && locked.state.has_to_serve();
        drop(locked);
        if has_to_serve {
            self.serve(now.get());
        }
        Poll::Ready(turn)
    }
}

impl<A: Asks + ?Sized> Admits<A> for Partitions {
    fn try_admit(&self, ask: &Ask<'_, A>) -> Result<Token, Full> {
        let permits = ask.call.claim().wanted();
        let mut locked = self.locked.lock();
        let Some(at) = locked.state.find(&ask.call.key()) else { return Err(self.unknown(&mut locked, permits)) };
        if locked.state.try_take(at, permits) {
            locked.state.room_mut(at).counts.admitted += 1;
            return Ok(Token { at, permits });
        }
        let reason = if permits > locked.state.limit { Reason::TooLarge } else { Reason::Full };
        Err(self.refuse(&mut locked, at, reason, permits, None))
    }

    fn enter(&self, ask: &Ask<'_, A>) -> Result<Entry<Token, Waiting>, Full> {
        let claim = ask.call.claim().earlier(ask.deadline);
        let (permits, now) = (claim.wanted(), ask.now.get());
        let mut locked = self.locked.lock();
        let Some(at) = locked.state.find(&ask.call.key()) else { return Err(self.unknown(&mut locked, permits)) };
        let (turn, displaced) = locked.state.enter(at, claim, now);
        let turn = match turn {
            Turn::Now => {
                locked.state.room_mut(at).counts.admitted += 1;
                Ok(Entry::Admitted(Token { at, permits }))
            }
            Turn::Later(place) => {
                let deadline = claim.deadline().unwrap_or_else(|| Self::deadline(&locked, now));
                Ok(Entry::Queued(Waiting { place, at, permits, deadline }))
            }
            Turn::Full => Err(self.refuse(&mut locked, at, Reason::Full, permits, None)),
            Turn::TooLate(wait) => Err(self.refuse(&mut locked, at, Reason::TooLate, permits, Some(wait))),
            Turn::Never => Err(self.refuse(&mut locked, at, Reason::TooLarge, permits, None)),
        };
        // It may go before one that waits for more than is free, or may have displaced it.
        let has_to_serve = displaced.is_some() || (turn.is_ok() && locked.state.waiting() > 1);
        drop(locked);
        if let Some(waker) = displaced {
            waker.wake();
        }
        if has_to_serve {
            self.serve(now);
        }
        turn
    }

    fn poll_place(&self, ask: &Ask<'_, A>, waiting: &mut Waiting, cx: &mut Context<'_>) -> Poll<Result<Token, Full>> {
        self.poll_turn(ask.now, waiting, cx)
    }
}
