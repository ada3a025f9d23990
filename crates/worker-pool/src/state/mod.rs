//! The pool without time, tasks and wakers of its own: what may be taken, who works, who waits. It reads no clock, wakes
//! nobody and drops nothing of its users' while it is locked: it tells its caller whom to wake and what to drop.

mod crew;
mod jobs;
mod ledger;
mod order;

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use seawall_core::Priority;
use seawall_core::random::Random;
use seawall_core::time::Timestamp;
use seawall_core::wait::{Found as Turn, Line, Place, Unserved, Waiter};

pub(crate) use crew::{Crew, Standing};
pub(crate) use jobs::{Extra, Found, Jobs, Terms, Ticket, Waiting};
pub(crate) use ledger::{End, Ledger};

use crate::config::{Config, FullPolicy};
use crate::dead::{Buried, DeadLetters, Failure};
use crate::growth::Load;
use crate::meter::{Inputs, Meter, Signals};
use crate::refused::Reason;
use crate::retry::Retry;
use crate::seat::Seat;
use crate::weights::Turns;

/// Everything of a pool that changes.
#[derive(Debug)]
pub(crate) struct State<U> {
    pub(crate) config: Config,
    pub(crate) jobs: Jobs<U>,
    pub(crate) crew: Crew,
    pub(crate) ledger: Ledger,
    pub(crate) dead: DeadLetters<U>,
    pub(crate) meter: Meter,
    pub(crate) keeper: Keeper,
    phase: Phase,
    /// How many workers there are to be, if somebody said so.
    pinned: Option<usize>,
    /// Those who wait for room, in a class for each priority.
    line: Line,
    /// Room that was granted to those who have not come for it yet, by priority.
    reserved: [usize; Priority::COUNT],
    turns: Turns,
    line_turns: Turns,
    random: Random,
    /// Jobs that run where they were submitted.
    elsewhere: usize,
    /// Who waits for the end of all jobs.
    drainers: Vec<Waker>,
}

/// Whether jobs are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Jobs are taken.
    Open,
    /// No more: what is there is worked off.
    Closing,
    /// No more, and what failed is not tried again.
    Ending,
}

/// The task that does what time brings.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    pub(crate) exists: bool,
    /// Until when it sleeps; it looks by itself at that time.
    pub(crate) until: Timestamp,
    pub(crate) waker: Option<Waker>,
}

/// Whom to wake, and whom to start, when the lock is released.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Calls {
    pub(crate) worker: Option<Waker>,
    /// One who waited for room.
    pub(crate) submitter: Option<Waker>,
    pub(crate) keeper: Option<Waker>,
    pub(crate) start: Option<Arc<Seat>>,
    /// There is no keeper, and one is needed.
    pub(crate) keep: bool,
    /// The pool takes no more jobs: what is left of it is to be seen to.
    pub(crate) tend: bool,
}

/// What becomes of a job that is offered.
#[derive(Debug)]
pub(crate) enum Offer<U> {
    Taken {
        ticket: Ticket,
        calls: Calls,
        /// The job that had to go for it.
        displaced: Option<Waiting<U>>,
    },
    Refused {
        unit: U,
        terms: Terms,
        reason: Reason,
    },
}

/// A place among those who wait for room.
#[derive(Debug)]
pub(crate) struct Entered {
    pub(crate) place: Place,
    /// How long it waits.
    pub(crate) until: Timestamp,
    /// One who has waited before and has room now.
    pub(crate) submitter: Option<Waker>,
}

/// What a worker that asks for work gets.
#[derive(Debug)]
pub(crate) enum Next<U> {
    Job {
        ticket: Ticket,
        job: Waiting<U>,
        /// When its attempt is cut off.
        until: Timestamp,
    },
    /// A job whose deadline has passed, counted as expired; ask again.
    Expired(Waiting<U>),
    /// There is nothing to do.
    Nothing,
    /// The worker is not needed any more, and not counted any more.
    Leave,
}

/// What becomes of an attempt that did not succeed.
#[derive(Debug)]
pub(crate) enum Verdict<U> {
    /// It waits for its next attempt.
    Again(Ticket),
    /// It was the last; counted.
    Final(U, Terms, End),
}

/// What becomes of a job that is to be cancelled.
#[derive(Debug)]
pub(crate) enum Cancel<U> {
    /// It had not begun, and will not.
    Out(Waiting<U>, Option<Waker>),
    /// It runs here; the order was given, wake the worker.
    Running(Arc<Seat>),
    /// It has ended.
    Gone,
}

impl<U> State<U> {
    pub(crate) fn new(config: Config, random: Random) -> Self {
        Self {
            jobs: Jobs::new(),
            crew: Crew::new(),
            ledger: Ledger::default(),
            dead: DeadLetters::default(),
            meter: Meter::default(),
            keeper: Keeper::default(),
            phase: Phase::Open,
            pinned: None,
            line: Line::new(Priority::COUNT),
            reserved: [0; Priority::COUNT],
            turns: Turns::default(),
            line_turns: Turns::default(),
            random,
            elsewhere: 0,
            drainers: Vec::new(),
            config,
        }
    }

    pub(crate) const fn phase(&self) -> Phase {
        self.phase
    }

    /// The fewest workers that there are to be.
    pub(crate) fn floor(&self) -> usize {
        match self.phase {
            Phase::Open => self.pinned.unwrap_or(*self.config.workers.start()),
            Phase::Closing | Phase::Ending => 0,
        }
    }

    /// The most workers that there are to be.
    pub(crate) fn ceiling(&self) -> usize {
        self.pinned.unwrap_or(*self.config.workers.end())
    }

    /// How many jobs run, wherever.
    pub(crate) const fn running(&self) -> usize {
        self.crew.busy() + self.elsewhere
    }

    /// How many submitters wait for room.
    pub(crate) const fn submitters(&self) -> usize {
        self.line.waiting()
    }

    /// Whether no job is left.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.jobs.ready() == 0 && self.jobs.delayed() == 0 && self.running() == 0
    }

    /// Whether one more job may wait, or has a worker that is free for it.
    fn has_room(&self) -> bool {
        self.promised() < self.config.queue + self.crew.available()
    }

    /// How many jobs have room, or will have it.
    fn promised(&self) -> usize {
        self.jobs.ready() + self.reserved.iter().sum::<usize>()
    }

    /// Whether one more job of this priority may wait, or has a worker that is free for it.
    fn lane_has_room(&self, priority: Priority) -> bool {
        let Some(most) = self.config.depth_limits[priority as usize] else { return true };
        let taken = self.jobs.ready_of(priority) + self.reserved[priority as usize];
        taken < most || self.promised() < self.crew.available()
    }

    /// Takes a job, or says why not. `reserved`: room was granted before.
    #[inline]
    pub(crate) fn offer(&mut self, unit: U, mut terms: Terms, now: Timestamp, reserved: bool) -> Offer<U> {
        let mut calls = Calls::default();
        let mut displaced = None;
        if reserved {
            self.reserved[terms.priority as usize] -= 1;
        }
        self.limit(&mut terms, now);
        if let Err(reason) = self.make_room(&terms, now, reserved, &mut calls, &mut displaced) {
            return Offer::Refused { unit, terms, reason };
        }
        let ticket = self.jobs.push(unit, terms, now);
        self.ledger.submitted += 1;
        self.meter.arrived(now);
        if calls.start.is_none() {
            calls.start = self.grow(now);
        }
        calls.worker = self.call();
        self.ask_keeper_to_look(now, &mut calls);
        Offer::Taken { ticket, calls, displaced }
    }

    /// Jobs that do not say when they expire do as the configuration says.
    #[inline]
    fn limit(&self, terms: &mut Terms, now: Timestamp) {
        if let (Timestamp::NEVER, Some(after)) = (terms.deadline, self.config.expires_in) {
            terms.deadline = now + after;
        }
    }

    fn make_room(
        &mut self,
        terms: &Terms,
        now: Timestamp,
        reserved: bool,
        calls: &mut Calls,
        displaced: &mut Option<Waiting<U>>,
    ) -> Result<(), Reason> {
        if self.phase != Phase::Open {
            return Err(Reason::Stopped);
        }
        if terms.is_expired(now) {
            return Err(Reason::Expired);
        }
        if reserved {
            return Ok(());
        }
        let reason = if !self.lane_has_room(terms.priority) {
            Reason::DepthLimit
        } else if self.line.waiting() > 0 {
            // Nobody passes those who wait for room.
            Reason::Full
        } else if self.has_room() {
            return Ok(());
        } else if self.config.growth.when_full() && self.crew.live() < self.ceiling() {
            calls.start = Some(self.crew.hire());
            return Ok(());
        } else {
            Reason::Full
        };
        *displaced = self.displace(terms.priority, reason);
        if displaced.is_some() { Ok(()) } else { Err(reason) }
    }

    /// Takes the job out that has to go for one of this priority, if any has to.
    fn displace(&mut self, priority: Priority, reason: Reason) -> Option<Waiting<U>> {
        let new = priority as usize;
        let lane = match (self.config.full, reason) {
            // The lane is what is full: only one of its own makes room.
            (FullPolicy::DropOldest, Reason::DepthLimit) => new,
            (FullPolicy::DropOldest, _) => {
                let heads = self.jobs.heads();
                let older =
                    heads[..=new].iter().enumerate().filter_map(|(lane, since)| since.map(|since| (since, lane)));
                older.min()?.1
            }
            (FullPolicy::DropLowest, Reason::Full) => {
                let lane = (0..new).find(|lane| self.jobs.ready_of(Priority::ALL[*lane]) > 0)?;
                let gone = self.jobs.drop_last(lane);
                self.ledger.dropped += u64::from(gone.is_some());
                return gone;
            }
            _ => return None,
        };
        let gone = self.jobs.drop_first(lane);
        self.ledger.dropped += u64::from(gone.is_some());
        gone
    }

    /// One worker more, if the policy wants it.
    #[inline]
    pub(crate) fn grow(&mut self, now: Timestamp) -> Option<Arc<Seat>> {
        if self.crew.live() >= self.ceiling() || self.jobs.ready() == 0 {
            return None;
        }
        let below = self.crew.live() < self.floor();
        (below || self.config.growth.grows(&self.load(now))).then(|| self.crew.hire())
    }

    /// One worker more, if there are fewer than there have to be.
    pub(crate) fn hire_to_floor(&mut self) -> Option<Arc<Seat>> {
        (self.crew.live() < self.floor()).then(|| self.crew.hire())
    }

    fn load(&self, now: Timestamp) -> Load {
        let age = self.jobs.oldest().map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        Load::new(self.jobs.ready(), self.crew.available(), self.crew.live(), age)
    }

    /// Wakes one worker more if so few are on their way that the queue would stand. Those who come wake others in turn: a
    /// stream of small jobs does not wake a worker for each.
    #[inline]
    pub(crate) fn call(&mut self) -> Option<Waker> {
        let enough = usize::BITS - self.jobs.ready().leading_zeros();
        if self.crew.coming() >= enough as usize {
            return None;
        }
        self.crew.call_one()
    }

    /// A queue that stands makes the pool grow although nothing is submitted.
    fn ask_keeper_to_look(&mut self, now: Timestamp, calls: &mut Calls) {
        if self.crew.live() >= self.ceiling() {
            return;
        }
        if let Some(after) = self.config.growth.look_again_after() {
            self.ask_keeper(now + after, calls);
        }
    }

    pub(crate) fn ask_keeper(&mut self, at: Timestamp, calls: &mut Calls) {
        if at >= self.keeper.until && self.keeper.exists {
            return;
        }
        if self.keeper.exists {
            // It will find out itself what else there is.
            self.keeper.until = Timestamp::ZERO;
            calls.keeper = self.keeper.waker.take();
        } else {
            self.keeper.exists = true;
            self.keeper.until = Timestamp::ZERO;
            calls.keep = true;
        }
    }

    /// Work for a worker that has come.
    #[inline]
    pub(crate) fn next(&mut self, at: u32, now: Timestamp, calls: &mut Calls) -> Next<U> {
        if self.jobs.delayed() > 0 {
            self.jobs.promote(now);
        }
        if calls.submitter.is_none() {
            calls.submitter = self.grant();
        }
        calls.tend |= self.phase != Phase::Open;
        if self.crew.live() > self.ceiling() {
            self.crew.leave(at);
            calls.worker = self.call();
            return Next::Leave;
        }
        let Some(lane) = self.config.order.pick(&mut self.turns, self.jobs.heads()) else {
            if self.phase != Phase::Open && self.jobs.delayed() == 0 {
                self.crew.leave(at);
                return Next::Leave;
            }
            return Next::Nothing;
        };
        if self.jobs.is_first_expired(lane, now) {
            self.ledger.expired += 1;
            return match self.jobs.drop_first(lane) {
                Some(job) => Next::Expired(job),
                None => Next::Nothing,
            };
        }
        let Some((ticket, job)) = self.jobs.start(lane, at) else { return Next::Nothing };
        self.crew.begin(at, now);
        self.meter.started(now.saturating_duration_since(job.since), now);
        calls.worker = if self.jobs.ready() > 0 { self.call() } else { None };
        let timeout = job.terms.extra.as_ref().and_then(|extra| extra.timeout).or(self.config.timeout);
        let until = timeout.map_or(Timestamp::NEVER, |timeout| now + timeout).min(job.terms.deadline);
        Next::Job { ticket, job, until }
    }

    /// The worker will wait. Its next look is the keeper's, when it has waited for too long.
    pub(crate) fn wait(&mut self, at: u32, now: Timestamp, waker: Waker, calls: &mut Calls) {
        self.crew.wait(at, now, waker);
        if self.crew.live() > self.floor() {
            self.ask_keeper(now + self.config.keep_alive, calls);
        }
    }

    /// A job succeeded.
    #[inline]
    pub(crate) fn complete(&mut self, seat: u32, ticket: Ticket, now: Timestamp, calls: &mut Calls) {
        self.free(seat, ticket, now, calls);
        self.ledger.completed += 1;
    }

    /// An attempt ended without success.
    pub(crate) fn fail(
        &mut self,
        ran: Ran,
        job: (U, Terms),
        failed: Failed,
        now: Timestamp,
        calls: &mut Calls,
    ) -> Verdict<U> {
        let (unit, mut terms) = job;
        let mut end = failed.end;
        if failed.stopped && end.is_failure() {
            end = End::Cancelled;
        }
        if end.is_failure() {
            self.note(&mut terms, failed.error, now);
            if let Some(due) = self.next_attempt(&terms, end, failed.repeatable, now) {
                self.ledger.retried += 1;
                let ticket = match ran {
                    Ran::OnSeat(seat, ticket) => {
                        self.release(seat, now, calls);
                        self.jobs.delay(ticket, unit, terms, due);
                        ticket
                    }
                    Ran::Elsewhere(id) => {
                        self.elsewhere -= 1;
                        self.jobs.push_delayed(id, unit, terms, due)
                    }
                };
                self.ask_keeper(due, calls);
                return Verdict::Again(ticket);
            }
        }
        match ran {
            Ran::OnSeat(seat, ticket) => self.free(seat, ticket, now, calls),
            Ran::Elsewhere(_) => self.elsewhere -= 1,
        }
        self.ledger.count(end);
        calls.tend |= self.phase != Phase::Open;
        Verdict::Final(unit, terms, end)
    }

    /// Adds a failure to what is known of a job.
    fn note(&mut self, terms: &mut Terms, error: String, now: Timestamp) {
        let extra = terms.extra.get_or_insert_default();
        extra.failures = extra.failures.saturating_add(1);
        if extra.history.len() == Failure::MOST {
            extra.history.remove(0);
        }
        extra.history.push(Failure { attempt: extra.failures, at: now, error });
    }

    /// When a job that has failed is tried again, if it is.
    fn next_attempt(&mut self, terms: &Terms, end: End, repeatable: bool, now: Timestamp) -> Option<Timestamp> {
        let own = terms.extra.as_ref().and_then(|extra| extra.retry);
        let retry: Retry = own.unwrap_or(self.config.retry);
        let failures = terms.failures();
        let allowed = repeatable
            && self.phase != Phase::Ending
            && failures < retry.attempts()
            && (end != End::Panicked || retry.retries_panics())
            && self.jobs.delayed() < self.config.retrying;
        let due = now + retry.delay(failures, self.random.next());
        (allowed && due < terms.deadline).then_some(due)
    }

    fn free(&mut self, seat: u32, ticket: Ticket, now: Timestamp, calls: &mut Calls) {
        self.jobs.end(ticket);
        self.release(seat, now, calls);
    }

    /// The worker may take another job, or somebody else's job may have its place.
    #[inline]
    fn release(&mut self, seat: u32, now: Timestamp, calls: &mut Calls) {
        let since = self.crew.finish(seat);
        self.meter.ended(now.saturating_duration_since(since), now);
        if calls.submitter.is_none() {
            calls.submitter = self.grant();
        }
        calls.tend |= self.phase != Phase::Open;
    }

    /// Gives room to one who waits for it.
    #[inline]
    pub(crate) fn grant(&mut self) -> Option<Waker> {
        if self.line.waiting() == 0 || !self.has_room() {
            return None;
        }
        let heads = Priority::ALL.map(|priority| {
            let first = self.line.first(priority as usize).filter(|_| self.lane_has_room(priority));
            first.map(|at| self.line.since(at))
        });
        let class = self.config.order.pick(&mut self.line_turns, heads)?;
        let at = self.line.first(class)?;
        self.reserved[class] += 1;
        self.line.grant(at)
    }

    /// Lets somebody wait for room, if the policy is to wait; room that came meanwhile is granted at once.
    pub(crate) fn enter(
        &mut self,
        priority: Priority,
        deadline: Timestamp,
        max_wait: Option<Duration>,
        now: Timestamp,
    ) -> Result<Entered, Reason> {
        if self.phase != Phase::Open {
            return Err(Reason::Stopped);
        }
        let until = (now + max_wait.unwrap_or(self.config.max_wait)).min(deadline);
        let may_wait = self.config.full == FullPolicy::Wait && until > now;
        if !may_wait || self.line.waiting() >= self.config.submitters {
            return Err(Reason::Full);
        }
        let place = self.line.push(Waiter { class: priority as usize, permits: 1, since: now });
        Ok(Entered { place, until, submitter: self.grant() })
    }

    /// Whether room was granted. `waker` is remembered while it was not.
    pub(crate) fn look(&mut self, place: &Place, waker: &mut Option<Waker>) -> Turn {
        self.line.look(place, waker)
    }

    /// Somebody does not wait any more. Room that was granted goes to the next.
    pub(crate) fn leave_line(&mut self, place: &Place, of: Priority) -> [Option<Waker>; 2] {
        let (found, old) = self.line.remove(place);
        let next = if matches!(found, Turn::Granted { .. }) { self.give_back(of) } else { None };
        [next, old]
    }

    /// Room that was granted is not wanted: it goes to the next.
    pub(crate) fn give_back(&mut self, priority: Priority) -> Option<Waker> {
        self.reserved[priority as usize] -= 1;
        self.grant()
    }

    /// Takes a job back that was just taken, because nobody can work at it.
    pub(crate) fn take_back(&mut self, ticket: Ticket) -> Option<Waiting<U>> {
        match self.jobs.find(ticket) {
            Found::Waiting(job) => {
                self.ledger.submitted -= 1;
                Some(job)
            }
            Found::Running(_) | Found::Gone => None,
        }
    }

    /// Cancels a job.
    pub(crate) fn cancel(&mut self, ticket: Ticket) -> Cancel<U> {
        match self.jobs.find(ticket) {
            Found::Waiting(job) => {
                self.ledger.cancelled += 1;
                let submitter = self.grant();
                Cancel::Out(job, submitter)
            }
            Found::Running(at) => match self.crew.at_work(at) {
                Some(seat) => {
                    seat.order_stop(ticket.id);
                    Cancel::Running(seat.clone())
                }
                None => Cancel::Gone,
            },
            Found::Gone => Cancel::Gone,
        }
    }

    /// A worker is no more, which nobody asked it to. Tells whether it was counted.
    pub(crate) fn lose(&mut self, seat: u32, job: Option<Ticket>, now: Timestamp) -> (bool, Option<Waker>) {
        if let Some(ticket) = job {
            self.jobs.end(ticket);
            self.ledger.failed += 1;
        }
        if self.crew.at_work(seat).is_some() {
            let since = self.crew.finish(seat);
            self.meter.ended(now.saturating_duration_since(since), now);
        }
        self.crew.leave(seat)
    }

    /// A job that will run where it was submitted.
    pub(crate) fn run_elsewhere(&mut self, terms: &mut Terms, now: Timestamp) -> Result<u64, Reason> {
        self.limit(terms, now);
        if self.phase != Phase::Open {
            return Err(Reason::Stopped);
        }
        if terms.is_expired(now) {
            return Err(Reason::Expired);
        }
        self.ledger.submitted += 1;
        self.meter.arrived(now);
        self.elsewhere += 1;
        Ok(self.jobs.number())
    }

    /// It has ended.
    pub(crate) fn end_elsewhere(&mut self, end: End) {
        self.elsewhere -= 1;
        self.ledger.count(end);
    }

    /// What time has brought. Gives when to look again; ask again while it names somebody to wake or to start. Only one
    /// worker is added at a look: whether more are needed is seen when it has come.
    pub(crate) fn keep(&mut self, now: Timestamp, may_grow: bool, calls: &mut Calls) -> Timestamp {
        self.jobs.promote(now);
        calls.start = if may_grow { self.grow(now) } else { None };
        calls.worker = self.call();
        let is_idle_for_too_long =
            |since: Timestamp| self.crew.live() > self.floor() && since + self.config.keep_alive <= now;
        if calls.worker.is_none() && self.crew.idle_longest().is_some_and(is_idle_for_too_long) {
            calls.worker = self.crew.dismiss_one();
        }
        let mut next = self.jobs.next_due().unwrap_or(Timestamp::NEVER);
        if let Some(since) = self.crew.idle_longest().filter(|_| self.crew.live() > self.floor()) {
            next = next.min(since + self.config.keep_alive);
        }
        if let Some(after) = self.config.growth.look_again_after() {
            if self.jobs.ready() > 0 && self.crew.live() < self.ceiling() {
                next = next.min(now + after);
            }
        }
        next
    }

    /// Sends one worker home that waits and is too many.
    pub(crate) fn dismiss_surplus(&mut self) -> Option<Waker> {
        let most = match self.phase {
            Phase::Open => self.ceiling(),
            Phase::Closing | Phase::Ending if self.jobs.ready() + self.jobs.delayed() == 0 => 0,
            Phase::Closing | Phase::Ending => self.ceiling(),
        };
        if self.crew.live() > most { self.crew.dismiss_one() } else { None }
    }

    /// How many workers there are to be from now on, or as many as the policy wants.
    pub(crate) const fn pin(&mut self, workers: Option<usize>) {
        self.pinned = workers;
    }

    pub(crate) const fn pinned(&self) -> Option<usize> {
        self.pinned
    }

    /// Takes over another configuration; gives the one before.
    pub(crate) fn reconfigure(&mut self, config: Config) -> Config {
        let (least, most) = (*config.workers.start(), *config.workers.end());
        self.turns = Turns::default();
        self.line_turns = Turns::default();
        self.pinned = self.pinned.map(|workers| workers.clamp(least, most));
        std::mem::replace(&mut self.config, config)
    }

    /// Takes one dead letter out, if more are kept than configured.
    pub(crate) fn shorten_dead_letters(&mut self) -> Option<Buried<U>> {
        self.dead.shorten(self.config.dead_letters)
    }

    /// Orders all jobs that run to stop; gives whom to wake.
    pub(crate) fn order_all_to_stop(&self) -> Vec<Arc<Seat>> {
        let ordered = self.jobs.running().filter_map(|(id, at)| {
            let seat = self.crew.at_work(at)?;
            seat.order_stop(id);
            Some(seat.clone())
        });
        ordered.collect()
    }

    /// Takes no more jobs.
    pub(crate) fn close(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
        }
    }

    /// Takes no more jobs, and tries nothing again.
    pub(crate) fn end(&mut self) {
        self.phase = Phase::Ending;
    }

    /// Tells one who waits for room that there will be none.
    pub(crate) fn refuse_one(&mut self) -> Option<Option<Waker>> {
        let at = (0..self.line.classes()).find_map(|class| self.line.first(class))?;
        Some(self.line.refuse(at, Unserved::Never))
    }

    /// Takes one job out that waits: its pool will not run it.
    pub(crate) fn return_one(&mut self) -> Option<Waiting<U>> {
        let job = self.jobs.take_any()?;
        self.ledger.dropped += 1;
        Some(job)
    }

    /// Takes one job out that waits, because nobody is left to run it.
    pub(crate) fn give_up_one(&mut self) -> Option<Waiting<U>> {
        let job = self.jobs.take_any()?;
        self.ledger.failed += 1;
        Some(job)
    }

    /// When there may be room again for what was refused: after the time in which one job ends.
    pub(crate) fn expected_room(&self, now: Timestamp, reason: Reason) -> Option<Duration> {
        match reason {
            Reason::Full | Reason::DepthLimit | Reason::TimedOut => {
                let throughput = self.signals(now).throughput;
                (throughput > 0.0).then(|| Duration::try_from_secs_f64(throughput.recip()).ok()).flatten()
            }
            _ => None,
        }
    }

    /// Wakes all who wait for the end, if this is it.
    pub(crate) fn tell_drainers(&mut self) -> Vec<Waker> {
        if self.phase != Phase::Open && self.is_quiet() { std::mem::take(&mut self.drainers) } else { Vec::new() }
    }

    /// Somebody waits for the end of all jobs.
    pub(crate) fn wait_for_the_end(&mut self, waker: Waker) {
        self.drainers.push(waker);
    }

    /// What can be measured at this moment.
    pub(crate) fn signals(&self, now: Timestamp) -> Signals {
        self.meter.signals(
            now,
            Inputs {
                depth: self.jobs.ready() + self.jobs.delayed(),
                oldest: self.jobs.oldest(),
                running: self.running(),
                workers: self.crew.live(),
                idle: self.crew.available(),
                target_utilisation: self.config.target_utilisation,
            },
        )
    }
}

/// Where an attempt ran.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ran {
    OnSeat(u32, Ticket),
    /// Where it was submitted; the number of the job.
    Elsewhere(u64),
}

/// An attempt that did not succeed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) end: End,
    /// Whether it had been told to stop.
    pub(crate) stopped: bool,
    pub(crate) error: String,
    pub(crate) repeatable: bool,
}
