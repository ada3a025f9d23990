use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use parking_lot::Mutex;
use seawall_core::random::Random;
use seawall_core::spawn::{Spawn, SpawnError, Spawner, Work};
use seawall_core::time::{BoxFuture, Clock, ManualTime, Timestamp};
use seawall_core::{Name, Priority};

use crate::Config;
use crate::engine::Engine;
use crate::job::Attempt;
use crate::state::{Calls, State, Terms, Ticket};
use crate::unit::{Parting, Tried, Unit, Why};

/// An engine whose workers and keeper are polled by hand.
#[derive(Clone)]
pub(super) struct Pool {
    pub(super) engine: Arc<Engine<Probe>>,
    pub(super) time: ManualTime,
    crowd: Arc<Crowd>,
    seen: Arc<Seen>,
    handles: Arc<()>,
}

/// What a job does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Succeed,
    Fail,
    /// Never ends by itself.
    Wait,
}

/// What jobs did and were told. It is no part of what is modelled.
#[derive(Debug, Default)]
struct Seen {
    attempts: AtomicUsize,
    told: AtomicUsize,
}

/// A job.
pub(super) struct Probe {
    act: Act,
    seen: Arc<Seen>,
}

impl Probe {
    pub(super) fn new(act: Act) -> Self {
        Self { act, seen: Arc::default() }
    }
}

impl Unit for Probe {
    async fn attempt(&mut self, _attempt: &Attempt, _spawner: &Spawner) -> Tried {
        self.seen.attempts.fetch_add(1, Ordering::SeqCst);
        match self.act {
            Act::Succeed => Tried::Succeeded,
            Act::Fail => Tried::Failed,
            Act::Wait => pending().await,
        }
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn complaint(&self) -> String {
        String::new()
    }

    fn conclude(&mut self, _why: Option<Why>) {
        self.seen.told.fetch_add(1, Ordering::SeqCst);
    }

    fn parting(&mut self, _why: Option<Why>) -> Option<Parting> {
        let seen = self.seen.clone();
        Some(Box::new(move || {
            seen.told.fetch_add(1, Ordering::SeqCst);
        }))
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.act.fmt(f)
    }
}

/// The tasks of a pool, in the order in which they were spawned. Its locks are never held while one is polled.
#[derive(Default)]
struct Crowd(Mutex<Vec<Arc<Task>>>);

struct Task {
    /// `None` while it is polled, and when it has ended.
    future: Mutex<Option<BoxFuture>>,
    woken: Arc<Flag>,
    has_ended: AtomicBool,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Task {
    fn poll(&self) {
        let Some(mut future) = self.future.lock().take() else { return };
        self.woken.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(self.woken.clone());
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.has_ended.store(true, Ordering::SeqCst);
            drop(future);
        } else {
            *self.future.lock() = Some(future);
        }
    }
}

impl Spawn for Crowd {
    fn spawn(&self, task: BoxFuture) -> Result<(), SpawnError> {
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        let task = Task { future: Mutex::new(Some(task)), woken, has_ended: AtomicBool::new(false) };
        self.0.lock().push(Arc::new(task));
        Ok(())
    }

    fn spawn_blocking(&self, _work: Work) -> Result<(), SpawnError> {
        Err(SpawnError::new("no job here blocks"))
    }
}

pub(super) fn terms() -> Terms {
    Terms { priority: Priority::Normal, deadline: Timestamp::NEVER, extra: None }
}

impl Pool {
    /// Its workers have been started, and none has come yet.
    pub(super) fn new(config: Config) -> Self {
        let (clock, time) = Clock::manual();
        let crowd = Arc::new(Crowd::default());
        let engine = Arc::new(Engine {
            state: seawall_core::sync::Mutex::new(State::new(config, Random::new(1))),
            clock,
            spawner: Spawner::custom(crowd.clone()),
            name: Name::from_static("model"),
            is_kept: seawall_core::sync::atomic::AtomicBool::new(false),
        });
        engine.tend();
        Self { engine, time, crowd, seen: Arc::default(), handles: Arc::default() }
    }

    /// Submits a job, if it is taken.
    pub(super) fn submit(&self, act: Act) -> Option<Ticket> {
        let probe = Probe { act, seen: self.seen.clone() };
        let (taken, calls) = self.offer(probe, false);
        self.engine.go(calls);
        taken
    }

    /// Offers a job under the lock, and tells whom to wake.
    pub(super) fn offer(&self, probe: Probe, reserved: bool) -> (Option<Ticket>, Calls) {
        let (mut calls, mut displaced) = (Calls::default(), None);
        let now = self.engine.now();
        let taken = self.engine.state.lock().offer(probe, terms(), now, reserved, &mut calls, &mut displaced);
        (taken.ok(), calls)
    }

    pub(super) fn scale_to(&self, workers: usize) {
        self.engine.state.lock().pin(Some(workers));
        self.engine.tend();
    }

    /// Leaves the number of workers to the policy.
    pub(super) fn unpin(&self) {
        self.engine.state.lock().pin(None);
        self.engine.tend();
        self.engine.wake_keeper();
    }

    fn task(&self, at: usize) -> Arc<Task> {
        self.crowd.0.lock()[at].clone()
    }

    /// Polls a task, woken or not.
    pub(super) fn poll(&self, at: usize) {
        self.task(at).poll();
    }

    pub(super) fn poll_if_woken(&self, at: usize) {
        let task = self.task(at);
        if task.woken.0.load(Ordering::SeqCst) {
            task.poll();
        }
    }

    /// Drops a task where it stands.
    pub(super) fn lose(&self, at: usize) {
        let task = self.task(at);
        task.has_ended.store(true, Ordering::SeqCst);
        let future = task.future.lock().take();
        drop(future);
    }

    /// Polls whoever has been woken, until nobody is.
    pub(super) fn settle(&self) {
        loop {
            let tasks = self.crowd.0.lock().clone();
            let woken =
                |task: &&Arc<Task>| task.woken.0.load(Ordering::SeqCst) && !task.has_ended.load(Ordering::SeqCst);
            let Some(task) = tasks.iter().find(woken) else { return };
            task.poll();
        }
    }

    /// How many tasks have not ended.
    pub(super) fn tasks(&self) -> usize {
        self.crowd.0.lock().iter().filter(|task| !task.has_ended.load(Ordering::SeqCst)).count()
    }

    pub(super) fn workers(&self) -> usize {
        self.engine.state.lock().crew.live()
    }

    /// How many jobs have completed, were cancelled, and are left.
    pub(super) fn counts(&self) -> (u64, u64, usize) {
        let state = self.engine.state.lock();
        let left = state.jobs.ready() + state.jobs.delayed() + state.running();
        (state.ledger.completed, state.ledger.cancelled, left)
    }

    /// How often jobs were told of their end.
    pub(super) fn told(&self) -> usize {
        self.seen.told.load(Ordering::SeqCst)
    }

    pub(super) fn attempts(&self) -> usize {
        self.seen.attempts.load(Ordering::SeqCst)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // The tasks hold the engine, which holds their crowd.
        if Arc::strong_count(&self.handles) == 1 {
            let tasks = std::mem::take(&mut *self.crowd.0.lock());
            drop(tasks);
        }
    }
}
