use std::time::Duration;

use seawall_core::Priority;
use seawall_core::time::Timestamp;

use crate::retry::Retry;
use crate::state::{Extra, Terms};

/// What is said of one job: what is not said is as the pool's [configuration](crate::Config) has it.
///
/// ```
/// use seawall_core::spawn::Spawner;
/// use seawall_core::Priority;
/// use seawall_worker_pool::{Config, JobOptions, Pool};
/// use std::time::Duration;
///
/// # smol::block_on(async {
/// let pool = Pool::new(Config::new(1..=2), Spawner::threads())?;
/// let options = JobOptions::new().priority(Priority::High).expires_in(Duration::from_secs(5));
/// pool.with(options).execute(async { println!("soon") }).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[must_use]
pub struct JobOptions {
    priority: Priority,
    timeout: Option<Duration>,
    deadline: Option<Timestamp>,
    expires_in: Option<Duration>,
    retry: Option<Retry>,
}

impl JobOptions {
    /// All as configured, at [`Priority::Normal`].
    pub const fn new() -> Self {
        Self { priority: Priority::Normal, timeout: None, deadline: None, expires_in: None, retry: None }
    }

    /// How much the job matters. Default [`Priority::Normal`].
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// How long one attempt may take, from its start. With zero an attempt ends at its first await.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// When it is too late, by the pool's clock: a job that has not begun then does not begin, and one that runs is cut off.
    /// Together with [`expires_in`](Self::expires_in) the earlier holds, and together with [`timeout`](Self::timeout) an attempt
    /// ends at the earlier of the two.
    pub const fn deadline(mut self, deadline: Timestamp) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The same, so long after the job is submitted: the wait for room counts, too.
    pub const fn expires_in(mut self, after: Duration) -> Self {
        self.expires_in = Some(after);
        self
    }

    /// How often the job is tried again, and when. No attempt at all is taken for one.
    pub const fn retry(mut self, retry: Retry) -> Self {
        self.retry = Some(retry);
        self
    }

    /// How much the job matters.
    pub const fn get_priority(&self) -> Priority {
        self.priority
    }

    /// When an attempt that starts at `now` is cut off, if ever: `min(now + timeout, deadline)`.
    ///
    /// ```
    /// use seawall_core::time::Timestamp;
    /// use seawall_worker_pool::JobOptions;
    /// use std::time::Duration;
    ///
    /// let now = Timestamp::ZERO;
    /// let options = JobOptions::new().timeout(Duration::from_secs(30)).deadline(now + Duration::from_secs(10));
    /// assert_eq!(options.effective_deadline(now), Some(now + Duration::from_secs(10)));
    /// ```
    pub fn effective_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = [self.timeout.map(|timeout| now + timeout), self.deadline, self.expires_in.map(|after| now + after)];
        ends.into_iter().flatten().min()
    }

    /// The same as the pool keeps it, but for how long after its submission the job expires.
    #[inline]
    pub(crate) fn terms(&self) -> (Terms, Option<Duration>) {
        let deadline = self.deadline.unwrap_or(Timestamp::NEVER);
        let extra = if self.timeout.is_some() || self.retry.is_some() {
            Some(Box::new(Extra { timeout: self.timeout, retry: self.retry, ..Extra::default() }))
        } else {
            None
        };
        (Terms { priority: self.priority, deadline, extra }, self.expires_in)
    }
}
