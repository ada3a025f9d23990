use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::Mutex;
use seawall_worker_pool::{
    Attempt, Backoff, Config, FullPolicy, Job, JobError, JobHandle, JobOptions, Pool, Priority, Retry, repeat,
};

use crate::desk::{Desk, Gate, Waits, assert_all_accounted};

const SECOND: Duration = Duration::from_secs(1);

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "dropped");
    }
}

#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("there are no words for it")
    }
}

#[derive(Debug)]
struct Wordless;

impl fmt::Display for Wordless {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Err(fmt::Error)
    }
}

#[test]
fn a_future_that_panics_when_it_is_cut_off_leaves_its_worker_alive() {
    for is_cancelled in [true, false] {
        let desk = Desk::new();
        let pool: Pool = desk.pool(Config::new(1..=1).timeout(SECOND));
        let job = pool.try_submit(async {
            let _bomb = Bomb;
            std::future::pending::<()>().await;
        });
        let job = job.expect("room");
        desk.run();
        if is_cancelled {
            assert!(job.cancel());
        }
        desk.pass(2 * SECOND);
        let end = Waits::new(job).poll().expect("it has ended");
        match (is_cancelled, end) {
            (true, Err(JobError::Cancelled)) | (false, Err(JobError::TimedOut)) | (_, Err(JobError::Panicked(_))) => {}
            (_, other) => panic!("{other:?}"),
        }
        assert_all_accounted(&pool);
        assert_eq!(desk.tasks() - desk.live_tasks(), 0, "no task of the pool has ended");
    }
}

#[test]
fn a_closure_that_panics_when_it_is_dropped_is_counted_once_and_leaves_its_worker_alive() {
    for letters in [0, 1] {
        let desk = Desk::new();
        let pool: Pool = desk.pool(Config::new(1..=1).dead_letters(letters));
        for _ in 0..3 {
            let bomb = Bomb;
            let job = repeat(move |_| {
                let _held = &bomb;
                async { Err::<(), _>("no") }
            });
            let job = pool.try_submit(job).expect("room");
            desk.run();
            assert!(matches!(Waits::new(job).poll(), Some(Err(JobError::Failed("no")))));
        }
        let snapshot = assert_all_accounted(&pool);
        assert_eq!((snapshot.failed, snapshot.workers, desk.tasks()), (3, 1, 1));
        std::mem::forget(pool);
    }
}

#[test]
fn an_error_that_cannot_be_displayed_is_still_the_jobs_result() {
    fn check<E: fmt::Display + fmt::Debug + Send + 'static>(make: fn() -> E) {
        let desk = Desk::new();
        let retry = Retry::new(2).backoff(Backoff::fixed(SECOND));
        let pool: Pool = desk.pool(Config::new(1..=1));
        let job =
            pool.with(JobOptions::new().retry(retry)).try_submit(repeat(move |_| async move { Err::<(), _>(make()) }));
        let job = job.expect("room");
        desk.pass(5 * SECOND);
        let end = Waits::new(job).poll().expect("it has ended");
        assert!(matches!(end, Err(JobError::Failed(_))), "{end:?}");
        let snapshot = assert_all_accounted(&pool);
        assert_eq!((snapshot.failed, snapshot.retried, snapshot.dead_letters), (1, 1, 1));
    }
    check(|| Unspeakable);
    check(|| Wordless);
}

#[test]
fn what_a_caller_runs_is_accounted_for_whatever_panics() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1).queue(0).full(FullPolicy::CallerRuns));
    pool.try_execute(std::future::pending::<()>()).expect("a worker is free");
    desk.run();
    let submit = {
        let pool = pool.clone();
        Waits::new(async move { pool.submit(async { Err::<(), _>(Unspeakable) }).await })
    };
    let mut submit = submit;
    let submitted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| submit.poll()));
    let snapshot = assert_all_accounted(&pool);
    assert_eq!((snapshot.running, snapshot.failed), (1, 1), "the caller's job has ended");
    let handle = submitted.expect("no panic reaches the caller").expect("it has ended").expect("it was taken");
    assert!(matches!(Waits::new(handle).poll(), Some(Err(JobError::Failed(Unspeakable)))));

    let mut submit = {
        let pool = pool.clone();
        Waits::new(async move {
            let job = async {
                let _bomb = Bomb;
                std::future::pending::<()>().await;
            };
            pool.execute(job).await.map_err(|refused| refused.reason())
        })
    };
    assert_eq!(submit.poll(), None);
    assert_eq!(pool.running(), 2);
    let _panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(submit)));
    let snapshot = assert_all_accounted(&pool);
    assert_eq!((snapshot.running, snapshot.cancelled), (1, 1));
}

#[test]
fn a_job_that_panics_when_it_has_to_go_does_not_cost_the_pool_a_worker() {
    let desk = Desk::new();
    let config = Config::new(1..=1).queue(8).depth_limit(Priority::Normal, 1).full(FullPolicy::DropOldest);
    let pool: Pool = desk.pool(config);
    let gates = [Gate::default(), Gate::default()];
    pool.try_execute(gates[0].pass()).expect("room");
    desk.run();
    let bomb = Bomb;
    let first = async move { drop(bomb) };
    let job = pool.try_submit(first).expect("room");
    let second = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.try_execute(gates[1].pass())));
    second.expect("no panic reaches the caller").expect("it was taken");
    desk.run();
    assert!(job.is_finished());
    assert!(matches!(Waits::new(job).poll(), Some(Err(JobError::Dropped))));
    gates[0].open();
    desk.run();
    let snapshot = assert_all_accounted(&pool);
    assert_eq!((snapshot.running, snapshot.workers, snapshot.completed), (1, 1, 1), "the worker goes on");
    assert_eq!(desk.live_tasks(), 1, "the worker");
}

/// A job that looks at its pool when it is dropped.
struct Nosy {
    pool: Arc<Mutex<Option<Pool<Nosy>>>>,
    saw: mpsc::Sender<bool>,
}

impl Job for Nosy {
    type Output = ();
    type Error = &'static str;

    async fn run(&mut self, _: &Attempt) -> Result<(), &'static str> {
        Err("no")
    }

    fn is_repeatable(&self) -> bool {
        false
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        let Some(pool) = self.pool.lock().clone() else { return };
        let (saw, has_seen) = mpsc::channel();
        std::thread::spawn(move || saw.send(pool.queued()));
        let _nobody_waits = self.saw.send(has_seen.recv_timeout(5 * SECOND).is_ok());
    }
}

#[test]
fn a_job_that_cannot_run_again_is_not_dropped_under_the_lock() {
    let desk = Desk::new();
    for letters in [0, 1] {
        let pool: Pool<Nosy> = desk.pool(Config::new(1..=1).dead_letters(letters));
        let (saw, seen) = mpsc::channel();
        let shared = Arc::new(Mutex::new(Some(pool.clone())));
        pool.try_execute(Nosy { pool: shared.clone(), saw }).expect("room");
        desk.run();
        assert!(
            seen.recv_timeout(10 * SECOND).expect("it was dropped"),
            "the pool was locked when the job was dropped"
        );
        shared.lock().take();
    }
}

/// An error that cancels its job while it is read.
struct Treacherous(Arc<Mutex<Option<JobHandle<(), Treacherous>>>>, Arc<AtomicBool>);

impl fmt::Display for Treacherous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(handle) = &*self.0.lock() {
            self.1.fetch_or(handle.cancel(), Ordering::SeqCst);
        }
        f.write_str("no")
    }
}

#[test]
fn a_job_that_was_cancelled_is_not_tried_again() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1));
    let (handle, was_cancelled, attempts) =
        (Arc::new(Mutex::new(None)), Arc::new(AtomicBool::new(false)), Arc::default());
    let job = {
        let (handle, was_cancelled, attempts) = (handle.clone(), was_cancelled.clone(), Arc::clone(&attempts));
        repeat(move |attempt| {
            let error = Treacherous(handle.clone(), was_cancelled.clone());
            *Mutex::lock(&attempts) = attempt.number();
            async { Err::<(), _>(error) }
        })
    };
    let retry = Retry::new(3).backoff(Backoff::fixed(SECOND));
    *handle.lock() = Some(pool.with(JobOptions::new().retry(retry)).try_submit(job).expect("room"));
    desk.pass(10 * SECOND);
    assert!(was_cancelled.load(Ordering::SeqCst), "it was told that the job had not ended");
    assert_eq!(*attempts.lock(), 1_u32, "it is not tried again");
    let snapshot = assert_all_accounted(&pool);
    assert_eq!((snapshot.cancelled, snapshot.retried), (1, 0));
    drop(handle.lock().take());
}
