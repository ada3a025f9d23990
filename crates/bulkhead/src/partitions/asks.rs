use std::fmt;
use std::task::{Context, Poll};

use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Admits, Ask, Claim, Ending, Entry, Name, Policy, Shared};

use super::bulkhead::{PartitionedBulkhead, Partitions};
use super::full::Full;
use super::policy::{Token, Waiting};

/// A partition of one bulkhead, found by its name once: the call need not look it up again.
///
/// It outlives the partition: when that is removed, it is like an unknown name, even if another comes in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Partition {
    pub(super) at: usize,
    pub(super) tenancy: u64,
}

/// What says of which partition a call is, and what it claims: a name, a [`Partition`], or one of the two with a [`Claim`].
///
/// Without a claim, a call asks for one permit at normal priority.
pub trait Asks: sealed::Sealed {}

mod sealed {
    use super::{Claim, Partition};

    /// What is known of a partition.
    #[derive(Debug)]
    pub enum Key<'a> {
        Name(&'a str),
        Found(Partition),
    }

    pub trait Sealed {
        fn key(&self) -> Key<'_>;

        fn claim(&self) -> Claim {
            Claim::new()
        }
    }
}

pub(super) use sealed::{Key, Sealed};

impl Asks for str {}
impl Sealed for str {
    fn key(&self) -> Key<'_> {
        Key::Name(self)
    }
}

impl Asks for Name {}
impl Sealed for Name {
    fn key(&self) -> Key<'_> {
        Key::Name(self.as_str())
    }
}

impl Asks for Partition {}
impl Sealed for Partition {
    fn key(&self) -> Key<'_> {
        Key::Found(*self)
    }
}

impl<A: Asks + ?Sized> Asks for &A {}
impl<A: Sealed + ?Sized> Sealed for &A {
    fn key(&self) -> Key<'_> {
        (**self).key()
    }

    fn claim(&self) -> Claim {
        (**self).claim()
    }
}

impl<A: Asks> Asks for (A, Claim) {}
impl<A: Sealed> Sealed for (A, Claim) {
    fn key(&self) -> Key<'_> {
        self.0.key()
    }

    fn claim(&self) -> Claim {
        self.1
    }
}

/// A [`PartitionedBulkhead`] that tells calls apart by more than their partition: each asks for as many permits, at the
/// priority and by the deadline that its [`Claim`] says.
///
/// ```
/// use seawall_bulkhead::partitions::{Claims, Config};
/// use seawall_bulkhead::{Claim, PartitionedBulkhead};
///
/// struct Export { tenant: String, rows: u32 }
///
/// let exports = PartitionedBulkhead::new(Config::new(10).partition("acme", 0.5).partition("zeta", 0.5))?;
/// let claims = Claims::by(&exports, |export: &Export| {
///     (export.tenant.as_str(), Claim::new().permits(export.rows.div_ceil(1_000)))
/// });
/// let permit = claims.with(&Export { tenant: "acme".into(), rows: 2_500 }).try_admit().expect("three of ten");
/// assert_eq!(exports.in_flight(), 3);
/// # drop(permit);
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
pub struct Claims<F> {
    bulkhead: PartitionedBulkhead,
    claim: F,
}

impl<F: Send + Sync> Claims<F> {
    /// The permits of this bulkhead, of the partition and claimed as `claim` says of each call.
    pub fn by<Call: ?Sized>(bulkhead: &PartitionedBulkhead, claim: F) -> Shared<Self>
    where
        F: Fn(&Call) -> (&str, Claim),
    {
        Shared::from_policy(Self { bulkhead: bulkhead.clone(), claim })
    }

    /// The bulkhead.
    pub const fn bulkhead(&self) -> &PartitionedBulkhead {
        &self.bulkhead
    }
}

impl<F: Send + Sync> Policy for Claims<F> {
    type Token = Token;
    type Place = Waiting;
    type Refusal = Full;

    const WAITS: bool = true;
    const SCARCE: bool = true;

    fn clock(&self) -> Option<&Clock> {
        Policy::clock(&*self.bulkhead)
    }

    fn settle(&self, token: Token, ending: Ending<'_>, now: &Now<'_>) {
        self.bulkhead.settle(token, ending, now);
    }

    fn wake_at(&self, waiting: &Waiting) -> Option<Timestamp> {
        self.bulkhead.wake_at(waiting)
    }

    fn leave(&self, waiting: Waiting) {
        self.bulkhead.leave(waiting);
    }
}

impl<Call: ?Sized, F: Fn(&Call) -> (&str, Claim) + Send + Sync> Admits<Call> for Claims<F> {
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<Token, Full> {
        Partitions::try_admit(&self.bulkhead, &ask.about(&(self.claim)(ask.call)))
    }

    fn enter(&self, ask: &Ask<'_, Call>) -> Result<Entry<Token, Waiting>, Full> {
        Partitions::enter(&self.bulkhead, &ask.about(&(self.claim)(ask.call)))
    }

    fn poll_place(
        &self,
        ask: &Ask<'_, Call>,
        waiting: &mut Waiting,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Token, Full>> {
        self.bulkhead.poll_turn(ask.now, waiting, cx)
    }
}

impl<F> fmt::Debug for Claims<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("bulkhead", &self.bulkhead).finish_non_exhaustive()
    }
}
