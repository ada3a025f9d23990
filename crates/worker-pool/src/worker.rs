use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Poll;

use seawall_core::time::Timestamp;

use crate::engine::{Engine, How};
use crate::event::Event;
use crate::job::Attempt;
use crate::seat::Seat;
use crate::state::{Calls, End, Next, Ran, Standing, Terms, Ticket, Waiting};
use crate::unit::{Tried, Unit, Why, dismiss, quietly};

/// How often a worker that finds nothing lets others run before it sleeps.
const RESTS: u32 = 1;

/// After how many jobs without a wait a worker lets others of its executor run.
const STREAK: u32 = 128;

/// Starts a worker. Tells whether the spawner took it.
pub(crate) fn spawn<U: Unit>(engine: &Arc<Engine<U>>, seat: Arc<Seat>) -> bool {
    let start = Arc::new(Start::default());
    let presence = Presence {
        engine: engine.clone(),
        seat,
        start: start.clone(),
        has_begun: false,
        has_left: false,
        job: None,
        unit: None,
    };
    engine.spawner.spawn(Box::pin(work(presence))).is_ok() && start.is_done()
}

/// Whether a worker was dropped while it was being started: a runtime that has shut down takes a task and drops it. Then
/// whoever starts it sees to what that means.
#[derive(Default)]
struct Start(AtomicU8);

impl Start {
    const LOST: u8 = 1;
    const DONE: u8 = 2;

    /// It was taken. Tells whether it has not been dropped.
    fn is_done(&self) -> bool {
        self.0.compare_exchange(0, Self::DONE, Ordering::SeqCst, Ordering::SeqCst) != Err(Self::LOST)
    }

    /// It was dropped. Tells whether it was being started still.
    fn is_lost(&self) -> bool {
        self.0.compare_exchange(0, Self::LOST, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// It runs.
    fn begin(&self) {
        self.0.store(Self::DONE, Ordering::SeqCst);
    }
}

/// A worker, as long as it lives. Dropped before it has left, it was ended from outside.
struct Presence<U: Unit> {
    engine: Arc<Engine<U>>,
    seat: Arc<Seat>,
    start: Arc<Start>,
    has_begun: bool,
    has_left: bool,
    job: Option<Ticket>,
    /// What it works at.
    unit: Option<U>,
}

impl<U: Unit> Drop for Presence<U> {
    fn drop(&mut self) {
        self.seat.vacate();
        if self.has_left {
            return;
        }
        let now = self.engine.now();
        let (counted, waker) = self.engine.state.lock().lose(self.seat.at, self.job, now);
        drop(waker);
        if let Some(unit) = self.unit.take() {
            dismiss(unit, Some(Why::Lost));
        }
        if self.start.is_lost() {
            return;
        }
        if counted && self.has_begun {
            self.engine.tell(&Event::WorkerLost { name: self.engine.name });
            self.engine.tend();
        } else {
            // Its runtime drops what it was given: another worker is asked, and none started.
            let other = self.engine.state.lock().call();
            if let Some(other) = other {
                other.wake();
            }
        }
        self.engine.give_up_orphans();
        self.engine.tend_closed();
    }
}

/// What a worker has been given.
enum Taken<U> {
    Job { terms: Terms, until: Timestamp },
    Expired(Waiting<U>),
    Nothing,
    Leave,
}

impl<U: Unit> Presence<U> {
    /// Takes hold of a job before anything of the user's is called, so that it is not lost with the worker.
    #[inline]
    fn take_on(&mut self, next: Next<U>) -> Taken<U> {
        match next {
            Next::Job { ticket, job: Waiting { unit, terms, .. }, until } => {
                self.job = Some(ticket);
                self.unit = Some(unit);
                Taken::Job { terms, until }
            }
            Next::Expired(job) => Taken::Expired(job),
            Next::Nothing => Taken::Nothing,
            Next::Leave => {
                self.has_left = true;
                Taken::Leave
            }
        }
    }
}

/// What a worker does until it leaves.
async fn work<U: Unit>(mut presence: Presence<U>) {
    presence.has_begun = true;
    presence.start.begin();
    let engine = presence.engine.clone();
    let seat = presence.seat.clone();
    let mut attempt = Attempt::new(seat.clone(), engine.clock.clone());
    let mut done: Option<Done<U>> = None;
    let mut streak = 0;
    let mut rests = 0;
    loop {
        let mut calls = Calls::default();
        let now = engine.clock.now();
        let next = {
            let mut state = engine.state.lock();
            if let Some(done) = &done {
                state.complete(seat.at, done.ticket, now, &mut calls);
            }
            state.next(seat.at, now, &mut calls)
        };
        presence.job = None;
        let mut next = presence.take_on(next);
        engine.go(calls);
        if let Some(done) = done.take() {
            dismiss(done.unit, None);
        }
        if let Taken::Nothing = next {
            streak = 0;
            if rests < RESTS {
                // Under a stream of small jobs the next is there when others have run: to sleep and to be woken costs more.
                rests += 1;
                let_others_run().await;
                continue;
            }
            let (found, calls) = wait(&engine, &seat).await;
            next = presence.take_on(found);
            engine.go(calls);
        }
        let (terms, until) = match next {
            Taken::Job { terms, until } => (terms, until),
            Taken::Expired(job) => {
                dismiss(job.unit, Some(Why::Expired));
                continue;
            }
            Taken::Nothing => continue,
            Taken::Leave => break,
        };
        let (Some(ticket), Some(unit)) = (presence.job, presence.unit.as_mut()) else { continue };
        rests = 0;
        attempt.job = ticket.id;
        attempt.number = terms.failures() + 1;
        attempt.deadline = until;
        let (ended, waited) = run(&engine, unit, &attempt, until, Some(ticket)).await;
        streak = if waited { 0 } else { streak + 1 };
        let Some(unit) = presence.unit.take() else { continue };
        match ended {
            Ended::Tried(Tried::Succeeded) => done = Some(Done { unit, ticket }),
            ended => {
                let how = ended.how(terms.deadline == until);
                engine.fail(Ran::OnSeat(seat.at, ticket), unit, terms, how);
                presence.job = None;
            }
        }
        if streak >= STREAK {
            streak = 0;
            // What has succeeded is counted and told first: the worker may be dropped while others run.
            if let Some(done) = done.take() {
                let mut calls = Calls::default();
                let now = engine.clock.now();
                engine.state.lock().complete(seat.at, done.ticket, now, &mut calls);
                presence.job = None;
                engine.go(calls);
                dismiss(done.unit, None);
            }
            let_others_run().await;
        }
    }
    let to = engine.state.lock().crew.live();
    engine.tell(&Event::Shrunk { name: engine.name, from: to + 1, to });
    engine.tend_closed();
}

/// A job that succeeded and whose result has not been told.
struct Done<U> {
    unit: U,
    ticket: Ticket,
}

/// Waits until there is something to do.
async fn wait<U: Unit>(engine: &Arc<Engine<U>>, seat: &Arc<Seat>) -> (Next<U>, Calls) {
    poll_fn(|cx| {
        let mut own = Some(cx.waker().clone());
        let mut calls = Calls::default();
        let now = engine.clock.now();
        let next = {
            let mut state = engine.state.lock();
            match state.crew.standing(seat.at) {
                Standing::Coming => match state.next(seat.at, now, &mut calls) {
                    Next::Nothing => {
                        if let Some(waker) = own.take() {
                            state.wait(seat.at, now, waker, &mut calls);
                        }
                        None
                    }
                    next => Some(next),
                },
                Standing::Idle => {
                    if let Some(waker) = own.take() {
                        own = state.crew.wait_on(seat.at, waker);
                    }
                    None
                }
                Standing::Leaving => {
                    own = state.crew.leave(seat.at).1;
                    Some(Next::Leave)
                }
            }
        };
        drop(own);
        if let Some(next) = next {
            return Poll::Ready((next, calls));
        }
        engine.go(calls);
        Poll::Pending
    })
    .await
}

async fn let_others_run() {
    let mut has_run = false;
    poll_fn(|cx| {
        if has_run {
            return Poll::Ready(());
        }
        has_run = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// How an attempt ended.
pub(crate) enum Ended {
    Tried(Tried),
    Panicked(Box<dyn std::any::Any + Send>),
    /// It was told to stop.
    Stopped,
    /// It took too long.
    TimedOut,
}

impl Ended {
    /// What it means, when it is not a success.
    pub(crate) fn how(self, by_deadline: bool) -> How {
        let (end, why) = match self {
            Self::Tried(Tried::Succeeded) => (End::Completed, None),
            Self::Tried(Tried::Failed) => (End::Failed, None),
            Self::Tried(Tried::Lost) => (End::Failed, Some(Why::Lost)),
            Self::Panicked(payload) => (End::Panicked, Some(Why::Panicked(payload))),
            Self::Stopped => (End::Cancelled, None),
            Self::TimedOut if by_deadline => (End::Expired, None),
            Self::TimedOut => (End::TimedOut, None),
        };
        How { end, why }
    }
}

/// One attempt, to its end or until it is cut off. Tells also whether it had to wait. `ticket`: of a job on a worker's seat.
pub(crate) async fn run<U: Unit>(
    engine: &Arc<Engine<U>>,
    unit: &mut U,
    attempt: &Attempt,
    until: Timestamp,
    ticket: Option<Ticket>,
) -> (Ended, bool) {
    let divisible = unit.is_divisible();
    let seat = &attempt.seat;
    let mut waited = false;
    let mut timer = pin!(None);
    let mut going = pin!(Some(unit.attempt(attempt, &engine.spawner)));
    let ended = poll_fn(|cx| {
        let ended = if divisible { cut_off(seat, attempt.job) } else { None };
        if let Some(ended) = ended {
            return Poll::Ready(ended);
        }
        let Some(attempting) = going.as_mut().as_pin_mut() else { return Poll::Ready(Ended::Stopped) };
        match catch_unwind(AssertUnwindSafe(|| attempting.poll(cx))) {
            Err(payload) => return Poll::Ready(Ended::Panicked(payload)),
            Ok(Poll::Ready(tried)) => return Poll::Ready(Ended::Tried(tried)),
            Ok(Poll::Pending) => {}
        }
        let is_first = !std::mem::replace(&mut waited, true);
        // What cannot be cut off asks for the time itself, and holds its worker until it ends.
        if !divisible {
            return Poll::Pending;
        }
        seat.listen(cx.waker());
        if let Some(ended) = cut_off(seat, attempt.job) {
            return Poll::Ready(ended);
        }
        if until == Timestamp::NEVER {
            return Poll::Pending;
        }
        if let Some(ticket) = ticket {
            if is_first {
                engine.watch(seat.at, ticket, until);
            }
            if engine.is_kept() {
                return Poll::Pending;
            }
        }
        if timer.is_none() {
            timer.set(Some(engine.clock.sleep_until(until)));
        }
        if let Some(timer) = timer.as_mut().as_pin_mut() {
            std::task::ready!(timer.poll(cx));
        }
        Poll::Ready(Ended::TimedOut)
    })
    .await;
    // What is cut off is dropped here, and a panic of its drop is not the worker's end.
    quietly(|| going.set(None));
    (ended, waited)
}

/// Whether the attempt is to end now.
#[inline]
fn cut_off(seat: &Seat, job: u64) -> Option<Ended> {
    if seat.is_stopped(job) {
        Some(Ended::Stopped)
    } else if seat.is_late(job) {
        Some(Ended::TimedOut)
    } else {
        None
    }
}
