use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use parking_lot::Mutex;
use seawall_core::spawn::{Spawn, SpawnError, Spawner, Work};
use seawall_core::time::BoxFuture;
use seawall_testkit::random::Random;

/// Runs tasks and blocking work one step at a time, in an order drawn from a seed, and plays the faults of a runtime.
#[derive(Clone)]
pub(crate) struct Executor(Arc<Inner>);

struct Inner {
    tasks: Mutex<Tasks>,
    ready: Arc<Mutex<Vec<u64>>>,
}

struct Tasks {
    random: Random,
    faults: Faults,
    all: BTreeMap<u64, Task>,
    blocking: Vec<Work>,
    last: u64,
    /// How many faults have been played.
    played: u32,
    /// How many tasks of a pool have panicked.
    panicked: u32,
}

struct Task {
    /// `None` while it is polled.
    future: Option<BoxFuture>,
    owner: Owner,
}

/// Whose a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The simulation's: it submits, waits or drains.
    Actor,
    /// A pool's.
    Pool,
}

/// How many of a thousand occasions go wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// A task or blocking work is not taken.
    pub(crate) refuse: usize,
    /// A step drops a task of a pool, or blocking work, instead of running one.
    pub(crate) lose: usize,
    /// A step polls a task that nobody has woken.
    pub(crate) spurious: usize,
}

struct TaskWaker {
    id: u64,
    ready: Arc<Mutex<Vec<u64>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut ready = self.ready.lock();
        if !ready.contains(&self.id) {
            ready.push(self.id);
        }
    }
}

impl Executor {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        let tasks = Tasks {
            random: Random::new(seed),
            faults,
            all: BTreeMap::new(),
            blocking: Vec::new(),
            last: 0,
            played: 0,
            panicked: 0,
        };
        Self(Arc::new(Inner { tasks: Mutex::new(tasks), ready: Arc::default() }))
    }

    pub(crate) fn spawner(&self) -> Spawner {
        Spawner::custom(Arc::new(Place(self.clone())))
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        self.0.tasks.lock().faults = faults;
    }

    /// How many faults have been played.
    pub(crate) fn played(&self) -> u32 {
        self.0.tasks.lock().played
    }

    /// How many tasks of a pool have panicked.
    pub(crate) fn panicked(&self) -> u32 {
        self.0.tasks.lock().panicked
    }

    /// How many tasks have not ended.
    pub(crate) fn count(&self, owner: Owner) -> usize {
        self.0.tasks.lock().all.values().filter(|task| task.owner == owner).count()
    }

    /// Whether nothing can run before time moves.
    pub(crate) fn is_stalled(&self) -> bool {
        let tasks = self.0.tasks.lock();
        tasks.blocking.is_empty() && !self.0.ready.lock().iter().any(|id| tasks.all.contains_key(id))
    }

    pub(crate) fn spawn(&self, owner: Owner, future: BoxFuture) -> u64 {
        let id = {
            let mut tasks = self.0.tasks.lock();
            tasks.last += 1;
            let id = tasks.last;
            tasks.all.insert(id, Task { future: Some(future), owner });
            id
        };
        self.waker(id).wake();
        id
    }

    fn waker(&self, id: u64) -> Waker {
        Waker::from(Arc::new(TaskWaker { id, ready: self.0.ready.clone() }))
    }

    /// Ends a task where it stands. A job that it runs itself may panic in its drop.
    pub(crate) fn drop_task(&self, id: u64) {
        let task = self.0.tasks.lock().all.remove(&id);
        let _payload = catch_unwind(AssertUnwindSafe(|| drop(task)));
    }

    /// One step of whatever is drawn. Tells whether there was anything to do.
    pub(crate) fn step(&self) -> bool {
        enum Step {
            Poll(u64),
            Block(Work),
            Lose(u64),
            LoseWork(Work),
            Nothing,
        }
        let step = {
            let mut tasks = self.0.tasks.lock();
            let Tasks { random, faults, all, blocking, played, .. } = &mut *tasks;
            let mut ready = self.0.ready.lock();
            ready.retain(|id| all.contains_key(id));
            let of_pools: Vec<u64> = if faults.lose > 0 {
                all.iter().filter(|(_, task)| task.owner == Owner::Pool).map(|(id, _)| *id).collect()
            } else {
                Vec::new()
            };
            if !of_pools.is_empty() && random.chance(faults.lose, 1_000) {
                *played += 1;
                if !blocking.is_empty() && random.chance(1, 2) {
                    let at = random.below(blocking.len());
                    Step::LoseWork(blocking.swap_remove(at))
                } else {
                    Step::Lose(of_pools[random.below(of_pools.len())])
                }
            } else if !all.is_empty() && random.chance(faults.spurious, 1_000) {
                let at = random.below(all.len());
                all.keys().nth(at).map_or(Step::Nothing, |id| Step::Poll(*id))
            } else if ready.is_empty() && blocking.is_empty() {
                Step::Nothing
            } else {
                let drawn = random.below(ready.len() + blocking.len());
                match drawn.checked_sub(ready.len()) {
                    None => Step::Poll(ready.swap_remove(drawn)),
                    Some(at) => Step::Block(blocking.swap_remove(at)),
                }
            }
        };
        match step {
            Step::Poll(id) => self.poll(id),
            Step::Block(work) => work(),
            Step::Lose(id) => {
                let task = self.0.tasks.lock().all.remove(&id);
                let _payload = catch_unwind(AssertUnwindSafe(|| drop(task)));
            }
            Step::LoseWork(work) => drop(work),
            Step::Nothing => return false,
        }
        true
    }

    fn poll(&self, id: u64) {
        let taken = self.0.tasks.lock().all.get_mut(&id).and_then(|task| Some((task.future.take()?, task.owner)));
        let Some((mut future, owner)) = taken else { return };
        let waker = self.waker(id);
        let polled =
            catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()));
        match polled {
            Ok(true) => {
                let mut tasks = self.0.tasks.lock();
                if let Some(task) = tasks.all.get_mut(&id) {
                    task.future = Some(future);
                    return;
                }
            }
            Ok(false) => {}
            Err(payload) if owner == Owner::Actor => resume_unwind(payload),
            Err(_) => self.0.tasks.lock().panicked += 1,
        }
        self.0.tasks.lock().all.remove(&id);
        // What it holds may spawn and wake.
        let _payload = catch_unwind(AssertUnwindSafe(|| drop(future)));
    }
}

/// Where the pools' tasks and blocking work go.
struct Place(Executor);

impl Place {
    fn refuses(&self) -> bool {
        let mut tasks = self.0.0.tasks.lock();
        let part = tasks.faults.refuse;
        let refuses = part > 0 && tasks.random.chance(part, 1_000);
        tasks.played += u32::from(refuses);
        refuses
    }
}

impl Spawn for Place {
    fn spawn(&self, task: BoxFuture) -> Result<(), SpawnError> {
        if self.refuses() {
            return Err(SpawnError::new("a fault"));
        }
        self.0.spawn(Owner::Pool, task);
        Ok(())
    }

    fn spawn_blocking(&self, work: Work) -> Result<(), SpawnError> {
        if self.refuses() {
            return Err(SpawnError::new("a fault"));
        }
        self.0.0.tasks.lock().blocking.push(work);
        Ok(())
    }
}
