use std::fmt;

use seawall_core::Priority;

use crate::job::Job;
use crate::pool::Pool;
use crate::refused::Refused;
use crate::state::Terms;
use crate::submit::{Admission, Execute, offer, turn_away};
use crate::task::{Runs, Task};

/// A job that a [drain](Pool::drain) gave back: it has not begun, or waits for its next attempt. Whoever holds its handle
/// waits on, until it has run elsewhere or is dropped; the handle cannot cancel it any more.
pub struct Returned<R: Runs = Task> {
    unit: R::Unit,
    terms: Terms,
}

impl<R: Runs> Returned<R> {
    pub(crate) const fn new(unit: R::Unit, terms: Terms) -> Self {
        Self { unit, terms }
    }

    /// Its priority.
    pub const fn priority(&self) -> Priority {
        self.terms.priority
    }

    /// How many of its attempts have failed.
    pub fn failures(&self) -> u32 {
        self.terms.failures()
    }
}

impl<J: Job> Returned<J> {
    /// The job itself. Whoever waits for its result is told that it was dropped.
    pub fn into_job(self) -> J {
        self.unit.into_job()
    }
}

impl<R: Runs> Pool<R> {
    /// Submits a job that another pool gave back, with the priority, the deadline and the attempts that it had there; as
    /// [`execute`](Self::execute) it waits for room. The deadline is one of the other pool's clock; a job that waited for its next
    /// attempt waits no longer.
    ///
    /// # Errors
    /// If the job was not taken; then it has been dropped, and its handle told.
    pub fn resubmit(&self, returned: Returned<R>) -> Execute<'_, R> {
        Execute::new(Admission::new(self.engine(), returned.unit, returned.terms, None, None))
    }

    /// The same, if there is room for it now.
    ///
    /// # Errors
    /// If the job was not taken; then it has been dropped, and its handle told.
    pub fn try_resubmit(&self, returned: Returned<R>) -> Result<(), Refused> {
        let engine = self.engine();
        offer(engine, returned.unit, returned.terms, engine.now(), false)
            .map(drop)
            .map_err(|turned| turn_away(engine, turned))
    }
}

impl<R: Runs> fmt::Debug for Returned<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returned").field("priority", &self.priority()).field("failures", &self.failures()).finish()
    }
}
