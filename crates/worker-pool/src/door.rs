use std::fmt;
use std::time::Duration;

use crate::handle::JobHandle;
use crate::options::JobOptions;
use crate::pool::Pool;
use crate::refused::Refused;
use crate::reply::{Giver, Reply};
use crate::state::{Ticket, Turned};
use crate::submit::{Admission, Execute, Run, Submit, offer};
use crate::task::{Runs, Work};

/// The doors of a pool for jobs with [options](JobOptions). Made by [`Pool::with`].
#[must_use]
pub struct Door<'a, R: Runs> {
    pool: &'a Pool<R>,
    options: JobOptions,
}

impl<'a, R: Runs> Door<'a, R> {
    pub(crate) const fn new(pool: &'a Pool<R>, options: JobOptions) -> Self {
        Self { pool, options }
    }

    /// As [`Pool::submit`].
    pub fn submit<W: Work<R>>(&self, work: W) -> Submit<'a, W::Output, W::Error, R> {
        self.submit_for(None, work)
    }

    /// As [`Pool::submit_within`].
    pub fn submit_within<W: Work<R>>(&self, max_wait: Duration, work: W) -> Submit<'a, W::Output, W::Error, R> {
        self.submit_for(Some(max_wait), work)
    }

    fn submit_for<W: Work<R>>(&self, max_wait: Option<Duration>, work: W) -> Submit<'a, W::Output, W::Error, R> {
        let (reply, giver) = Reply::new();
        Submit::new(self.admission(work.into_unit(giver), max_wait), self.pool.link(), reply)
    }

    /// As [`Pool::try_submit`].
    ///
    /// # Errors
    /// If the job was not taken; then it has been dropped.
    pub fn try_submit<W: Work<R>>(&self, work: W) -> Result<JobHandle<W::Output, W::Error, R>, Refused> {
        let (reply, giver) = Reply::new();
        let ticket = self.try_admit(work.into_unit(giver))?;
        Ok(JobHandle::new(reply, self.pool.link().clone(), ticket))
    }

    /// As [`Pool::execute`].
    pub fn execute<W: Work<R>>(&self, work: W) -> Execute<'a, R> {
        Execute::new(self.admission(work.into_unit(Giver::nobody()), None))
    }

    /// As [`Pool::execute_within`].
    pub fn execute_within<W: Work<R>>(&self, max_wait: Duration, work: W) -> Execute<'a, R> {
        Execute::new(self.admission(work.into_unit(Giver::nobody()), Some(max_wait)))
    }

    /// As [`Pool::try_execute`].
    ///
    /// # Errors
    /// If the job was not taken; then it has been dropped.
    pub fn try_execute<W: Work<R>>(&self, work: W) -> Result<(), Refused> {
        self.try_admit(work.into_unit(Giver::nobody())).map(drop)
    }

    /// As [`Pool::run`].
    pub fn run<W: Work<R>>(&self, work: W) -> Run<'a, W::Output, W::Error, R> {
        Run::new(self.submit(work))
    }

    #[inline]
    fn admission(&self, unit: R::Unit, max_wait: Option<Duration>) -> Admission<'a, R> {
        let (terms, expires_in) = self.options.terms();
        Admission::new(self.pool.engine(), unit, terms, expires_in, max_wait)
    }

    #[inline]
    fn try_admit(&self, unit: R::Unit) -> Result<Ticket, Refused> {
        let engine = self.pool.engine();
        let now = engine.now();
        let (terms, expires_in) = self.options.terms();
        match offer(engine, unit, terms.expiring(expires_in, now), now, false) {
            Ok(ticket) => Ok(ticket),
            Err(Turned { reason, .. }) => Err(engine.refuse(reason)),
        }
    }
}

impl<R: Runs> fmt::Debug for Door<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("pool", self.pool).field("options", &self.options).finish()
    }
}
