use std::fmt;
use std::task::{Context, Poll};

use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Admits, Ask, Ending, Entry, Policy, Shared};

use crate::grant::Grant;
use crate::limiter::{Limiter, RateLimiter};
use crate::policy::Turn;
use crate::throttled::Throttled;

/// A [`RateLimiter`] from which a call takes as many cells as it weighs: the bytes of an upload, the tokens of a prompt.
///
/// It is another front door to the same limiter, for layers and for calls that are made. A call that weighs nothing passes and
/// takes nothing.
///
/// ```
/// use seawall_rate_limit::{Config, Quota, RateLimiter, Weighed};
///
/// struct Upload { bytes: u32 }
///
/// let bytes = RateLimiter::new(Config::new(Quota::per_second(1_000)))?;
/// let uploads = Weighed::by(&bytes, |upload: &Upload| upload.bytes);
/// uploads.with(&Upload { bytes: 800 }).try_admit().expect("fewer than a thousand").success();
/// assert!(uploads.with(&Upload { bytes: 800 }).try_admit().is_err());
/// assert_eq!(bytes.peek().remaining(), 200);
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
pub struct Weighed<F> {
    limiter: RateLimiter,
    cells: F,
}

impl<F: Send + Sync> Weighed<F> {
    /// The cells of this limiter, of which each call takes as many as `cells` says.
    pub fn by<Call: ?Sized>(limiter: &RateLimiter, cells: F) -> Shared<Self>
    where
        F: Fn(&Call) -> u32,
    {
        Shared::from_policy(Self { limiter: limiter.clone(), cells })
    }

    /// The limiter.
    pub const fn limiter(&self) -> &RateLimiter {
        &self.limiter
    }
}

impl<F: Send + Sync> Policy for Weighed<F> {
    type Token = Grant;
    type Place = Turn;
    type Refusal = Throttled;

    const WAITS: bool = true;
    const SETTLES: bool = false;

    #[inline(always)]
    fn clock(&self) -> Option<&Clock> {
        Policy::clock(&*self.limiter)
    }

    #[inline(always)]
    fn settle(&self, grant: Grant, ending: Ending<'_>, now: &Now<'_>) {
        self.limiter.settle(grant, ending, now);
    }

    fn wake_at(&self, turn: &Turn) -> Option<Timestamp> {
        self.limiter.wake_at(turn)
    }

    fn leave(&self, turn: Turn) {
        self.limiter.leave(turn);
    }
}

impl<Call: ?Sized, F: Fn(&Call) -> u32 + Send + Sync> Admits<Call> for Weighed<F> {
    #[inline(always)]
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<Grant, Throttled> {
        Limiter::ask(&self.limiter, ask, (self.cells)(ask.call))
    }

    fn enter(&self, ask: &Ask<'_, Call>) -> Result<Entry<Grant, Turn>, Throttled> {
        self.limiter.line_up(ask, (self.cells)(ask.call))
    }

    fn poll_place(&self, ask: &Ask<'_, Call>, turn: &mut Turn, _: &mut Context<'_>) -> Poll<Result<Grant, Throttled>> {
        self.limiter.poll_turn(ask, turn, (self.cells)(ask.call))
    }
}

impl<F> fmt::Debug for Weighed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Weighed").field("limiter", &self.limiter).finish_non_exhaustive()
    }
}
