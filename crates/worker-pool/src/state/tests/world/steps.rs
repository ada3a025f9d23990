//! What happens, and what the model says must come of it.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Duration;

use seawall_core::Priority;
use seawall_core::time::Timestamp;
use seawall_core::wait::{Found as Turn, Wakers};

use super::super::Step;
use super::{CANCELLED, COMPLETED, DROPPED, Doing, EXPIRED, FAILED, Job, Waiter, Who, World, choose};
use crate::config::{FullPolicy, Order};
use crate::refused::Reason;
use crate::state::{Calls, Cancel, End, Entered, Extra, Failed, Next, Phase, Ran, Standing, Terms, Turned, Verdict};

const NEVER: Timestamp = Timestamp::NEVER;

impl World {
    pub(in super::super) fn take(&mut self, step: &Step) {
        match *step {
            Step::Submit { priority, lasts } => self.submit(priority, lasts),
            Step::UseRoom(which) => self.use_room(which),
            Step::LeaveLine(which) => self.leave_line(which),
            Step::Come(which) => {
                let mut those = self.those(Doing::Coming);
                those.extend(self.those(Doing::Leaving));
                if let Some(at) = choose(&those, which) {
                    self.come(at, Calls::default());
                }
            }
            Step::Complete(which) => {
                if let Some(at) = choose(&self.those(Doing::Busy), which) {
                    self.complete(at);
                }
            }
            Step::Fail { who, repeatable } => {
                if let Some(at) = choose(&self.those(Doing::Busy), who) {
                    self.fail(at, repeatable);
                }
            }
            Step::Cancel(which) => self.cancel(which),
            Step::Lose(which) => {
                let all: Vec<u32> = self.workers.keys().copied().collect();
                if let Some(at) = choose(&all, which) {
                    self.lose(at);
                }
            }
            Step::Pass(millis) => self.now = self.now + Duration::from_millis(millis),
            Step::TurnBack(millis) => self.now = self.now - Duration::from_millis(millis),
            Step::Keep => self.keep(),
            Step::Scale(to) => {
                self.pinned =
                    to.map(|to| to.clamp(*self.state.config.workers.start(), *self.state.config.workers.end()));
                self.state.pin(self.pinned);
                self.tend();
                self.ask_keeper();
            }
            Step::Reconfigure { workers: (least, more), queue } => {
                let workers = least..=(least + more).max(1);
                self.pinned = self.pinned.map(|pinned| pinned.clamp(*workers.start(), *workers.end()));
                let config = self.state.config.clone().workers(workers).queue(queue);
                drop(self.state.reconfigure(config));
                self.tend();
                self.ask_keeper();
            }
            Step::Refuse(refuses) => self.refuses = refuses,
            Step::Close => self.close(),
            Step::ReturnAll => {
                self.state.end();
                self.phase = Phase::Ending;
                while let Some(job) = self.state.return_one() {
                    self.forget(job.unit);
                    self.ended[DROPPED] += 1;
                }
                self.tend_closed();
            }
        }
    }

    fn submit(&mut self, lane: usize, lasts: Option<u64>) {
        let deadline = lasts.map_or(NEVER, |millis| self.now + Duration::from_millis(millis));
        let terms = Terms { priority: Priority::ALL[lane], deadline, extra: None };
        let Err((terms, reason)) = self.offer(terms, false) else { return };
        if !matches!(reason, Reason::Full | Reason::DepthLimit) || self.state.config.full != FullPolicy::Wait {
            return;
        }
        let entered = self.state.enter(terms.priority, terms.deadline, Some(Duration::from_millis(25)), self.now);
        let waiting = self.line.iter().filter(|waiter| !waiter.granted).count();
        let Ok(Entered { place, until, calls }) = entered else {
            assert!(waiting >= 3, "somebody was not let in");
            return;
        };
        self.last += 1;
        let id = self.last;
        self.go(calls);
        let mut waker = Some(self.bell(Who::Submitter(id)));
        let found = self.state.look(&place, &mut waker);
        if found == Turn::Waiting {
            self.line.push(Waiter { id, lane, place, until, granted: false, terms });
        } else {
            assert!(matches!(found, Turn::Granted { .. }), "{found:?}");
            self.offer(terms, true).expect("it had room");
        }
    }

    fn offer(&mut self, terms: Terms, reserved: bool) -> Result<(), (Terms, Reason)> {
        let (lane, deadline) = (terms.priority as usize, terms.deadline);
        let (room, lane_room) = (self.has_room(), self.lane_has_room(lane));
        let lines = self.line.iter().any(|waiter| !waiter.granted && self.lane_has_room(waiter.lane));
        let full = self.state.config.full;
        // Jobs that are due again are not kept out by the bound.
        let is_over = self.ready() + self.granted(None) > self.state.config.queue + self.available();
        self.last += 1;
        let unit = self.last;
        let mut calls = Calls::default();
        let mut displaced = None;
        match self.state.offer(unit, terms, self.now, reserved, &mut calls, &mut displaced) {
            Ok(ticket) => {
                assert!(self.phase == Phase::Open && deadline > self.now, "it was to be refused");
                match &displaced {
                    Some(gone) => self.displace(gone.unit, lane, lane_room),
                    None if reserved => {}
                    None => {
                        assert!(lane_room || calls.start.is_some(), "the lane was full");
                        assert!(room || calls.start.is_some(), "the queue was full");
                        assert!(!lines, "it passed others");
                    }
                }
                self.tickets.insert(unit, ticket);
                self.lanes[lane].push_back(Job { unit, lane, since: self.now, deadline, failures: 0 });
                self.submitted += 1;
                let start = calls.start.take();
                let is_bound = displaced.is_none() && !reserved && !is_over;
                self.go(calls);
                let started = start.is_none_or(|seat| self.start(seat.at));
                let has_room = self.state.crew.live() > 0 && (reserved || self.state.keeps_its_bound());
                if !started && !has_room {
                    let job = self.state.take_back(ticket).expect("nobody has taken it");
                    self.forget(job.unit);
                    self.submitted -= 1;
                    self.give_up_orphans();
                }
                if is_bound {
                    let most = self.state.config.queue + self.available();
                    assert!(self.ready() + self.granted(None) <= most, "more than {most} have been promised room");
                }
                Ok(())
            }
            Err(Turned { terms, reason, .. }) => {
                assert!(displaced.is_none() && calls.start.is_none(), "it was not taken");
                self.go(calls);
                match reason {
                    Reason::Stopped => assert!(self.phase != Phase::Open),
                    Reason::Expired => assert!(deadline <= self.now),
                    Reason::Full | Reason::DepthLimit => {
                        assert!(!reserved, "it had room");
                        assert!(!room || !lane_room || lines, "there was room");
                        let below = match (full, reason) {
                            (FullPolicy::DropOldest, Reason::DepthLimit) => lane..=lane,
                            (FullPolicy::DropOldest, _) => 0..=lane,
                            (FullPolicy::DropLowest, Reason::Full) if lane > 0 => 0..=lane - 1,
                            _ => return Err((terms, reason)),
                        };
                        let droppable = self.lanes[below].iter().any(|lane| !lane.is_empty());
                        assert!(!droppable, "another one could have gone for it");
                    }
                    _ => panic!("{reason:?}"),
                }
                Err((terms, reason))
            }
        }
    }

    /// A job had to go for one of this lane.
    fn displace(&mut self, gone: u64, lane: usize, lane_room: bool) {
        let expected = match self.state.config.full {
            FullPolicy::DropOldest if !lane_room => self.lanes[lane].front(),
            FullPolicy::DropOldest => {
                self.lanes[..=lane].iter().filter_map(VecDeque::front).min_by_key(|job| (job.since, job.lane))
            }
            FullPolicy::DropLowest => self.lanes[..lane].iter().find(|lane| !lane.is_empty()).and_then(VecDeque::back),
            other => panic!("{other:?} drops nothing"),
        };
        assert_eq!(expected.map(|job| job.unit), Some(gone), "the wrong one had to go");
        self.forget(gone);
        self.ended[DROPPED] += 1;
    }

    fn use_room(&mut self, which: usize) {
        let granted: Vec<usize> = (0..self.line.len()).filter(|at| self.line[*at].granted).collect();
        let Some(at) = choose(&granted, which) else { return };
        let Waiter { place, terms, .. } = self.line.remove(at);
        let found = self.state.look(&place, &mut None);
        assert!(matches!(found, Turn::Granted { .. }), "{found:?}");
        let _refused = self.offer(terms, true);
    }

    fn leave_line(&mut self, which: usize) {
        if self.line.is_empty() {
            return;
        }
        let Waiter { place, lane, .. } = self.line.remove(which % self.line.len());
        let wakers = self.state.leave_line(&place, Priority::ALL[lane]);
        let [next, _old] = wakers;
        next.into_iter().for_each(Waker::wake);
        self.hear();
    }

    /// A worker that was told to comes.
    fn come(&mut self, at: u32, mut calls: Calls) {
        if self.workers[&at] == Doing::Leaving {
            assert_eq!(self.state.crew.standing(at), Standing::Leaving);
            self.state.crew.leave(at);
            self.workers.remove(&at);
            return;
        }
        let is_surplus = self.live() > self.ceiling();
        let next = self.state.next(at, self.now, &mut calls);
        self.promote();
        match next {
            Next::Job { ticket, job, .. } => {
                let expected = self.served(job.unit);
                assert!(expected.deadline > self.now, "it had expired");
                self.tickets.insert(job.unit, ticket);
                self.running.insert(at, expected);
                self.workers.insert(at, Doing::Busy);
            }
            Next::Expired(job) => {
                let expected = self.served(job.unit);
                assert!(expected.deadline <= self.now, "it had not expired");
                self.ended[EXPIRED] += 1;
            }
            Next::Nothing => {
                assert_eq!(self.ready(), 0, "there was something to do");
                let waker = self.bell(Who::Worker(at));
                self.state.wait(at, self.now, waker, &mut calls);
                self.workers.insert(at, Doing::Idle);
            }
            Next::Leave => {
                let is_over = self.phase != Phase::Open && self.ready() == 0 && self.delayed.is_empty();
                assert!(is_surplus || is_over, "it was needed");
                self.workers.remove(&at);
            }
        }
        self.go(calls);
    }

    /// The job that a worker gets, which has to be the right one.
    fn served(&mut self, unit: u64) -> Job {
        let fronts = || self.lanes.iter().filter_map(VecDeque::front);
        let right = match &self.state.config.order {
            Order::Strict => fronts().max_by_key(|job| job.lane),
            Order::Aging(aging) => {
                let handicap = |lane: usize| *aging * u32::try_from(Priority::COUNT - 1 - lane).expect("four");
                fronts().min_by_key(|job| (job.since + handicap(job.lane), Priority::COUNT - job.lane))
            }
            Order::Weighted(_) => fronts().find(|job| job.unit == unit),
        };
        assert_eq!(right.map(|job| job.unit), Some(unit), "another one was before it");
        self.forget(unit)
    }

    pub(super) fn complete(&mut self, at: u32) {
        let job = self.running.remove(&at).expect("it is busy");
        let mut calls = Calls::default();
        self.state.complete(at, self.tickets[&job.unit], self.now, &mut calls);
        self.ended[COMPLETED] += 1;
        self.workers.insert(at, Doing::Coming);
        self.come(at, calls);
    }

    fn fail(&mut self, at: u32, repeatable: bool) {
        let mut job = self.running.remove(&at).expect("it is busy");
        let ticket = self.tickets[&job.unit];
        let seat = self.state.crew.at_work(at).expect("it is busy").clone();
        let was_cancelled = seat.is_stopped(ticket.id);
        let failed = Failed { end: End::Failed, error: "no".into(), repeatable };
        let extra = (job.failures > 0).then(|| Box::new(Extra { failures: job.failures, ..Default::default() }));
        let terms = Terms { priority: Priority::ALL[job.lane], deadline: job.deadline, extra };
        let mut calls = Calls::default();
        job.failures += 1;
        let due = self.now + Duration::from_millis(8);
        let again = repeatable
            && !was_cancelled
            && self.phase != Phase::Ending
            && job.failures < 3
            && self.delayed.len() < 2
            && due < job.deadline;
        self.workers.insert(at, Doing::Coming);
        match self.state.fail(Ran::OnSeat(at, ticket), (job.unit, terms), failed, self.now, &mut calls) {
            Verdict::Again(same) => {
                assert!(again && same == ticket, "it was its last attempt");
                self.delayed.push((due, job));
            }
            Verdict::Final(unit, _, end) => {
                assert!(!again && unit == job.unit, "it had an attempt left");
                assert_eq!(end == End::Cancelled, was_cancelled);
                self.ended[if was_cancelled { CANCELLED } else { FAILED }] += 1;
            }
        }
        self.go(calls);
    }

    fn cancel(&mut self, which: usize) {
        let all: Vec<u64> = self.tickets.keys().copied().collect();
        let Some(unit) = choose(&all, which) else { return };
        let is_running = self.running.values().any(|job| job.unit == unit);
        let waits =
            self.lanes.iter().flatten().chain(self.delayed.iter().map(|(_, job)| job)).any(|job| job.unit == unit);
        match self.state.cancel(self.tickets[&unit]) {
            Cancel::Out(job, submitter) => {
                assert!(waits && job.unit == unit);
                self.forget(unit);
                self.ended[CANCELLED] += 1;
                submitter.into_iter().for_each(Waker::wake);
                self.hear();
                self.tend_closed();
            }
            Cancel::Running(seat) => {
                assert!(is_running && self.running[&seat.at].unit == unit, "another one was told to stop");
            }
            Cancel::Gone => assert!(!is_running && !waits, "it had not ended"),
        }
    }

    fn lose(&mut self, at: u32) {
        let job = self.running.remove(&at);
        let ticket = job.map(|job| self.tickets[&job.unit]);
        self.ended[FAILED] += u64::from(job.is_some());
        let doing = self.workers.remove(&at);
        let (counted, _waker) = self.state.lose(at, ticket, self.now);
        assert_eq!(counted, doing != Some(Doing::Leaving));
        self.tend();
        self.give_up_orphans();
    }

    fn keep(&mut self) {
        if !self.state.keeper.exists {
            return;
        }
        let mut may_grow = true;
        for _ in 0..1_000 {
            let mut calls = Calls::default();
            let next = self.state.keep(self.now, may_grow, &mut calls);
            self.promote();
            let is_over = self.phase != Phase::Open && self.quiet();
            self.state.keeper.exists = !is_over;
            self.state.keeper.until = next;
            self.state.keeper.waker = Some(self.bell(Who::Keeper));
            may_grow &= calls.start.is_none();
            let has_acted = calls.start.is_some() || calls.worker.is_some() || calls.submitter.is_some();
            if !self.go(calls) {
                self.give_up_orphans();
            }
            if !has_acted {
                assert!(is_over || next > self.now, "the keeper would look again at once, for ever");
                return;
            }
        }
        panic!("the keeper never rests");
    }

    fn close(&mut self) {
        self.state.close();
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
        }
        loop {
            let mut wakers = Wakers::default();
            let all = self.state.refuse_some(&mut wakers);
            wakers.wake();
            if all {
                break;
            }
        }
        self.hear();
        for Waiter { place, granted, terms, .. } in std::mem::take(&mut self.line) {
            match self.state.look(&place, &mut None) {
                Turn::Granted { .. } if granted => {
                    let refused = self.offer(terms, true).expect_err("the pool is closed");
                    assert_eq!(refused.1, Reason::Stopped);
                }
                found => assert!(matches!(found, Turn::Unserved(_)), "{found:?}"),
            }
        }
        self.tend();
        self.tend_closed();
    }
}
