//! Those who wait for a circuit to change.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};

use seawall_core::time::{Now, Timestamp};
use seawall_core::{Claim, Turn};

use super::Breaker;
use crate::event::State;
use crate::watch::Watch;

impl Breaker {
    /// Makes the transitions that time brings when they are due, instead of when the next call asks, and tells observers then.
    /// It never ends: spawn it where the runtime is, and abort it, or drop it, when the transitions need not be timely any
    /// more. Calls are treated the same with it and without it.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing but that.
    ///
    /// ```
    /// use seawall_circuit_breaker::{CircuitBreaker, Config};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let breaker = CircuitBreaker::new(Config::classic().name("payment"))?;
    /// let followed = breaker.clone();
    /// let following = tokio::spawn(async move { followed.follow_time().await });
    /// # following.abort();
    /// # Ok(())
    /// # }
    /// ```
    pub async fn follow_time(&self) -> Infallible {
        loop {
            let mut follower = Follower::of(self);
            // Whatever changes from here on gives the place its turn.
            let at = self.next_change();
            let mut alarm = pin!(self.clock().sleep_until(at));
            poll_fn(|cx| match follower.poll(cx) {
                Poll::Pending if at != Timestamp::NEVER => alarm.as_mut().poll(cx),
                turn => turn,
            })
            .await;
        }
    }

    pub(crate) fn watch(&self) -> &Watch {
        self.watch.get_or_init(|| Box::new(Watch::new()))
    }

    /// Whether the gate is half-open. Nothing but a look.
    pub(crate) fn is_half_open(&self) -> bool {
        self.gate().state() == State::HalfOpen
    }

    /// What a half-open circuit has left to give, after all that time has brought; `None` if it is not half-open.
    pub(crate) fn half_open_with(&self, now: &Now<'_>) -> Option<Left> {
        let at = now.get();
        self.locked(|locked, events| {
            locked.machine.tick(at, events);
            let left = locked.machine.probes_left().map_or(Left::Share, Left::Probes);
            (locked.machine.state() == State::HalfOpen).then_some(left)
        })
    }

    /// When time alone changes the state next.
    pub(crate) fn next_change(&self) -> Timestamp {
        let now = self.clock().now();
        self.locked(|locked, events| {
            locked.machine.tick(now, events);
            locked.machine.next_change()
        })
    }
}

/// What a half-open circuit has left to give.
#[derive(Clone, Copy)]
pub(crate) enum Left {
    /// So many probes.
    Probes(u64),
    /// A share of the calls that come.
    Share,
}

/// Whoever follows a breaker's time, until the next change.
struct Follower<'a> {
    breaker: &'a Breaker,
    place: Turn,
}

impl<'a> Follower<'a> {
    fn of(breaker: &'a Breaker) -> Self {
        let now = Now::new(Some(breaker.clock()));
        Self { breaker, place: breaker.watch().followers.enter(Claim::new(), &now) }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Turn::Later(place) = &self.place else {
            return Poll::Ready(());
        };
        // Nobody is pushed out of this line, so a place that is ready has its turn.
        if self.breaker.watch().followers.poll(place, cx).is_pending() {
            return Poll::Pending;
        }
        self.place = Turn::Now;
        Poll::Ready(())
    }
}

impl Drop for Follower<'_> {
    fn drop(&mut self) {
        if let Turn::Later(place) = std::mem::replace(&mut self.place, Turn::Full) {
            self.breaker.watch().followers.leave(place, &Now::new(Some(self.breaker.clock())));
        }
    }
}
