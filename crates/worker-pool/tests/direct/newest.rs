//! Who looks at the time for those who wait, room for those who wait when the pool is made larger, and jobs that come again.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use seawall_core::Priority;
use seawall_worker_pool::{
    Backoff, Config, FullPolicy, GrowthPolicy, JobError, JobHandle, JobOptions, Load, Pool, Reason, Refused, Retry,
    repeat,
};

use crate::desk::{Desk, Gate, Waits, assert_all_accounted};

const SECOND: Duration = Duration::from_secs(1);

type Submission = Waits<Result<(), Refused>>;

/// Somebody who waits for room for up to `within`.
fn waits(pool: &Pool, within: Duration, priority: Priority) -> Submission {
    let pool = pool.clone();
    let mut waits = Waits::new(async move {
        let door = pool.with(JobOptions::new().priority(priority));
        door.execute_within(within, async {}).await
    });
    assert!(waits.poll().is_none(), "there is no room");
    waits
}

/// A pool of one worker, which is at work until the gate opens, and a full queue.
fn full(desk: &Desk, config: Config) -> (Pool, Gate) {
    let pool: Pool = desk.pool(config);
    let gate = Gate::default();
    pool.try_execute(gate.pass()).expect("room");
    desk.run();
    while pool.queued() < 1 {
        pool.try_execute(async {}).expect("room");
    }
    (pool, gate)
}

#[test]
fn those_who_wait_give_up_in_time_though_the_keeper_is_lost_and_no_other_can_be_started() {
    let desk = Desk::new();
    let (pool, _gate) = full(&desk, Config::new(1..=1).queue(1));
    let mut waiting = waits(&pool, 2 * SECOND, Priority::Normal);
    desk.run();
    desk.take_only(0);
    // The last task is the keeper, which was started for the one who waits.
    desk.lose(desk.tasks() - 1);
    assert!(waiting.poll_if_woken().is_none());
    desk.pass(3 * SECOND);
    let refused = waiting.poll_if_woken().expect("its time is up").expect_err("no room came");
    assert_eq!(refused.reason(), Reason::TimedOut);
}

#[test]
fn those_who_wait_give_up_in_time_though_the_keeper_is_lost() {
    let desk = Desk::new();
    let (pool, _gate) = full(&desk, Config::new(1..=1).queue(1));
    let mut waiting = waits(&pool, 2 * SECOND, Priority::Normal);
    desk.run();
    desk.lose(desk.tasks() - 1);
    desk.pass(3 * SECOND);
    let refused = waiting.poll_if_woken().expect("its time is up").expect_err("no room came");
    assert_eq!(refused.reason(), Reason::TimedOut);
}

#[test]
fn an_attempt_ends_in_time_though_the_keeper_is_lost() {
    for is_replaced in [true, false] {
        let desk = Desk::new();
        let pool: Pool = desk.pool(Config::new(1..=1).timeout(2 * SECOND));
        let job = pool.try_submit(std::future::pending::<()>()).expect("room");
        desk.run();
        assert_eq!(desk.tasks(), 2, "a worker and a keeper");
        desk.time.advance(SECOND);
        if !is_replaced {
            desk.take_only(0);
        }
        desk.lose(1);
        desk.pass(SECOND);
        assert!(matches!(Waits::new(job).poll(), Some(Err(JobError::TimedOut))), "replaced: {is_replaced}");
    }
}

#[test]
fn workers_that_cannot_be_started_make_no_room_for_those_who_wait() {
    let desk = Desk::new();
    let (pool, gate) = full(&desk, Config::new(1..=1).queue(1));
    let mut waiting: Vec<_> = (0..20).map(|_| waits(&pool, 60 * SECOND, Priority::Normal)).collect();
    desk.take_only(1);
    desk.run();
    desk.take_only(0);
    pool.resize(1..=50).expect("valid");
    let mut refused = 0;
    let mut most = 0;
    for _ in 0..100 {
        desk.pass(SECOND / 10);
        waiting.retain_mut(|one| match one.poll_if_woken() {
            None => true,
            Some(end) => {
                refused += usize::from(end.is_err());
                false
            }
        });
        most = most.max(pool.queued());
    }
    assert_eq!((most, refused), (1, 0), "{:?}", pool.snapshot());
    gate.open();
    for _ in 0..40 {
        desk.run();
        waiting.retain_mut(|one| one.poll_if_woken().is_none());
    }
    assert!(waiting.is_empty(), "{:?}", pool.snapshot());
    assert_all_accounted(&pool);
}

#[test]
fn a_pool_that_is_made_larger_has_no_more_workers_than_it_may() {
    let desk = Desk::new();
    let (pool, gate) = full(&desk, Config::new(1..=1).queue(1));
    let mut waiting: Vec<_> = (0..20).map(|_| waits(&pool, 60 * SECOND, Priority::Normal)).collect();
    pool.resize(1..=4).expect("valid");
    for _ in 0..50 {
        desk.run();
        assert!(pool.workers() <= 4, "{:?}", pool.snapshot());
        waiting.retain_mut(|one| one.poll_if_woken().is_none());
    }
    assert!(waiting.is_empty());
    gate.open();
    desk.run();
    assert_eq!(assert_all_accounted(&pool).completed, 22);
}

#[test]
fn nobody_is_hired_for_one_whose_priority_has_no_room() {
    let desk = Desk::new();
    let (pool, gate) = full(&desk, Config::new(1..=1).queue(1).depth_limit(Priority::Low, 0));
    let mut low = waits(&pool, 60 * SECOND, Priority::Low);
    pool.resize(1..=8).expect("valid");
    desk.run();
    assert!(pool.workers() <= 2, "{:?}", pool.snapshot());
    gate.open();
    desk.run();
    assert!(low.poll_if_woken().is_some(), "a worker is free");
}

#[test]
fn a_priority_that_may_not_wait_gets_a_worker_that_can_be_added() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=2).depth_limit(Priority::Low, 0));
    pool.try_execute(std::future::pending::<()>()).expect("room");
    desk.run();
    let low = pool.with(JobOptions::new().priority(Priority::Low)).try_submit(async {});
    assert!(low.is_ok(), "a second worker can be added: {low:?}");

    let nobody: Pool = desk.pool(Config::new(0..=2).depth_limit(Priority::Low, 0));
    let low = nobody.with(JobOptions::new().priority(Priority::Low)).try_submit(async {});
    assert!(low.is_ok(), "a first worker can be added: {low:?}");
}

#[test]
fn what_a_caller_runs_is_told_to_stop_by_a_drain() {
    let desk = Desk::new();
    let (pool, _gate) = full(&desk, Config::new(1..=1).queue(1).full(FullPolicy::CallerRuns).grace(SECOND));
    let here = pool.clone();
    let mut here = Waits::new(async move { here.run(std::future::pending::<()>()).await });
    assert!(here.poll().is_none());
    assert_eq!(pool.running(), 2);
    let draining = pool.clone();
    let mut draining = Waits::new(async move { draining.drain(SECOND).await });
    assert!(draining.poll().is_none());
    desk.pass(SECOND);
    assert!(draining.poll_if_woken().is_none());
    let end = here.poll_if_woken();
    assert!(matches!(end, Some(Ok(Err(JobError::Cancelled)))), "{end:?}");
    desk.run();
    let report = draining.poll_if_woken().expect("all has ended");
    assert_eq!((report.cancelled, report.returned.len(), report.running), (2, 1, 0));
}

#[test]
fn ten_thousand_who_wait_give_up_together() {
    let desk = Desk::new();
    let (pool, _gate) = full(&desk, Config::new(1..=1).queue(1).submitters(10_000));
    let mut waiting: Vec<_> = (0..10_000).map(|_| waits(&pool, SECOND, Priority::Normal)).collect();
    desk.pass(SECOND);
    assert!(waiting.iter().all(Waits::is_woken));
    for one in &mut waiting {
        let refused = one.poll().expect("woken").expect_err("late");
        assert_eq!(refused.reason(), Reason::TimedOut);
    }
    assert_eq!(pool.snapshot().submitters, 0);
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn the_last_waker_is_the_one_that_is_told() {
    for is_late in [true, false] {
        let desk = Desk::new();
        let (pool, gate) = full(&desk, Config::new(1..=1).queue(1).max_wait(SECOND));
        let mut submission = Box::pin(pool.execute(async {}));
        let wakers: Vec<_> = (0..5).map(|_| Arc::new(Count(AtomicUsize::new(0)))).collect();
        for waker in &wakers {
            let waker = Waker::from(waker.clone());
            assert!(submission.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        if is_late {
            desk.pass(SECOND);
        } else {
            gate.open();
            desk.run();
        }
        let woken: Vec<_> = wakers.iter().map(|waker| waker.0.load(Ordering::SeqCst)).collect();
        assert_eq!(woken, [0, 0, 0, 0, 1], "late: {is_late}");
        drop(submission);
        desk.run();
        assert_eq!(pool.snapshot().submitters, 0);
        assert!(wakers.iter().all(|waker| Arc::strong_count(waker) == 1), "no waker is kept");
    }
}

#[test]
fn those_who_wait_are_served_after_another_policy_was_set() {
    for policy in [FullPolicy::Reject, FullPolicy::DropOldest, FullPolicy::DropLowest, FullPolicy::CallerRuns] {
        let desk = Desk::new();
        let config = Config::new(1..=1).queue(1);
        let (pool, gate) = full(&desk, config.clone());
        let mut first = waits(&pool, 2 * SECOND, Priority::Normal);
        let mut second = waits(&pool, 60 * SECOND, Priority::High);
        pool.reconfigure(config.full(policy)).expect("valid");
        desk.pass(3 * SECOND);
        let refused = first.poll_if_woken().expect("its time is up").expect_err("no room");
        assert_eq!(refused.reason(), Reason::TimedOut, "{policy:?}");
        gate.open();
        desk.run();
        assert!(matches!(second.poll_if_woken(), Some(Ok(()))), "{policy:?}");
        desk.run();
        assert_all_accounted(&pool);
    }
}

#[test]
fn limits_that_change_while_somebody_waits_hold_at_once() {
    let desk = Desk::new();
    let config = Config::new(1..=1).queue(8).depth_limit(Priority::Low, 1);
    let (pool, _gate) = full(&desk, config.clone());
    let low = JobOptions::new().priority(Priority::Low);
    pool.with(low).try_execute(async {}).expect("room");
    let mut waiting: Vec<_> = (0..4).map(|_| waits(&pool, 60 * SECOND, Priority::Low)).collect();
    let mut served = || {
        for _ in 0..8 {
            desk.run();
            waiting.retain_mut(|one| one.poll_if_woken().is_none());
        }
        4 - waiting.len()
    };
    pool.reconfigure(config.clone().depth_limit(Priority::Low, 3)).expect("valid");
    assert_eq!(served(), 2);
    pool.reconfigure(config.clone().depth_limit(Priority::Low, 0)).expect("valid");
    assert_eq!(served(), 2);
    pool.reconfigure(Config::new(1..=1).queue(8)).expect("valid");
    assert_eq!(served(), 4);
}

#[test]
fn dead_letters_keep_their_order_when_they_are_refused() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(2..=2).queue(1));
    let gate = Gate::default();
    let late = {
        let gate = gate.clone();
        repeat(move |_| {
            let passed = gate.pass();
            async move {
                passed.await;
                Err::<(), _>("late")
            }
        })
    };
    pool.try_execute(late).expect("room");
    pool.try_execute(repeat(|_| async { Err::<(), _>("soon") })).expect("room");
    desk.run();
    gate.open();
    desk.run();
    let before: Vec<_> = pool.dead_letters();
    assert_eq!(before.iter().map(|letter| letter.history[0].error.as_str()).collect::<Vec<_>>(), ["soon", "late"]);
    // No room: two run for ever, one waits.
    let hold = Gate::default();
    for _ in 0..3 {
        pool.try_execute(hold.pass()).expect("room");
        desk.run();
    }
    let refused = pool.redrive(before[0].job).expect_err("no room");
    assert_eq!(refused.reason(), Reason::Full);
    assert_eq!(pool.redrive_all().expect_err("no room").reason(), Reason::Full);
    assert_eq!(pool.dead_letters(), before);
    hold.open();
    desk.run();
    assert!(pool.redrive(before[0].job).expect("room"));
    assert!(!pool.redrive(before[0].job).expect("it is gone"));
    desk.run();
    assert_all_accounted(&pool);
}

#[test]
fn a_queue_that_stands_makes_the_pool_grow_though_the_keeper_is_lost() {
    let desk = Desk::new();
    let growth = GrowthPolicy::Age { target_latency: SECOND };
    let pool: Pool = desk.pool(Config::new(1..=2).growth(growth));
    pool.try_execute(std::future::pending::<()>()).expect("room");
    pool.try_execute(async {}).expect("room");
    desk.run();
    assert_eq!(desk.tasks(), 2, "a worker and a keeper");
    desk.lose(1);
    desk.pass(2 * SECOND);
    assert_eq!((pool.workers(), pool.queued()), (2, 0), "{:?}", pool.snapshot());
}

#[test]
fn an_idle_worker_leaves_though_the_keeper_is_lost() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(0..=1).growth(GrowthPolicy::QueueDepth).keep_alive(5 * SECOND));
    pool.try_execute(async {}).expect("room");
    desk.run();
    assert_eq!((desk.tasks(), pool.workers()), (2, 1), "a worker and a keeper");
    desk.lose(1);
    desk.pass(10 * SECOND);
    assert_eq!(pool.workers(), 0, "{:?}", pool.snapshot());
}

#[test]
fn each_attempt_of_a_job_has_its_own_time() {
    let desk = Desk::new();
    let retry = Retry::new(3).backoff(Backoff::fixed(Duration::from_nanos(1)));
    let pool: Pool = desk.pool(Config::new(1..=1).timeout(SECOND).retry(retry));
    let begun = Arc::new(AtomicUsize::new(0));
    let job = {
        let begun = begun.clone();
        repeat(move |_| {
            begun.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<Result<(), &str>>()
        })
    };
    let job = pool.try_submit(job).expect("room");
    for attempt in 1..=3 {
        desk.pass(Duration::from_nanos(2));
        assert_eq!(begun.load(Ordering::SeqCst), attempt);
        desk.pass(SECOND / 2);
        assert_eq!(begun.load(Ordering::SeqCst), attempt);
        desk.pass(SECOND / 2);
    }
    assert!(matches!(Waits::new(job).poll(), Some(Err(JobError::TimedOut))));
    assert_eq!(pool.dead_letters()[0].failures, 3);
}

#[test]
fn waits_and_attempts_end_though_the_clock_steps_back() {
    let desk = Desk::new();
    desk.pass(100 * SECOND);
    let (pool, _gate) = full(&desk, Config::new(1..=1).queue(1));
    let mut waiting = waits(&pool, 5 * SECOND, Priority::Normal);
    desk.run();
    desk.time.step_back(50 * SECOND);
    let mut later = waits(&pool, 5 * SECOND, Priority::Normal);
    desk.pass(5 * SECOND);
    assert!(later.poll_if_woken().is_some_and(|end| end.is_err()), "who came after it waits for no more than it may");
    desk.pass(50 * SECOND);
    assert!(waiting.poll_if_woken().is_some_and(|end| end.is_err()));
}

#[test]
fn what_is_run_is_dropped_with_its_future_at_every_stage() {
    for policy in [FullPolicy::Wait, FullPolicy::CallerRuns] {
        for stage in 0..4 {
            let desk = Desk::new();
            let (pool, gate) = full(&desk, Config::new(1..=1).queue(1).full(policy));
            let held = Arc::new(());
            let own = Gate::default();
            let mut run = {
                let (pool, held, passed) = (pool.clone(), held.clone(), own.pass());
                Waits::new(async move {
                    let job = async move {
                        passed.await;
                        drop(held);
                    };
                    pool.run(job).await
                })
            };
            if stage > 0 {
                assert!(run.poll().is_none());
            }
            if stage > 1 {
                gate.open();
                desk.run();
            }
            if stage > 2 {
                assert!(run.poll().is_none());
                desk.run();
                assert_eq!(pool.running(), 1, "{policy:?}");
            }
            drop(run);
            desk.run();
            assert_eq!(Arc::strong_count(&held), 1, "{policy:?} {stage}");
            gate.open();
            desk.run();
            let snapshot = assert_all_accounted(&pool);
            assert_eq!((snapshot.submitters, snapshot.queued, snapshot.running), (0, 0, 0), "{policy:?} {stage}");
            pool.try_execute(async {}).expect("the room came back");
        }
    }
}

#[test]
fn a_rule_of_growth_that_panics_costs_no_job() {
    let desk = Desk::new();
    let asked = AtomicUsize::new(0);
    let growth = move |_: &Load| {
        let asked = asked.fetch_add(1, Ordering::SeqCst);
        assert!(asked != 1, "the rule panics once");
        false
    };
    let pool: Pool = desk.pool(Config::new(1..=2).growth(growth));
    let handles: Vec<_> = (0..3)
        .filter_map(|_| std::panic::catch_unwind(AssertUnwindSafe(|| pool.try_submit(async {}))).ok()?.ok())
        .collect();
    for _ in 0..4 {
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| desk.run()));
    }
    assert!(handles.iter().all(JobHandle::is_finished), "{:?}", pool.snapshot());
    let snapshot = assert_all_accounted(&pool);
    assert_eq!((handles.len(), snapshot.completed), (3, 3), "{snapshot:?}");
}

#[test]
fn a_rule_of_growth_that_panics_when_a_worker_asks_costs_no_job() {
    let desk = Desk::new();
    let is_on = Arc::new(AtomicBool::new(false));
    let growth = {
        let is_on = is_on.clone();
        move |_: &Load| {
            assert!(!is_on.swap(false, Ordering::SeqCst), "the rule panics once");
            false
        }
    };
    let pool: Pool = desk.pool(Config::new(1..=2).growth(growth));
    let handles: Vec<_> = (0..3).map(|_| pool.try_submit(async {}).expect("room")).collect();
    is_on.store(true, Ordering::SeqCst);
    for _ in 0..4 {
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| desk.run()));
    }
    assert!(handles.iter().all(JobHandle::is_finished), "{:?}", pool.snapshot());
    assert_eq!(assert_all_accounted(&pool).completed, 3);
}

#[test]
fn a_worker_that_can_be_added_makes_room_in_a_lane_only_for_a_job_that_it_would_take() {
    let desk = Desk::new();
    let config = Config::new(1..=8).queue(100).growth(GrowthPolicy::WhenFull).depth_limit(Priority::Low, 0);
    let pool: Pool = desk.pool(config);
    pool.try_execute(std::future::pending::<()>()).expect("room");
    desk.run();
    for _ in 0..10 {
        pool.try_execute(std::future::pending::<()>()).expect("room");
    }
    let low = JobOptions::new().priority(Priority::Low);
    for _ in 0..10 {
        let refused = pool.with(low).try_execute(async {}).expect_err("the new worker would take another first");
        assert_eq!(refused.reason(), Reason::DepthLimit);
        desk.run();
    }
    assert_eq!(pool.workers(), 1, "nobody was hired for it");
}

#[test]
fn workers_that_cannot_be_started_make_no_room_in_a_lane() {
    let desk = Desk::new();
    desk.take_only(1);
    let pool: Pool = desk.pool(Config::new(1..=4).queue(100).depth_limit(Priority::Low, 2));
    pool.try_execute(std::future::pending::<()>()).expect("room");
    desk.run();
    let low = JobOptions::new().priority(Priority::Low);
    let taken = (0..50).filter(|_| pool.with(low).try_execute(async {}).is_ok()).count();
    assert_eq!((taken, pool.queued()), (2, 2), "{:?}", pool.snapshot());
    assert_all_accounted(&pool);
}

struct Asks(Pool);

impl Wake for Asks {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Asks {
    fn drop(&mut self) {
        assert!(self.0.queued() < 10, "it can be asked");
    }
}

#[test]
fn the_waker_of_a_caller_that_runs_its_job_is_not_dropped_under_the_lock() {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        let desk = Desk::new();
        let (pool, _gate) = full(&desk, Config::new(1..=1).queue(1).full(FullPolicy::CallerRuns));
        let mut submission = Box::pin(pool.execute(std::future::pending::<()>()));
        let waker = Waker::from(Arc::new(Asks(pool.clone())));
        assert!(submission.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        drop(submission);
        done.send(assert_all_accounted(&pool).cancelled).expect("somebody waits");
    });
    assert_eq!(is_done.recv_timeout(20 * SECOND), Ok(1));
}

#[test]
fn the_waker_of_one_who_waits_for_room_is_not_dropped_under_the_lock() {
    for is_late in [false, true] {
        let (done, is_done) = mpsc::channel();
        std::thread::spawn(move || {
            let desk = Desk::new();
            let (pool, _gate) = full(&desk, Config::new(1..=1).queue(1).max_wait(SECOND));
            let mut submission = Box::pin(pool.execute(async {}));
            for _ in 0..2 {
                let waker = Waker::from(Arc::new(Asks(pool.clone())));
                assert!(submission.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            }
            if is_late {
                desk.pass(SECOND);
            }
            drop(submission);
            done.send(pool.snapshot().submitters).expect("somebody waits");
        });
        assert_eq!(is_done.recv_timeout(20 * SECOND), Ok(0), "late: {is_late}");
    }
}
