use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use seawall_core::random::Random;
use seawall_core::spawn::Spawner;
use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::AtomicBool;
use seawall_core::time::Clock;
use seawall_core::{ConfigError, Name, Shared};

use crate::config::Config;
use crate::door::Door;
use crate::engine::Engine;
use crate::event::Event;
use crate::handle::JobHandle;
use crate::meter::Signals;
use crate::options::JobOptions;
use crate::refused::Refused;
use crate::state::State;
use crate::submit::{Execute, Run, Submit};
use crate::task::{Runs, Task, Work};

/// A pool of workers that grows and shrinks, and a bounded queue before it: cheap to clone, shared by all its clones.
///
/// It runs [`Task`]s, which are futures and blocking closures of any type in a box, or [`Job`](crate::Job)s of one type.
///
/// ```
/// use seawall_core::spawn::Spawner;
/// use seawall_worker_pool::{Config, Pool};
///
/// # smol::block_on(async {
/// let pool = Pool::new(Config::new(3..=20).queue(1_024), Spawner::threads())?;
/// let job = pool.submit(async { Ok::<_, std::io::Error>(6 * 7) }).await?;
/// assert_eq!(job.await?, 42);
///
/// let report = pool.drain(std::time::Duration::from_secs(1)).await;
/// assert_eq!((report.completed, report.cancelled, report.returned.len()), (0, 0, 0));
/// assert!(pool.try_submit(async {}).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// # Workers
/// Each is one task of the [`Spawner`]. There are never fewer than the least configured while the pool takes jobs. The
/// [growth policy](crate::GrowthPolicy) adds one at a time; a worker that has waited for the keep-alive leaves, and whoever came to
/// wait last is woken first, so that the others can.
///
/// # Fairness
/// First come, first served within a priority, and between priorities as the [order](crate::Order) says. Nobody who submits
/// passes those who wait for room. A worker that finds job after job lets others of its executor run now and then.
///
/// # Shutdown
/// [`drain`](Self::drain) ends it. When the last handle is dropped the pool takes no more jobs, works off what it has and ends.
///
/// # Complexity
/// Submitting and running a job takes one lock each, for a moment in which nothing of the user's is called but a
/// [growth rule](crate::Growth) of one's own, and nothing allocated but what the queue and the workers need to grow. A job costs its box, and its handle one allocation more.
pub struct Pool<R: Runs = Task> {
    link: Link<R>,
    open: Shared<Open<R>>,
}

/// A reference to what does the work: it does not keep the pool open.
pub(crate) struct Link<R: Runs>(Shared<Arc<Engine<R::Unit>>>);

/// While one of these is held, the pool takes jobs.
struct Open<R: Runs>(Arc<Engine<R::Unit>>);

impl<R: Runs> Drop for Open<R> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Pool {
    /// A pool of tasks on the [system clock](Clock::system), whose workers `spawner` starts.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn new(config: Config, spawner: Spawner) -> Result<Self, ConfigError> {
        Self::of(config, spawner)
    }

    /// The same by another clock.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn with_clock(config: Config, spawner: Spawner, clock: Clock) -> Result<Self, ConfigError> {
        Self::of_with_clock(config, spawner, clock)
    }
}

impl<R: Runs> Pool<R> {
    /// A pool of jobs of one type, on the [system clock](Clock::system).
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn of(config: Config, spawner: Spawner) -> Result<Self, ConfigError> {
        Self::of_with_clock(config, spawner, Clock::system())
    }

    /// The same by another clock.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn of_with_clock(config: Config, spawner: Spawner, clock: Clock) -> Result<Self, ConfigError> {
        let name = config.check()?;
        let state = Mutex::new(State::new(config, Random::unforeseen()));
        let engine = Arc::new(Engine { state, clock, spawner, name, is_kept: AtomicBool::new(false) });
        engine.tend();
        Ok(Self { link: Link(Shared::from_policy(engine.clone())), open: Shared::from_policy(Open(engine)) })
    }

    /// Its name.
    pub fn name(&self) -> Name {
        self.engine().name
    }

    /// Submits a job, and waits for room for up to the configured `max_wait` if the queue is full and the full policy is to
    /// wait. The handle gives the result.
    ///
    /// # Errors
    /// If the job was not taken; then it has been dropped.
    ///
    /// # Cancel safety
    /// Dropped before it is done, the job is not submitted.
    pub fn submit<W: Work<R>>(&self, work: W) -> Submit<'_, W::Output, W::Error, R> {
        self.with(JobOptions::new()).submit(work)
    }

    /// The same, but waits for room for up to `max_wait`.
    ///
    /// # Errors
    /// If the job was not taken; then it has been dropped.
    pub fn submit_within<W: Work<R>>(&self, max_wait: Duration, work: W) -> Submit<'_, W::Output, W::Error, R> {
        self.with(JobOptions::new()).submit_within(max_wait, work)
    }

    /// Submits a job if there is room for it now.
    ///
    /// # Errors
    /// If the job was not taken; then it has been dropped.
    pub fn try_submit<W: Work<R>>(&self, work: W) -> Result<JobHandle<W::Output, W::Error, R>, Refused> {
        self.with(JobOptions::new()).try_submit(work)
    }

    /// Submits a job whose result nobody wants: as [`submit`](Self::submit), and without what a handle costs.
    ///
    /// # Errors
    /// If the job was not taken; then it has been dropped.
    pub fn execute<W: Work<R>>(&self, work: W) -> Execute<'_, R> {
        self.with(JobOptions::new()).execute(work)
    }

    /// The same, but waits for room for up to `max_wait`.
    ///
    /// # Errors
    /// If the job was not taken; then it has been dropped.
    pub fn execute_within<W: Work<R>>(&self, max_wait: Duration, work: W) -> Execute<'_, R> {
        self.with(JobOptions::new()).execute_within(max_wait, work)
    }

    /// The same, if there is room for it now.
    ///
    /// # Errors
    /// If the job was not taken; then it has been dropped.
    pub fn try_execute<W: Work<R>>(&self, work: W) -> Result<(), Refused> {
        self.with(JobOptions::new()).try_execute(work)
    }

    /// The same doors for a job with options: its priority, when it expires, how often it is tried.
    pub const fn with(&self, options: JobOptions) -> Door<'_, R> {
        Door::new(self, options)
    }

    /// Runs a job on the pool and gives its result: `submit` and await in one. Dropped before its end, it cancels the job.
    ///
    /// # Errors
    /// The refusal outside, the job's own end inside.
    pub fn run<W: Work<R>>(&self, work: W) -> Run<'_, W::Output, W::Error, R> {
        self.with(JobOptions::new()).run(work)
    }

    /// How many workers there are to be from now on, whatever the growth policy says: for an autoscaler. Workers are started
    /// at once; those that are too many leave when they have nothing to do, and none is interrupted.
    ///
    /// # Errors
    /// If it is outside of the configured range; nothing changes then.
    pub fn scale_to(&self, workers: usize) -> Result<(), ConfigError> {
        {
            let mut state = self.engine().state.lock();
            let range = state.config.workers.clone();
            if !range.contains(&workers) {
                return Err(ConfigError::new("workers", workers, format!("within {range:?}")));
            }
            state.pin(Some(workers));
        }
        self.engine().tend();
        self.engine().wake_keeper();
        Ok(())
    }

    /// Leaves the number of workers to the growth policy and the keep-alive again.
    pub fn scale_by_policy(&self) {
        self.engine().state.lock().pin(None);
        self.engine().tend();
        self.engine().wake_keeper();
    }

    /// Changes how many workers there may be. Missing ones are started at once; those that are too many leave when they have
    /// nothing to do, and none is interrupted. What [`scale_to`](Self::scale_to) said is brought into the new range.
    ///
    /// # Errors
    /// If the range cannot be; nothing changes then.
    pub fn resize(&self, workers: RangeInclusive<usize>) -> Result<(), ConfigError> {
        Config::check_workers(&workers)?;
        let engine = self.engine();
        engine.state.lock().resize(workers);
        engine.tell(&Event::Reconfigured { name: engine.name });
        engine.tend();
        engine.wake_keeper();
        Ok(())
    }

    /// Takes over `config`, at once and for all handles. Jobs that are queued stay, even if the queue is shorter now.
    ///
    /// # Errors
    /// Names the first field whose value cannot be; then nothing has changed. A pool keeps its name.
    pub fn reconfigure(&self, config: Config) -> Result<(), ConfigError> {
        let name = config.check()?;
        let engine = self.engine();
        if name != engine.name {
            let valid = format!("{:?}: a pool keeps its name", engine.name);
            return Err(ConfigError::new("name", format!("{:?}", config.name), valid));
        }
        let old = engine.state.lock().reconfigure(config);
        drop(old);
        loop {
            let letter = engine.state.lock().shorten_dead_letters();
            let Some(letter) = letter else { break };
            engine.tell(&Event::DeadLetterEvicted { name, job: letter.letter.job });
        }
        engine.tell(&Event::Reconfigured { name });
        engine.tend();
        engine.wake_keeper();
        Ok(())
    }

    /// What can be measured now: depth, oldest age, rates, service time, utilisation, and how many workers the arrivals need.
    pub fn signals(&self) -> Signals {
        let now = self.engine().now();
        self.engine().state.lock().signals(now)
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.engine().state.lock().crew.live()
    }

    /// How many jobs wait: those that may start, and those that wait for their next attempt.
    pub fn queued(&self) -> usize {
        let state = self.engine().state.lock();
        state.jobs.ready() + state.jobs.delayed()
    }

    /// How many jobs run.
    pub fn running(&self) -> usize {
        self.engine().state.lock().running()
    }

    /// Takes no more jobs. Those that were taken are worked off, retries included, and the workers leave.
    /// [`drain`](Self::drain) does the same and waits for it.
    pub fn close(&self) {
        self.engine().close();
    }

    /// Whether jobs are taken.
    pub fn is_open(&self) -> bool {
        self.engine().state.lock().phase() == crate::state::Phase::Open
    }

    /// Whether both are handles of one pool.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.engine(), other.engine())
    }

    #[inline]
    pub(crate) fn engine(&self) -> &Arc<Engine<R::Unit>> {
        self.link.engine()
    }

    #[inline]
    pub(crate) const fn link(&self) -> &Link<R> {
        &self.link
    }
}

impl<R: Runs> Link<R> {
    #[inline]
    pub(crate) fn engine(&self) -> &Arc<Engine<R::Unit>> {
        &self.0
    }
}

impl<R: Runs> Clone for Link<R> {
    #[inline]
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Runs> Clone for Pool<R> {
    #[inline]
    fn clone(&self) -> Self {
        Self { link: self.link.clone(), open: self.open.clone() }
    }
}

impl<R: Runs> fmt::Debug for Pool<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.name())
            .field("workers", &self.workers())
            .field("queued", &self.queued())
            .field("running", &self.running())
            .finish_non_exhaustive()
    }
}
