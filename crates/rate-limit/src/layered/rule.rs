use std::fmt;
use std::sync::Arc;

use seawall_core::time::{Clock, Timestamp};
use seawall_core::Name;

use crate::figures::Limits;
use crate::grant::Grant;
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
        Self::new(AsOne(limiter.clone()))
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

    pub(super) fn count_refused(&self) {
        self.asked.count_refused();
    }

    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "what headers tell"))]
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
    fn count_refused(&self);
    fn limits(&self, grant: &Grant) -> Limits;
}

/// The same limit for every call.
struct AsOne(RateLimiter);

impl<Call: ?Sized> Asked<Call> for AsOne {
    fn name(&self) -> Name {
        self.0.name()
    }

    fn clock(&self) -> &Clock {
        self.0.clock()
    }

    fn look(&self, _: &Call, cells: u32, now: Timestamp) -> Option<Standing> {
        Some(Meter::look(&*self.0, &(), cells, now))
    }

    fn take(&self, _: &Call, cells: u32, now: Timestamp) -> Option<Result<Grant, Throttled>> {
        Some(Meter::take(&*self.0, &(), cells, now))
    }

    fn give_back(&self, grant: Grant, now: Timestamp) {
        Meter::give_back(&*self.0, grant, now);
    }

    fn count_refused(&self) {
        Meter::count_refused(&*self.0);
    }

    fn limits(&self, grant: &Grant) -> Limits {
        Meter::limits(&*self.0, grant)
    }
}
