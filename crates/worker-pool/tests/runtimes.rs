//! One pool serves every runtime, and what crosses threads is `Send` and `Sync`.
#![cfg(not(seawall_loom))]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall_core::spawn::{Spawn, SpawnError, Spawner, Work};
use seawall_core::time::{BoxFuture, Clock};
use seawall_worker_pool::{
    Backoff, Config, JobError, JobHandle, JobOptions, Order, Pool, Priority, Report, Retry, Router, Snapshot, Task,
    blocking, repeat,
};
use smol::channel::{Receiver, Sender, bounded};

/// Why a job failed.
#[derive(Debug)]
struct Down;

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("down")
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// A burst makes the pool grow, priorities are kept, failures are tried again, cancelled jobs do not run, and a drain tells
/// what became of the rest.
async fn a_day(spawner: Spawner, clock: Clock) {
    let retry = Retry::new(3).backoff(Backoff::fixed(Duration::from_millis(1)));
    let config = Config::new(1..=4).queue(64).max_wait(MINUTE).order(Order::Strict).retry(retry);
    let pool = Pool::with_clock(config, spawner, clock).expect("valid");
    burst(&pool).await;
    priorities(&pool).await;

    let third = repeat(|attempt| async move { if attempt.number() < 3 { Err(Down) } else { Ok(attempt.number()) } });
    assert_eq!(pool.submit(third).await.expect("room").await.expect("the third time"), 3);
    let never = pool.submit(repeat(|_| async { Err::<(), _>(Down) })).await.expect("room").await;
    assert!(matches!(never, Err(JobError::Failed(Down))), "{never:?}");
    assert_eq!(pool.dead_letters()[0].failures, 3);

    let sum = pool.submit(blocking(|_| "12".parse::<u32>())).await.expect("room");
    assert_eq!(sum.await.expect("a number"), 12);
    let panics = pool.submit(async { std::panic::resume_unwind(Box::new("spilled")) as () }).await.expect("room");
    let Err(JobError::Panicked(panic)) = panics.await else { panic!("it panicked") };
    assert_eq!(panic.message(), Some("spilled"));

    let hangs = pool.submit(std::future::pending::<()>()).await.expect("room");
    assert!(hangs.cancel());
    assert!(matches!(hangs.await, Err(JobError::Cancelled)));
    let soon = JobOptions::new().timeout(Duration::from_millis(1)).retry(Retry::never());
    let late = pool.with(soon).submit(std::future::pending::<()>()).await.expect("room");
    assert!(matches!(late.await, Err(JobError::TimedOut)));

    let runs = pool.submit(std::future::pending::<()>()).await.expect("room");
    while pool.running() == 0 {
        smol::future::yield_now().await;
    }
    let report = pool.drain(Duration::from_millis(1)).await;
    assert_eq!((report.cancelled, report.running), (1, 0), "{report:?}");
    assert!(matches!(runs.await, Err(JobError::Cancelled)));
    assert!(pool.try_submit(async {}).is_err());
    let seen = pool.snapshot();
    let ended = seen.completed + seen.failed + seen.cancelled + seen.expired + seen.dropped;
    assert_eq!((seen.submitted, seen.queued, seen.running), (ended, 0, 0), "{seen:?}");
}

/// Four jobs that wait for each other need four workers; twenty more wait.
async fn burst(pool: &Pool) {
    let here = Arc::new(AtomicUsize::new(0));
    let (open, gate) = bounded::<()>(1);
    let mut jobs = Vec::new();
    for _ in 0..24 {
        let (here, gate) = (here.clone(), gate.clone());
        let job = async move {
            here.fetch_add(1, Ordering::SeqCst);
            let _closed = gate.recv().await;
        };
        jobs.push(pool.submit(job).await.expect("room"));
    }
    while here.load(Ordering::SeqCst) < 4 {
        smol::future::yield_now().await;
    }
    let seen = pool.snapshot();
    assert_eq!((seen.workers, seen.running, seen.queued), (4, 4, 20));
    drop(open);
    for job in jobs {
        job.await.expect("it ends");
    }
    assert_eq!(here.load(Ordering::SeqCst), 24);
}

async fn priorities(pool: &Pool) {
    pool.resize(1..=1).expect("a range");
    while pool.workers() > 1 {
        smol::future::yield_now().await;
    }
    let (open, gate): (Sender<()>, Receiver<()>) = bounded(1);
    let first = pool.submit(async move { _ = gate.recv().await }).await.expect("room");
    while pool.running() == 0 {
        smol::future::yield_now().await;
    }
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut jobs = Vec::new();
    for priority in [Priority::Low, Priority::Critical, Priority::Normal] {
        let order = order.clone();
        let job = async move { order.lock().expect("no panic").push(priority) };
        jobs.push(pool.with(JobOptions::new().priority(priority)).submit(job).await.expect("room"));
    }
    drop(open);
    first.await.expect("it ends");
    for job in jobs {
        job.await.expect("it ends");
    }
    assert_eq!(*order.lock().expect("no panic"), [Priority::Critical, Priority::Normal, Priority::Low]);
    pool.resize(1..=4).expect("a range");
}

#[cfg(feature = "tokio")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_tokio_with_threads() {
    tokio::spawn(a_day(Spawner::tokio().expect("a runtime"), Clock::system())).await.expect("no panic");
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn under_tokio_with_one_thread() {
    a_day(Spawner::tokio().expect("a runtime"), Clock::system()).await;
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn under_tokios_own_time() {
    a_day(Spawner::tokio().expect("a runtime"), Clock::tokio()).await;
}

/// smol's global executor.
struct Smol;

impl Spawn for Smol {
    fn spawn(&self, task: BoxFuture) -> Result<(), SpawnError> {
        smol::spawn(task).detach();
        Ok(())
    }

    fn spawn_blocking(&self, work: Work) -> Result<(), SpawnError> {
        smol::unblock(work).detach();
        Ok(())
    }
}

#[test]
fn under_smol() {
    smol::block_on(a_day(Spawner::custom(Arc::new(Smol)), Clock::system()));
}

#[test]
fn on_plain_threads() {
    smol::block_on(a_day(Spawner::threads(), Clock::system()));
}

/// An executor of one thread, whose blocking work is a task as well: nothing runs elsewhere.
struct One(smol::Executor<'static>);

impl Spawn for One {
    fn spawn(&self, task: BoxFuture) -> Result<(), SpawnError> {
        self.0.spawn(task).detach();
        Ok(())
    }

    fn spawn_blocking(&self, work: Work) -> Result<(), SpawnError> {
        self.0.spawn(async move { work() }).detach();
        Ok(())
    }
}

#[test]
fn on_manual_time() {
    let (clock, time) = Clock::manual();
    let one = Arc::new(One(smol::Executor::new()));
    let day = one.0.spawn(a_day(Spawner::custom(one.clone()), clock));
    while !day.is_finished() {
        // Time passes when nobody is ready. All that is left to wait for is the next sleeper.
        if !one.0.try_tick() {
            let at = time.next_wake().expect("somebody sleeps, or everybody waits for ever");
            time.advance_to(at);
        }
    }
    smol::block_on(day);
}

#[test]
fn what_crosses_threads_may() {
    fn shared<T: Send + Sync + 'static>() {}
    fn moved<T: Send + 'static>() {}
    fn is_moved<T: Send>(_: &T) {}
    shared::<Pool>();
    shared::<Router>();
    shared::<Snapshot>();
    shared::<JobError<std::io::Error>>();
    moved::<JobHandle<u32, std::io::Error>>();
    moved::<Report>();
    moved::<Task>();
    let pool = Pool::new(Config::new(0..=1), Spawner::threads()).expect("valid");
    is_moved(&pool.submit(async {}));
    is_moved(&pool.run(async {}));
    is_moved(&pool.drain(MINUTE));
}
