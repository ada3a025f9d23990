mod steps;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::Duration;

use seawall_core::Priority;
use seawall_core::random::Random;
use seawall_core::time::Timestamp;
use seawall_core::wait::{Found as Turn, Place};

use super::Step;
use crate::config::Config;
use crate::state::{Calls, Phase, Standing, State, Terms, Ticket};

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
    /// The latest moment so far: the clock may step back.
    latest: Timestamp,
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
            latest: Timestamp::ZERO,
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
        let Calls { worker, submitter, keeper, start, late: _, keep, tend } = calls;
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
            let calls = Calls {
                start: self.state.hire_to_floor().or_else(|| self.state.grow(self.now)),
                worker: self.state.dismiss_surplus().or_else(|| self.state.call()),
                submitter: self.state.grant(),
                ..Calls::default()
            };
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

    // What holds after every step.

    pub(super) fn check(&mut self, step: &Step) {
        self.latest = self.latest.max(self.now);
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
        let is_given = served || coming > 0;
        assert!(is_given || !self.line.iter().any(servable), "{step:?}: there is room, and somebody waits for it");
        let keeper = &self.state.keeper;
        let looks_by = |at: Timestamp| keeper.exists && keeper.until <= at.max(self.now);
        assert!(due.is_none_or(looks_by), "{step:?}: nobody sees to what is due");
        let gives_up = self.line.iter().filter(|waiter| !waiter.granted).map(|waiter| waiter.until).min();
        assert!(gives_up.is_none_or(looks_by), "{step:?}: nobody tells a submitter that its time is up");
        if self.phase == Phase::Open && idle > 0 && coming == 0 && self.live() > self.floor() {
            let at = self.latest + self.state.config.keep_alive;
            assert!(looks_by(at), "{step:?}: nobody sends home who is idle for too long");
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
