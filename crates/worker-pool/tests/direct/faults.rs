use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use seawall_core::spawn::Spawner;
use seawall_worker_pool::{Config, JobHandle, JobOptions, Pool, blocking};

use crate::desk::{Desk, Gate, Waits, assert_all_accounted};

const SECOND: Duration = Duration::from_secs(1);

struct Nobody(AtomicUsize);

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_drain_that_is_polled_often_remembers_its_waker_once() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1));
    pool.try_execute(std::future::pending::<()>()).expect("room");
    desk.run();
    let nobody = Arc::new(Nobody(AtomicUsize::new(0)));
    let waker = Waker::from(nobody.clone());
    {
        let mut drain = std::pin::pin!(pool.drain(60 * SECOND));
        for _ in 0..100 {
            assert!(drain.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        let held = Arc::strong_count(&nobody);
        assert!(held < 10, "{held} references");
    }
    for _ in 0..100 {
        let mut drain = std::pin::pin!(pool.drain(60 * SECOND));
        assert!(drain.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let held = Arc::strong_count(&nobody);
    assert!(held < 10, "{held} references of drains that were dropped");
}

#[test]
fn work_that_blocks_a_thread_is_told_when_its_time_is_up() {
    let pool = Pool::new(Config::new(1..=1), Spawner::threads()).expect("valid");
    let was_told = Arc::new(AtomicBool::new(false));
    let job = {
        let was_told = was_told.clone();
        blocking(move |attempt| {
            for _ in 0..2_000 {
                if attempt.is_stopped() {
                    was_told.store(true, Ordering::SeqCst);
                    return;
                }
                std::thread::park_timeout(Duration::from_millis(5));
            }
        })
    };
    let options = JobOptions::new().timeout(Duration::from_millis(20));
    let job = pool.with(options).try_submit(job).expect("room");
    let _end = smol::block_on(job);
    assert!(was_told.load(Ordering::SeqCst), "ten seconds have passed, and its timeout is 20 ms");
}

#[test]
fn two_drains_at_once_both_end_and_every_job_is_told_of() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1).queue(8));
    let gate = Gate::default();
    let handles: Vec<_> = (0..3).map(|_| pool.try_submit(gate.pass()).expect("room")).collect();
    desk.run();
    let mut drains: Vec<_> = [2, 4]
        .map(|seconds| {
            let pool = pool.clone();
            Waits::new(async move { pool.drain(seconds * SECOND).await })
        })
        .into();
    assert!(drains.iter_mut().all(|drain| drain.poll().is_none()));
    desk.pass(2 * SECOND);
    assert!(drains[0].poll_if_woken().is_none(), "what runs has been told to stop");
    desk.run();
    let reports: Vec<_> = drains.iter_mut().map(|drain| drain.poll_if_woken().expect("all jobs have ended")).collect();
    assert_eq!(reports.iter().map(|report| report.returned.len()).sum::<usize>(), 2);
    assert!(reports.iter().all(|report| report.running == 0));
    drop(reports);
    assert!(handles.iter().all(JobHandle::is_finished));
    let snapshot = assert_all_accounted(&pool);
    assert_eq!((snapshot.cancelled, snapshot.dropped, snapshot.workers), (1, 2, 0));
    desk.run();
    assert_eq!(desk.live_tasks(), 0);
}

#[test]
fn a_job_that_drains_its_own_pool_is_cut_off_when_the_time_is_up() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1).queue(8));
    let job = {
        let pool = pool.clone();
        pool.clone().try_submit(async move {
            let _report = pool.drain(SECOND).await;
        })
    };
    let job = job.expect("room");
    let next = pool.try_submit(async {}).expect("room");
    desk.pass(10 * SECOND);
    assert!(job.is_finished() && next.is_finished(), "{:?}", pool.snapshot());
    assert_all_accounted(&pool);
    drop(pool);
    desk.run();
    assert_eq!(desk.live_tasks(), 0);
}

#[test]
fn the_last_handle_may_be_dropped_in_a_job() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=2).queue(8));
    let inside = pool.clone();
    let gate = Gate::default();
    let pass = gate.pass();
    let job = pool.try_submit(async move {
        pass.await;
        drop(inside);
    });
    let job = job.expect("room");
    let queued: Vec<_> = (0..5).map(|_| pool.try_submit(async {}).expect("room")).collect();
    drop(pool);
    desk.run();
    gate.open();
    desk.run();
    assert!(job.is_finished() && queued.iter().all(JobHandle::is_finished));
    assert_eq!(desk.live_tasks(), 0, "the pool has ended");
}

#[test]
fn jobs_may_cancel_themselves_and_drop_handles() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1).queue(8));
    let (give, take) = std::sync::mpsc::channel();
    let job = pool.try_submit(async move {
        let own: JobHandle<(), std::convert::Infallible> = take.recv().expect("it was sent");
        assert!(own.cancel());
        drop(own);
        std::future::pending::<()>().await;
    });
    give.send(job.expect("room")).expect("the job takes it");
    let other = pool.try_submit(std::future::pending::<()>()).expect("room").cancel_on_drop();
    let third = pool.try_submit(async move { drop(other) }).expect("room");
    desk.run();
    // The second runs until somebody drops its handle: it is cut off when the third job, which holds it, is.
    assert!(third.cancel());
    desk.run();
    let snapshot = assert_all_accounted(&pool);
    assert_eq!((snapshot.cancelled, snapshot.running), (3, 0), "{snapshot:?}");
    let last = Waits::new(third).poll();
    assert!(last.is_some_and(|end| end.is_err()));
}
