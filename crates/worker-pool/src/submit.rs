use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use seawall_core::Priority;
use seawall_core::time::{Sleep, Timestamp};
use seawall_core::wait::{Found, Place, Unserved};

use crate::engine::Engine;
use crate::error::JobError;
use crate::handle::JobHandle;
use crate::job::Attempt;
use crate::pool::Link;
use crate::refused::{Reason, Refused};
use crate::reply::Reply;
use crate::seat::Seat;
use crate::state::{Calls, End, Entered, Phase, Ran, Terms, Ticket, Turned};
use crate::task::{Runs, Task};
use crate::unit::{Tried, Unit, Why, dismiss};
use crate::worker::{Ended, run};

/// Submits a job; made by [`Pool::submit`](crate::Pool::submit). Gives the job's handle.
///
/// # Errors
/// If the job was not taken; then it has been dropped.
///
/// # Cancel safety
/// Dropped before it is done, the job is not submitted.
///
/// # Panics
/// If it is polled again after it was ready.
#[must_use = "futures do nothing unless polled"]
pub struct Submit<'a, T, E, R: Runs = Task> {
    admission: Admission<'a, R>,
    link: &'a Link<R>,
    reply: Option<Arc<Reply<T, E>>>,
}

impl<'a, T, E, R: Runs> Submit<'a, T, E, R> {
    #[inline]
    pub(crate) const fn new(admission: Admission<'a, R>, link: &'a Link<R>, reply: Arc<Reply<T, E>>) -> Self {
        Self { admission, link, reply: Some(reply) }
    }
}

impl<T, E, R: Runs> Future for Submit<'_, T, E, R> {
    type Output = Result<JobHandle<T, E, R>, Refused>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ticket = ready!(self.admission.poll(cx))?;
        let reply = self.reply.take().expect("a future that is ready is not polled again");
        Poll::Ready(Ok(JobHandle::new(reply, self.link.clone(), ticket)))
    }
}

/// Submits a job whose result nobody wants; made by [`Pool::execute`](crate::Pool::execute).
///
/// # Errors
/// If the job was not taken; then it has been dropped.
///
/// # Cancel safety
/// Dropped before it is done, the job is not submitted.
///
/// # Panics
/// If it is polled again after it was ready.
#[must_use = "futures do nothing unless polled"]
pub struct Execute<'a, R: Runs = Task>(Admission<'a, R>);

impl<'a, R: Runs> Execute<'a, R> {
    #[inline]
    pub(crate) const fn new(admission: Admission<'a, R>) -> Self {
        Self(admission)
    }
}

impl<R: Runs> Future for Execute<'_, R> {
    type Output = Result<(), Refused>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx).map_ok(drop)
    }
}

/// Submits a job and waits for its end; made by [`Pool::run`](crate::Pool::run).
///
/// # Errors
/// The refusal outside, the job's own end inside.
///
/// # Cancel safety
/// Dropped before its end, it cancels the job.
///
/// # Panics
/// If it is polled again before its job was submitted, after it was refused.
#[must_use = "futures do nothing unless polled"]
pub struct Run<'a, T, E, R: Runs = Task>(Running<'a, T, E, R>);

enum Running<'a, T, E, R: Runs> {
    Submitting(Submit<'a, T, E, R>),
    Waiting(JobHandle<T, E, R>),
}

impl<'a, T, E, R: Runs> Run<'a, T, E, R> {
    pub(crate) const fn new(submit: Submit<'a, T, E, R>) -> Self {
        Self(Running::Submitting(submit))
    }
}

impl<T, E, R: Runs> Future for Run<'_, T, E, R> {
    type Output = Result<Result<T, JobError<E>>, Refused>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.0 {
                Running::Submitting(submit) => {
                    let handle = ready!(Pin::new(submit).poll(cx))?.cancel_on_drop();
                    self.0 = Running::Waiting(handle);
                }
                Running::Waiting(handle) => return Pin::new(handle).poll(cx).map(Ok),
            }
        }
    }
}

/// A job on its way into the pool.
pub(crate) struct Admission<'a, R: Runs> {
    engine: &'a Arc<Engine<R::Unit>>,
    stage: Stage<'a, R::Unit>,
}

/// Nothing here is pinned in place: a job is moved until it runs.
impl<R: Runs> Unpin for Admission<'_, R> {}

enum Stage<'a, U: Unit> {
    New {
        unit: U,
        terms: Terms,
        expires_in: Option<Duration>,
        max_wait: Option<Duration>,
    },
    Waiting(Waiting<'a, U>),
    /// It found no room, and runs where it is submitted.
    Here(Pin<Box<dyn Future<Output = Result<Ticket, Refused>> + Send + 'a>>),
    Over,
}

struct Waiting<'a, U: Unit> {
    spot: Spot<'a, U>,
    unit: U,
    terms: Terms,
    until: Timestamp,
    /// Only where no keeper looks at the time for all who wait.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<'a, R: Runs> Admission<'a, R> {
    #[inline]
    pub(crate) const fn new(
        engine: &'a Arc<Engine<R::Unit>>,
        unit: R::Unit,
        terms: Terms,
        expires_in: Option<Duration>,
        max_wait: Option<Duration>,
    ) -> Self {
        Self { engine, stage: Stage::New { unit, terms, expires_in, max_wait } }
    }

    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Ticket, Refused>> {
        if !matches!(self.stage, Stage::New { .. }) {
            return self.poll_on(cx);
        }
        let Stage::New { unit, terms, expires_in, max_wait } = std::mem::replace(&mut self.stage, Stage::Over) else {
            return Poll::Pending;
        };
        let now = self.engine.now();
        match offer(self.engine, unit, terms.expiring(expires_in, now), now, false) {
            Ok(ticket) => Poll::Ready(Ok(ticket)),
            Err(turned) => {
                self.stage = queue_up(self.engine, turned, max_wait, now)?;
                self.poll_on(cx)
            }
        }
    }

    #[inline(never)]
    fn poll_on(&mut self, cx: &mut Context<'_>) -> Poll<Result<Ticket, Refused>> {
        match &mut self.stage {
            Stage::Here(running) => running.as_mut().poll(cx),
            Stage::Waiting(waiting) => {
                let granted = ready!(waiting.poll(cx));
                let Stage::Waiting(Waiting { unit, terms, .. }) = std::mem::replace(&mut self.stage, Stage::Over)
                else {
                    return Poll::Pending;
                };
                let taken = granted.map_err(|reason| self.engine.refuse(reason)).and_then(|()| {
                    let now = self.engine.now();
                    offer(self.engine, unit, terms, now, true).map_err(|turned| turn_away(self.engine, turned))
                });
                Poll::Ready(taken)
            }
            Stage::New { .. } | Stage::Over => panic!("a future that is ready is not polled again"),
        }
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
        (Some(seat), Ok(ticket)) if !engine.try_start(&seat) => without_worker(engine, ticket, reserved),
        (_, offered) => offered,
    }
}

/// A worker was wanted and none could be started. If nobody else is there, or the job has no room without it, it goes back.
#[cold]
fn without_worker<U: Unit>(engine: &Arc<Engine<U>>, ticket: Ticket, reserved: bool) -> Result<Ticket, Turned<U>> {
    let job = {
        let mut state = engine.state.lock();
        if state.crew.live() > 0 && (reserved || state.keeps_its_bound()) { None } else { state.take_back(ticket) }
    };
    match job {
        Some(job) => {
            engine.give_up_orphans();
            Err(Turned { unit: job.unit, terms: job.terms, reason: Reason::NoWorker })
        }
        None => Ok(ticket),
    }
}

/// Drops a job that was not taken, and says so.
pub(crate) fn turn_away<U: Unit>(engine: &Engine<U>, turned: Turned<U>) -> Refused {
    let why = if turned.reason == Reason::Expired { Why::Expired } else { Why::Dropped };
    dismiss(turned.unit, Some(why));
    engine.refuse(turned.reason)
}

/// The queue was full: the job waits for room, or its submitter runs it, or it is refused.
fn queue_up<U: Unit>(
    engine: &Arc<Engine<U>>,
    turned: Turned<U>,
    max_wait: Option<Duration>,
    now: Timestamp,
) -> Result<Stage<'_, U>, Refused> {
    if !matches!(turned.reason, Reason::Full | Reason::DepthLimit) {
        return Err(turn_away(engine, turned));
    }
    let Turned { unit, terms, reason } = turned;
    let entered = engine.state.lock().enter(terms.priority, terms.deadline, max_wait, now);
    match entered {
        Ok(Entered { place, until, calls }) => {
            let spot = Spot { engine, place: Some(place), priority: terms.priority };
            engine.go(calls);
            Ok(Stage::Waiting(Waiting { spot, unit, terms, until, timer: None }))
        }
        Err(Reason::Full) if engine.runs_here() => Ok(Stage::Here(Box::pin(run_here(engine, unit, terms)))),
        Err(Reason::Full) => Err(engine.refuse(reason)),
        Err(reason) => Err(engine.refuse(reason)),
    }
}

impl<U: Unit> Waiting<'_, U> {
    /// Waits until room is granted. Whoever calls this uses the room at once.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Reason>> {
        let engine = self.spot.engine;
        let Some(place) = &self.spot.place else { return Poll::Ready(Err(Reason::Stopped)) };
        let mut own = Some(cx.waker().clone());
        let (found, is_kept, is_open) = {
            let mut state = engine.state.lock();
            let found = state.look(place, &mut own);
            (found, state.keeper.exists, state.phase() == Phase::Open)
        };
        drop(own);
        let late = if self.until == self.terms.deadline { Reason::Expired } else { Reason::TimedOut };
        match found {
            Found::Granted { .. } => {
                self.spot.place = None;
                Poll::Ready(Ok(()))
            }
            Found::Unserved(why) => {
                self.spot.place = None;
                Poll::Ready(Err(match why {
                    Unserved::Late => late,
                    _ if is_open => Reason::NoWorker,
                    _ => Reason::Stopped,
                }))
            }
            Found::Gone => Poll::Ready(Err(Reason::Stopped)),
            Found::Waiting if is_kept => Poll::Pending,
            Found::Waiting => {
                let timer = self.timer.get_or_insert_with(|| Box::pin(engine.clock.sleep_until(self.until)));
                timer.as_mut().poll(cx).map(|()| Err(late))
            }
        }
    }
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
    let seat = Arc::new(Seat::new(u32::MAX));
    let id = engine.state.lock().run_elsewhere(&mut terms, &seat, now).map_err(|why| engine.refuse(why))?;
    let mut here = Here { engine, id, seat: seat.clone(), running: true };
    let timeout = {
        let state = engine.state.lock();
        terms.extra.as_ref().and_then(|extra| extra.timeout).or(state.config.timeout)
    };
    let mut attempt = Attempt::new(seat, engine.clock.clone());
    attempt.job = id;
    attempt.number = terms.failures() + 1;
    attempt.deadline = timeout.map_or(terms.deadline, |timeout| (now + timeout).min(terms.deadline));
    let (ended, _) = run(engine, &mut unit, &attempt, attempt.deadline, None).await;
    if let Ended::Tried(Tried::Succeeded) = ended {
        engine.state.lock().end_elsewhere(id, End::Completed);
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
    id: u64,
    /// Held so that the state never drops the last of it, and the waker in it, under its lock.
    seat: Arc<Seat>,
    running: bool,
}

impl<U: Unit> Drop for Here<'_, U> {
    fn drop(&mut self) {
        self.seat.vacate();
        if self.running {
            self.engine.state.lock().end_elsewhere(self.id, End::Cancelled);
            self.engine.tend_closed();
        }
    }
}

impl<T, E, R: Runs> fmt::Debug for Submit<'_, T, E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submit").finish_non_exhaustive()
    }
}

impl<R: Runs> fmt::Debug for Execute<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execute").finish_non_exhaustive()
    }
}

impl<T, E, R: Runs> fmt::Debug for Run<'_, T, E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}
