use std::fmt;
use std::sync::Arc;

use seawall_core::time::{Clock, Timestamp};

use crate::seat::Seat;

/// Work of one type, for a pool that runs nothing else: it is queued as it is, without a box.
///
/// ```
/// use seawall_core::spawn::Spawner;
/// use seawall_worker_pool::{Attempt, Config, Job, Pool};
///
/// struct Square(u64);
///
/// impl Job for Square {
///     type Output = u64;
///     type Error = std::num::TryFromIntError;
///
///     async fn run(&mut self, _attempt: &Attempt) -> Result<u64, Self::Error> {
///         Ok(self.0 * self.0)
///     }
/// }
///
/// # smol::block_on(async {
/// let squares: Pool<Square> = Pool::of(Config::new(1..=2), Spawner::threads())?;
/// assert_eq!(squares.submit(Square(12)).await?.await?, 144);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub trait Job: Send + 'static {
    /// What it gives.
    type Output: Send + 'static;
    /// Why it fails. Its text is kept in the history of a job that is tried again.
    type Error: fmt::Display + Send + 'static;

    /// One attempt. It may be called again after one that failed, was cut off by its timeout, or panicked where the pool's
    /// [retry](crate::Retry) says so; never after one that succeeded.
    ///
    /// # Cancel safety
    /// The future is dropped at an await when the job is cancelled, its timeout ends or its deadline passes.
    fn run(&mut self, attempt: &Attempt) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;

    /// Whether it may be tried again at all. Default: yes.
    fn is_repeatable(&self) -> bool {
        true
    }
}

/// What a job may know of its attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub(crate) number: u32,
    pub(crate) deadline: Timestamp,
    pub(crate) job: u64,
    pub(crate) seat: Arc<Seat>,
    clock: Clock,
}

impl Attempt {
    pub(crate) const fn new(seat: Arc<Seat>, clock: Clock) -> Self {
        Self { number: 1, deadline: Timestamp::NEVER, job: 0, seat, clock }
    }

    /// Which attempt it is; the first is 1.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// When it will be cut off: the earlier of its timeout and the job's deadline, by the pool's clock.
    pub fn deadline(&self) -> Option<Timestamp> {
        (self.deadline != Timestamp::NEVER).then_some(self.deadline)
    }

    /// The number of the job in its pool, in order of submission.
    pub const fn job(&self) -> u64 {
        self.job
    }

    /// Whether the job has been told to stop: cancelled, or out of time. A future is dropped at its next await; work that
    /// blocks a thread cannot be, and asks this now and then.
    pub fn is_stopped(&self) -> bool {
        self.seat.is_stopped(self.job) || (self.deadline != Timestamp::NEVER && self.deadline <= self.clock.now())
    }
}

/// What a future may end with to be a job: `()` for one that cannot fail, or a `Result`.
#[diagnostic::on_unimplemented(
    message = "a job ends with `()` or a `Result<T, E>` whose error can be displayed, not with `{Self}`",
    note = "a job that cannot fail gives `Ok::<_, Infallible>(value)`"
)]
pub trait Finish: Send + 'static {
    /// What the job gives.
    type Output: Send + 'static;
    /// Why it fails.
    type Error: fmt::Display + Send + 'static;

    /// The same as a result.
    fn into_result(self) -> Result<Self::Output, Self::Error>;
}

impl Finish for () {
    type Output = ();
    type Error = std::convert::Infallible;

    #[inline]
    fn into_result(self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl<T: Send + 'static, E: fmt::Display + Send + 'static> Finish for Result<T, E> {
    type Output = T;
    type Error = E;

    #[inline]
    fn into_result(self) -> Self {
        self
    }
}
