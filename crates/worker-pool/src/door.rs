use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use seawall_core::Priority;
use seawall_core::time::Timestamp;
use seawall_core::wait::{Found, Place, Unserved};

use crate::engine::Engine;
use crate::handle::JobHandle;
use crate::job::Attempt;
use crate::options::JobOptions;
use crate::pool::Pool;
use crate::refused::{Reason, Refused};
use crate::reply::{Giver, Reply};
use crate::seat::Seat;
use crate::state::{Calls, End, Entered, Phase, Ran, Terms, Ticket, Turned};
use crate::task::{Runs, Work};
use crate::unit::{Tried, Unit, Why, dismiss};
use crate::worker::{Ended, run};

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
    ///
    /// # Errors
    /// If the job was not taken; then it has been dropped.
    pub async fn submit<W: Work<R>>(&self, work: W) -> Result<JobHandle<W::Output, W::Error, R>, Refused> {
        self.submit_for(None, work).await
    }

    /// As [`Pool::submit_within`].
    ///
    /// # Errors
    /// If the job was not taken; then it has been dropped.
    pub async fn submit_within<W: Work<R>>(
        &self,
        max_wait: Duration,
        work: W,
    ) -> Result<JobHandle<W::Output, W::Error, R>, Refused> {
        self.submit_for(Some(max_wait), work).await
    }

    async fn submit_for<W: Work<R>>(
        &self,
        max_wait: Option<Duration>,
        work: W,
    ) -> Result<JobHandle<W::Output, W::Error, R>, Refused> {
        let (reply, giver) = Reply::new();
        let ticket = self.admit(work.into_unit(giver), max_wait).await?;
        Ok(JobHandle::new(reply, self.pool.link().clone(), ticket))
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
    ///
    /// # Errors
    /// If the job was not taken; then it has been dropped.
    pub async fn execute<W: Work<R>>(&self, work: W) -> Result<(), Refused> {
        self.admit(work.into_unit(Giver::nobody()), None).await.map(drop)
    }

    /// As [`Pool::execute_within`].
    ///
    /// # Errors
    /// If the job was not taken; then it has been dropped.
    pub async fn execute_within<W: Work<R>>(&self, max_wait: Duration, work: W) -> Result<(), Refused> {
        self.admit(work.into_unit(Giver::nobody()), Some(max_wait)).await.map(drop)
    }

    /// As [`Pool::try_execute`].
    ///
    /// # Errors
    /// If the job was not taken; then it has been dropped.
    pub fn try_execute<W: Work<R>>(&self, work: W) -> Result<(), Refused> {
        self.try_admit(work.into_unit(Giver::nobody())).map(drop)
    }

    /// Submits what a [drain](Pool::drain) of another pool gave back. Whoever waits for its result goes on waiting.
    ///
    /// # Errors
    /// If the job was not taken; then it has been dropped.
    pub fn try_resubmit(&self, returned: R::Unit) -> Result<(), Refused> {
        self.try_admit(returned).map(drop)
    }

    #[inline]
    fn try_admit(&self, unit: R::Unit) -> Result<Ticket, Refused> {
        let engine = self.pool.engine();
        let now = engine.now();
        match offer(engine, unit, self.options.terms(now), now, false) {
            Ok(ticket) => Ok(ticket),
            Err(Turned { reason, .. }) => Err(engine.refuse(reason)),
        }
    }

    #[inline]
    async fn admit(&self, unit: R::Unit, max_wait: Option<Duration>) -> Result<Ticket, Refused> {
        let engine = self.pool.engine();
        let now = engine.now();
        match offer(engine, unit, self.options.terms(now), now, false) {
            Ok(ticket) => Ok(ticket),
            Err(turned) => admit_late(engine, turned, max_wait).await,
        }
    }
}

impl<R: Runs> fmt::Debug for Door<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("pool", self.pool).field("options", &self.options).finish()
    }
}

/// Offers a job to the pool, and does what follows from it.
#[inline]
pub(crate) fn offer<U: Unit>(
    engine: &Arc<Engine<U>>,
    unit: U,
    terms: Terms,
    now: Timestamp,
    reserved: bool,
) -> Result<Ticket, Turned<U>> {
    let mut calls = Calls::default();
    let mut displaced = None;
    let offered = engine.state.lock().offer(unit, terms, now, reserved, &mut calls, &mut displaced);
    if let Some(displaced) = displaced {
        dismiss(displaced.unit, Some(Why::Dropped));
    }
    let start = calls.start.take();
    engine.go(calls);
    match (start, offered) {
        (Some(seat), Ok(ticket)) if !engine.try_start(&seat) => without_worker(engine, ticket),
        (_, offered) => offered,
    }
}

/// A worker was wanted and none could be started. If nobody else is there, or the job has no room without it, it goes back.
#[cold]
fn without_worker<U: Unit>(engine: &Arc<Engine<U>>, ticket: Ticket) -> Result<Ticket, Turned<U>> {
    let job = {
        let mut state = engine.state.lock();
        if state.crew.live() > 0 && state.keeps_its_bound() { None } else { state.take_back(ticket) }
    };
    match job {
        Some(job) => {
            engine.give_up_orphans();
            Err(Turned { unit: job.unit, terms: job.terms, reason: Reason::NoWorker })
        }
        None => Ok(ticket),
    }
}

/// The queue was full: the job waits for room, or its submitter runs it, or it is refused.
async fn admit_late<U: Unit>(
    engine: &Arc<Engine<U>>,
    turned: Turned<U>,
    max_wait: Option<Duration>,
) -> Result<Ticket, Refused> {
    let Turned { unit, terms, reason } = turned;
    if !matches!(reason, Reason::Full | Reason::DepthLimit) {
        return Err(engine.refuse(reason));
    }
    let now = engine.now();
    let entered = engine.state.lock().enter(terms.priority, terms.deadline, max_wait, now);
    match entered {
        Ok(Entered { place, until, calls }) => {
            let spot = Spot { engine, place: Some(place), priority: terms.priority };
            engine.go(calls);
            wait_for_room(spot, until, terms.deadline).await.map_err(|why| engine.refuse(why))?;
            offer(engine, unit, terms, engine.now(), true).map_err(|turned| engine.refuse(turned.reason))
        }
        Err(Reason::Full) if engine.runs_here() => run_here(engine, unit, terms).await,
        Err(reason) => Err(engine.refuse(reason)),
    }
}

/// Waits until room is granted. Whoever calls this uses the room at once.
async fn wait_for_room<U: Unit>(mut spot: Spot<'_, U>, until: Timestamp, deadline: Timestamp) -> Result<(), Reason> {
    let mut timer = pin!(None);
    poll_fn(|cx| {
        let mut own = Some(cx.waker().clone());
        let Some(place) = &spot.place else { return Poll::Ready(Err(Reason::Stopped)) };
        let (found, is_kept, is_open) = {
            let mut state = spot.engine.state.lock();
            let found = state.look(place, &mut own);
            (found, state.keeper.exists, state.phase() == Phase::Open)
        };
        drop(own);
        let late = if until == deadline { Reason::Expired } else { Reason::TimedOut };
        match found {
            Found::Granted { .. } => {
                spot.place = None;
                Poll::Ready(Ok(()))
            }
            Found::Unserved(why) => {
                spot.place = None;
                Poll::Ready(Err(match why {
                    Unserved::Late => late,
                    _ if is_open => Reason::NoWorker,
                    _ => Reason::Stopped,
                }))
            }
            Found::Gone => Poll::Ready(Err(Reason::Stopped)),
            // The keeper looks at the time for all who wait.
            Found::Waiting if is_kept => Poll::Pending,
            Found::Waiting => {
                if timer.is_none() {
                    timer.set(Some(spot.engine.clock.sleep_until(until)));
                }
                if let Some(timer) = timer.as_mut().as_pin_mut() {
                    ready!(timer.poll(cx));
                }
                Poll::Ready(Err(late))
            }
        }
    })
    .await
}

/// A place among those who wait for room. Dropped, it is left, and room that was granted goes to the next.
struct Spot<'a, U: Unit> {
    engine: &'a Arc<Engine<U>>,
    place: Option<Place>,
    priority: Priority,
}

impl<U: Unit> Drop for Spot<'_, U> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            let [next, old] = self.engine.state.lock().leave_line(&place, self.priority);
            drop(old);
            if let Some(next) = next {
                next.wake();
            }
        }
    }
}

/// Runs a job in the task of its submitter.
async fn run_here<U: Unit>(engine: &Arc<Engine<U>>, mut unit: U, mut terms: Terms) -> Result<Ticket, Refused> {
    let now = engine.now();
    let id = engine.state.lock().run_elsewhere(&mut terms, now).map_err(|why| engine.refuse(why))?;
    let mut here = Here { engine, running: true };
    let timeout = {
        let state = engine.state.lock();
        terms.extra.as_ref().and_then(|extra| extra.timeout).or(state.config.timeout)
    };
    let mut attempt = Attempt::new(Arc::new(Seat::new(u32::MAX)), engine.clock.clone());
    attempt.job = id;
    attempt.number = terms.failures() + 1;
    attempt.deadline = timeout.map_or(terms.deadline, |timeout| (now + timeout).min(terms.deadline));
    let (ended, _) = run(&mut unit, &attempt, attempt.deadline, &engine.clock, &engine.spawner).await;
    if let Ended::Tried(Tried::Succeeded) = ended {
        engine.state.lock().end_elsewhere(End::Completed);
        here.running = false;
        dismiss(unit, None);
        engine.tend_closed();
        return Ok(Ticket::outside(id));
    }
    here.running = false;
    let how = ended.how(attempt.deadline == terms.deadline);
    let again = engine.fail(Ran::Elsewhere(id), unit, terms, how);
    Ok(again.unwrap_or(Ticket::outside(id)))
}

/// A job that runs where it was submitted. Dropped before its end, it was cancelled.
struct Here<'a, U: Unit> {
    engine: &'a Arc<Engine<U>>,
    running: bool,
}

impl<U: Unit> Drop for Here<'_, U> {
    fn drop(&mut self) {
        if self.running {
            self.engine.state.lock().end_elsewhere(End::Cancelled);
            self.engine.tend_closed();
        }
    }
}
