use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use seawall_core::spawn::{Spawn, SpawnError, Spawner, Work};
use seawall_core::time::{BoxFuture, Clock, ManualTime, Timestamp};
use seawall_worker_pool::{Config, Pool, Runs, Snapshot};

/// One thread on manual time that polls what a pool spawns, when the test says so.
#[derive(Clone)]
pub(crate) struct Desk {
    inner: Arc<Inner>,
    pub(crate) clock: Clock,
    pub(crate) time: ManualTime,
}

#[derive(Default)]
struct Inner {
    tasks: Mutex<Vec<Option<Task>>>,
    blocking: Mutex<Vec<Work>>,
    /// How many tasks are still taken; none is taken when it is zero.
    takes: AtomicUsize,
    /// Says that it takes tasks, and drops them.
    drops: AtomicBool,
    /// How many tasks were offered.
    offered: AtomicUsize,
}

struct Task {
    future: BoxFuture,
    woken: Arc<Woken>,
}

pub(crate) struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Spawn for Inner {
    fn spawn(&self, future: BoxFuture) -> Result<(), SpawnError> {
        self.offered.fetch_add(1, Ordering::SeqCst);
        let takes = self.takes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if takes.is_err() {
            return Err(SpawnError::new("the desk takes no more"));
        }
        if !self.drops.load(Ordering::SeqCst) {
            self.tasks.lock().push(Some(Task { future, woken: Arc::new(Woken(AtomicBool::new(true))) }));
        }
        Ok(())
    }

    fn spawn_blocking(&self, work: Work) -> Result<(), SpawnError> {
        self.blocking.lock().push(work);
        Ok(())
    }
}

impl Desk {
    pub(crate) fn new() -> Self {
        let (clock, time) = Clock::manual();
        let inner = Inner::default();
        inner.takes.store(usize::MAX, Ordering::SeqCst);
        Self { inner: Arc::new(inner), clock, time }
    }

    pub(crate) fn pool<R: Runs>(&self, config: Config) -> Pool<R> {
        Pool::of_with_clock(config, self.spawner(), self.clock.clone()).expect("the configuration is valid")
    }

    pub(crate) fn spawner(&self) -> Spawner {
        Spawner::custom(self.inner.clone())
    }

    /// Takes so many tasks more, and refuses the next.
    pub(crate) fn take_only(&self, tasks: usize) {
        self.inner.takes.store(tasks, Ordering::SeqCst);
    }

    /// Drops what is spawned from now on, and says that it was taken.
    pub(crate) fn drop_what_comes(&self) {
        self.inner.drops.store(true, Ordering::SeqCst);
    }

    pub(crate) fn offered(&self) -> usize {
        self.inner.offered.load(Ordering::SeqCst)
    }

    /// Polls who has been woken, until nobody is.
    pub(crate) fn run(&self) {
        for _ in 0..100_000 {
            if !self.step() {
                return;
            }
        }
        panic!("the tasks wake each other in circles");
    }

    pub(crate) fn step(&self) -> bool {
        let mut any = false;
        for at in 0..self.tasks() {
            let task = {
                let mut tasks = self.inner.tasks.lock();
                let is_woken = tasks[at].as_ref().is_some_and(|task| task.woken.0.swap(false, Ordering::SeqCst));
                if is_woken { tasks[at].take() } else { None }
            };
            let Some(mut task) = task else { continue };
            any = true;
            let waker = Waker::from(task.woken.clone());
            if task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                self.inner.tasks.lock()[at] = Some(task);
            }
        }
        any
    }

    /// How many tasks have been taken.
    pub(crate) fn tasks(&self) -> usize {
        self.inner.tasks.lock().len()
    }

    /// How many have not ended.
    pub(crate) fn live_tasks(&self) -> usize {
        self.inner.tasks.lock().iter().flatten().count()
    }

    /// Whether a task has not ended.
    pub(crate) fn is_live(&self, at: usize) -> bool {
        self.inner.tasks.lock()[at].is_some()
    }

    /// Drops a task, as a runtime does that ends.
    pub(crate) fn lose(&self, at: usize) {
        let task = self.inner.tasks.lock()[at].take();
        assert!(task.is_some(), "there is no task {at}");
    }

    /// Lets time pass, and polls at every moment at which somebody wakes.
    pub(crate) fn pass(&self, by: Duration) {
        let end = self.time.now() + by;
        self.run();
        while let Some(at) = self.time.next_wake().filter(|at| *at <= end && *at != Timestamp::NEVER) {
            self.time.advance_to(at);
            self.run();
        }
        self.time.advance_to(end);
        self.run();
    }

    /// Runs the blocking work that has come, and what follows from it.
    pub(crate) fn work_off(&self) -> usize {
        let work = std::mem::take(&mut *self.inner.blocking.lock());
        let count = work.len();
        for work in work {
            work();
        }
        self.run();
        count
    }
}

/// A future that the test polls by hand.
pub(crate) struct Waits<T> {
    future: Pin<Box<dyn Future<Output = T>>>,
    pub(crate) woken: Arc<Woken>,
}

impl<T> Waits<T> {
    pub(crate) fn new(future: impl Future<Output = T> + 'static) -> Self {
        Self { future: Box::pin(future), woken: Arc::new(Woken(AtomicBool::new(true))) }
    }

    pub(crate) fn poll(&mut self) -> Option<T> {
        self.woken.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(self.woken.clone());
        match self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    /// What comes of it, if it was woken; an executor would not poll it otherwise.
    pub(crate) fn poll_if_woken(&mut self) -> Option<T> {
        if self.woken.0.load(Ordering::SeqCst) { self.poll() } else { None }
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.woken.0.load(Ordering::SeqCst)
    }
}

/// Whether every job that was submitted is in one place.
#[track_caller]
pub(crate) fn assert_all_accounted<R: Runs>(pool: &Pool<R>) -> Snapshot {
    let snapshot = pool.snapshot();
    let Snapshot { submitted, completed, failed, cancelled, expired, dropped, queued, running, .. } = snapshot;
    let found = completed + failed + cancelled + expired + dropped + (queued + running) as u64;
    assert_eq!(submitted, found, "{snapshot:?}");
    snapshot
}

/// A job that waits until the test lets it go.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<(bool, Vec<Waker>)>>);

impl Gate {
    pub(crate) fn open(&self) {
        let wakers = {
            let mut gate = self.0.lock();
            gate.0 = true;
            std::mem::take(&mut gate.1)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn pass(&self) -> impl Future<Output = ()> + Send + use<> {
        let gate = self.0.clone();
        std::future::poll_fn(move |cx| {
            let waker = cx.waker().clone();
            let mut gate = gate.lock();
            if gate.0 {
                return Poll::Ready(());
            }
            gate.1.push(waker);
            Poll::Pending
        })
    }
}
