//! Room for jobs: who has it, who waits for it, who gives way for it.

use std::cmp::Reverse;
use std::task::Waker;
use std::time::Duration;

use seawall_core::Priority;
use seawall_core::time::Timestamp;
use seawall_core::wait::{Found as Turn, Place, Unserved, Waiter};

use super::{Calls, Entered, Phase, State, Terms, Waiting};
use crate::config::FullPolicy;
use crate::refused::Reason;

impl<U> State<U> {
    /// Whether one more job may wait, or has a worker that is free for it.
    #[inline]
    fn has_room(&self) -> bool {
        self.promised() < self.config.queue + self.crew.available()
    }

    /// Whether somebody waits for room that one worker more would make: one is added, as it is for a job that finds none.
    pub(super) fn lacks_a_worker(&self) -> bool {
        self.is_awaited() && !self.has_room() && self.config.growth.when_full()
    }

    /// How many jobs have room, or will have it.
    #[inline]
    fn promised(&self) -> usize {
        self.jobs.ready() + self.reserved.iter().sum::<usize>()
    }

    /// Whether one more job of this priority may wait, or has a worker that is free for it.
    #[inline]
    fn lane_has_room(&self, priority: Priority) -> bool {
        let Some(most) = self.config.depth_limits[priority as usize] else { return true };
        let taken = self.jobs.ready_of(priority) + self.reserved[priority as usize];
        taken < most || self.promised() < self.crew.available()
    }

    /// Whether somebody waits for room who would have it if there were any.
    #[inline(always)]
    fn is_awaited(&self) -> bool {
        self.line.waiting() > 0 && self.is_awaited_by_any()
    }

    #[inline(never)]
    fn is_awaited_by_any(&self) -> bool {
        let may_enter = |of: &Priority| self.line.waiting_in(*of as usize) > 0 && self.lane_has_room(*of);
        Priority::ALL.iter().any(may_enter)
    }

    /// Whether no more jobs wait than may.
    pub(crate) fn keeps_its_bound(&self) -> bool {
        self.promised() <= self.config.queue + self.crew.available()
    }

    /// Finds room for a job, or says why there is none.
    #[inline]
    pub(super) fn make_room(
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
        let may_hire = self.config.growth.when_full() && self.crew.live() < self.ceiling();
        let reason = if !self.lane_has_room(terms.priority) {
            let passes = self.is_awaited() || self.line.waiting_in(terms.priority as usize) > 0;
            // The new worker would take this job, and no other.
            let is_for_it = self.promised() <= self.crew.available();
            if may_hire && is_for_it && !passes {
                calls.start = Some(self.crew.hire());
                return Ok(());
            }
            Reason::DepthLimit
        } else if self.is_awaited() {
            // Nobody passes those who wait for this room.
            Reason::Full
        } else if self.has_room() {
            return Ok(());
        } else if may_hire {
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

    /// Gives room to one more, if nobody is to be woken for it yet.
    #[inline(always)]
    pub(super) fn grant_into(&mut self, calls: &mut Calls) {
        if calls.submitter.is_none() {
            calls.submitter = self.grant();
        }
    }

    /// Gives room to one who waits for it.
    #[inline(always)]
    pub(crate) fn grant(&mut self) -> Option<Waker> {
        if self.line.waiting() == 0 { None } else { self.grant_first() }
    }

    #[inline(never)]
    fn grant_first(&mut self) -> Option<Waker> {
        // A worker that has not been seen may not come: it serves those who wait for room when it does.
        if self.promised() + self.crew.starting() >= self.config.queue + self.crew.available() {
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
        let waits = self.config.full == FullPolicy::Wait && until > now;
        if !waits || self.line.waiting() >= self.config.submitters {
            return Err(Reason::Full);
        }
        let place = self.line.push(Waiter { class: priority as usize, permits: 1, since: now });
        let mut calls = Calls { submitter: self.grant(), ..Calls::default() };
        self.waits.push(Reverse((until, place.id())));
        self.forget_served();
        self.ask_keeper(until, &mut calls);
        Ok(Entered { place, until, calls })
    }

    /// Keeps the heap in proportion to those who wait.
    fn forget_served(&mut self) {
        if self.waits.len() > 2 * self.line.waiting() + 64 {
            self.waits.retain(|Reverse((_, id))| self.line.slot_of(*id).is_some());
        }
    }

    /// Whom to wake of those who wait for room: nobody looks at the time for them any more.
    pub(crate) fn call_waiting(&mut self) -> Vec<Waker> {
        let line = &mut self.line;
        self.waits.iter().filter_map(|Reverse((_, id))| line.slot_of(*id).and_then(|at| line.call(at))).collect()
    }

    /// When the next of those who wait gives up, if any does.
    pub(super) fn next_time_out(&mut self) -> Option<Timestamp> {
        while let Some(Reverse((until, id))) = self.waits.peek() {
            if self.line.slot_of(*id).is_some() {
                return Some(*until);
            }
            self.waits.pop();
        }
        None
    }

    /// Tells one who has waited for as long as it might that it is too late. Tells whom to wake for it.
    pub(super) fn time_out(&mut self, now: Timestamp) -> Option<Waker> {
        while self.next_time_out().is_some_and(|until| until <= now) {
            let Some(at) = self.waits.pop().and_then(|Reverse((_, id))| self.line.slot_of(id)) else { continue };
            if let Some(waker) = self.line.refuse(at, Unserved::Late) {
                return Some(waker);
            }
        }
        None
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
}
