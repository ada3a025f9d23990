//! Both pools, by name and by priority.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use seawall_core::ConfigError;
use seawall_core::spawn::Spawner;
use seawall_core::time::Clock;
use seawall_telemetry::Instances;
use seawall_worker_pool::{Config, JobError, JobOptions, Pool, Priority, Refused, Router, Snapshot, Task, Work};

use super::InHand;
use crate::config::{self, InvalidConfig};

/// The pools that process orders.
#[derive(Debug)]
pub(crate) struct WorkerPools {
    router: Router,
    entries: [Entry; 2],
    in_hand: InHand,
    patience: Duration,
}

/// A pool, and how it is configured.
#[derive(Debug)]
pub(crate) struct Entry {
    name: &'static str,
    pool: Pool,
    /// Held while the pool is configured, so that what was before and after a change is known.
    config: Mutex<Config>,
}

/// What a change by hand replaced, and by what.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) before: Config,
    pub(super) after: Config,
}

/// Why a job gave nothing.
#[derive(Debug)]
pub(crate) enum NotRun {
    /// The pool did not take it.
    Refused(Refused),
    /// It did not come to its end.
    Ended(JobError<Infallible>),
}

impl WorkerPools {
    /// Pools on `clock` whose workers are tasks of the runtime in which this is called, and whose figures are `exported`.
    pub(crate) fn new(
        config: &config::WorkerPools,
        clock: &Clock,
        spawner: &Spawner,
        exported: &Instances,
    ) -> Result<Self, InvalidConfig> {
        let make = |name, config: &Config| {
            let invalid = |error| InvalidConfig::of_part(&format!("worker_pools.{name}"), &error);
            let config = config::named_pool(config.clone(), name).map_err(invalid)?;
            let pool = Pool::with_clock(config.clone(), spawner.clone(), clock.clone()).map_err(invalid)?;
            exported.add(pool.clone());
            Ok(Entry { name, pool, config: Mutex::new(config) })
        };
        let (standard, high) = (make("standard", &config.standard)?, make("high-priority", &config.high_priority)?);
        let router = Router::new(standard.pool.clone())
            .route(Priority::High, high.pool.clone())
            .route(Priority::Critical, high.pool.clone());
        Ok(Self { router, entries: [standard, high], in_hand: InHand::default(), patience: config.patience })
    }

    /// How long whoever places an order waits for its processing.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// The orders that somebody works on.
    pub(crate) fn in_hand(&self) -> &InHand {
        &self.in_hand
    }

    /// Has the pool of this priority do `work`, if there is room for it now.
    ///
    /// # Errors
    /// If there is none; then it has been dropped.
    pub(crate) fn start(&self, priority: Priority, work: impl Work<Task>) -> Result<(), Refused> {
        self.router.with(JobOptions::new().priority(priority)).try_execute(work)
    }

    /// Has `work` done that nobody waits for: after all else, but in its turn.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the job.
    pub(crate) async fn run_unhurried<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, NotRun> {
        let door = self.router.with(JobOptions::new().priority(Priority::Low));
        let job = door.submit(async move { Ok::<_, Infallible>(work.await) }).await.map_err(NotRun::Refused)?;
        job.cancel_on_drop().await.map_err(NotRun::Ended)
    }

    /// Ends both: what they have is worked off `within` that time, and what is left then is left to the next start.
    pub(crate) async fn drain(&self, within: Duration) {
        join_all(self.entries.iter().map(|entry| async move {
            let report = entry.pool.drain(within).await;
            tracing::info!(
                pool = entry.name,
                completed = report.completed,
                failed = report.failed,
                cut_off = report.cancelled,
                returned = report.returned.len(),
                "worker pool drained"
            );
        }))
        .await;
    }

    /// The one of this name.
    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Both of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
}

impl Entry {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.pool.snapshot()
    }

    pub(super) fn config(&self) -> Config {
        self.config.lock().clone()
    }

    /// Takes over `config`; no job is interrupted, and those that wait stay.
    pub(super) fn reconfigure(&self, config: Config) -> Result<Change, ConfigError> {
        let config = config::named_pool(config, self.name)?;
        let mut current = self.config.lock();
        self.pool.reconfigure(config.clone())?;
        let before = std::mem::replace(&mut *current, config.clone());
        Ok(Change { before, after: config })
    }
}

impl fmt::Display for NotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Ended(error) => error.fmt(f),
        }
    }
}
