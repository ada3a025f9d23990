#[cfg(feature = "serde")]
mod format;
mod policy;

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use seawall_core::observe::Observer;
use seawall_core::{ConfigError, Name, Priority, Ratio};

use crate::event::Event;
use crate::growth::GrowthPolicy;
use crate::retry::Retry;

pub use policy::{FullPolicy, Order};

/// How many workers a pool has, how many jobs may wait for them, and what becomes of the others.
///
/// Values are checked when a pool takes the configuration; the error names the field.
///
/// ```
/// use seawall_core::Priority;
/// use seawall_worker_pool::{Config, FullPolicy, Retry};
/// use std::time::Duration;
///
/// let orders = Config::new(3..=20)
///     .name("orders")
///     .queue(500)
///     .full(FullPolicy::DropLowest)
///     .depth_limit(Priority::Low, 100)
///     .keep_alive(Duration::from_secs(30))
///     .timeout(Duration::from_secs(5))
///     .retry(Retry::new(4));
/// # let _ = orders;
/// ```
///
/// With feature `serde` it is read from any format; all but `workers` may be left out:
///
/// ```
/// # #[cfg(feature = "serde")] {
/// # use seawall_worker_pool::Config;
/// let orders: Config = toml::from_str(
///     r#"
///     name = "orders"
///     workers = { min = 3, max = 20 }
///     full = "drop_lowest"
///     depth_limits = { low = 100 }
///     order = { aging = "500ms" }
///     growth = { depth_or_age = { target_latency = "50ms" } }
///     timeout = "5s"
///     retry = { attempts = 4, backoff = "sidekiq" }
///     "#,
/// )
/// .unwrap();
/// # let _ = orders;
/// # }
/// ```
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Config {
    #[cfg_attr(feature = "serde", serde(default = "default::name"))]
    pub(crate) name: String,
    #[cfg_attr(feature = "serde", serde(with = "format::workers"))]
    pub(crate) workers: RangeInclusive<usize>,
    #[cfg_attr(feature = "serde", serde(default = "default::queue"))]
    pub(crate) queue: usize,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) full: FullPolicy,
    #[cfg_attr(feature = "serde", serde(default = "default::max_wait", with = "humantime_serde"))]
    pub(crate) max_wait: Duration,
    #[cfg_attr(feature = "serde", serde(default = "default::submitters"))]
    pub(crate) submitters: usize,
    #[cfg_attr(feature = "serde", serde(default = "default::keep_alive", with = "humantime_serde"))]
    pub(crate) keep_alive: Duration,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "GrowthPolicy::is_custom"))]
    pub(crate) growth: GrowthPolicy,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) order: Order,
    #[cfg_attr(feature = "serde", serde(default, with = "format::depth_limits"))]
    pub(crate) depth_limits: [Option<usize>; Priority::COUNT],
    #[cfg_attr(feature = "serde", serde(default, with = "humantime_serde", skip_serializing_if = "Option::is_none"))]
    pub(crate) timeout: Option<Duration>,
    #[cfg_attr(feature = "serde", serde(default, with = "humantime_serde", skip_serializing_if = "Option::is_none"))]
    pub(crate) expires_in: Option<Duration>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) retry: Retry,
    #[cfg_attr(feature = "serde", serde(default = "default::retrying"))]
    pub(crate) retrying: usize,
    #[cfg_attr(feature = "serde", serde(default = "default::dead_letters"))]
    pub(crate) dead_letters: usize,
    #[cfg_attr(feature = "serde", serde(default = "default::grace", with = "humantime_serde"))]
    pub(crate) grace: Duration,
    #[cfg_attr(feature = "serde", serde(default = "default::target_utilisation"))]
    pub(crate) target_utilisation: Ratio,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) observer: Option<Arc<dyn Observer<Event>>>,
}

#[cfg(feature = "serde")]
mod default {
    use super::{Config, Duration, Ratio};

    pub(super) fn name() -> String {
        Config::NAME.into()
    }

    pub(super) const fn queue() -> usize {
        Config::QUEUE
    }

    pub(super) const fn max_wait() -> Duration {
        Config::MAX_WAIT
    }

    pub(super) const fn submitters() -> usize {
        Config::SUBMITTERS
    }

    pub(super) const fn keep_alive() -> Duration {
        Config::KEEP_ALIVE
    }

    pub(super) const fn retrying() -> usize {
        Config::RETRYING
    }

    pub(super) const fn dead_letters() -> usize {
        Config::DEAD_LETTERS
    }

    pub(super) const fn grace() -> Duration {
        Config::GRACE
    }

    pub(super) const fn target_utilisation() -> Ratio {
        Config::TARGET_UTILISATION
    }
}

impl Config {
    const NAME: &'static str = "worker-pool";
    const QUEUE: usize = 1_024;
    const MAX_WAIT: Duration = Duration::from_secs(1);
    const SUBMITTERS: usize = 1_024;
    const KEEP_ALIVE: Duration = Duration::from_secs(60);
    const RETRYING: usize = 10_000;
    const DEAD_LETTERS: usize = 1_000;
    const GRACE: Duration = Duration::from_secs(1);
    const TARGET_UTILISATION: Ratio = Ratio::percent(80);
    const MOST_WORKERS: usize = 1 << 20;
    /// The most of anything that is kept for each job.
    const MOST_KEPT: usize = 1 << 30;
    const LONGEST: Duration = Duration::from_secs(366 * 86_400);

    /// Between so many workers and so many, 1 to 1048576 at most; everything else is as its setter's default.
    pub fn new(workers: RangeInclusive<usize>) -> Self {
        Self {
            name: Self::NAME.into(),
            workers,
            queue: Self::QUEUE,
            full: FullPolicy::default(),
            max_wait: Self::MAX_WAIT,
            submitters: Self::SUBMITTERS,
            keep_alive: Self::KEEP_ALIVE,
            growth: GrowthPolicy::default(),
            order: Order::default(),
            depth_limits: [None; Priority::COUNT],
            timeout: None,
            expires_in: None,
            retry: Retry::default(),
            retrying: Self::RETRYING,
            dead_letters: Self::DEAD_LETTERS,
            grace: Self::GRACE,
            target_utilisation: Self::TARGET_UTILISATION,
            observer: None,
        }
    }

    /// Names the instance: in its refusals, metrics and events. 1 to 31 bytes. Default `worker-pool`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Has between so many workers and so many instead: for who has the rest from a file.
    #[must_use]
    pub fn workers(mut self, workers: RangeInclusive<usize>) -> Self {
        self.workers = workers;
        self
    }

    /// Lets so many jobs wait for a worker, at most 2^30. Default 1024. With 0 a job is taken only when a worker is free for it, or
    /// can be added.
    #[must_use]
    pub const fn queue(mut self, most: usize) -> Self {
        self.queue = most;
        self
    }

    /// What becomes of a job that finds the queue full. Default [`FullPolicy::Wait`].
    #[must_use]
    pub const fn full(mut self, policy: FullPolicy) -> Self {
        self.full = policy;
        self
    }

    /// Lets a submitter that says nothing else wait so long for room; at most 366 days. Default 1 s.
    #[must_use]
    pub const fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }

    /// Lets so many submitters wait for room at a time, at most 2^30; further ones are refused at once. Default 1024.
    #[must_use]
    pub const fn submitters(mut self, most: usize) -> Self {
        self.submitters = most;
        self
    }

    /// Lets a worker leave that was idle for so long, while there are more than the fewest; above zero, at most 366 days. Default
    /// 60 s.
    #[must_use]
    pub const fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// When workers are added: a [`GrowthPolicy`], or anything that is a [`Growth`](crate::Growth). Default: when more jobs wait
    /// than workers are idle, or one has waited for 100 ms.
    #[must_use]
    pub fn growth(mut self, growth: impl Into<GrowthPolicy>) -> Self {
        self.growth = growth.into();
        self
    }

    /// Which of the jobs that wait is run next. Default [`Order::Aging`] with 1 s.
    #[must_use]
    pub const fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Lets only so many jobs of `priority` wait, within the room of the whole [queue](Self::queue). Default: no limit. With 0 such
    /// a job is taken only when a worker is free for it, or can be added.
    #[must_use]
    pub const fn depth_limit(mut self, priority: Priority, most: usize) -> Self {
        self.depth_limits[priority as usize] = Some(most);
        self
    }

    /// Ends each attempt of a job after so long, if the job does not say otherwise; above zero, at most 366 days. Default: never.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Gives jobs that do not say otherwise so long from their submission, for everything: the wait, the attempts and the waits
    /// between them; above zero, at most 366 days. Default: for ever.
    #[must_use]
    pub const fn expires_in(mut self, duration: Duration) -> Self {
        self.expires_in = Some(duration);
        self
    }

    /// How often and when a job that failed is tried again, if the job does not say otherwise. Default [`Retry::never`].
    #[must_use]
    pub const fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Lets so many jobs wait for their next attempt, beside the [queue](Self::queue), at most 2^30; while there are as many, a job
    /// that fails is not tried again. Default 10 000.
    #[must_use]
    pub const fn retrying(mut self, most: usize) -> Self {
        self.retrying = most;
        self
    }

    /// Keeps the last so many jobs that failed for good, at most 2^30. Default 1000; 0 keeps none.
    #[must_use]
    pub const fn dead_letters(mut self, most: usize) -> Self {
        self.dead_letters = most;
        self
    }

    /// How long a drain waits for jobs that it has told to stop; at most 366 days. Default 1 s.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How busy workers should be, for the [demand](crate::Signals::demand): the rest of their time is room for bursts. Default 0.8.
    #[must_use]
    pub const fn target_utilisation(mut self, target: Ratio) -> Self {
        self.target_utilisation = target;
        self
    }

    /// Is called for every [`Event`], after all locks are released.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer<Event> + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// The [name](Self::name), not yet checked.
    pub fn get_name(&self) -> &str {
        &self.name
    }

    /// The fewest and the most [workers](Self::workers), not yet checked.
    pub const fn get_workers(&self) -> &RangeInclusive<usize> {
        &self.workers
    }

    /// How many jobs may [wait](Self::queue).
    pub const fn get_queue(&self) -> usize {
        self.queue
    }

    /// The [longest wait](Self::max_wait) of a submitter.
    pub const fn get_max_wait(&self) -> Duration {
        self.max_wait
    }

    /// Checks everything without a pool, and gives the name: for a file that is read before there is anything to run it.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn check(&self) -> Result<Name, ConfigError> {
        let name = self.name.parse()?;
        Self::check_workers(&self.workers)?;
        for (field, most) in [
            ("queue", self.queue),
            ("submitters", self.submitters),
            ("retrying", self.retrying),
            ("dead_letters", self.dead_letters),
        ] {
            if most > Self::MOST_KEPT {
                return Err(ConfigError::new(field, most, format!("0 to {}", Self::MOST_KEPT)));
            }
        }
        if self.max_wait > Self::LONGEST {
            return Err(ConfigError::new("max_wait", format!("{:?}", self.max_wait), "at most 366 days"));
        }
        if self.grace > Self::LONGEST {
            return Err(ConfigError::new("grace", format!("{:?}", self.grace), "at most 366 days"));
        }
        positive("keep_alive", self.keep_alive)?;
        if let Order::Aging(aging) = self.order {
            positive("order.aging", aging)?;
        }
        if let Some(timeout) = self.timeout {
            positive("timeout", timeout)?;
        }
        if let Some(expires_in) = self.expires_in {
            positive("expires_in", expires_in)?;
        }
        self.growth.check()?;
        self.retry.check()?;
        Ok(name)
    }

    /// Checks a range of workers, from wherever it comes.
    pub(crate) fn check_workers(workers: &RangeInclusive<usize>) -> Result<(), ConfigError> {
        let (fewest, most) = (*workers.start(), *workers.end());
        if fewest <= most && (1..=Self::MOST_WORKERS).contains(&most) {
            return Ok(());
        }
        let valid = format!("from the fewest to the most, which is 1 to {}", Self::MOST_WORKERS);
        Err(ConfigError::new("workers", format!("{fewest}..={most}"), valid))
    }
}

/// Above zero and not too long, as each span of a configuration or of a job must be.
pub(crate) fn positive(field: &'static str, span: Duration) -> Result<(), ConfigError> {
    if span.is_zero() || span > Config::LONGEST {
        return Err(ConfigError::new(field, format!("{span:?}"), "above zero and at most 366 days"));
    }
    Ok(())
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("name", &self.name)
            .field("workers", &self.workers)
            .field("queue", &self.queue)
            .field("full", &self.full)
            .field("max_wait", &self.max_wait)
            .field("submitters", &self.submitters)
            .field("keep_alive", &self.keep_alive)
            .field("growth", &self.growth)
            .field("order", &self.order)
            .field("depth_limits", &self.depth_limits)
            .field("timeout", &self.timeout)
            .field("expires_in", &self.expires_in)
            .field("retry", &self.retry)
            .field("retrying", &self.retrying)
            .field("dead_letters", &self.dead_letters)
            .field("target_utilisation", &self.target_utilisation)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
