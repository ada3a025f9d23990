use std::sync::mpsc;
use std::time::Duration;

use seawall_worker_pool::{Backoff, Config, GrowthPolicy, JobError, Load, Pool, Reason, Retry, repeat};

use crate::desk::{Desk, Gate, Waits, assert_all_accounted};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_worker_that_waits_is_woken_though_another_could_not_be_started() {
    let desk = Desk::new();
    desk.take_only(1);
    let pool: Pool = desk.pool(Config::new(2..=2).growth(GrowthPolicy::QueueDepth));
    desk.run();
    assert_eq!(pool.workers(), 1);
    let job = pool.try_submit(async {}).expect("there is a worker");
    desk.run();
    assert!(job.is_finished(), "the worker that waits is not told of the job: {:?}", pool.snapshot());
    assert_all_accounted(&pool);
}

#[test]
fn a_worker_that_waits_is_woken_when_one_is_lost_before_it_began() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=2));
    desk.run();
    pool.scale_to(2).expect("within");
    let job = pool.try_submit(async {}).expect("there is room");
    // The second worker was counted on, and never runs.
    desk.lose(desk.tasks() - 1);
    desk.run();
    assert!(job.is_finished(), "{:?}", pool.snapshot());
}

#[test]
fn workers_that_cannot_be_started_make_no_room() {
    let desk = Desk::new();
    desk.take_only(1);
    let pool: Pool = desk.pool(Config::new(1..=4).queue(2).growth(GrowthPolicy::WhenFull));
    let gate = Gate::default();
    pool.try_execute(gate.pass()).expect("there is room");
    desk.run();
    let taken = (0..50).filter(|_| pool.try_execute(async {}).is_ok()).count();
    assert_eq!((taken, pool.queued()), (2, 2), "the queue is bounded whatever the spawner does");
    assert_all_accounted(&pool);
    gate.open();
    desk.run();
    assert_eq!(assert_all_accounted(&pool).completed, 3);
}

#[test]
fn a_spawner_that_drops_what_it_took_is_one_that_refused() {
    let desk = Desk::new();
    desk.drop_what_comes();
    let pool: Pool = desk.pool(Config::new(0..=2));
    let refused = pool.try_submit(async {}).expect_err("nobody is there to run it");
    assert_eq!(refused.reason(), Reason::NoWorker);
    let snapshot = assert_all_accounted(&pool);
    assert_eq!((snapshot.workers, snapshot.submitted), (0, 0));
}

#[test]
fn a_pool_whose_workers_are_dropped_as_they_come_gives_up_instead_of_trying_for_ever() {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        let desk = Desk::new();
        desk.drop_what_comes();
        let pool: Pool = desk.pool(Config::new(2..=2));
        done.send((pool.workers(), desk.offered())).expect("somebody waits");
    });
    let (workers, offered) = is_done.recv_timeout(20 * SECOND).expect("the pool is made");
    assert_eq!(workers, 0);
    assert!(offered <= 2, "{offered} attempts");
}

#[cfg(feature = "tokio")]
#[test]
fn a_runtime_that_is_shut_down_ends_and_tells_whoever_waits_for_a_job() {
    for is_multi_thread in [false, true] {
        let (done, is_done) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = if is_multi_thread {
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
            } else {
                tokio::runtime::Builder::new_current_thread().enable_all().build()
            };
            let runtime = runtime.expect("a runtime");
            let (pool, running, queued) = runtime.block_on(async {
                let pool = Pool::new(Config::new(1..=1).queue(8), seawall_core::spawn::Spawner::tokio().expect("here"))
                    .expect("valid");
                let running = pool.submit(std::future::pending::<()>()).await.expect("room");
                while pool.running() == 0 {
                    tokio::task::yield_now().await;
                }
                let queued = pool.submit(async {}).await.expect("room");
                (pool, running, queued)
            });
            drop(runtime);
            let ends = (smol::block_on(running), smol::block_on(queued));
            assert_all_accounted(&pool);
            assert!(pool.try_submit(async {}).is_err(), "nobody runs it any more");
            done.send(ends).expect("somebody waits");
        });
        let (running, queued) = is_done.recv_timeout(20 * SECOND).expect("the runtime ends");
        assert!(matches!(running, Err(JobError::Lost)), "{running:?}");
        assert!(matches!(queued, Err(JobError::Lost)), "{queued:?}");
    }
}

#[test]
fn a_job_whose_worker_is_lost_says_so() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1));
    let job = pool.try_submit(std::future::pending::<()>()).expect("there is room");
    desk.run();
    assert_eq!(pool.running(), 1);
    desk.lose(0);
    let end = Waits::new(job).poll().expect("it has ended");
    assert!(matches!(end, Err(JobError::Lost)), "{end:?}");
    desk.run();
    let snapshot = assert_all_accounted(&pool);
    assert_eq!((snapshot.failed, snapshot.workers), (1, 1), "another worker takes its place");
}

/// A worker lets others run after many jobs without a wait, and may be dropped there.
#[test]
fn a_job_that_succeeded_is_not_lost_with_its_worker() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1).growth(GrowthPolicy::ByHand));
    let jobs: Vec<_> = (0..1_000).map(|_| pool.try_submit(async {}).expect("there is room")).collect();
    assert!(desk.step(), "the worker comes");
    let done = jobs.iter().filter(|job| job.is_finished()).count();
    assert!((1..1_000).contains(&done), "it lets others run in between: {done}");
    assert_eq!(pool.running(), 0, "and holds no job meanwhile");
    desk.lose(0);
    desk.run();
    for job in jobs {
        assert!(matches!(Waits::new(job).poll(), Some(Ok(()))));
    }
    assert_eq!(assert_all_accounted(&pool).completed, 1_000);
}

#[test]
fn jobs_are_not_given_up_while_a_worker_can_be_started() {
    for growth in [GrowthPolicy::WhenFull, GrowthPolicy::Age { target_latency: SECOND }] {
        for closes in [false, true] {
            let desk = Desk::new();
            let pool: Pool = desk.pool(Config::new(0..=1).growth(growth.clone()));
            let running = pool.try_submit(std::future::pending::<()>()).expect("there is room");
            desk.pass(2 * SECOND);
            assert_eq!(pool.running(), 1, "{growth:?}: a pool with a job and no worker starts one");
            let queued = pool.try_submit(async {}).expect("there is room");
            if closes {
                pool.close();
            }
            let worker = (0..desk.tasks()).find(|_| pool.running() == 1).expect("it runs");
            drop(running);
            lose_who_runs(&desk, &pool, worker);
            desk.pass(5 * SECOND);
            let end = Waits::new(queued).poll();
            assert!(matches!(end, Some(Ok(()))), "{growth:?}, closed: {closes}: {end:?}");
        }
    }
}

/// Loses the task that holds the only job that runs; the keeper may be before it.
fn lose_who_runs(desk: &Desk, pool: &Pool, from: usize) {
    for at in from..desk.tasks() {
        if pool.running() == 0 {
            return;
        }
        if desk.is_live(at) {
            desk.lose(at);
        }
    }
}

#[test]
fn a_retry_comes_though_the_keeper_was_refused_once() {
    let desk = Desk::new();
    desk.take_only(1);
    let retry = Retry::new(2).backoff(Backoff::fixed(SECOND));
    let pool: Pool = desk.pool(Config::new(1..=1).retry(retry));
    let job = repeat(|attempt| async move { if attempt.number() == 1 { Err("not yet") } else { Ok(()) } });
    let job = pool.try_submit(job).expect("there is room");
    // The keeper is refused in this moment, and would be taken in the next.
    while pool.snapshot().retried == 0 {
        assert!(desk.step(), "the first attempt has ended");
    }
    desk.take_only(usize::MAX);
    desk.pass(10 * SECOND);
    assert!(job.is_finished(), "a worker is there and has nothing to do: {:?}", pool.snapshot());
}

#[test]
fn a_rule_that_wants_to_look_again_at_once_does_not_take_the_thread_for_itself() {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        struct Restless;
        impl seawall_worker_pool::Growth for Restless {
            fn grows(&self, load: &Load) -> bool {
                load.workers == 0
            }
            fn look_again_after(&self) -> Option<Duration> {
                Some(Duration::ZERO)
            }
        }
        let desk = Desk::new();
        let pool: Pool = desk.pool(Config::new(0..=2).growth(Restless));
        let gate = Gate::default();
        pool.try_execute(gate.pass()).expect("room");
        let second = pool.try_submit(async {}).expect("room");
        desk.run();
        assert!(!second.is_finished(), "the rule wants one worker");
        gate.open();
        desk.run();
        assert!(second.is_finished());
        done.send(()).expect("somebody waits");
    });
    is_done.recv_timeout(20 * SECOND).expect("others run as well");
}
