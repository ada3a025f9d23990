//! A job costs its box and its handle one allocation more; a job of a typed pool costs nothing but its handle's.
//!
//! The worker is polled by hand on the test's thread, so that what it allocates is counted, too.
#![cfg(not(seawall_loom))]

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seawall_core::spawn::{Spawn, SpawnError, Spawner, Work};
use seawall_core::time::{BoxFuture, Clock};
use seawall_testkit::alloc::{self, Allocations, CountingAllocator, assert_none};
use seawall_worker_pool::{Attempt, Config, FullPolicy, Job, JobOptions, Pool, Priority, Reason, Runs};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const TIMES: u64 = 100;
const SECOND: Duration = Duration::from_secs(1);

/// A place whose tasks run when they are polled.
#[derive(Default)]
struct Hall(Mutex<Vec<BoxFuture>>);

impl Spawn for Hall {
    fn spawn(&self, task: BoxFuture) -> Result<(), SpawnError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        Ok(())
    }

    fn spawn_blocking(&self, work: Work) -> Result<(), SpawnError> {
        drop(work);
        Err(SpawnError::new("there are no threads here"))
    }
}

/// A pool of one worker, and the worker.
struct Bench<R: Runs> {
    pool: Pool<R>,
    worker: BoxFuture,
}

impl<R: Runs> Bench<R> {
    fn new(config: Config) -> Self {
        let hall = Arc::new(Hall::default());
        let pool = Pool::of_with_clock(config, Spawner::custom(hall.clone()), Clock::manual().0).expect("valid");
        let worker = hall.0.lock().unwrap_or_else(PoisonError::into_inner).pop().expect("the least is one");
        Self { pool, worker }
    }

    /// Works off what waits.
    fn work(&mut self) {
        assert!(self.worker.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!((self.pool.queued(), self.pool.running()), (0, 0));
    }

    /// As many jobs at once as are ever counted, so that the queue and the lists of the pool have their size.
    fn warm<T>(&mut self, submit: impl Fn(&Pool<R>) -> T) {
        for _ in 0..2 {
            let kept: Vec<T> = (0..TIMES).map(|_| submit(&self.pool)).collect();
            self.work();
            drop(kept);
        }
    }
}

struct Number(u64);

impl Job for Number {
    type Output = u64;
    type Error = Infallible;

    async fn run(&mut self, _attempt: &Attempt) -> Result<u64, Infallible> {
        Ok(black_box(self.0))
    }
}

fn config() -> Config {
    Config::new(1..=1).queue(1_024)
}

fn rich() -> JobOptions {
    JobOptions::new().priority(Priority::High).expires_in(SECOND)
}

fn poll_once<F: Future + Unpin>(mut future: F) -> Poll<F::Output> {
    Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop()))
}

/// What one of the counted calls allocated.
fn each(allocations: Allocations) -> u64 {
    assert_eq!(allocations.count % TIMES, 0, "not every call allocates the same: {allocations:?}");
    allocations.count / TIMES
}

#[test]
fn nothing_is_proved_by_an_allocator_that_does_not_count() {
    assert_eq!(alloc::count(|| Box::new(1)).count, 1);
}

#[test]
fn a_future_costs_its_box_from_submission_to_end() {
    for options in [JobOptions::new(), rich()] {
        let mut bench = Bench::new(config());
        let execute = |pool: &Pool| pool.with(options).try_execute(async { _ = black_box(7) }).expect("there is room");
        bench.warm(execute);
        let all_at_once = alloc::count(|| {
            (0..TIMES).for_each(|_| execute(&bench.pool));
            bench.work();
        });
        assert_eq!(each(all_at_once), 1);
        let one_by_one = alloc::count(|| {
            for _ in 0..TIMES {
                execute(&bench.pool);
                bench.work();
            }
        });
        assert_eq!(each(one_by_one), 1);
    }
}

#[test]
fn a_job_of_a_typed_pool_costs_nothing_from_submission_to_end() {
    for options in [JobOptions::new(), rich()] {
        let mut bench = Bench::new(config());
        let execute = |pool: &Pool<Number>| pool.with(options).try_execute(Number(7)).expect("there is room");
        bench.warm(execute);
        assert_none("all at once", || {
            (0..TIMES).for_each(|_| execute(&bench.pool));
            bench.work();
        });
        assert_none("one by one", || {
            for _ in 0..TIMES {
                execute(&bench.pool);
                bench.work();
            }
        });
    }
}

#[test]
fn to_wait_for_room_that_is_there_costs_nothing() {
    let mut bench = Bench::<Number>::new(config());
    bench.warm(|pool| pool.try_execute(Number(7)).expect("there is room"));
    assert_none("execute", || {
        for _ in 0..TIMES {
            assert_eq!(poll_once(pin!(bench.pool.execute(Number(7)))), Poll::Ready(Ok(())));
            bench.work();
        }
    });
}

#[test]
fn a_handle_costs_one_allocation_more_with_its_result() {
    let mut bench = Bench::new(config());
    bench.warm(|pool: &Pool| pool.try_submit(async { Ok::<_, Infallible>(black_box(7)) }).expect("there is room"));
    let found = alloc::count(|| {
        for _ in 0..TIMES {
            let handle = bench.pool.try_submit(async { Ok::<_, Infallible>(black_box(7)) }).expect("there is room");
            bench.work();
            assert!(matches!(poll_once(handle), Poll::Ready(Ok(7))));
        }
    });
    assert_eq!(each(found), 2, "the box and the reply");

    let mut bench = Bench::new(config());
    bench.warm(|pool: &Pool<Number>| pool.try_submit(Number(7)).expect("there is room"));
    let found = alloc::count(|| {
        for _ in 0..TIMES {
            let handle = bench.pool.try_submit(Number(7)).expect("there is room");
            bench.work();
            assert!(matches!(poll_once(handle), Poll::Ready(Ok(7))));
        }
    });
    assert_eq!(each(found), 1, "the reply");
}

#[test]
fn a_refused_job_costs_no_more_than_its_box() {
    let full = || config().queue(1).full(FullPolicy::Reject);
    let bench = Bench::<Number>::new(full());
    while bench.pool.try_execute(Number(7)).is_ok() {}
    assert_none("a typed job", || {
        for _ in 0..TIMES {
            assert_eq!(bench.pool.try_execute(Number(7)).map_err(|refused| refused.reason()), Err(Reason::Full));
        }
    });

    let bench = Bench::new(full());
    let execute = |pool: &Pool| pool.try_execute(async { _ = black_box(7) }).map_err(|refused| refused.reason());
    while execute(&bench.pool).is_ok() {}
    let found = alloc::count(|| (0..TIMES).for_each(|_| assert_eq!(execute(&bench.pool), Err(Reason::Full))));
    assert_eq!(each(found), 1, "the box that a pool of futures asks for");
}

#[test]
fn to_look_at_a_pool_costs_nothing() {
    let mut bench = Bench::<Number>::new(config());
    bench.warm(|pool| pool.try_execute(Number(7)).expect("there is room"));
    assert_none("signals and snapshot", || (black_box(bench.pool.signals()), black_box(bench.pool.snapshot())));
}
