use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use seawall_worker_pool::{
    Backoff, Config, DeadReason, GrowthPolicy, JobError, JobOptions, Pool, Reason, Retry, blocking, repeat,
};

use crate::desk::{Desk, Gate, Waits, assert_all_accounted};

const SECOND: Duration = Duration::from_secs(1);

fn expires_in(seconds: u32) -> JobOptions {
    JobOptions::new().expires_in(seconds * SECOND)
}

fn panic_with(payload: impl Send + 'static) {
    std::panic::panic_any(payload)
}

/// Whether it was polled.
#[derive(Clone, Default)]
struct Polled(Arc<AtomicU32>);

impl Polled {
    fn job(&self) -> impl Future<Output = ()> + Send + use<> {
        let polled = self.clone();
        async move {
            polled.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn times(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

#[test]
fn a_job_that_expires_while_it_waits_does_not_start() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1).expires_in(3 * SECOND));
    let (gate, polled) = (Gate::default(), Polled::default());
    pool.with(expires_in(100)).try_execute(gate.pass()).expect("room");
    desk.run();
    let own = pool.with(expires_in(1)).try_submit(polled.job()).expect("room");
    let configured = pool.try_submit(polled.job()).expect("room");
    desk.pass(2 * SECOND);
    gate.open();
    desk.run();
    assert!(matches!(Waits::new(own).poll(), Some(Err(JobError::Expired))));
    assert!(matches!(Waits::new(configured).poll(), Some(Ok(()))));
    assert_eq!(polled.times(), 1);
    assert_eq!(assert_all_accounted(&pool).expired, 1);
}

#[test]
fn a_job_is_cut_off_when_its_deadline_passes_and_an_attempt_when_its_timeout_ends() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(2..=2).timeout(5 * SECOND));
    let mut ends = [expires_in(3), JobOptions::new()]
        .map(|options| Waits::new(pool.with(options).try_submit(std::future::pending::<()>()).expect("room")));
    desk.run();
    assert!(ends.iter_mut().all(|end| end.poll().is_none()));
    desk.pass(3 * SECOND);
    assert!(matches!(ends[0].poll_if_woken(), Some(Err(JobError::Expired))));
    assert!(ends[1].poll().is_none());
    desk.pass(2 * SECOND);
    assert!(matches!(ends[1].poll_if_woken(), Some(Err(JobError::TimedOut))));
    let snapshot = assert_all_accounted(&pool);
    assert_eq!((snapshot.expired, snapshot.failed, snapshot.dead_letters), (1, 1, 1));
}

#[test]
fn a_deadline_that_has_passed_is_refused() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1));
    desk.time.advance(10 * SECOND);
    let polled = Polled::default();
    let options = JobOptions::new().deadline(desk.time.now() - SECOND);
    let refused = pool.with(options).try_execute(polled.job()).expect_err("too late");
    desk.run();
    assert_eq!((refused.reason(), polled.times()), (Reason::Expired, 0));
}

#[test]
fn the_worker_takes_another_job_while_one_waits_for_its_next_attempt() {
    let desk = Desk::new();
    let retry = Retry::new(3).backoff(Backoff::fixed(10 * SECOND));
    let pool: Pool = desk.pool(Config::new(1..=1).retry(retry));
    let job = repeat(|attempt| async move { if attempt.number() < 3 { Err("not yet") } else { Ok(attempt.number()) } });
    let mut job = Waits::new(pool.try_submit(job).expect("room"));
    desk.run();
    assert_eq!((pool.running(), pool.snapshot().delayed), (0, 1));
    let other = pool.try_submit(async {}).expect("room");
    desk.run();
    assert!(other.is_finished(), "the only worker is free");
    desk.pass(Duration::from_nanos(9_999_999_999));
    assert_eq!(pool.snapshot().retried, 1);
    desk.pass(Duration::from_nanos(1));
    assert_eq!(pool.snapshot().retried, 2);
    assert!(job.poll().is_none());
    desk.pass(10 * SECOND);
    assert!(matches!(job.poll_if_woken(), Some(Ok(3))));
    assert_all_accounted(&pool);
}

#[test]
fn a_job_is_not_tried_again_when_its_deadline_comes_before() {
    let desk = Desk::new();
    let retry = Retry::new(3).backoff(Backoff::fixed(10 * SECOND));
    let pool: Pool = desk.pool(Config::new(1..=1).retry(retry));
    let job = pool.with(expires_in(5)).try_submit(repeat(|_| async { Err::<(), _>("no") })).expect("room");
    desk.run();
    assert!(matches!(Waits::new(job).poll(), Some(Err(JobError::Failed("no")))), "it is known at once");
    assert_eq!(assert_all_accounted(&pool).retried, 0);
}

#[test]
fn dead_letters_say_why() {
    let desk = Desk::new();
    let retry = Retry::new(2).backoff(Backoff::fixed(SECOND));
    let pool: Pool = desk.pool(Config::new(1..=1).retry(retry).dead_letters(2));
    pool.try_execute(async { Err::<(), _>("evicted") }).expect("room");
    desk.run();
    pool.try_execute(repeat(|attempt| async move { Err::<(), _>(format!("attempt {}", attempt.number())) }))
        .expect("room");
    desk.pass(5 * SECOND);
    pool.try_execute(repeat(|_| async { panic_with("lost it") })).expect("room");
    desk.pass(5 * SECOND);
    let letters = pool.dead_letters();
    assert_eq!(
        letters.iter().map(|letter| letter.reason).collect::<Vec<_>>(),
        [DeadReason::Exhausted, DeadReason::Panicked]
    );
    let history: Vec<_> = letters[0].history.iter().map(|failure| (failure.attempt, failure.error.as_str())).collect();
    assert_eq!(history, [(1, "attempt 1"), (2, "attempt 2")]);
    assert_eq!((letters[1].failures, letters[1].history[0].error.as_str()), (1, "panicked: lost it"));
    assert_eq!(assert_all_accounted(&pool).dead_letters, 2);
}

#[test]
fn a_panic_gives_its_payload_and_may_be_tried_again() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1));
    let job = pool.try_submit(async { panic_with(42_u8) }).expect("room");
    let retry = Retry::new(2).backoff(Backoff::fixed(SECOND)).panics(true);
    let again = repeat(|attempt| async move { assert!(attempt.number() > 1, "once") });
    let again = pool.with(JobOptions::new().retry(retry)).try_submit(again).expect("room");
    desk.pass(2 * SECOND);
    match Waits::new(job).poll() {
        Some(Err(JobError::Panicked(panic))) => assert_eq!(panic.into_payload().downcast_ref::<u8>(), Some(&42)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(Waits::new(again).poll(), Some(Ok(()))));
    assert_eq!(
        (desk.tasks() - desk.live_tasks(), assert_all_accounted(&pool).panicked),
        (0, 1),
        "no worker has died of it"
    );
}

#[test]
fn a_pool_grows_with_its_queue_and_shrinks_by_the_keep_alive() {
    let desk = Desk::new();
    let config = Config::new(1..=3).growth(GrowthPolicy::QueueDepth).keep_alive(10 * SECOND);
    let pool: Pool = desk.pool(config);
    let gate = Gate::default();
    for _ in 0..5 {
        pool.try_execute(gate.pass()).expect("room");
    }
    desk.run();
    assert_eq!((pool.workers(), pool.running(), pool.queued()), (3, 3, 2));
    gate.open();
    desk.run();
    assert_eq!((pool.workers(), pool.running()), (3, 0));
    desk.pass(9 * SECOND);
    assert_eq!(pool.workers(), 3);
    desk.pass(SECOND);
    assert_eq!(pool.workers(), 1);
}

#[test]
fn the_worker_that_waits_longest_leaves_first() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=2).keep_alive(10 * SECOND).growth(GrowthPolicy::QueueDepth));
    let gate = Gate::default();
    for _ in 0..2 {
        pool.try_execute(gate.pass()).expect("room");
    }
    desk.run();
    gate.open();
    desk.run();
    assert_eq!(pool.workers(), 2);
    // One job now and then keeps one worker: the same each time.
    for _ in 0..4 {
        desk.pass(4 * SECOND);
        pool.try_execute(async {}).expect("room");
        desk.run();
    }
    assert_eq!(pool.workers(), 1, "the other has waited for sixteen seconds");
}

#[test]
fn a_queue_that_stands_makes_the_pool_grow_by_age() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=4).growth(GrowthPolicy::Age { target_latency: SECOND }));
    for _ in 0..3 {
        pool.try_execute(std::future::pending::<()>()).expect("room");
    }
    desk.pass(Duration::from_nanos(999_999_999));
    assert_eq!((pool.workers(), pool.queued()), (1, 2));
    desk.pass(Duration::from_nanos(1));
    assert_eq!((pool.workers(), pool.queued()), (3, 0), "two have waited for too long");
    desk.pass(10 * SECOND);
    assert_eq!(pool.workers(), 3, "nobody waits");
}

#[test]
fn a_clock_that_steps_back_loses_nothing() {
    let desk = Desk::new();
    let retry = Retry::new(2).backoff(Backoff::fixed(5 * SECOND));
    let pool: Pool = desk.pool(Config::new(1..=2).retry(retry).keep_alive(SECOND).timeout(5 * SECOND));
    desk.pass(100 * SECOND);
    let job = repeat(|attempt| async move { if attempt.number() == 1 { Err("not yet") } else { Ok(()) } });
    let retried = pool.try_submit(job).expect("room");
    let slow = pool.try_submit(std::future::pending::<()>()).expect("room");
    desk.run();
    desk.time.step_back(50 * SECOND);
    let next = pool.try_submit(async {}).expect("room");
    desk.run();
    assert!(next.is_finished());
    desk.pass(60 * SECOND);
    assert!(retried.is_finished() && slow.is_finished(), "{:?}", pool.snapshot());
    assert_all_accounted(&pool);
}

#[test]
fn work_that_blocks_holds_its_worker_until_it_ends_and_is_told_to_stop() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1));
    let (told, saw) = (Arc::new(AtomicU32::new(0)), Polled::default());
    let job = {
        let told = told.clone();
        blocking(move |attempt| told.store(1 + u32::from(attempt.is_stopped()), Ordering::SeqCst))
    };
    let job = pool.with(JobOptions::new().timeout(SECOND)).try_submit(job).expect("room");
    let next = pool.try_submit(saw.job()).expect("room");
    desk.pass(5 * SECOND);
    assert_eq!((pool.running(), saw.times()), (1, 0), "it cannot be cut off");
    assert_eq!(desk.work_off(), 1);
    assert_eq!(told.load(Ordering::SeqCst), 2, "its time was up");
    assert!(matches!(Waits::new(job).poll(), Some(Ok(()))), "it has done its work");
    assert!(next.is_finished());
    assert_all_accounted(&pool);
}
