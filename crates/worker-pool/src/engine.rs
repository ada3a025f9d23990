use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use seawall_core::observe::Observer;
use seawall_core::spawn::Spawner;
use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::{AtomicBool, Ordering};
use seawall_core::time::{Clock, Timestamp};
use seawall_core::wait::Wakers;
use seawall_core::{Name, Priority};

use crate::config::FullPolicy;
use crate::dead::{Buried, DeadLetter};
use crate::event::{DeadReason, Event};
use crate::keeper;
use crate::refused::{Figures, Reason, Refused};
use crate::seat::Seat;
use crate::state::{Calls, Cancel, End, Failed, Phase, Ran, State, Terms, Ticket, Verdict};
use crate::unit::{Unit, Why, dismiss, quietly};
use crate::worker;

/// What the handles, the workers and the keeper share: the state behind one lock, and all that is done outside of it.
#[derive(Debug)]
pub(crate) struct Engine<U> {
    pub(crate) state: Mutex<State<U>>,
    pub(crate) clock: Clock,
    pub(crate) spawner: Spawner,
    pub(crate) name: Name,
    /// Whether there is a keeper.
    pub(crate) is_kept: AtomicBool,
}

impl<U: Unit> Engine<U> {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Wakes and starts whom the state named. Not under the lock.
    #[inline(always)]
    pub(crate) fn go(self: &Arc<Self>, calls: Calls) {
        if calls.is_empty() {
            // There is nothing in it to drop either, which the compiler cannot see.
            std::mem::forget(calls);
        } else {
            self.follow(calls);
        }
    }

    #[inline(never)]
    fn follow(self: &Arc<Self>, calls: Calls) {
        let Calls { worker, submitter, keeper, start, late, keep, tend } = calls;
        if let Some(worker) = worker {
            worker.wake();
        }
        if let Some(submitter) = submitter {
            submitter.wake();
        }
        if let Some(keeper) = keeper {
            keeper.wake();
        }
        if let Some(late) = late {
            late.wake();
        }
        if let Some(seat) = start {
            self.start(&seat);
        }
        if keep {
            keeper::start(self);
        }
        if tend {
            self.tend_closed();
        }
    }

    /// Starts a worker on its seat. Tells whether the spawner took it; if it did not, the seat is free again, and jobs that
    /// nobody is left to run have been given up.
    pub(crate) fn start(self: &Arc<Self>, seat: &Arc<Seat>) -> bool {
        let started = self.try_start(seat);
        if !started {
            self.give_up_orphans();
        }
        started
    }

    /// The same, but jobs stay, even if nobody is left to run them.
    pub(crate) fn try_start(self: &Arc<Self>, seat: &Arc<Seat>) -> bool {
        let started = worker::spawn(self, seat.clone());
        let (workers, other) = {
            let mut state = self.state.lock();
            // The one who was to come does not: another takes its place.
            (state.crew.live(), if started { None } else { state.call() })
        };
        if let Some(other) = other {
            other.wake();
        }
        if started {
            self.tell(&Event::Grown { name: self.name, from: workers.saturating_sub(1), to: workers });
        } else {
            self.tell(&Event::WorkerNotStarted { name: self.name });
        }
        started
    }

    /// Nobody is left to run the jobs that wait, and nobody can be started: whoever waits for them is told.
    pub(crate) fn give_up_orphans(self: &Arc<Self>) {
        loop {
            let job = {
                let mut state = self.state.lock();
                if state.crew.live() > 0 {
                    return;
                }
                state.give_up_one()
            };
            let Some(job) = job else { break };
            dismiss(job.unit, Some(Why::Lost));
        }
        self.refuse_submitters();
        self.tend_closed();
    }

    /// What is left to do when the pool takes no more jobs: send idle workers home, tell those who wait for the end.
    pub(crate) fn tend_closed(self: &Arc<Self>) {
        loop {
            let (waker, drainers, keeper) = {
                let mut state = self.state.lock();
                if state.phase() == Phase::Open {
                    return;
                }
                let waker = state.dismiss_surplus();
                let keeper = if state.is_quiet() { state.keeper.waker.take() } else { None };
                (waker, state.tell_drainers(), keeper)
            };
            drainers.into_iter().map(|(_, waker)| waker).chain(keeper).for_each(std::task::Waker::wake);
            match waker {
                Some(waker) => waker.wake(),
                None => return,
            }
        }
    }

    /// Makes the pool as large as it has to be now, and gives the room there is to those who wait for it.
    pub(crate) fn tend(self: &Arc<Self>) {
        loop {
            let now = self.now();
            let mut calls = Calls::default();
            {
                let mut state = self.state.lock();
                calls.start = state.hire_to_floor().or_else(|| state.grow(now));
                calls.worker = state.dismiss_surplus().or_else(|| state.call());
                calls.submitter = state.grant();
            }
            let Calls { worker, submitter, start, .. } = calls;
            if worker.is_none() && submitter.is_none() && start.is_none() {
                return;
            }
            [worker, submitter].into_iter().flatten().for_each(std::task::Waker::wake);
            if start.is_some_and(|seat| !self.start(&seat)) {
                return;
            }
        }
    }

    /// An attempt ended without success: the job is tried again, or its end is told. Gives where it waits, if it does.
    pub(crate) fn fail(self: &Arc<Self>, ran: Ran, unit: U, terms: Terms, how: How) -> Option<Ticket> {
        let id = match ran {
            Ran::OnSeat(_, ticket) => ticket.id,
            Ran::Elsewhere(id) => id,
        };
        let failed =
            Failed { end: how.end, error: how.complaint(&unit), repeatable: unit.is_repeatable() && !how.is_lost() };
        let priority = terms.priority;
        let now = self.now();
        let mut calls = Calls::default();
        let verdict = self.state.lock().fail(ran, (unit, terms), failed, now, &mut calls);
        let ticket = match verdict {
            Verdict::Again(ticket) => Some(ticket),
            Verdict::Final(mut unit, terms, end) => {
                let why = how.why(end);
                if end.is_failure() {
                    let reason = if end == End::Panicked { DeadReason::Panicked } else { DeadReason::Exhausted };
                    let parting = unit.parting(why);
                    self.bury(id, reason, priority, unit, terms);
                    quietly(|| {
                        if let Some(tell) = parting {
                            tell();
                        }
                    });
                } else {
                    dismiss(unit, why);
                }
                if end == End::Panicked {
                    self.tell(&Event::Panicked { name: self.name, job: id });
                }
                None
            }
        };
        self.go(calls);
        ticket
    }

    fn bury(&self, id: u64, reason: DeadReason, priority: Priority, unit: U, mut terms: Terms) {
        let is_repeatable = unit.is_repeatable();
        let failures = terms.failures();
        let history = terms.extra.as_mut().map(|extra| std::mem::take(&mut extra.history)).unwrap_or_default();
        let letter = DeadLetter { job: id, reason, priority, failures, history, is_repeatable };
        // What cannot run again is not kept: it is dropped before the lock is taken.
        let job = if is_repeatable {
            Some((unit, terms))
        } else {
            quietly(|| drop(unit));
            None
        };
        let (gone, kept) = {
            let mut state = self.state.lock();
            let most = state.config.dead_letters;
            (state.dead.bury(Buried { order: 0, letter, job }, most), most > 0)
        };
        if kept {
            self.tell(&Event::DeadLettered { name: self.name, job: id, reason });
        }
        if let Some(Buried { letter, job, .. }) = gone {
            quietly(|| drop(job));
            if kept {
                self.tell(&Event::DeadLetterEvicted { name: self.name, job: letter.job });
            }
        }
    }

    /// Cancels a job. Tells whether it had not ended.
    pub(crate) fn cancel(self: &Arc<Self>, ticket: Ticket) -> bool {
        let cancelled = self.state.lock().cancel(ticket);
        match cancelled {
            Cancel::Out(job, submitter) => {
                if let Some(waker) = submitter {
                    waker.wake();
                }
                dismiss(job.unit, Some(Why::Cancelled));
                self.tend_closed();
                true
            }
            Cancel::Running(seat) => {
                seat.wake();
                true
            }
            Cancel::Gone => false,
        }
    }

    /// Takes no more jobs. Those who wait for room are told.
    pub(crate) fn close(self: &Arc<Self>) {
        let was_open = {
            let mut state = self.state.lock();
            let was_open = state.phase() == Phase::Open;
            state.close();
            was_open
        };
        if !was_open {
            return;
        }
        self.refuse_submitters();
        self.tell(&Event::Stopped { name: self.name });
        // Jobs that were left to nobody, because the pool was scaled to nothing, are worked off.
        self.tend();
        self.tend_closed();
    }

    /// Has the keeper watch for the end of an attempt.
    pub(crate) fn watch(self: &Arc<Self>, seat: u32, ticket: Ticket, until: Timestamp) {
        let mut calls = Calls::default();
        self.state.lock().watch(seat, ticket, until, &mut calls);
        self.go(calls);
    }

    /// Whether somebody looks at the time.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::Acquire)
    }

    /// Lets the keeper see what was changed.
    pub(crate) fn wake_keeper(self: &Arc<Self>) {
        let now = self.now();
        let mut calls = Calls::default();
        self.state.lock().ask_keeper(now, &mut calls);
        self.go(calls);
    }

    /// Tells all who wait for room that there will be none.
    fn refuse_submitters(&self) {
        loop {
            let mut wakers = Wakers::default();
            let all = self.state.lock().refuse_some(&mut wakers);
            wakers.wake();
            if all {
                return;
            }
        }
    }

    /// Whether a job that finds no room is run by its submitter.
    pub(crate) fn runs_here(&self) -> bool {
        self.state.lock().config.full == FullPolicy::CallerRuns
    }

    /// Counts a refusal and says it.
    pub(crate) fn refuse(&self, reason: Reason) -> Refused {
        let now = self.now();
        let (figures, retry_after) = {
            let mut state = self.state.lock();
            state.ledger.refuse(reason);
            let figures = Figures {
                queued: state.jobs.ready().saturating_sub(state.crew.available()),
                queue: state.config.queue,
                workers: state.crew.live(),
            };
            (figures, state.expected_room(now, reason))
        };
        Refused::new(self.name, reason, figures, retry_after)
    }

    /// Tells of an event; no lock is held.
    pub(crate) fn tell(&self, event: &Event) {
        let observer: Option<Arc<dyn Observer<Event>>> = self.state.lock().config.observer.clone();
        event.tell(observer.as_deref());
    }
}

/// How an attempt ended without success.
#[derive(Debug)]
pub(crate) struct How {
    pub(crate) end: End,
    /// Why there is no result, if the attempt gave none.
    pub(crate) why: Option<Why>,
}

impl How {
    fn is_lost(&self) -> bool {
        matches!(self.why, Some(Why::Lost))
    }

    fn complaint(&self, unit: &impl Unit) -> String {
        match (&self.end, &self.why) {
            (_, Some(Why::Panicked(payload))) => match crate::error::message(payload.as_ref()) {
                Some(message) => format!("panicked: {message}"),
                None => "panicked".into(),
            },
            (End::TimedOut, _) => "took longer than its timeout".into(),
            (_, Some(Why::Lost)) => "was not started".into(),
            // The text is the user's code, too.
            _ => {
                catch_unwind(AssertUnwindSafe(|| unit.complaint())).unwrap_or_else(|_| "it cannot be displayed".into())
            }
        }
    }

    fn why(self, end: End) -> Option<Why> {
        match end {
            End::Cancelled => Some(Why::Cancelled),
            End::Expired => Some(Why::Expired),
            End::TimedOut => Some(Why::TimedOut),
            End::Completed | End::Failed | End::Panicked => self.why,
        }
    }
}
