use std::fmt;
use std::task::{Context, Poll};

use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Admits, Ask, Claim, Ending, Entry, Policy, Shared};

use crate::compartment::{Bulkhead, Compartment};
use crate::full::Full;
use crate::policy::{Token, Waiting};

/// A [`Bulkhead`] that tells calls apart: each asks for as many permits, at the priority and by the deadline that its
/// [`Claim`] says.
///
/// It is another front door to the same bulkhead, for layers and for calls that are made. A call that asks for no permit
/// passes and takes nothing, unless others wait.
///
/// ```
/// use seawall_bulkhead::{Bulkhead, Claiming, Config};
/// use seawall_core::{Claim, Priority};
///
/// struct Export { rows: u32, urgent: bool }
///
/// let database = Bulkhead::new(Config::new(10).name("database"))?;
/// let exports = Claiming::by(&database, |export: &Export| {
///     Claim::new()
///         .permits(export.rows.div_ceil(1_000))
///         .priority(if export.urgent { Priority::High } else { Priority::Low })
/// });
/// let permit = exports.with(&Export { rows: 7_500, urgent: true }).try_admit().expect("eight of ten permits");
/// let full = exports.with(&Export { rows: 2_001, urgent: false }).try_admit().expect_err("two are left");
/// assert_eq!((full.in_flight(), full.permits()), (8, 3));
/// let never = exports.with(&Export { rows: 10_001, urgent: true }).try_admit().expect_err("eleven of ten");
/// assert!(never.is_never());
/// # drop(permit);
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
pub struct Claiming<F> {
    bulkhead: Bulkhead,
    claim: F,
}

impl<F: Send + Sync> Claiming<F> {
    /// The permits of this bulkhead, claimed by each call as `claim` says.
    pub fn by<Call: ?Sized>(bulkhead: &Bulkhead, claim: F) -> Shared<Self>
    where
        F: Fn(&Call) -> Claim,
    {
        Shared::from_policy(Self { bulkhead: bulkhead.clone(), claim })
    }

    /// The bulkhead.
    pub const fn bulkhead(&self) -> &Bulkhead {
        &self.bulkhead
    }
}

impl Claiming<fn(&Claim) -> Claim> {
    /// The permits of this bulkhead for calls that say themselves what they claim: `claims.with(&Claim::new().permits(3))`.
    pub fn directly(bulkhead: &Bulkhead) -> Shared<Self> {
        Shared::from_policy(Self { bulkhead: bulkhead.clone(), claim: |claim| *claim })
    }
}

impl<F: Send + Sync> Policy for Claiming<F> {
    type Token = Token;
    type Place = Waiting;
    type Refusal = Full;

    const WAITS: bool = true;
    const SCARCE: bool = true;

    #[inline(always)]
    fn clock(&self) -> Option<&Clock> {
        Policy::clock(&*self.bulkhead)
    }

    #[inline(always)]
    fn settle(&self, token: Token, ending: Ending<'_>, now: &Now<'_>) {
        self.bulkhead.settle(token, ending, now);
    }

    fn renew(&self, token: &mut Token, now: &Now<'_>) -> Result<(), Full> {
        self.bulkhead.renew(token, now)
    }

    fn wake_at(&self, waiting: &Waiting) -> Option<Timestamp> {
        self.bulkhead.wake_at(waiting)
    }

    fn leave(&self, waiting: Waiting) {
        self.bulkhead.leave(waiting);
    }
}

impl<Call: ?Sized, F: Fn(&Call) -> Claim + Send + Sync> Admits<Call> for Claiming<F> {
    #[inline(always)]
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<Token, Full> {
        Compartment::ask(&self.bulkhead, (self.claim)(ask.call), ask.now)
    }

    fn enter(&self, ask: &Ask<'_, Call>) -> Result<Entry<Token, Waiting>, Full> {
        self.bulkhead.line_up((self.claim)(ask.call), ask)
    }

    fn poll_place(
        &self,
        ask: &Ask<'_, Call>,
        waiting: &mut Waiting,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Token, Full>> {
        self.bulkhead.poll_turn(ask, waiting, cx)
    }
}

impl<F> fmt::Debug for Claiming<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claiming").field("bulkhead", &self.bulkhead).finish_non_exhaustive()
    }
}
