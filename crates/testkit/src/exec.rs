//! A deterministic executor on manual time.
//!
//! One thread, one seed: which of the ready tasks runs next is drawn from the seed, and time moves only when all tasks
//! are stalled, straight to the next sleeper. A run is therefore repeated exactly by its seed, takes no real time, and
//! a scenario over a thousand seeds visits a thousand interleavings.
//!
//! ```
//! use seawall_testkit::exec::Executor;
//! use std::time::Duration;
//!
//! let executor = Executor::new(42);
//! let clock = executor.clock();
//! let slow = executor.spawn(async move {
//!     clock.sleep(Duration::from_secs(3600)).await;
//!     "done"
//! });
//! assert_eq!(executor.block_on(slow), "done");
//! assert_eq!(executor.now().as_nanos(), 3_600_000_000_000);
//! ```

mod task;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use seawall_core::time::{Clock, ManualTime, Timestamp};

pub use task::Task;
use task::{Body, Receipt, TaskId, TaskWaker, Woken};

use crate::random::Random;

/// Runs tasks on the current thread, in an order drawn from a seed, on a [manual clock](Clock::manual).
///
/// Dropping it drops its tasks. Nothing but its own tasks and its clock may wake a task: when all are stalled and no
/// sleeper is left, waiting longer is taken for a deadlock.
pub struct Executor {
    inner: Rc<Inner>,
}

/// Adds tasks to an [`Executor`] from inside its tasks; it does not keep the executor alive.
#[derive(Clone)]
pub struct Spawner {
    inner: Weak<Inner>,
}

struct Inner {
    seed: u64,
    clock: Clock,
    time: ManualTime,
    random: RefCell<Random>,
    /// A task is absent while it is polled.
    tasks: RefCell<BTreeMap<TaskId, Body>>,
    last_id: Cell<TaskId>,
    woken: Arc<Woken>,
    running: Cell<bool>,
    poll_limit: Cell<u64>,
}

/// The future of [`Executor::block_on`], which is no task but is drawn like one.
const MAIN: TaskId = 0;

impl Executor {
    /// An executor at time zero whose order is drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        let (clock, time) = Clock::manual();
        Self {
            inner: Rc::new(Inner {
                seed,
                clock,
                time,
                random: RefCell::new(Random::new(seed)),
                tasks: RefCell::default(),
                last_id: Cell::new(MAIN),
                woken: Arc::default(),
                running: Cell::new(false),
                poll_limit: Cell::new(1_000_000),
            }),
        }
    }

    /// After how many polls without a step of time the tasks count as running in circles; a million unless set.
    pub fn poll_limit(self, polls: u64) -> Self {
        self.inner.poll_limit.set(polls);
        self
    }

    /// The clock that the tasks are to use.
    pub fn clock(&self) -> Clock {
        self.inner.clock.clone()
    }

    /// The hand that moves the clock.
    pub fn time(&self) -> &ManualTime {
        &self.inner.time
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.inner.time.now()
    }

    /// How many tasks are not done.
    pub fn pending_tasks(&self) -> usize {
        self.inner.tasks.borrow().len()
    }

    /// Adds a task; it runs when the executor does.
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.inner.spawn(future)
    }

    /// A handle with which tasks add tasks.
    pub fn spawner(&self) -> Spawner {
        Spawner { inner: Rc::downgrade(&self.inner) }
    }

    /// Polls ready tasks until none is left, without moving time; how many polls that took.
    ///
    /// # Panics
    ///
    /// When the [limit of polls](Self::poll_limit) is reached: the tasks wake each other for ever.
    pub fn run_until_stalled(&self) -> u64 {
        let _running = self.inner.start();
        self.inner.run_until_stalled()
    }

    /// Runs for `duration` of manual time, through all sleeps that end in it.
    pub fn run_for(&self, duration: Duration) {
        let _running = self.inner.start();
        let end = self.now() + duration;
        self.inner.run_until_stalled();
        while self.inner.step_time(end) {
            self.inner.run_until_stalled();
        }
        self.inner.time.advance_to(end);
    }

    /// Runs until all tasks are done, or wait for what no sleep brings; how many are then [pending](Self::pending_tasks).
    pub fn run(&self) -> usize {
        let _running = self.inner.start();
        self.inner.run_until_stalled();
        while self.pending_tasks() > 0 && self.inner.step_time(Timestamp::NEVER) {
            self.inner.run_until_stalled();
        }
        self.pending_tasks()
    }

    /// Runs until `future` is done and returns what it returned. Tasks that are not done then stay where they are.
    ///
    /// # Panics
    ///
    /// When everything waits and no sleep is left: a deadlock. Also as [`run_until_stalled`](Self::run_until_stalled).
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let inner = &*self.inner;
        let _running = inner.start();
        let waker = TaskWaker::new(MAIN, &inner.woken).into();
        let mut cx = Context::from_waker(&waker);
        let mut future = pin!(future);
        waker.wake_by_ref();
        let mut polls = 0;
        loop {
            match inner.draw_ready() {
                Some(MAIN) => {
                    if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                        return output;
                    }
                }
                Some(id) => inner.poll_task(id),
                None => {
                    assert!(
                        inner.step_time(Timestamp::NEVER),
                        "deadlock at {}: everything waits and no sleep is left; {} tasks pending, seed {}",
                        self.now(),
                        self.pending_tasks(),
                        inner.seed
                    );
                    polls = 0;
                    continue;
                }
            }
            polls += 1;
            inner.check_limit(polls);
        }
    }
}

impl Spawner {
    /// Adds a task.
    ///
    /// # Panics
    ///
    /// When the executor is gone.
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.inner.upgrade().expect("the executor outlives what its tasks spawn").spawn(future)
    }
}

/// Lets the other ready tasks run: one more point at which the seed decides.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Inner {
    fn spawn<F>(self: &Rc<Self>, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let id = self.last_id.get() + 1;
        self.last_id.set(id);
        let receipt = Receipt::new();
        let body = Body::new(id, &self.woken, receipt.clone(), future);
        body.wake();
        self.tasks.borrow_mut().insert(id, body);
        Task::new(receipt, Spawner { inner: Rc::downgrade(self) }, id)
    }

    /// Marks the executor as running for as long as the guard lives.
    fn start(&self) -> Running<'_> {
        assert!(!self.running.replace(true), "a task cannot run the executor that runs it");
        Running(&self.running)
    }

    fn run_until_stalled(&self) -> u64 {
        let mut polls = 0;
        while let Some(id) = self.draw_ready() {
            self.poll_task(id);
            polls += 1;
            self.check_limit(polls);
        }
        polls
    }

    fn draw_ready(&self) -> Option<TaskId> {
        self.woken.take(|ready| self.random.borrow_mut().below(ready))
    }

    fn poll_task(&self, id: TaskId) {
        // A task that was cancelled, or was woken when it was already done, is no longer there.
        let Some(mut body) = self.tasks.borrow_mut().remove(&id) else { return };
        if body.poll().is_pending() && !body.is_cancelled() {
            self.tasks.borrow_mut().insert(id, body);
        }
    }

    /// Moves time to the next sleeper that is due by `end`.
    fn step_time(&self, end: Timestamp) -> bool {
        match self.time.next_wake() {
            Some(at) if at <= end && at != Timestamp::NEVER => {
                self.time.advance_to(at);
                true
            }
            _ => false,
        }
    }

    fn check_limit(&self, polls: u64) {
        let limit = self.poll_limit.get();
        assert!(
            polls < limit,
            "{limit} polls at {} and still not stalled: tasks wake each other in circles; seed {}",
            self.time.now(),
            self.seed
        );
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        // The tasks are dropped outside of the borrow: what they drop may cancel or wake others.
        let tasks = self.inner.tasks.take();
        drop(tasks);
    }
}

struct Running<'a>(&'a Cell<bool>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("seed", &self.inner.seed)
            .field("now", &self.now())
            .field("pending_tasks", &self.pending_tasks())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawner")
    }
}
