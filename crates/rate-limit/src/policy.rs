use std::task::{Context, Poll};

use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Admits, Ask, Ending, Entry, Policy};

use crate::grant::Grant;
use crate::limit::Want;
use crate::limiter::Limiter;
use crate::throttled::Throttled;

/// How many cells a call takes: for [`with`](seawall_core::Shared::with) and [`by`](seawall_core::Shared::by).
///
/// ```
/// use seawall_rate_limit::{Cells, Config, Quota, RateLimiter};
///
/// let bytes = RateLimiter::new(Config::new(Quota::per_second(1_000)))?;
/// bytes.with(&Cells(800)).try_admit().expect("fewer than a thousand").success();
/// assert!(bytes.with(&Cells(800)).try_admit().is_err());
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cells(pub u32);

/// A call that never began gives its cells back; every other ending has used them.
impl Policy for Limiter {
    type Token = Grant;
    /// A turn that was promised.
    type Place = Turn;
    type Refusal = Throttled;

    const WAITS: bool = true;

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
        self.glance(now.get())
    }

    fn wake_at(&self, turn: &Turn) -> Option<Timestamp> {
        Some(turn.at)
    }

    fn leave(&self, turn: Turn) {
        // Nobody has been told that the turn had come, so nobody has used it.
        if let Some(grant) = turn.grant {
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

impl Limiter {
    #[inline(always)]
    fn ask<Call: ?Sized>(&self, ask: &Ask<'_, Call>, cells: u32) -> Result<Grant, Throttled> {
        self.decide(Want::now(ask.now.get(), cells))
    }

    fn line_up<Call: ?Sized>(&self, ask: &Ask<'_, Call>, cells: u32) -> Result<Entry<Grant, Turn>, Throttled> {
        let now = ask.now.get();
        let max_wait = match ask.deadline {
            Some(deadline) => deadline.as_nanos().saturating_sub(now.as_nanos()),
            None => self.max_wait(),
        };
        let grant = self.decide(Want { now, cells, max_wait })?;
        let at = grant.act_at();
        Ok(if at > now { Entry::Queued(Turn { at, grant: Some(grant) }) } else { Entry::Admitted(grant) })
    }

    fn poll_turn<Call: ?Sized>(
        &self,
        ask: &Ask<'_, Call>,
        turn: &mut Turn,
        cells: u32,
    ) -> Poll<Result<Grant, Throttled>> {
        if ask.now.get() < turn.at {
            return Poll::Pending;
        }
        Poll::Ready(match turn.grant.take() {
            Some(grant) => Ok(grant),
            None => self.ask(ask, cells),
        })
    }
}

impl Admits for Limiter {
    #[inline(always)]
    fn try_admit(&self, ask: &Ask<'_, ()>) -> Result<Grant, Throttled> {
        self.ask(ask, 1)
    }

    fn enter(&self, ask: &Ask<'_, ()>) -> Result<Entry<Grant, Turn>, Throttled> {
        self.line_up(ask, 1)
    }

    fn poll_place(&self, ask: &Ask<'_, ()>, turn: &mut Turn, _: &mut Context<'_>) -> Poll<Result<Grant, Throttled>> {
        self.poll_turn(ask, turn, 1)
    }
}

impl Admits<Cells> for Limiter {
    #[inline(always)]
    fn try_admit(&self, ask: &Ask<'_, Cells>) -> Result<Grant, Throttled> {
        self.ask(ask, ask.call.0)
    }

    fn enter(&self, ask: &Ask<'_, Cells>) -> Result<Entry<Grant, Turn>, Throttled> {
        self.line_up(ask, ask.call.0)
    }

    fn poll_place(&self, ask: &Ask<'_, Cells>, turn: &mut Turn, _: &mut Context<'_>) -> Poll<Result<Grant, Throttled>> {
        self.poll_turn(ask, turn, ask.call.0)
    }
}
