use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use seawall_core::spawn::Spawner;
use seawall_core::time::{Clock, ManualTime};
use seawall_testkit::drive;
use seawall_worker_pool::{Config, JobError, JobHandle, JobOptions, Pool, Reason, Refused, Report, blocking};
use smol::channel::{Receiver, Sender, bounded};

use super::expected::Expected;
use super::place::Place;
use super::rules::LONG;

type Handle = JobHandle<(), String>;
type Submitting = Pin<Box<dyn Future<Output = Result<Handle, Refused>>>>;

/// A pool on manual time, and everything that was submitted to it.
pub(super) struct Floor {
    pub(super) pool: Pool,
    pub(super) clock: Clock,
    pub(super) jobs: Vec<Submitted>,
    time: ManualTime,
    place: Arc<Place>,
    log: Arc<Log>,
    /// Jobs that a drain gave back: they never ran, as cancelled ones.
    returned: u64,
}

/// In which order jobs ended.
#[derive(Debug, Default)]
struct Log {
    ended: Mutex<Vec<String>>,
    by_caller: Mutex<Vec<String>>,
    /// A submitter is polled: what runs now, it runs.
    in_caller: AtomicBool,
}

/// What a job does when it may go on.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Succeed,
    Fail(String),
    Panic(String),
    /// Its worker is dropped around it.
    Kill,
    Sleep(Duration),
}

/// A job to be submitted.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) name: String,
    pub(super) act: Act,
    /// Whether it goes on only when it is released.
    pub(super) held: bool,
    /// Whether it cannot be interrupted.
    pub(super) blocks: bool,
    pub(super) options: JobOptions,
}

impl Order {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), act: Act::Succeed, held: false, blocks: false, options: JobOptions::new() }
    }

    pub(super) fn held(mut self) -> Self {
        self.held = true;
        self
    }

    pub(super) fn blocking(mut self) -> Self {
        self.blocks = true;
        self
    }

    pub(super) fn act(mut self, act: Act) -> Self {
        self.act = act;
        self
    }

    pub(super) fn options(mut self, options: JobOptions) -> Self {
        self.options = options;
        self
    }
}

/// A job that was submitted.
pub(super) struct Submitted {
    pub(super) name: String,
    /// Held, until it is dropped.
    gate: Option<Sender<()>>,
    stage: Stage,
    /// Whether its submitter had to wait.
    pub(super) was_blocked: bool,
}

enum Stage {
    Submitting(Submitting),
    Taken(Handle),
    Refused(Reason),
    Ended(Result<(), JobError<String>>),
    Gone,
}

impl Floor {
    pub(super) fn new(config: Config) -> Result<Self, String> {
        Self::starting(config, usize::MAX)
    }

    /// On a place that starts only so many tasks.
    pub(super) fn starting(config: Config, starts: usize) -> Result<Self, String> {
        let place = Arc::new(Place::new(starts));
        let (clock, time) = Clock::manual();
        let pool = Pool::with_clock(config, Spawner::custom(place.clone()), clock.clone());
        let pool = pool.map_err(|error| error.to_string())?;
        place.settle();
        Ok(Self { pool, clock, jobs: Vec::new(), time, place, log: Arc::default(), returned: 0 })
    }

    /// Submits a job, and waits for room if the pool lets it. Gives its place among the [`jobs`](Self::jobs).
    pub(super) fn submit(&mut self, order: Order) -> usize {
        let (pool, options) = (self.pool.clone(), order.options);
        let blocks = order.blocks;
        let (name, gate, body) = self.job(order);
        let submitting: Submitting = if blocks {
            Box::pin(async move { pool.with(options).submit_within(LONG, blocking(move |_| body.block())).await })
        } else {
            Box::pin(async move { pool.with(options).submit_within(LONG, body.run()).await })
        };
        self.jobs.push(Submitted { name, gate, stage: Stage::Submitting(submitting), was_blocked: false });
        let at = self.jobs.len() - 1;
        self.jobs[at].look(&self.log);
        self.jobs[at].was_blocked = self.jobs[at].is_blocked();
        self.settle();
        at
    }

    /// Submits a job if there is room.
    pub(super) fn try_submit(&mut self, order: Order) -> usize {
        let options = order.options;
        let (name, gate, body) = self.job(order);
        let stage = match self.pool.with(options).try_submit(body.run()) {
            Ok(handle) => Stage::Taken(handle),
            Err(refused) => Stage::Refused(refused.reason()),
        };
        self.jobs.push(Submitted { name, gate, stage, was_blocked: false });
        self.settle();
        self.jobs.len() - 1
    }

    fn job(&self, order: Order) -> (String, Option<Sender<()>>, Body) {
        let (sender, gate) = bounded(1);
        let body = Body {
            name: order.name.clone(),
            act: order.act,
            gate,
            log: self.log.clone(),
            kill: self.place.kill(),
            clock: self.clock.clone(),
        };
        (order.name, order.held.then_some(sender), body)
    }

    /// Lets everything happen that needs no time.
    pub(super) fn settle(&mut self) {
        self.place.settle();
        for job in &mut self.jobs {
            job.look(&self.log);
        }
        self.place.settle();
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.clock.now() + span;
        self.settle();
        while let Some(at) = self.time.next_wake().filter(|at| *at <= end) {
            self.time.advance_to(at);
            self.settle();
        }
        self.time.advance_to(end);
        self.settle();
    }

    /// Lets time pass until somebody's sleep ends. Tells whether anybody slept.
    pub(super) fn step(&mut self) -> bool {
        let Some(at) = self.time.next_wake() else { return false };
        self.time.advance_to(at);
        self.settle();
        true
    }

    /// Waits for something, for at most so long. It may take no time at all.
    pub(super) fn wait_for<T>(&mut self, within: Duration, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let end = self.clock.now() + within;
        loop {
            self.settle();
            if let Poll::Ready(value) = drive::poll(future.as_mut()) {
                return Some(value);
            }
            self.settle();
            if let Poll::Ready(value) = drive::poll(future.as_mut()) {
                return Some(value);
            }
            let at = self.time.next_wake().filter(|at| *at <= end)?;
            self.time.advance_to(at);
        }
    }

    /// Lets one held job go on: that of a name, or the first that runs.
    pub(super) fn release(&mut self, name: Option<&str>) -> bool {
        let held = self
            .jobs
            .iter_mut()
            .find(|job| job.gate.is_some() && job.is_out() && name.is_none_or(|name| name == job.name));
        let found = held.map(|job| job.gate = None).is_some();
        let found = found | (!found && self.place.unblock_one());
        self.settle();
        found
    }

    /// Lets all held jobs go on.
    pub(super) fn release_all(&mut self) {
        for job in &mut self.jobs {
            job.gate = None;
        }
        self.settle();
        while self.place.unblock_one() {
            self.settle();
        }
    }

    /// Begins to end the pool; what is left `within` that time is stopped.
    pub(super) fn drain(&self, within: Duration) -> Pin<Box<dyn Future<Output = Report>>> {
        let pool = self.pool.clone();
        Box::pin(async move { pool.drain(within).await })
    }

    /// Waits until a drain has ended.
    pub(super) fn end(&mut self, within: Duration, drain: Pin<Box<dyn Future<Output = Report>>>) -> bool {
        let report = self.wait_for(within, drain);
        self.returned += report.as_ref().map_or(0, |report| report.returned.len() as u64);
        let ended = report.as_ref().is_some_and(|report| report.running == 0);
        drop(report);
        self.settle();
        ended
    }

    /// Works everything off and ends the pool.
    pub(super) fn stop_and_wait(&mut self) -> bool {
        let drain = self.drain(LONG);
        self.end(LONG, drain)
    }

    /// The names of the jobs that ended, in that order.
    pub(super) fn executed(&self) -> Vec<String> {
        self.log.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The names of those that their submitters ran.
    pub(super) fn run_by_caller(&self) -> Vec<String> {
        self.log.by_caller.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sees the figures by the names that the quoted systems have for them, each with this ending.
    pub(super) fn see(&self, expected: &mut Expected, ending: &str) {
        for (name, figure) in self.figures() {
            expected.see(&format!("{name}{ending}"), figure);
        }
    }

    /// Sees these of the figures.
    pub(super) fn see_only(&self, expected: &mut Expected, names: &[&str]) {
        for (name, figure) in self.figures().into_iter().filter(|(name, _)| names.contains(name)) {
            expected.see(name, figure);
        }
    }

    /// A refused submission counts as submitted and dropped there, and a failure as completed.
    pub(super) fn figures(&self) -> Vec<(&'static str, u64)> {
        let seen = self.pool.snapshot();
        let refused = seen.refused.full + seen.refused.depth_limit;
        vec![
            ("submitted", seen.submitted + refused),
            ("completed", seen.completed + seen.failed),
            ("completed_total", seen.completed + seen.failed),
            ("successful", seen.completed),
            ("failed", seen.failed),
            ("cancelled", seen.cancelled + self.returned),
            ("dropped", seen.dropped - self.returned + refused),
            ("waiting", seen.queued as u64),
            ("queued", seen.queued as u64),
            ("running", seen.running as u64),
            ("pool_size", seen.workers as u64),
        ]
    }
}

impl Submitted {
    /// Sees what has become of it.
    fn look(&mut self, log: &Log) {
        if let Stage::Submitting(submitting) = &mut self.stage {
            log.in_caller.store(true, Ordering::SeqCst);
            let polled = drive::poll(submitting.as_mut());
            log.in_caller.store(false, Ordering::SeqCst);
            match polled {
                Poll::Ready(Ok(handle)) => self.stage = Stage::Taken(handle),
                Poll::Ready(Err(refused)) => self.stage = Stage::Refused(refused.reason()),
                Poll::Pending => return,
            }
        }
        if matches!(&self.stage, Stage::Taken(handle) if handle.is_finished()) {
            let Stage::Taken(mut handle) = std::mem::replace(&mut self.stage, Stage::Gone) else { return };
            if let Poll::Ready(result) = drive::poll(Pin::new(&mut handle)) {
                self.stage = Stage::Ended(result);
            }
        }
    }

    /// Whether its submitter waits for room.
    pub(super) const fn is_blocked(&self) -> bool {
        matches!(self.stage, Stage::Submitting(_))
    }

    /// Whether it was taken and has not ended.
    const fn is_out(&self) -> bool {
        matches!(self.stage, Stage::Taken(_))
    }

    /// Whether it was taken, now or before.
    pub(super) const fn is_taken(&self) -> bool {
        matches!(self.stage, Stage::Taken(_) | Stage::Ended(_))
    }

    pub(super) fn cancel(&self) {
        if let Stage::Taken(handle) = &self.stage {
            handle.cancel();
        }
    }

    /// The panic's text, if it ended with one.
    pub(super) fn panic(&self) -> Option<String> {
        match &self.stage {
            Stage::Ended(Err(JobError::Panicked(panic))) => Some(panic.message().unwrap_or_default().to_owned()),
            _ => None,
        }
    }

    /// Whether it gave way to another.
    pub(super) const fn was_dropped(&self) -> bool {
        matches!(self.stage, Stage::Ended(Err(JobError::Dropped)))
    }

    /// What came of it, in the words of the quoted systems.
    pub(super) fn outcome(&self) -> String {
        match &self.stage {
            Stage::Submitting(_) => "blocked".into(),
            Stage::Taken(_) | Stage::Ended(Ok(())) => "ok".into(),
            Stage::Refused(Reason::Full | Reason::DepthLimit) => "rejected".into(),
            Stage::Refused(Reason::Stopped) => "pool_stopped".into(),
            Stage::Refused(reason) => format!("{reason:?}"),
            Stage::Ended(Err(JobError::Failed(error))) => error.clone(),
            Stage::Ended(Err(JobError::Panicked(_))) => "panic".into(),
            // A queued job of a pool that ends is given back, and dropped by whoever does not want it.
            Stage::Ended(Err(JobError::Cancelled | JobError::Dropped)) => "cancelled".into(),
            Stage::Ended(Err(error)) => error.to_string(),
            Stage::Gone => "gone".into(),
        }
    }
}

/// A job's work.
struct Body {
    name: String,
    act: Act,
    gate: Receiver<()>,
    log: Arc<Log>,
    kill: Arc<AtomicBool>,
    clock: Clock,
}

impl Body {
    async fn run(self) -> Result<(), String> {
        if self.log.in_caller.load(Ordering::SeqCst) {
            self.log.by_caller.lock().unwrap_or_else(PoisonError::into_inner).push(self.name.clone());
        } else {
            // Nothing is ever sent: it ends when its gate is dropped.
            let _released = self.gate.recv().await;
        }
        if let Act::Sleep(span) = self.act {
            self.clock.sleep(span).await;
        }
        if matches!(self.act, Act::Kill) {
            self.kill.store(true, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
        self.finish()
    }

    fn block(self) -> Result<(), String> {
        self.finish()
    }

    fn finish(self) -> Result<(), String> {
        self.log.ended.lock().unwrap_or_else(PoisonError::into_inner).push(self.name);
        match self.act {
            Act::Fail(error) => Err(error),
            // Without the hook that prints it.
            Act::Panic(payload) => std::panic::resume_unwind(Box::new(payload)),
            Act::Succeed | Act::Kill | Act::Sleep(_) => Ok(()),
        }
    }
}
