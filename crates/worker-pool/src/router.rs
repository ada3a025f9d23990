use std::fmt;

use seawall_core::Priority;

use crate::door::Door;
use crate::options::JobOptions;
use crate::pool::Pool;
use crate::task::{Runs, Task};

/// Several pools behind one door, chosen by the priority of the job: so that what matters most has workers of its own,
/// however many other jobs wait.
///
/// ```
/// use seawall_core::spawn::Spawner;
/// use seawall_worker_pool::{Config, JobOptions, Pool, Priority, Router};
///
/// # smol::block_on(async {
/// let standard = Pool::new(Config::new(3..=20).name("standard"), Spawner::threads())?;
/// let high = Pool::new(Config::new(2..=10).name("high-priority"), Spawner::threads())?;
/// let router = Router::new(standard).route(Priority::High, high.clone()).route(Priority::Critical, high);
///
/// let urgent = JobOptions::new().priority(Priority::Critical);
/// assert_eq!(router.with(urgent).submit(async { Ok::<_, std::io::Error>(1) }).await?.await?, 1);
/// assert_eq!(router.pool(Priority::Critical).snapshot().completed, 1);
/// assert_eq!(router.pool(Priority::Normal).snapshot().submitted, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Router<R: Runs = Task> {
    /// One for each priority; one pool may serve several.
    pools: [Pool<R>; Priority::COUNT],
}

impl<R: Runs> Router<R> {
    /// All jobs go to `pool`, unless [routed](Self::route) elsewhere.
    pub fn new(pool: Pool<R>) -> Self {
        Self { pools: [pool.clone(), pool.clone(), pool.clone(), pool] }
    }

    /// Jobs of this priority go to `pool`.
    #[must_use]
    pub fn route(mut self, priority: Priority, pool: Pool<R>) -> Self {
        self.pools[priority as usize] = pool;
        self
    }

    /// The pool of this priority.
    pub const fn pool(&self, priority: Priority) -> &Pool<R> {
        &self.pools[priority as usize]
    }

    /// The doors of the pool for jobs with these options.
    pub const fn with(&self, options: JobOptions) -> Door<'_, R> {
        self.pool(options.get_priority()).with(options)
    }

    /// The pools, each once, the one of the lowest priority first.
    pub fn pools(&self) -> impl Iterator<Item = &Pool<R>> {
        let is_first = |at: usize| self.pools[..at].iter().all(|earlier| !earlier.is_same(&self.pools[at]));
        self.pools.iter().enumerate().filter(move |(at, _)| is_first(*at)).map(|(_, pool)| pool)
    }
}

impl<R: Runs> Clone for Router<R> {
    fn clone(&self) -> Self {
        Self { pools: self.pools.clone() }
    }
}

impl<R: Runs> fmt::Debug for Router<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_priority = Priority::ALL.iter().map(|priority| (priority, self.pool(*priority).name()));
        f.debug_map().entries(by_priority).finish()
    }
}
