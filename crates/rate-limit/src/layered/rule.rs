use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use seawall_core::time::{Clock, Timestamp};
use seawall_core::{Name, Shared};

use crate::figures::Limits;
use crate::grant::Grant;
use crate::keyed::{KeyedRateLimiter, SeededHash};
use crate::limiter::RateLimiter;
use crate::meter::{Meter, Standing};
use crate::throttled::Throttled;

/// One limit of a [`Layers`](crate::Layers), and which calls it concerns.
pub struct Rule<Call: ?Sized> {
    asked: Box<dyn Asked<Call>>,
    cells: Option<Arc<CellsOf<Call>>>,
    concerns: Option<Arc<Concerns<Call>>>,
}

type CellsOf<Call> = dyn Fn(&Call) -> u32 + Send + Sync;
type Concerns<Call> = dyn Fn(&Call) -> bool + Send + Sync;

impl<Call: ?Sized + 'static> Rule<Call> {
    /// One limit for all calls.
    pub fn all(limiter: &RateLimiter) -> Self {
        Self::new(Asking { limiter: limiter.clone(), finds: AsOne })
    }

    /// A limit for each key that is borrowed from the call; it does not concern calls without one.
    pub fn by<K, S, F>(limiter: &KeyedRateLimiter<K, S>, key: F) -> Self
    where
        K: Hash + ?Sized + 'static,
        S: SeededHash + 'static,
        F: Fn(&Call) -> Option<&K> + Send + Sync + 'static,
    {
        Self::new(Asking { limiter: limiter.clone(), finds: Borrowed(key, PhantomData) })
    }

    /// A limit for each key that is made of the call, such as [a part of an address](crate::http::AddressPrefix); it does not
    /// concern calls without one.
    pub fn by_value<K, S, F>(limiter: &KeyedRateLimiter<K, S>, key: F) -> Self
    where
        K: Hash + 'static,
        S: SeededHash + 'static,
        F: Fn(&Call) -> Option<K> + Send + Sync + 'static,
    {
        Self::new(Asking { limiter: limiter.clone(), finds: Made(key, PhantomData) })
    }

    fn new(asked: impl Asked<Call> + 'static) -> Self {
        Self { asked: Box::new(asked), cells: None, concerns: None }
    }

    /// A call takes so many cells, instead of one. None at all takes nothing, and passes.
    #[must_use]
    pub fn cells(mut self, cells: impl Fn(&Call) -> u32 + Send + Sync + 'static) -> Self {
        self.cells = Some(Arc::new(cells));
        self
    }

    /// Concerns only these calls.
    #[must_use]
    pub fn when(mut self, concerns: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Self {
        self.concerns = Some(Arc::new(concerns));
        self
    }
}

impl<Call: ?Sized> Rule<Call> {
    /// The limit's name.
    pub fn name(&self) -> Name {
        self.asked.name()
    }

    pub(super) fn clock(&self) -> &Clock {
        self.asked.clock()
    }

    /// What the limit would say; nothing if it does not concern the call.
    pub(super) fn look(&self, call: &Call, now: Timestamp) -> Option<Standing> {
        if self.concerns.as_ref().is_some_and(|concerns| !concerns(call)) {
            return None;
        }
        self.asked.look(call, self.cells_of(call), now)
    }

    pub(super) fn take(&self, call: &Call, now: Timestamp) -> Option<Result<Grant, Throttled>> {
        self.asked.take(call, self.cells_of(call), now)
    }

    pub(super) fn give_back(&self, grant: Grant, now: Timestamp) {
        self.asked.give_back(grant, now);
    }

    pub(super) fn count_refused(&self, call: &Call, now: Timestamp) {
        self.asked.count_refused(call, now);
    }

    pub(crate) fn limits(&self, grant: &Grant) -> Limits {
        self.asked.limits(grant)
    }

    fn cells_of(&self, call: &Call) -> u32 {
        self.cells.as_ref().map_or(1, |cells| cells(call))
    }
}

impl<Call: ?Sized> fmt::Debug for Rule<Call> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rule").field(&self.name()).finish()
    }
}

/// A limiter that finds its key in a call.
trait Asked<Call: ?Sized>: Send + Sync {
    fn name(&self) -> Name;
    fn clock(&self) -> &Clock;
    fn look(&self, call: &Call, cells: u32, now: Timestamp) -> Option<Standing>;
    fn take(&self, call: &Call, cells: u32, now: Timestamp) -> Option<Result<Grant, Throttled>>;
    fn give_back(&self, grant: Grant, now: Timestamp);
    fn count_refused(&self, call: &Call, now: Timestamp);
    fn limits(&self, grant: &Grant) -> Limits;
}

struct Asking<P, F> {
    limiter: Shared<P>,
    finds: F,
}

impl<Call: ?Sized, P: Meter<F::Key>, F: Finds<Call>> Asked<Call> for Asking<P, F> {
    fn name(&self) -> Name {
        self.limiter.name()
    }

    fn clock(&self) -> &Clock {
        self.limiter.clock()
    }

    fn look(&self, call: &Call, cells: u32, now: Timestamp) -> Option<Standing> {
        self.finds.find(call, |key| self.limiter.look(key, cells, now))
    }

    fn take(&self, call: &Call, cells: u32, now: Timestamp) -> Option<Result<Grant, Throttled>> {
        self.finds.find(call, |key| self.limiter.take(key, cells, now))
    }

    fn give_back(&self, grant: Grant, now: Timestamp) {
        self.limiter.give_back(grant, now);
    }

    fn count_refused(&self, call: &Call, now: Timestamp) {
        self.finds.find(call, |key| self.limiter.count_refused(key, now));
    }

    fn limits(&self, grant: &Grant) -> Limits {
        self.limiter.limits(grant)
    }
}

/// How a call's key is found.
trait Finds<Call: ?Sized>: Send + Sync {
    type Key: ?Sized;

    fn find<R>(&self, call: &Call, then: impl FnOnce(&Self::Key) -> R) -> Option<R>;
}

/// All calls are one.
struct AsOne;

impl<Call: ?Sized> Finds<Call> for AsOne {
    type Key = ();

    fn find<R>(&self, _: &Call, then: impl FnOnce(&()) -> R) -> Option<R> {
        Some(then(&()))
    }
}

/// The key is borrowed from the call.
struct Borrowed<K: ?Sized, F>(F, PhantomData<fn(&K)>);

impl<Call, K, F> Finds<Call> for Borrowed<K, F>
where
    Call: ?Sized,
    K: ?Sized,
    F: Fn(&Call) -> Option<&K> + Send + Sync,
{
    type Key = K;

    fn find<R>(&self, call: &Call, then: impl FnOnce(&K) -> R) -> Option<R> {
        (self.0)(call).map(then)
    }
}

/// The key is made of the call.
struct Made<K, F>(F, PhantomData<fn(&K)>);

impl<Call, K, F> Finds<Call> for Made<K, F>
where
    Call: ?Sized,
    F: Fn(&Call) -> Option<K> + Send + Sync,
{
    type Key = K;

    fn find<R>(&self, call: &Call, then: impl FnOnce(&K) -> R) -> Option<R> {
        (self.0)(call).map(|key| then(&key))
    }
}
