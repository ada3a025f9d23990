use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::admit::{Admit, Admits, Ask, Configure, Entry, Permit, Policy, With};
use crate::observe::{Collect, Sink};
use crate::stripe;
use crate::time::{Clock, Now, Timestamp};
use crate::{By, ConfigError, Ending, Report};

/// The handle of a pattern: cheap to clone, shared by all its clones, with every front door.
///
/// Each pattern's handle is this type around its policy. The pattern's own methods (a snapshot, manual control) arrive
/// through `Deref`.
///
/// Clones count on cache lines of their threads' own, so that services which are cloned for each request do not meet on
/// one reference count. A clone never allocates, except the first one on another thread than the handle's: that one makes
/// the counts of all threads.
pub struct Shared<P> {
    node: Arc<Node<P>>,
}

/// One reference count for the handles of one group of threads.
///
/// A handle that is cloned on a foreign thread hands out a child of that thread's group. Parents own their children and
/// children own only the policy, so there is no cycle, and a policy ends with its last handle. The depth is bounded: a
/// service may be made by one thread, cloned for a connection by a second, and for a request by a third; clones of clones
/// beyond that share their count.
#[repr(align(128))]
struct Node<P> {
    policy: Arc<P>,
    group: usize,
    depth: u8,
    children: OnceLock<Box<[Arc<Node<P>>]>>,
}

impl<P> Node<P> {
    const DEEPEST: u8 = 2;
    const MOST_GROUPS: usize = 16;

    fn new(policy: Arc<P>, group: usize, depth: u8) -> Arc<Self> {
        Arc::new(Self { policy, group, depth, children: OnceLock::new() })
    }

    #[inline]
    fn groups() -> usize {
        stripe::seats().min(Self::MOST_GROUPS)
    }

    /// Groups are a power of two; threads without a seat fall into the last one.
    #[inline]
    fn own_group() -> usize {
        stripe::seat() & (Self::groups() - 1)
    }

    fn child(&self, group: usize) -> &Arc<Self> {
        let children = self.children.get_or_init(|| {
            (0..Self::groups()).map(|group| Self::new(self.policy.clone(), group, self.depth + 1)).collect()
        });
        &children[group]
    }
}

impl<P> Clone for Shared<P> {
    #[inline(always)]
    fn clone(&self) -> Self {
        let group = Node::<P>::own_group();
        let own = if group == self.node.group || self.node.depth >= Node::<P>::DEEPEST {
            &self.node
        } else {
            self.node.child(group)
        };
        Self { node: own.clone() }
    }
}

impl<P> Deref for Shared<P> {
    type Target = P;

    #[inline]
    fn deref(&self) -> &P {
        &self.node.policy
    }
}

impl<P: fmt::Debug> fmt::Debug for Shared<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<P: Configure> Shared<P> {
    /// A new instance on the [system clock](Clock::system).
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn new(config: P::Config) -> Result<Self, ConfigError> {
        Self::with_clock(config, Clock::system())
    }

    /// A new instance that decides by `clock`.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn with_clock(config: P::Config, clock: Clock) -> Result<Self, ConfigError> {
        P::build(config, clock).map(Self::from_policy)
    }

    /// Takes over `config`, at once and for all handles, keeping what was counted and who waits.
    ///
    /// # Errors
    /// Names the first field whose value cannot be; then nothing has changed.
    pub fn reconfigure(&self, config: P::Config) -> Result<(), ConfigError> {
        P::reconfigure(self, config)
    }
}

impl<P> Shared<P> {
    /// The handle of a policy of one's own.
    pub fn from_policy(policy: P) -> Self {
        Self { node: Node::new(Arc::new(policy), Node::<P>::own_group(), 0) }
    }

    /// Whether both are handles of one instance.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.node.policy, &other.node.policy)
    }

    /// Turns a policy over keys into one over calls: `key` finds the key in the call, borrowed from it; `None` means that
    /// this policy does not concern the call.
    pub fn by<Call: ?Sized, Key: ?Sized, F>(&self, key: F) -> Shared<By<P, Key, F>>
    where
        P: Admits<Key>,
        F: Fn(&Call) -> Option<&Key> + Send + Sync,
    {
        Shared::from_policy(By::new(self.clone(), key))
    }
}

impl<P: Policy> Shared<P> {
    /// The front doors for a policy that asks something of the call, such as its key.
    #[inline]
    pub fn with<'a, 'c, Call: ?Sized>(&'a self, call: &'c Call) -> With<'a, 'c, P, Call>
    where
        P: Admits<Call>,
    {
        With::new(self, call)
    }
}

/// The front doors of policies that ask nothing of the call.
impl<P: Admits> Shared<P> {
    #[inline]
    const fn door(policy: &P) -> With<'_, 'static, P> {
        With::new(policy, &())
    }

    /// Decides at once. See [`With::try_admit`].
    ///
    /// # Errors
    /// The pattern's refusal.
    #[inline(always)]
    pub fn try_admit(&self) -> Result<Permit<&P>, P::Refusal> {
        Self::door(self).try_admit()
    }

    /// Waits for its turn, as long as the policy itself lets calls wait. See [`With::admit`].
    pub fn admit(&self) -> Admit<'_, 'static, P> {
        Self::door(self).admit()
    }

    /// Waits for its turn, at most `max_wait`. See [`With::admit_within`].
    pub fn admit_within(&self, max_wait: Duration) -> Admit<'_, 'static, P> {
        Self::door(self).admit_within(max_wait)
    }

    /// Waits for its turn, at most `max_wait`, and blocks the thread meanwhile. See [`With::admit_blocking`].
    ///
    /// # Errors
    /// The pattern's refusal.
    pub fn admit_blocking(&self, max_wait: Duration) -> Result<Permit<&P>, P::Refusal> {
        Self::door(self).admit_blocking(max_wait)
    }

    /// Makes one call: admits it, awaits it, and counts `Ok` as a success and `Err` as a failure. See [`With::run`].
    ///
    /// # Errors
    /// The pattern's refusal; then `call` is dropped without having been polled.
    pub async fn run<F, T, E>(&self, call: F) -> Result<Result<T, E>, P::Refusal>
    where
        F: Future<Output = Result<T, E>>,
    {
        Self::door(self).run(call).await
    }

    /// Makes one call and lets `classify` judge its result. See [`With::run_classified`].
    ///
    /// # Errors
    /// The pattern's refusal; then `call` is dropped without having been polled.
    pub async fn run_classified<F, C>(&self, call: F, classify: C) -> Result<F::Output, P::Refusal>
    where
        F: Future,
        C: Fn(&F::Output) -> Report<'_>,
    {
        Self::door(self).run_classified(call, classify).await
    }

    /// Makes one call, or gives what `fallback` makes of the refusal. See [`With::run_or_else`].
    ///
    /// # Errors
    /// The call's own, or the fallback's.
    pub async fn run_or_else<F, T, E>(&self, call: F, fallback: impl FnOnce(P::Refusal) -> Result<T, E>) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        Self::door(self).run_or_else(call, fallback).await
    }

    /// Makes one call that blocks the thread. See [`With::run_sync`].
    ///
    /// # Errors
    /// The pattern's refusal; then `call` has not run.
    #[inline(always)]
    pub fn run_sync<T, E>(&self, call: impl FnOnce() -> Result<T, E>) -> Result<Result<T, E>, P::Refusal> {
        Self::door(self).run_sync(call)
    }
}

impl<P: Collect> Collect for Shared<P> {
    fn collect(&self, sink: &mut dyn Sink) {
        P::collect(self, sink);
    }
}

/// A handle decides as its policy does, so that handles can be members of [`all`](crate::all).
impl<P: Policy> Policy for Shared<P> {
    type Token = P::Token;
    type Place = P::Place;
    type Refusal = P::Refusal;

    const WAITS: bool = P::WAITS;
    const SCARCE: bool = P::SCARCE;
    const SETTLES: bool = P::SETTLES;

    #[inline(always)]
    fn clock(&self) -> Option<&Clock> {
        P::clock(self)
    }

    #[inline(always)]
    fn settle(&self, token: Self::Token, ending: Ending<'_>, now: &Now<'_>) {
        P::settle(self, token, ending, now);
    }

    #[inline(always)]
    fn peek(&self, now: &Now<'_>) -> Result<(), Self::Refusal> {
        P::peek(self, now)
    }

    #[inline(always)]
    fn peek_until(&self, now: &Now<'_>, deadline: Option<Timestamp>) -> Result<(), Self::Refusal> {
        P::peek_until(self, now, deadline)
    }

    #[inline(always)]
    fn renew(&self, token: &mut Self::Token, now: &Now<'_>) -> Result<(), Self::Refusal> {
        P::renew(self, token, now)
    }

    fn wake_at(&self, place: &Self::Place) -> Option<Timestamp> {
        P::wake_at(self, place)
    }

    fn leave(&self, place: Self::Place) {
        P::leave(self, place);
    }
}

impl<Call: ?Sized, P: Admits<Call>> Admits<Call> for Shared<P> {
    #[inline(always)]
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<Self::Token, Self::Refusal> {
        P::try_admit(self, ask)
    }

    #[inline(always)]
    fn enter(&self, ask: &Ask<'_, Call>) -> Result<Entry<Self::Token, Self::Place>, Self::Refusal> {
        P::enter(self, ask)
    }

    fn poll_place(
        &self,
        ask: &Ask<'_, Call>,
        place: &mut Self::Place,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Token, Self::Refusal>> {
        P::poll_place(self, ask, place, cx)
    }
}
