//! The pool without time, tasks and wakers of its own: what may be taken, who works, who waits. It reads no clock, wakes
//! nobody and drops nothing of its users' while it is locked: it tells its caller whom to wake and what to drop.

mod crew;
mod cuts;
mod ends;
mod jobs;
mod ledger;
mod order;
mod room;
mod talk;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use seawall_core::Priority;
use seawall_core::random::Random;
use seawall_core::time::Timestamp;
use seawall_core::wait::{Line, PlaceId, Unserved, Wakers};

pub(crate) use crew::{Crew, Standing};
pub(crate) use jobs::{Extra, Found, Jobs, Terms, Ticket, Waiting};
pub(crate) use ledger::{End, Ledger};
pub(crate) use talk::{Calls, Cancel, Entered, Failed, Next, Ran, Turned, Verdict};

use crate::config::Config;
use crate::dead::{Buried, DeadLetters};
use crate::growth::Load;
use crate::meter::{Inputs, Meter, Signals};
use crate::refused::Reason;
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
    /// When each of them gives up. One that has been served meanwhile is found to be gone when its time comes.
    waits: BinaryHeap<Reverse<(Timestamp, PlaceId)>>,
    /// Room that was granted to those who have not come for it yet, by priority.
    reserved: [usize; Priority::COUNT],
    /// When the attempts of workers end. One that has ended by itself is found to be gone when its time comes.
    cuts: BinaryHeap<Reverse<(Timestamp, u32, u64)>>,
    turns: Turns,
    line_turns: Turns,
    random: Random,
    /// Jobs that run where they were submitted, each with what it can be told by.
    elsewhere: Vec<(u64, Arc<Seat>)>,
    /// Who waits for the end of all jobs.
    drainers: Vec<(u64, Waker)>,
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

impl<U> State<U> {
    /// How often the keeper looks at a queue that stands, however often the growth policy would.
    const SOONEST: Duration = Duration::from_millis(1);

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
            waits: BinaryHeap::new(),
            cuts: BinaryHeap::new(),
            reserved: [0; Priority::COUNT],
            turns: Turns::default(),
            line_turns: Turns::default(),
            random,
            elsewhere: Vec::new(),
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
    #[inline]
    pub(crate) fn ceiling(&self) -> usize {
        match self.phase {
            Phase::Open => self.pinned.unwrap_or(*self.config.workers.end()),
            // What was taken is worked off, even if no worker was to be left.
            Phase::Closing | Phase::Ending => self.pinned.unwrap_or(*self.config.workers.end()).max(1),
        }
    }

    /// How many jobs run, wherever.
    pub(crate) const fn running(&self) -> usize {
        self.crew.busy() + self.elsewhere.len()
    }

    /// How many submitters wait for room.
    pub(crate) const fn submitters(&self) -> usize {
        self.line.waiting()
    }

    /// Whether no job is left.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.jobs.ready() == 0 && self.jobs.delayed() == 0 && self.running() == 0
    }

    /// Takes a job, or says why not. `reserved`: room was granted before.
    #[inline]
    pub(crate) fn offer(
        &mut self,
        unit: U,
        mut terms: Terms,
        now: Timestamp,
        reserved: bool,
        calls: &mut Calls,
        displaced: &mut Option<Waiting<U>>,
    ) -> Result<Ticket, Turned<U>> {
        if reserved {
            self.reserved[terms.priority as usize] -= 1;
        }
        self.limit(&mut terms, now);
        if let Err(reason) = self.make_room(&terms, now, reserved, calls, displaced) {
            if reserved {
                calls.submitter = self.grant();
            }
            return Err(Turned { unit, terms, reason });
        }
        let ticket = self.jobs.push(unit, terms, now);
        self.ledger.submitted += 1;
        self.meter.arrived(now);
        if calls.start.is_none() {
            calls.start = self.grow(now);
        }
        calls.worker = self.call();
        // There may be room for more than one of those who wait: each grants the next.
        calls.submitter = self.grant();
        self.ask_keeper_to_look(now, calls);
        self.watch_idle(calls);
        Ok(ticket)
    }

    /// Jobs that do not say when they expire do as the configuration says.
    #[inline]
    fn limit(&self, terms: &mut Terms, now: Timestamp) {
        if let (Timestamp::NEVER, Some(after)) = (terms.deadline, self.config.expires_in) {
            terms.deadline = now + after;
        }
    }

    /// One worker more, if the policy wants it.
    #[inline(always)]
    pub(crate) fn grow(&mut self, now: Timestamp) -> Option<Arc<Seat>> {
        if self.crew.live() >= self.ceiling() { None } else { self.grow_if_wanted(now) }
    }

    #[inline(never)]
    fn grow_if_wanted(&mut self, now: Timestamp) -> Option<Arc<Seat>> {
        if self.lacks_a_worker() {
            return Some(self.crew.hire());
        }
        if self.jobs.ready() == 0 || self.phase == Phase::Ending {
            return None;
        }
        // Whatever the policy says, jobs are not left to nobody.
        let below = self.crew.live() < self.floor() || self.crew.live() == 0;
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
    #[inline(always)]
    fn ask_keeper_to_look(&mut self, now: Timestamp, calls: &mut Calls) {
        if self.crew.live() < self.ceiling() {
            self.ask_keeper_to_look_again(now, calls);
        }
    }

    #[inline(never)]
    fn ask_keeper_to_look_again(&mut self, now: Timestamp, calls: &mut Calls) {
        if let Some(after) = self.config.growth.look_again_after() {
            self.ask_keeper(now + after.max(Self::SOONEST), calls);
        }
    }

    /// A worker more makes one that waits one too many, which nobody has watched until now.
    #[inline(always)]
    fn watch_idle(&mut self, calls: &mut Calls) {
        if calls.start.is_some() {
            self.watch_longest_idle(calls);
        }
    }

    #[inline(never)]
    fn watch_longest_idle(&mut self, calls: &mut Calls) {
        if self.crew.live() <= self.floor() {
            return;
        }
        if let Some(since) = self.crew.idle_longest() {
            self.ask_keeper(since + self.config.keep_alive, calls);
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
        self.crew.arrive(at);
        calls.tend |= self.phase != Phase::Open;
        // In the second stage of a drain nothing more begins: what waits is given back.
        if self.phase == Phase::Ending || self.crew.live() > self.ceiling() {
            self.crew.leave(at);
            calls.worker = self.call();
            return Next::Leave;
        }
        let lane = match self.jobs.only_lane() {
            Some(lane) if !self.config.order.is_weighted() => Some(lane),
            _ => self.config.order.pick(&mut self.turns, self.jobs.heads()),
        };
        let Some(lane) = lane else {
            if self.phase != Phase::Open && self.jobs.delayed() == 0 {
                self.crew.leave(at);
                return Next::Leave;
            }
            self.grant_into(calls);
            // There is one worker more than before, and others may wait for the next.
            if calls.start.is_none() {
                calls.start = self.grow(now);
            }
            return Next::Nothing;
        };
        if self.jobs.is_first_expired(lane, now) {
            let Some(job) = self.jobs.drop_first(lane) else { return Next::Nothing };
            self.ledger.expired += 1;
            self.grant_into(calls);
            return Next::Expired(job);
        }
        let Some((ticket, job)) = self.jobs.start(lane, at) else { return Next::Nothing };
        self.crew.begin(at, now);
        self.meter.started(job.since, now);
        calls.worker = if self.jobs.ready() > 0 { self.call() } else { None };
        // The job has left its lane, which may have been full although the queue was not.
        self.grant_into(calls);
        // Jobs that came together, as retries do, are seen one by one.
        if calls.start.is_none() {
            calls.start = self.grow(now);
            self.watch_idle(calls);
        }
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
        if let Some(due) = self.jobs.next_due() {
            self.ask_keeper(due, calls);
        }
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

    /// A job that will run where it was submitted.
    pub(crate) fn run_elsewhere(&mut self, terms: &mut Terms, seat: &Arc<Seat>, now: Timestamp) -> Result<u64, Reason> {
        self.limit(terms, now);
        if self.phase != Phase::Open {
            return Err(Reason::Stopped);
        }
        if terms.is_expired(now) {
            return Err(Reason::Expired);
        }
        self.ledger.submitted += 1;
        self.meter.arrived(now);
        let id = self.jobs.number();
        self.elsewhere.push((id, seat.clone()));
        Ok(id)
    }

    /// It does not run there any more.
    pub(super) fn leave_elsewhere(&mut self, id: u64) {
        self.elsewhere.retain(|(other, _)| *other != id);
    }

    /// It has ended.
    pub(crate) fn end_elsewhere(&mut self, id: u64, end: End) {
        self.leave_elsewhere(id);
        self.ledger.count(end);
    }

    /// Whether time will bring something that somebody waits for.
    pub(crate) fn is_kept_for(&mut self) -> bool {
        if self.phase != Phase::Open && self.is_quiet() {
            return false;
        }
        let stands = self.jobs.ready() > 0 && self.crew.live() < self.ceiling();
        let is_watched = stands && self.config.growth.look_again_after().is_some();
        let may_leave = self.crew.idle_longest().is_some() && self.crew.live() > self.floor();
        let waits = self.jobs.delayed() > 0 || self.line.waiting() > 0 || self.next_cut().is_some();
        waits || is_watched || may_leave
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
        calls.submitter = self.time_out(now).or_else(|| self.grant());
        calls.late = self.cut(now);
        let mut next = self.jobs.next_due().unwrap_or(Timestamp::NEVER);
        if let Some(until) = self.next_cut() {
            next = next.min(until);
        }
        if let Some(until) = self.next_time_out() {
            next = next.min(until);
        }
        if let Some(since) = self.crew.idle_longest().filter(|_| self.crew.live() > self.floor()) {
            next = next.min(since + self.config.keep_alive);
        }
        let stands = self.jobs.ready() > 0 && self.crew.live() < self.ceiling();
        if let Some(after) = self.config.growth.look_again_after().filter(|_| stands) {
            next = next.min(now + after.max(Self::SOONEST));
        }
        next
    }

    /// Sends one worker home that waits and is too many.
    pub(crate) fn dismiss_surplus(&mut self) -> Option<Waker> {
        let is_over = self.phase != Phase::Open && self.jobs.ready() + self.jobs.delayed() == 0;
        let most = if is_over { 0 } else { self.ceiling() };
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
        self.resize(config.workers.clone());
        self.turns = Turns::default();
        self.line_turns = Turns::default();
        std::mem::replace(&mut self.config, config)
    }

    /// Changes how many workers there may be.
    pub(crate) fn resize(&mut self, workers: RangeInclusive<usize>) {
        self.pinned = self.pinned.map(|pinned| pinned.clamp(*workers.start(), *workers.end()));
        self.config.workers = workers;
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
        let elsewhere = self.elsewhere.iter().map(|(id, seat)| {
            seat.order_stop(*id);
            seat.clone()
        });
        ordered.chain(elsewhere).collect()
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

    /// Tells those who wait for room that there will be none, as many as fit. Tells whether that were all.
    pub(crate) fn refuse_some(&mut self, wakers: &mut Wakers) -> bool {
        while !wakers.is_full() {
            let Some(at) = (0..self.line.classes()).find_map(|class| self.line.first(class)) else { return true };
            wakers.push(self.line.refuse(at, Unserved::Never));
        }
        false
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
            Reason::Full | Reason::DepthLimit | Reason::TimedOut => self.meter.pace(now),
            _ => None,
        }
    }

    /// Wakes all who wait for the end, if this is it.
    pub(crate) fn tell_drainers(&mut self) -> Vec<(u64, Waker)> {
        if self.phase != Phase::Open && self.is_quiet() { std::mem::take(&mut self.drainers) } else { Vec::new() }
    }

    /// Somebody does not wait for the end any more.
    pub(crate) fn forget_drainer(&mut self, who: u64) -> Option<(u64, Waker)> {
        let at = self.drainers.iter().position(|(other, _)| *other == who)?;
        Some(self.drainers.swap_remove(at))
    }

    /// Somebody waits for the end of all jobs. Gives the waker that it had before.
    pub(crate) fn wait_for_the_end(&mut self, who: u64, waker: Waker) -> Option<Waker> {
        if let Some((_, known)) = self.drainers.iter_mut().find(|(other, _)| *other == who) {
            return Some(std::mem::replace(known, waker));
        }
        self.drainers.push((who, waker));
        None
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

#[cfg(test)]
mod tests;
