use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::Duration;

use seawall_core::Priority;
use seawall_core::random::Random;
use seawall_core::time::Timestamp;
use seawall_core::wait::{Found as Turn, Place, Wakers};

use super::Step;
use crate::config::{Config, FullPolicy, Order};
use crate::refused::Reason;
use crate::state::{
    Calls, Cancel, End, Entered, Failed, Next, Offer, Phase, Ran, Standing, State, Terms, Ticket, Verdict,
};

const NEVER: Timestamp = Timestamp::NEVER;

/// Who is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Worker(u32),
    Submitter(u64),
    Keeper,
}

struct Bell(Who, Arc<Mutex<Vec<Who>>>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.1.lock().expect("no panic under it").push(self.0);
    }
}

#[derive(Clone, Copy, Debug)]
struct Job {
    unit: u64,
    lane: usize,
    since: Timestamp,
    deadline: Timestamp,
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Coming,
    Idle,
    Busy,
    Leaving,
}

struct Waiter {
    id: u64,
    lane: usize,
    place: Place,
    until: Timestamp,
    granted: bool,
    terms: Terms,
}

/// The state, and a model of it.
pub(super) struct World {
    state: State<u64>,
    now: Timestamp,
    rung: Arc<Mutex<Vec<Who>>>,
    lanes: [VecDeque<Job>; Priority::COUNT],
    delayed: Vec<(Timestamp, Job)>,
    workers: BTreeMap<u32, Doing>,
    running: BTreeMap<u32, Job>,
    line: Vec<Waiter>,
    tickets: BTreeMap<u64, Ticket>,
    pinned: Option<usize>,
    phase: Phase,
    refuses: bool,
    last: u64,
    submitted: u64,
    /// Completed, failed, cancelled, expired, dropped.
    ended: [u64; 5],
}

const COMPLETED: usize = 0;
const FAILED: usize = 1;
const CANCELLED: usize = 2;
const EXPIRED: usize = 3;
const DROPPED: usize = 4;

impl World {
    pub(super) fn new(config: Config) -> Self {
        let mut world = Self {
            state: State::new(config, Random::new(7)),
            now: Timestamp::ZERO + Duration::from_secs(1),
            rung: Arc::default(),
            lanes: Default::default(),
            delayed: Vec::new(),
            workers: BTreeMap::new(),
            running: BTreeMap::new(),
            line: Vec::new(),
            tickets: BTreeMap::new(),
            pinned: None,
            phase: Phase::Open,
            refuses: false,
            last: 0,
            submitted: 0,
            ended: [0; 5],
        };
        world.tend();
        world
    }

    fn bell(&self, who: Who) -> Waker {
        Waker::from(Arc::new(Bell(who, self.rung.clone())))
    }

    // What there is, by counting.

    fn ready(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    fn those(&self, doing: Doing) -> Vec<u32> {
        self.workers.iter().filter(|(_, is)| **is == doing).map(|(at, _)| *at).collect()
    }

    fn live(&self) -> usize {
        self.workers.values().filter(|doing| **doing != Doing::Leaving).count()
    }

    fn available(&self) -> usize {
        self.those(Doing::Coming).len() + self.those(Doing::Idle).len()
    }

    fn granted(&self, lane: Option<usize>) -> usize {
        self.line.iter().filter(|waiter| waiter.granted && lane.is_none_or(|lane| lane == waiter.lane)).count()
    }

    fn has_room(&self) -> bool {
        self.ready() + self.granted(None) < self.state.config.queue + self.available()
    }

    fn lane_has_room(&self, lane: usize) -> bool {
        let taken = self.lanes[lane].len() + self.granted(Some(lane));
        self.state.config.depth_limits[lane].is_none_or(|most| taken < most)
            || self.ready() + self.granted(None) < self.available()
    }

    fn floor(&self) -> usize {
        if self.phase == Phase::Open { self.pinned.unwrap_or(*self.state.config.workers.start()) } else { 0 }
    }

    fn ceiling(&self) -> usize {
        let most = self.pinned.unwrap_or(*self.state.config.workers.end());
        if self.phase == Phase::Open { most } else { most.max(1) }
    }

    fn quiet(&self) -> bool {
        self.ready() == 0 && self.delayed.is_empty() && self.running.is_empty()
    }

    // What the engine does with what the state says.

    fn go(&mut self, calls: Calls) -> bool {
        let Calls { worker, submitter, keeper, start, keep, tend } = calls;
        [worker, submitter, keeper].into_iter().flatten().for_each(Waker::wake);
        self.hear();
        let started = start.is_none_or(|seat| self.start(seat.at));
        if keep {
            assert!(self.state.keeper.exists);
        }
        if tend {
            self.tend_closed();
        }
        started
    }

    /// Sees who was woken, and why that may be.
    fn hear(&mut self) {
        let rung = std::mem::take(&mut *self.rung.lock().expect("no panic under it"));
        for who in rung {
            match who {
                Who::Worker(at) => {
                    assert_eq!(self.workers.get(&at), Some(&Doing::Idle), "worker {at} was woken");
                    let doing = match self.state.crew.standing(at) {
                        Standing::Coming => Doing::Coming,
                        Standing::Leaving => Doing::Leaving,
                        Standing::Idle => panic!("worker {at} was woken and is idle"),
                    };
                    self.workers.insert(at, doing);
                }
                Who::Submitter(id) => {
                    let Some(at) = self.line.iter().position(|waiter| waiter.id == id) else { continue };
                    if self.phase != Phase::Open {
                        continue;
                    }
                    let lane = self.line[at].lane;
                    if self.granted(Some(lane)) == self.state.reserved[lane] {
                        self.give_up_waiting(at);
                        continue;
                    }
                    let passed = self.line[..at].iter().any(|other| other.lane == lane && !other.granted);
                    assert!(!passed, "submitter {id} was granted room before one who came earlier");
                    self.line[at].granted = true;
                }
                Who::Keeper => {}
            }
        }
    }

    /// A submitter is told that it has waited for long enough.
    fn give_up_waiting(&mut self, at: usize) {
        let Waiter { place, until, .. } = self.line.remove(at);
        assert!(until <= self.now, "it might have waited on");
        let found = self.state.look(&place, &mut None);
        assert!(matches!(found, Turn::Unserved(_)), "{found:?}");
    }

    fn start(&mut self, at: u32) -> bool {
        assert!(self.workers.insert(at, Doing::Coming).is_none(), "seat {at} is somebody's");
        assert!(self.live() <= self.ceiling(), "more workers than there may be");
        if !self.refuses {
            return true;
        }
        let _waker = self.state.lose(at, None, self.now);
        self.workers.remove(&at);
        let other = self.state.call();
        other.into_iter().for_each(Waker::wake);
        self.hear();
        false
    }

    fn give_up_orphans(&mut self) {
        while self.state.crew.live() == 0 {
            let Some(job) = self.state.give_up_one() else { break };
            self.forget(job.unit);
            self.ended[FAILED] += 1;
        }
        self.grant_all();
        self.tend_closed();
    }

    /// Room that came is offered again and again, as submitters do that come for it.
    fn grant_all(&mut self) {
        while let Some(waker) = self.state.grant() {
            waker.wake();
            self.hear();
        }
    }

    fn tend(&mut self) {
        for _ in 0..1_000 {
            let mut calls = Calls::default();
            calls.start = self.state.hire_to_floor().or_else(|| self.state.grow(self.now));
            calls.worker = self.state.dismiss_surplus().or_else(|| self.state.call());
            calls.submitter = self.state.grant();
            if calls.start.is_none() && calls.worker.is_none() && calls.submitter.is_none() {
                return;
            }
            if !self.go(calls) {
                return self.give_up_orphans();
            }
        }
        panic!("there is always something left to do");
    }

    fn tend_closed(&mut self) {
        while self.phase != Phase::Open {
            let told = self.state.tell_drainers();
            assert!(told.is_empty() || self.quiet());
            let Some(waker) = self.state.dismiss_surplus() else { return };
            waker.wake();
            self.hear();
        }
    }

    fn ask_keeper(&mut self) {
        let mut calls = Calls::default();
        self.state.ask_keeper(self.now, &mut calls);
        self.go(calls);
    }

    /// Takes a job out of wherever it waits.
    fn forget(&mut self, unit: u64) -> Job {
        for lane in &mut self.lanes {
            if let Some(at) = lane.iter().position(|job| job.unit == unit) {
                return lane.remove(at).expect("it is there");
            }
        }
        let at = self.delayed.iter().position(|(_, job)| job.unit == unit).expect("it waits somewhere");
        self.delayed.remove(at).1
    }

    fn promote(&mut self) {
        loop {
            let due = self.delayed.iter().enumerate().filter(|(_, (due, _))| *due <= self.now);
            let Some(at) = due.min_by_key(|(_, (due, job))| (*due, job.unit)).map(|(at, _)| at) else { return };
            let (since, job) = self.delayed.remove(at);
            self.lanes[job.lane].push_back(Job { since, ..job });
        }
    }

    // What happens.

    pub(super) fn take(&mut self, step: &Step) {
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
            Step::StepBack(millis) => self.now = self.now - Duration::from_millis(millis),
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
        let lines = self.line.iter().any(|waiter| !waiter.granted);
        let full = self.state.config.full;
        // Jobs that are due again are not kept out by the bound.
        let is_over = self.ready() + self.granted(None) > self.state.config.queue + self.available();
        self.last += 1;
        let unit = self.last;
        match self.state.offer(unit, terms, self.now, reserved) {
            Offer::Taken { ticket, mut calls, displaced } => {
                assert!(self.phase == Phase::Open && deadline > self.now, "it was to be refused");
                match &displaced {
                    Some(gone) => self.displace(gone.unit, lane, lane_room),
                    None if reserved => {}
                    None => {
                        assert!(lane_room, "the lane was full");
                        assert!(room || calls.start.is_some(), "the queue was full");
                        assert!(
                            !lines || self.line.iter().all(|other| other.granted || other.lane != lane),
                            "it passed others"
                        );
                    }
                }
                self.tickets.insert(unit, ticket);
                self.lanes[lane].push_back(Job { unit, lane, since: self.now, deadline, failures: 0 });
                self.submitted += 1;
                let start = calls.start.take();
                let is_bound = displaced.is_none() && !reserved && !self.refuses && !is_over;
                self.go(calls);
                let started = start.is_none_or(|seat| self.start(seat.at));
                if is_bound {
                    let most = self.state.config.queue + self.available();
                    assert!(self.ready() + self.granted(None) <= most, "more than {most} have been promised room");
                }
                if !started && self.state.crew.live() == 0 {
                    let job = self.state.take_back(ticket).expect("nobody has taken it");
                    self.forget(job.unit);
                    self.submitted -= 1;
                    self.give_up_orphans();
                }
                Ok(())
            }
            Offer::Refused { terms, reason, submitter, .. } => {
                submitter.into_iter().for_each(Waker::wake);
                self.hear();
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

    fn complete(&mut self, at: u32) {
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
        let was_cancelled = seat.is_cancelled(ticket.id);
        let failed = Failed { end: End::Failed, error: "no".into(), repeatable };
        let extra =
            (job.failures > 0).then(|| Box::new(crate::state::Extra { failures: job.failures, ..Default::default() }));
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

    // What holds after every step.

    pub(super) fn check(&mut self, step: &Step) {
        let state = &mut self.state;
        let ledger = &state.ledger;
        let ended = [ledger.completed, ledger.failed, ledger.cancelled, ledger.expired, ledger.dropped];
        assert_eq!((ledger.submitted, ended), (self.submitted, self.ended), "{step:?}");
        let elsewhere = state.jobs.ready() + state.jobs.delayed() + state.running();
        assert_eq!(ledger.submitted, ended.iter().sum::<u64>() + elsewhere as u64, "{step:?}");
        let lanes = Priority::ALL.map(|priority| state.jobs.ready_of(priority));
        let (delayed, reserved) = (state.jobs.delayed(), state.reserved);
        let crew =
            [state.crew.live(), state.crew.coming(), state.crew.available() - state.crew.coming(), state.crew.busy()];
        let due = state.jobs.next_due();
        assert_eq!(lanes, self.lanes.each_ref().map(VecDeque::len), "{step:?}");
        assert_eq!(reserved, [0, 1, 2, 3].map(|lane| self.granted(Some(lane))), "{step:?}");
        assert_eq!(delayed, self.delayed.len(), "{step:?}");
        assert_eq!(due, self.delayed.iter().map(|(due, _)| *due).min(), "{step:?}");
        let [coming, idle, busy] = [Doing::Coming, Doing::Idle, Doing::Busy].map(|doing| self.those(doing).len());
        assert_eq!(crew, [self.live(), coming, idle, busy], "{step:?}");

        assert!(self.ready() == 0 || idle == 0 || coming > 0, "{step:?}: jobs wait, and so do workers");
        let served = self.line.iter().any(|waiter| waiter.granted);
        let servable = |waiter: &Waiter| !waiter.granted && self.has_room() && self.lane_has_room(waiter.lane);
        // Who is coming gives the room that it finds.
        assert!(
            served || coming > 0 || !self.line.iter().any(servable),
            "{step:?}: there is room, and somebody waits for it"
        );
        let keeper = &self.state.keeper;
        let looks_by = |at: Timestamp| keeper.exists && keeper.until <= at.max(self.now);
        assert!(due.is_none_or(looks_by), "{step:?}: nobody sees to what is due");
        let gives_up = self.line.iter().filter(|waiter| !waiter.granted).map(|waiter| waiter.until).min();
        assert!(gives_up.is_none_or(looks_by), "{step:?}: nobody tells a submitter that its time is up");
        if self.phase == Phase::Open && idle > 0 && coming + busy == 0 && self.live() > self.floor() {
            let since = self.state.crew.idle_longest().expect("somebody is idle");
            assert!(
                looks_by(since + self.state.config.keep_alive),
                "{step:?}: nobody sends home who is idle for too long"
            );
        }
        assert!(self.ready() == 0 || self.live() > 0 || self.ceiling() == 0, "{step:?}: jobs are left to nobody");
    }

    /// Everybody does what he was told, until nobody has anything to do.
    pub(super) fn come_to_rest(&mut self) {
        self.refuses = false;
        for _ in 0..10_000 {
            let step = if let Some(at) = self.those(Doing::Busy).first() {
                self.complete(*at);
                Step::Complete(0)
            } else if !self.those(Doing::Coming).is_empty() || !self.those(Doing::Leaving).is_empty() {
                Step::Come(0)
            } else if self.granted(None) > 0 {
                Step::UseRoom(0)
            } else if self.state.keeper.exists && self.state.keeper.until != NEVER {
                self.now = self.now.max(self.state.keeper.until);
                Step::Keep
            } else {
                break;
            };
            if !matches!(step, Step::Complete(_)) {
                self.take(&step);
            }
            self.check(&step);
        }
        if self.ceiling() > 0 {
            assert!(self.quiet(), "jobs are left and nobody has anything to do");
            assert!(self.line.is_empty(), "somebody waits and the queue is empty");
        }
        assert!(self.live() <= self.floor().max(self.those(Doing::Idle).len()));
        assert!(self.phase == Phase::Open || self.workers.is_empty(), "the pool is closed, and workers are left");
    }
}

fn choose<T: Copy>(among: &[T], which: usize) -> Option<T> {
    if among.is_empty() { None } else { Some(among[which % among.len()]) }
}
