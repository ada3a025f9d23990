use std::time::Duration;

use seawall_core::Backoff;
use seawall_core::spawn::Spawner;
use seawall_worker_pool::{
    Config, GrowthPolicy, JobHandle, JobOptions, Order, Pool, Priority, Reason, Retry, blocking, repeat,
};

use crate::desk::{Desk, Gate, Waits, assert_all_accounted};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_cannot_be_is_refused_by_its_name() {
    let backwards = std::ops::RangeInclusive::new(5, 3);
    let long = Duration::from_secs(367 * 86_400);
    let cases = [
        (Config::new(backwards), "workers", "5..=3"),
        (Config::new(0..=0), "workers", "0..=0"),
        (Config::new(1..=usize::MAX), "workers", "1..=18446744073709551615"),
        (Config::new(1..=1).queue(usize::MAX), "queue", "18446744073709551615"),
        (Config::new(1..=1).retrying(usize::MAX), "retrying", "18446744073709551615"),
        (Config::new(1..=1).dead_letters(usize::MAX), "dead_letters", "18446744073709551615"),
        (Config::new(1..=1).submitters(usize::MAX), "submitters", "18446744073709551615"),
        (Config::new(1..=1).keep_alive(Duration::ZERO), "keep_alive", "0ns"),
        (Config::new(1..=1).timeout(Duration::ZERO), "timeout", "0ns"),
        (Config::new(1..=1).expires_in(Duration::ZERO), "expires_in", "0ns"),
        (Config::new(1..=1).order(Order::Aging(Duration::ZERO)), "order.aging", "0ns"),
        (Config::new(1..=1).max_wait(long), "max_wait", "31708800s"),
        (
            Config::new(1..=1).growth(GrowthPolicy::Age { target_latency: Duration::ZERO }),
            "growth.age.target_latency",
            "0ns",
        ),
        (Config::new(1..=1).retry(Retry::new(0)), "retry.attempts", "0"),
        (Config::new(1..=1).retry(Retry::new(2).backoff(Backoff::fixed(long))), "retry.backoff.max", "31708800s"),
    ];
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1));
    for (config, field, value) in cases {
        for error in [
            Pool::new(config.clone(), Spawner::threads()).expect_err("it cannot be"),
            pool.reconfigure(config).expect_err("it cannot be"),
        ] {
            assert_eq!((error.field(), error.value()), (field, value), "{error}");
        }
    }
    let error = pool.reconfigure(Config::new(1..=1).name("other")).expect_err("a pool keeps its name");
    assert_eq!(error.field(), "name");
    for beyond in [0, 2] {
        assert_eq!(pool.scale_to(beyond).expect_err("outside").field(), "workers");
    }
    #[expect(clippy::reversed_empty_ranges, reason = "it is to be refused")]
    let error = pool.resize(5..=3).expect_err("backwards");
    assert_eq!(error.field(), "workers");
    assert_eq!((pool.snapshot().min_workers, pool.snapshot().max_workers), (1, 1), "nothing has changed");
}

#[test]
fn workers_that_are_too_many_end_their_jobs_before_they_leave() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=4));
    pool.scale_to(4).expect("within");
    let gate = Gate::default();
    for _ in 0..3 {
        pool.try_execute(gate.pass()).expect("room");
    }
    desk.run();
    assert_eq!((pool.workers(), pool.running()), (4, 3));
    pool.resize(1..=2).expect("valid");
    desk.run();
    assert_eq!((pool.workers(), pool.running()), (3, 3), "who waits leaves at once, and nobody is interrupted");
    assert_eq!(pool.snapshot().scaled_to, Some(2), "what was said is brought into the range");
    gate.open();
    desk.run();
    assert_eq!((pool.workers(), assert_all_accounted(&pool).completed), (2, 3));
    pool.resize(4..=4).expect("valid");
    desk.run();
    assert_eq!(pool.workers(), 4, "who is missing is started at once");
}

#[test]
fn a_queue_that_is_shorter_now_keeps_what_it_has() {
    let desk = Desk::new();
    let config = Config::new(1..=1).queue(4);
    let pool: Pool = desk.pool(config.clone());
    let gate = Gate::default();
    pool.try_execute(gate.pass()).expect("room");
    desk.run();
    for _ in 0..4 {
        pool.try_execute(async {}).expect("room");
    }
    pool.reconfigure(config.queue(1)).expect("valid");
    assert_eq!(pool.queued(), 4);
    assert_eq!(pool.try_execute(async {}).expect_err("full").reason(), Reason::Full);
    gate.open();
    desk.run();
    assert_eq!(assert_all_accounted(&pool).completed, 5);
}

#[test]
fn scaling_up_makes_room_for_those_who_wait() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=4).queue(0).growth(GrowthPolicy::ByHand));
    pool.try_execute(std::future::pending::<()>()).expect("a worker is free");
    desk.run();
    let mut submits: Vec<_> = (0..4)
        .map(|_| {
            let pool = pool.clone();
            Waits::new(async move { pool.execute(std::future::pending::<()>()).await.is_ok() })
        })
        .collect();
    assert!(submits.iter_mut().all(|submit| submit.poll().is_none()));
    pool.scale_to(4).expect("within");
    // Workers that have not come may not come: room is theirs to give.
    desk.run();
    let served = submits.iter_mut().filter_map(Waits::poll_if_woken).count();
    desk.run();
    assert_eq!((served, pool.running(), pool.snapshot().submitters), (3, 4, 1));
}

#[test]
fn a_closed_pool_takes_nothing_and_ends_by_itself() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(2..=4));
    let gate = Gate::default();
    let jobs: Vec<_> = (0..6).map(|_| pool.try_submit(gate.pass()).expect("room")).collect();
    desk.run();
    pool.close();
    pool.close();
    assert!(!pool.is_open());
    assert_eq!(pool.try_execute(async {}).expect_err("closed").reason(), Reason::Stopped);
    let mut submit = {
        let pool = pool.clone();
        Waits::new(async move { pool.execute(async {}).await.expect_err("closed").reason() })
    };
    assert_eq!(submit.poll(), Some(Reason::Stopped));
    pool.scale_to(3).expect("within");
    pool.resize(1..=8).expect("valid");
    gate.open();
    desk.run();
    assert!(jobs.iter().all(JobHandle::is_finished));
    assert_eq!((pool.workers(), desk.live_tasks()), (0, 0));
    assert_eq!(assert_all_accounted(&pool).completed, 6);
}

#[test]
fn a_drain_works_off_what_there_is_and_gives_back_what_has_not_begun() {
    let desk = Desk::new();
    let retry = Retry::new(2).backoff(Backoff::fixed(60 * SECOND));
    let pool: Pool = desk.pool(Config::new(1..=1).retry(retry).grace(SECOND));
    let failing = repeat(|_| async { Err::<(), _>("no") });
    let delayed = pool.try_submit(failing).expect("room");
    pool.try_execute(async {}).expect("room");
    desk.run();
    let ends = desk.clock.clone();
    let first = pool.try_submit(async move { ends.sleep(SECOND).await }).expect("room");
    let stuck = pool.try_submit(std::future::pending::<()>()).expect("room");
    let waiting = pool.with(JobOptions::new().priority(Priority::Low)).try_submit(async { Ok::<_, String>(5) });
    let waiting = waiting.expect("room");
    let mut drain = {
        let pool = pool.clone();
        Waits::new(async move { pool.drain(10 * SECOND).await })
    };
    assert!(drain.poll().is_none());
    desk.pass(10 * SECOND);
    assert!(drain.poll_if_woken().is_none(), "what runs is told to stop");
    desk.run();
    let report = drain.poll_if_woken().expect("all jobs have ended");
    assert_eq!((report.completed, report.failed, report.expired, report.cancelled), (1, 0, 0, 1));
    assert_eq!((report.returned.len(), report.running), (2, 0));
    assert!(first.is_finished() && stuck.is_finished() && !waiting.is_finished() && !delayed.is_finished());
    assert_eq!(assert_all_accounted(&pool).dropped, 2);

    let other: Pool = desk.pool(Config::new(1..=1));
    for unit in report.returned {
        other.try_resubmit(unit).expect("room");
    }
    desk.run();
    assert!(matches!(Waits::new(waiting).poll(), Some(Ok(5))), "whoever waits for it waits on");
    assert!(delayed.is_finished());
}

#[test]
fn a_drain_does_not_wait_for_work_that_blocks_and_does_not_ask() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1).grace(SECOND));
    pool.try_execute(blocking(|_| ())).expect("room");
    desk.run();
    let mut drain = {
        let pool = pool.clone();
        Waits::new(async move { pool.drain(SECOND).await })
    };
    assert!(drain.poll().is_none());
    desk.pass(SECOND);
    assert!(drain.poll_if_woken().is_none());
    desk.pass(SECOND);
    assert_eq!(drain.poll_if_woken().expect("the grace is over").running, 1);
    desk.work_off();
    let snapshot = assert_all_accounted(&pool);
    assert_eq!((snapshot.running, snapshot.workers, desk.live_tasks()), (0, 0, 0));
}
