use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use seawall_core::Priority;
use seawall_core::time::{Clock, ManualTime, Timestamp};
use seawall_worker_pool::{
    Attempt, FullPolicy, JobHandle, Pool, Reason, Refused, Report, Task, Work, blocking, repeat, repeat_blocking,
};

use crate::draw::Setting;
use crate::executor::{Executor, Owner};
use crate::job::{Admission, After, Body, Door, Failure, Form, Outcome, Part, Plan, Record};

/// What the jobs, their submitters and the simulation share.
pub(crate) struct World {
    pub(crate) executor: Executor,
    pub(crate) clock: Clock,
    pub(crate) time: ManualTime,
    pub(crate) pools: Vec<Ground>,
    pub(crate) jobs: Mutex<Vec<Arc<Record>>>,
    pub(crate) hands: Mutex<Vec<Hand>>,
    pub(crate) submitters: Mutex<Vec<(u64, Arc<Record>)>>,
    turns: AtomicU64,
}

/// A pool and what is known of it.
pub(crate) struct Ground {
    /// The handles that are not in anybody's hands.
    pub(crate) clones: Mutex<Vec<Pool>>,
    pub(crate) setting: Mutex<Setting>,
    pub(crate) history: Mutex<History>,
    pub(crate) closed: AtomicBool,
    /// How many drains are under way.
    pub(crate) drains: AtomicUsize,
    /// The last turn of each priority that started.
    started: Mutex<[u64; Priority::COUNT]>,
    /// As long as the pool lives somebody else holds it.
    pub(crate) alive: Arc<()>,
}

/// What has ever been so.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether something has ever been so")]
pub(crate) struct History {
    pub(crate) drops: bool,
    pub(crate) times_out: bool,
    pub(crate) expires: bool,
    pub(crate) attempts: u32,
    pub(crate) stopped: bool,
    pub(crate) returned: u64,
    pub(crate) resubmitted: u64,
}

pub(crate) struct Hand {
    pub(crate) handle: JobHandle<u64, Failure>,
    pub(crate) record: Arc<Record>,
    pub(crate) cancels: bool,
}

impl Ground {
    pub(crate) fn new(pool: Pool, setting: &Setting, alive: Arc<()>) -> Self {
        let ground = Self {
            clones: Mutex::new(vec![pool]),
            setting: Mutex::new(setting.clone()),
            history: Mutex::default(),
            closed: AtomicBool::new(false),
            drains: AtomicUsize::new(0),
            started: Mutex::default(),
            alive,
        };
        ground.remember(setting);
        ground
    }

    pub(crate) fn pool(&self) -> Option<Pool> {
        self.clones.lock().first().cloned()
    }

    pub(crate) fn remember(&self, setting: &Setting) {
        let mut history = self.history.lock();
        history.drops |= matches!(setting.full, FullPolicy::DropOldest | FullPolicy::DropLowest);
        history.times_out |= setting.times_out;
        history.expires |= setting.expires;
        history.attempts = history.attempts.max(setting.attempts);
        drop(history);
        *self.setting.lock() = setting.clone();
    }
}

impl World {
    pub(crate) fn new(executor: Executor, clock: Clock, time: ManualTime, pools: Vec<Ground>) -> Arc<Self> {
        Arc::new(Self {
            executor,
            clock,
            time,
            pools,
            jobs: Mutex::default(),
            hands: Mutex::default(),
            submitters: Mutex::default(),
            turns: AtomicU64::new(1),
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.time.now()
    }

    pub(crate) fn record(&self, pool: usize, plan: Plan) -> Arc<Record> {
        let mut jobs = self.jobs.lock();
        let record = Record::new(jobs.len() as u64, pool, plan);
        jobs.push(record.clone());
        record
    }

    /// Submits a job by a task of its own, or at once if its door does not wait.
    pub(crate) fn submit(self: &Arc<Self>, pool: Pool, record: &Arc<Record>, nested: Option<Plan>) {
        let world = self.clone();
        let part = Part::new(record);
        let (clock, time) = (self.clock.clone(), self.time.clone());
        match record.plan.form {
            Form::Future => {
                let on_start = self.on_start();
                let last = nested.map(|plan| -> Box<dyn FnOnce() + Send> {
                    let (world, pool, of) = (self.clone(), pool.clone(), record.pool);
                    Box::new(move || {
                        let inner = world.record(of, plan);
                        world.submit(pool, &inner, None);
                    })
                });
                self.go(pool, record, Body::new(part, clock).on_start(on_start).at_last(last));
            }
            Form::Repeat => {
                let make = move |attempt: Attempt| {
                    let body = Body::new(part.clone(), clock.clone()).until(attempt.deadline());
                    body.on_start(world.on_start())
                };
                self.go(pool, record, repeat(make));
            }
            Form::Blocking => self.go(pool, record, blocking(move |attempt| part.record().block(attempt, &time))),
            Form::RepeatBlocking => {
                self.go(pool, record, repeat_blocking(move |attempt| part.record().block(attempt, &time)));
            }
        }
    }

    /// Jobs of one priority start in the order in which they were taken.
    fn on_start(self: &Arc<Self>) -> impl Fn(&Record) + Send + 'static {
        let world = Arc::downgrade(self);
        move |record| {
            let seen = record.seen();
            let Some(world) = world.upgrade() else { return };
            if seen.started > 1 || seen.moved || seen.turn == 0 {
                return;
            }
            let mut started = world.pools[record.pool].started.lock();
            let last = &mut started[record.plan.priority as usize];
            if seen.turn < *last {
                record.note(|seen| seen.wrong = Some("starts after one that came later"));
            }
            *last = seen.turn;
        }
    }

    fn go<W>(self: &Arc<Self>, pool: Pool, record: &Arc<Record>, work: W)
    where
        W: Work<Task, Output = u64, Error = Failure> + Send + 'static,
    {
        match record.plan.door {
            Door::TrySubmit => {
                let taken = pool.with(record.plan.options).try_submit(work);
                self.decided(record, taken.as_ref().map(drop).map_err(|refused| *refused));
                if let Ok(handle) = taken {
                    self.receive(record.clone(), handle);
                }
            }
            Door::TryExecute => {
                let taken = pool.with(record.plan.options).try_execute(work);
                self.decided(record, taken);
            }
            _ => {
                let task = self.executor.spawn(
                    Owner::Actor,
                    Box::pin(wait_and_submit(self.clone(), pool, Undecided(record.clone()), work)),
                );
                self.submitters.lock().push((task, record.clone()));
            }
        }
    }

    fn decided(&self, record: &Record, taken: Result<(), Refused>) {
        match taken {
            Ok(()) => {
                record.admit(Admission::Taken);
                record.note(|seen| seen.turn = self.turns.fetch_add(1, Ordering::Relaxed));
            }
            Err(refused) => {
                let reason = refused.reason();
                let ground = &self.pools[record.pool];
                let fits = match reason {
                    Reason::Stopped => ground.closed.load(Ordering::Relaxed),
                    Reason::NoWorker => self.executor.played() > 0,
                    _ => true,
                };
                assert!(fits, "job {} was refused: {refused}", record.id);
                record.admit(Admission::Refused(reason));
            }
        }
    }

    /// A handle has come: what becomes of it was planned.
    fn receive(self: &Arc<Self>, record: Arc<Record>, handle: JobHandle<u64, Failure>) {
        match record.plan.after {
            After::Keep => self.hands.lock().push(Hand { handle, record, cancels: false }),
            After::KeepAndCancelOnDrop => {
                self.hands.lock().push(Hand { handle: handle.cancel_on_drop(), record, cancels: true });
            }
            After::Await => {
                let wait = async move {
                    let outcome = handle.await;
                    record.resolve(outcome);
                };
                self.executor.spawn(Owner::Actor, Box::pin(wait));
            }
            After::Detach => handle.detach(),
            After::Drop => drop(handle),
        }
    }

    /// Jobs that a drain gave back go to another pool, or nowhere.
    pub(crate) fn redeliver(&self, from: usize, report: Report, to: Option<&Pool>) {
        let ground = &self.pools[from];
        {
            let mut history = ground.history.lock();
            history.stopped = true;
            history.returned += report.returned.len() as u64;
        }
        if !report.returned.is_empty() {
            for record in self.jobs.lock().iter().filter(|record| record.pool == from) {
                record.note(|seen| seen.moved |= seen.alive > 0 && seen.running == 0);
            }
        }
        for job in report.returned {
            let Some(pool) = to else { continue };
            if pool.try_resubmit(job).is_ok() {
                self.pools[1 - from].history.lock().resubmitted += 1;
            }
        }
    }

    /// Drains a pool by a task of its own.
    pub(crate) fn drain(self: &Arc<Self>, at: usize, pool: Pool, within: Duration) {
        let world = self.clone();
        self.pools[at].closed.store(true, Ordering::Relaxed);
        let drain = async move {
            world.pools[at].drains.fetch_add(1, Ordering::Relaxed);
            let report = pool.drain(within).await;
            world.pools[at].drains.fetch_sub(1, Ordering::Relaxed);
            if report.running == 0 {
                let snapshot = pool.snapshot();
                assert_eq!((snapshot.queued, snapshot.running), (0, 0), "a drain that left something: {report:?}");
            }
            let other = world.pools[1 - at].pool();
            world.redeliver(at, report, other.as_ref());
        };
        self.executor.spawn(Owner::Actor, Box::pin(drain));
    }
}

/// Somebody who submits and may have to wait.
async fn wait_and_submit<W>(world: Arc<World>, pool: Pool, undecided: Undecided, work: W)
where
    W: Work<Task, Output = u64, Error = Failure> + Send + 'static,
{
    let record = undecided.0.clone();
    let door = pool.with(record.plan.options);
    let taken = match record.plan.door {
        Door::Run => {
            let ran = pool.run(work).await;
            world.decided(&record, ran.as_ref().map(drop).map_err(|refused| *refused));
            if let Ok(outcome) = ran {
                record.resolve(outcome);
            }
            return;
        }
        Door::Submit => door.submit(work).await.map(Some),
        Door::SubmitWithin(span) => door.submit_within(span, work).await.map(Some),
        Door::Execute => door.execute(work).await.map(|()| None),
        Door::ExecuteWithin(span) => door.execute_within(span, work).await.map(|()| None),
        Door::TrySubmit | Door::TryExecute => unreachable!("they do not wait"),
    };
    world.decided(&record, taken.as_ref().map(drop).map_err(|refused| *refused));
    drop(undecided);
    drop(pool);
    if let Ok(Some(handle)) = taken {
        world.receive(record, handle);
    }
}

/// Dropped before it was decided whether the job is taken, it never will be.
struct Undecided(Arc<Record>);

impl Drop for Undecided {
    fn drop(&mut self) {
        self.0.note(|seen| {
            if seen.admission == Admission::Unknown {
                seen.admission = Admission::Abandoned;
            }
        });
    }
}

pub(crate) fn poll_now(hand: &mut Hand) -> Option<Outcome> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(&mut hand.handle).poll(&mut cx) {
        std::task::Poll::Ready(outcome) => Some(outcome),
        std::task::Poll::Pending => None,
    }
}
