use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use seawall_testkit::cancel::CancelAtEveryPoll;
use seawall_worker_pool::{Backoff, Config, FullPolicy, JobError, JobHandle, Pool, Retry, blocking, repeat};

use crate::desk::{Desk, Gate, Waits, assert_all_accounted};

const SECOND: Duration = Duration::from_secs(1);

/// Tells when it is dropped.
struct Held(Arc<AtomicBool>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn held() -> (Held, Arc<AtomicBool>) {
    let is_dropped = Arc::new(AtomicBool::new(false));
    (Held(is_dropped.clone()), is_dropped)
}

#[test]
fn a_job_that_waits_is_dropped_when_it_is_cancelled() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1).queue(1).full(FullPolicy::Reject));
    pool.try_execute(std::future::pending::<()>()).expect("room");
    desk.run();
    let (held, is_dropped) = held();
    let job = pool.try_submit(async move { drop(held) }).expect("room");
    assert!(pool.try_execute(async {}).is_err(), "full");
    assert!(job.cancel() && !job.cancel(), "once");
    assert!(is_dropped.load(Ordering::SeqCst));
    pool.try_execute(async {}).expect("its place is free");
    assert!(matches!(Waits::new(job).poll(), Some(Err(JobError::Cancelled))));
    assert_eq!(assert_all_accounted(&pool).cancelled, 1);
}

#[test]
fn a_job_that_waits_for_its_next_attempt_is_not_tried_when_it_is_cancelled() {
    let desk = Desk::new();
    let retry = Retry::new(2).backoff(Backoff::fixed(SECOND));
    let pool: Pool = desk.pool(Config::new(1..=1).retry(retry));
    let job = pool.try_submit(repeat(|_| async { Err::<(), _>("no") })).expect("room");
    desk.run();
    assert_eq!(pool.snapshot().delayed, 1);
    assert!(job.cancel());
    assert_eq!(pool.snapshot().delayed, 0);
    desk.pass(5 * SECOND);
    let snapshot = assert_all_accounted(&pool);
    assert_eq!((snapshot.cancelled, snapshot.failed, snapshot.retried), (1, 0, 1));
    assert!(matches!(Waits::new(job).poll(), Some(Err(JobError::Cancelled))));
}

#[test]
fn a_job_that_runs_is_dropped_when_it_is_cancelled_and_its_worker_takes_the_next() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1));
    let (held, is_dropped) = held();
    let job = pool.try_submit(async move {
        let _held = held;
        std::future::pending::<()>().await;
    });
    let job = job.expect("room");
    let next = pool.try_submit(async {}).expect("room");
    desk.run();
    assert!(!next.is_finished() && job.cancel());
    desk.run();
    assert!(is_dropped.load(Ordering::SeqCst) && next.is_finished());
    assert!(!job.cancel(), "it has ended");
    assert!(matches!(Waits::new(job).poll(), Some(Err(JobError::Cancelled))));
    assert_eq!(assert_all_accounted(&pool).cancelled, 1);
}

#[test]
fn a_job_that_was_cancelled_is_not_polled_again() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1));
    let (waker, polls) = (Arc::new(Mutex::new(None::<Waker>)), Arc::new(AtomicU32::new(0)));
    let job = {
        let (waker, polls) = (waker.clone(), polls.clone());
        std::future::poll_fn(move |cx| {
            polls.fetch_add(1, Ordering::SeqCst);
            *waker.lock() = Some(cx.waker().clone());
            Poll::<()>::Pending
        })
    };
    let job = pool.try_submit(job).expect("room");
    desk.run();
    let waker = waker.lock().take().expect("it was polled");
    waker.wake_by_ref();
    assert!(job.cancel());
    desk.run();
    assert_eq!((polls.load(Ordering::SeqCst), job.is_finished()), (1, true));
}

#[test]
fn work_that_blocks_is_told_of_its_cancellation_and_may_end_all_the_same() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1));
    let ends = [true, false].map(|obeys| {
        let job = blocking(move |attempt| if obeys && attempt.is_stopped() { Err("stopped") } else { Ok(1) });
        let job = pool.try_submit(job).expect("room");
        desk.run();
        assert!(job.cancel(), "it runs");
        assert!(!job.is_finished());
        desk.work_off();
        Waits::new(job).poll().expect("it has ended")
    });
    assert!(matches!(ends, [Err(JobError::Cancelled), Ok(1)]), "{ends:?}");
    let snapshot = assert_all_accounted(&pool);
    assert_eq!((snapshot.cancelled, snapshot.completed), (1, 1));
}

#[test]
fn a_job_that_has_ended_cannot_be_cancelled_and_its_handle_gives_what_it_gave() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1));
    let job = pool.try_submit(async { Ok::<_, String>(7) }).expect("room");
    desk.run();
    assert!(job.is_finished() && !job.cancel());
    assert!(matches!(Waits::new(job).poll(), Some(Ok(7))));
    // Its slot is somebody else's now: an order that comes late concerns nobody.
    let old = pool.try_submit(async {}).expect("room");
    desk.run();
    let next = pool.try_submit(std::future::pending::<()>()).expect("room");
    desk.run();
    assert!(!old.cancel() && !next.is_finished());
    assert_eq!(pool.running(), 1);
}

#[test]
fn a_handle_lets_its_job_go_or_cancels_it() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(3..=3));
    let gate = Gate::default();
    drop(pool.try_submit(gate.pass()).expect("room"));
    pool.try_submit(gate.pass()).expect("room").cancel_on_drop().detach();
    drop(pool.try_submit(gate.pass()).expect("room").cancel_on_drop());
    desk.run();
    assert_eq!(pool.running(), 2);
    gate.open();
    desk.run();
    let snapshot = assert_all_accounted(&pool);
    assert_eq!((snapshot.completed, snapshot.cancelled), (2, 1));
    let mut run = {
        let pool = pool.clone();
        Waits::new(async move { pool.run(std::future::pending::<()>()).await.is_ok() })
    };
    assert_eq!(run.poll(), None);
    desk.run();
    drop(run);
    desk.run();
    assert_eq!(assert_all_accounted(&pool).cancelled, 2, "whoever ran it went away");
}

#[test]
fn a_submission_may_be_dropped_at_every_poll() {
    for policy in [FullPolicy::Wait, FullPolicy::CallerRuns] {
        let desk = Desk::new();
        let pool: Pool = desk.pool(Config::new(1..=1).queue(0).full(policy).max_wait(10 * SECOND));
        let gates = Mutex::new(vec![Gate::default()]);
        let occupy = || {
            let gate = Gate::default();
            pool.try_execute(gate.pass()).expect("the worker is free");
            desk.run();
            gates.lock().push(gate);
        };
        occupy();
        let own = Gate::default();
        let polls = CancelAtEveryPoll::new()
            .between(|_| {
                gates.lock().drain(..).for_each(|gate| gate.open());
                own.open();
                desk.run();
            })
            .run(
                || pool.execute(own.pass()),
                |_| {
                    gates.lock().drain(..).for_each(|gate| gate.open());
                    desk.run();
                    let snapshot = assert_all_accounted(&pool);
                    assert_eq!((snapshot.submitters, snapshot.queued, snapshot.running), (0, 0, 0), "{policy:?}");
                    // Room that was granted has come back: the next is not refused.
                    occupy();
                    assert!(pool.try_execute(async {}).is_err(), "{policy:?}: and there is no more of it");
                },
            );
        assert!(polls >= 1, "{policy:?}: {polls}");
    }
}

#[test]
fn a_drain_that_is_dropped_at_any_poll_can_be_done_again() {
    let desk = Desk::new();
    for drops_after in 0..3_u32 {
        let pool: Pool = desk.pool(Config::new(1..=1).queue(4).grace(SECOND));
        let jobs: Vec<_> = (0..3).map(|_| pool.try_submit(std::future::pending::<()>()).expect("room")).collect();
        desk.run();
        let drain = |pool: &Pool| {
            let pool = pool.clone();
            Waits::new(async move { pool.drain(SECOND).await })
        };
        let mut first = drain(&pool);
        for _ in 0..drops_after {
            if first.poll().is_some() {
                break;
            }
            desk.pass(SECOND);
        }
        drop(first);
        let mut second = drain(&pool);
        let mut report = second.poll();
        for _ in 0..4 {
            desk.pass(SECOND);
            report = report.or_else(|| second.poll_if_woken());
        }
        drop(report.expect("it ends"));
        assert!(jobs.iter().all(JobHandle::is_finished), "dropped after {drops_after} polls");
        let snapshot = assert_all_accounted(&pool);
        assert_eq!((snapshot.is_open, snapshot.workers, snapshot.queued, snapshot.running), (false, 0, 0, 0));
    }
    assert_eq!(desk.live_tasks(), 0);
}
