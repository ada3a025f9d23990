use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use seawall_worker_pool::{Config, FullPolicy, JobError, JobOptions, Order, Pool, Priority, Reason, Weights};

use crate::desk::{Desk, Gate, Waits, assert_all_accounted};

const SECOND: Duration = Duration::from_secs(1);

fn at(priority: Priority) -> JobOptions {
    JobOptions::new().priority(priority)
}

/// A pool whose only worker is busy until the gate opens.
fn busy(desk: &Desk, config: Config) -> (Pool, Gate) {
    let pool: Pool = desk.pool(config);
    let gate = Gate::default();
    pool.try_execute(gate.pass()).expect("the worker is free");
    desk.run();
    assert_eq!(pool.running(), 1);
    (pool, gate)
}

/// What ran, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u32>>>);

impl Log {
    fn job(&self, number: u32) -> impl Future<Output = ()> + Send + use<> {
        let log = self.clone();
        async move { log.0.lock().push(number) }
    }

    fn take(&self) -> Vec<u32> {
        std::mem::take(&mut *self.0.lock())
    }
}

fn panic_with(text: &str) {
    panic!("{text}")
}

#[test]
fn whoever_finds_the_queue_full_is_refused_and_told_how_full() {
    let desk = Desk::new();
    let (pool, _gate) = busy(&desk, Config::new(1..=1).queue(2).full(FullPolicy::Reject));
    for _ in 0..2 {
        pool.try_execute(async {}).expect("room");
    }
    let refused = Waits::new({
        let pool = pool.clone();
        async move { pool.execute(async {}).await.expect_err("full") }
    });
    let refused = { refused }.poll().expect("nobody waits");
    assert_eq!((refused.reason(), refused.queued(), refused.queue(), refused.workers()), (Reason::Full, 2, 2, 1));
    assert_eq!(assert_all_accounted(&pool).refused.full, 1);
}

#[test]
fn the_oldest_job_goes_for_a_new_one_and_its_handle_is_told() {
    let desk = Desk::new();
    let (pool, gate) = busy(&desk, Config::new(1..=1).queue(2).full(FullPolicy::DropOldest));
    let log = Log::default();
    let first = pool.try_submit(log.job(1)).expect("room");
    desk.time.advance(SECOND);
    pool.try_execute(log.job(2)).expect("room");
    pool.try_execute(log.job(3)).expect("the first goes");
    assert!(matches!(Waits::new(first).poll(), Some(Err(JobError::Dropped))));
    gate.open();
    desk.run();
    assert_eq!(log.take(), [2, 3]);
    assert_eq!(assert_all_accounted(&pool).dropped, 1);
}

#[test]
fn the_newest_job_of_the_lowest_priority_goes_for_one_of_a_higher_only() {
    let desk = Desk::new();
    let config = Config::new(1..=1).queue(3).full(FullPolicy::DropLowest).order(Order::Strict);
    let (pool, gate) = busy(&desk, config);
    let log = Log::default();
    pool.with(at(Priority::Low)).try_execute(log.job(1)).expect("room");
    pool.with(at(Priority::Low)).try_execute(log.job(2)).expect("room");
    pool.with(at(Priority::High)).try_execute(log.job(3)).expect("room");
    let refused = pool.with(at(Priority::Low)).try_execute(log.job(4)).expect_err("none is lower");
    assert_eq!(refused.reason(), Reason::Full);
    pool.with(at(Priority::Critical)).try_execute(log.job(5)).expect("job 2 goes");
    gate.open();
    desk.run();
    assert_eq!(log.take(), [5, 3, 1]);
    assert_eq!(assert_all_accounted(&pool).dropped, 1);
}

#[test]
fn whoever_finds_the_queue_full_runs_the_job() {
    let desk = Desk::new();
    let (pool, _gate) = busy(&desk, Config::new(1..=1).queue(0).full(FullPolicy::CallerRuns));
    let log = Log::default();
    let mut submit = {
        let (pool, job) = (pool.clone(), log.job(1));
        Waits::new(async move { pool.submit(job).await })
    };
    let handle = submit.poll().expect("it has run").expect("it was taken");
    assert_eq!((log.take(), handle.is_finished()), (vec![1], true));
    assert_eq!(pool.try_execute(async {}).expect_err("nobody awaits").reason(), Reason::Full);
    let snapshot = assert_all_accounted(&pool);
    assert_eq!((snapshot.completed, snapshot.running), (1, 1));

    let mut submit = {
        let pool = pool.clone();
        Waits::new(async move { pool.submit(async { panic_with("here") }).await })
    };
    let handle = submit.poll().expect("it has run").expect("a panic is a result");
    match Waits::new(handle).poll() {
        Some(Err(JobError::Panicked(panic))) => assert_eq!(panic.message(), Some("here")),
        other => panic!("{other:?}"),
    }
    assert_eq!(assert_all_accounted(&pool).panicked, 1);
}

#[test]
fn what_a_caller_runs_and_drops_midway_was_cancelled() {
    let desk = Desk::new();
    let (pool, _gate) = busy(&desk, Config::new(1..=1).queue(0).full(FullPolicy::CallerRuns));
    let mut submit = {
        let pool = pool.clone();
        Waits::new(async move { pool.execute(std::future::pending::<()>()).await })
    };
    assert!(submit.poll().is_none());
    assert_eq!(assert_all_accounted(&pool).running, 2);
    drop(submit);
    let snapshot = assert_all_accounted(&pool);
    assert_eq!((snapshot.running, snapshot.cancelled), (1, 1));
}

#[test]
fn whoever_waits_for_room_gives_up_when_the_time_is_up() {
    let desk = Desk::new();
    let (pool, _gate) = busy(&desk, Config::new(1..=1).queue(0).max_wait(2 * SECOND));
    let waits = |pool: &Pool, options: JobOptions, max_wait: Option<Duration>| {
        let pool = pool.clone();
        Waits::new(async move {
            let submitted = match max_wait {
                Some(max_wait) => pool.with(options).execute_within(max_wait, async {}).await,
                None => pool.with(options).execute(async {}).await,
            };
            submitted.expect_err("the worker is busy").reason()
        })
    };
    let mut configured = waits(&pool, JobOptions::new(), None);
    let mut own = waits(&pool, JobOptions::new(), Some(SECOND));
    let mut expired = waits(&pool, JobOptions::new().expires_in(SECOND), None);
    let mut none = waits(&pool, JobOptions::new(), Some(Duration::ZERO));
    assert_eq!(none.poll(), Some(Reason::Full));
    assert!([&mut configured, &mut own, &mut expired].into_iter().all(|waits| waits.poll().is_none()));
    assert_eq!(pool.snapshot().submitters, 3);
    desk.pass(SECOND);
    assert_eq!((own.poll_if_woken(), expired.poll_if_woken()), (Some(Reason::TimedOut), Some(Reason::Expired)));
    assert_eq!(configured.poll(), None);
    desk.pass(SECOND);
    assert_eq!(configured.poll_if_woken(), Some(Reason::TimedOut));
    let snapshot = assert_all_accounted(&pool);
    assert_eq!((snapshot.submitters, snapshot.submitted), (0, 1), "refusals are not submissions");
}

#[test]
fn whoever_waits_for_room_gives_up_in_time_though_no_keeper_could_be_started() {
    let desk = Desk::new();
    let (pool, _gate) = busy(&desk, Config::new(1..=1).queue(0));
    desk.take_only(0);
    let mut submit = {
        let pool = pool.clone();
        Waits::new(async move { pool.execute_within(SECOND, async {}).await.map_err(|refused| refused.reason()) })
    };
    assert_eq!(submit.poll(), None);
    desk.pass(SECOND);
    assert_eq!(submit.poll_if_woken(), Some(Err(Reason::TimedOut)));
}

#[test]
fn no_more_than_the_configured_number_waits_for_room() {
    let desk = Desk::new();
    let (pool, _gate) = busy(&desk, Config::new(1..=1).queue(0).submitters(1));
    let mut submits: Vec<_> = (0..2)
        .map(|_| {
            let pool = pool.clone();
            Waits::new(async move { pool.execute(async {}).await.map_err(|refused| refused.reason()) })
        })
        .collect();
    assert_eq!(submits[0].poll(), None);
    assert_eq!(submits[1].poll(), Some(Err(Reason::Full)));
}

#[test]
fn a_queue_of_nothing_hands_a_job_to_a_worker_that_is_free() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(2..=2).queue(0).full(FullPolicy::Reject));
    desk.run();
    for _ in 0..2 {
        pool.try_execute(std::future::pending::<()>()).expect("a worker is free");
    }
    assert!(pool.try_execute(async {}).is_err(), "both workers have been spoken for, though neither has come yet");
    desk.run();
    assert_eq!((pool.running(), pool.queued()), (2, 0));
}

#[test]
fn strict_order_serves_the_highest_priority_first() {
    let desk = Desk::new();
    let (pool, gate) = busy(&desk, Config::new(1..=1).order(Order::Strict));
    let log = Log::default();
    for (number, priority) in
        [(1, Priority::Low), (2, Priority::Critical), (3, Priority::Normal), (4, Priority::Critical)]
    {
        pool.with(at(priority)).try_execute(log.job(number)).expect("room");
        desk.time.advance(3_600 * SECOND);
    }
    gate.open();
    desk.run();
    assert_eq!(log.take(), [2, 4, 3, 1]);
}

#[test]
fn a_job_that_has_waited_long_enough_comes_before_one_of_a_higher_priority() {
    for (head_start, order) in [(2_999, [2, 1]), (3_001, [1, 2])] {
        let desk = Desk::new();
        let (pool, gate) = busy(&desk, Config::new(1..=1).order(Order::Aging(SECOND)));
        let log = Log::default();
        pool.with(at(Priority::Low)).try_execute(log.job(1)).expect("room");
        desk.time.advance(Duration::from_millis(head_start));
        pool.with(at(Priority::Critical)).try_execute(log.job(2)).expect("room");
        gate.open();
        desk.run();
        assert_eq!(log.take(), order, "three steps of priority are three seconds");
    }
}

#[test]
fn weights_share_the_workers_out() {
    let desk = Desk::new();
    let weights = Weights::new(1, 2, 3, 4).expect("none is zero");
    let (pool, gate) = busy(&desk, Config::new(1..=1).order(Order::Weighted(weights)));
    let log = Log::default();
    for number in 0..4 {
        for _ in 0..100 {
            pool.with(at(Priority::ALL[number as usize])).try_execute(log.job(number)).expect("room");
        }
    }
    gate.open();
    desk.run();
    let ran = log.take();
    let shares = [0, 1, 2, 3].map(|number| ran[..100].iter().filter(|ran| **ran == number).count());
    assert_eq!(shares, [10, 20, 30, 40]);
    assert_eq!(ran.len(), 400, "nothing starves");
}

#[test]
fn a_depth_limit_leaves_the_rest_of_the_queue_to_others() {
    let desk = Desk::new();
    let config = Config::new(1..=1).queue(4).full(FullPolicy::Reject).depth_limit(Priority::Low, 1);
    let (pool, _gate) = busy(&desk, config);
    pool.with(at(Priority::Low)).try_execute(async {}).expect("room in the lane");
    let refused = pool.with(at(Priority::Low)).try_execute(async {}).expect_err("the lane is full");
    assert_eq!(refused.reason(), Reason::DepthLimit);
    for _ in 0..3 {
        pool.try_execute(async {}).expect("room");
    }
    assert_eq!(pool.try_execute(async {}).expect_err("full").reason(), Reason::Full);
    assert_eq!(assert_all_accounted(&pool).refused.depth_limit, 1);
}
