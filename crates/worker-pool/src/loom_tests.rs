//! Models of what submitters, workers, the keeper and those who stop them do to each other: every interleaving of two or three
//! threads.
//!
//! `RUSTFLAGS="--cfg seawall_loom" cargo test --release -p seawall-worker-pool --lib loom -- --nocapture`

mod cast;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use loom::thread;
use seawall_core::wait::Found;
use seawall_core::{Backoff, Priority};
use seawall_testkit::model::{Order, explore, explore_orders};

use crate::reply::Reply;
use crate::state::{Entered, Phase};
use crate::{Config, FullPolicy, Retry};

use cast::{Act, Pool, Probe, terms};

/// Starts the threads of a model in either order.
fn both<A: Send + 'static, B: Send + 'static>(
    order: Order,
    one: impl FnOnce() -> A + Send + 'static,
    other: impl FnOnce() -> B + Send + 'static,
) -> (A, B) {
    all(order, one, other, || ())
}

/// The same while the thread of the model does something, too.
fn all<A: Send + 'static, B: Send + 'static>(
    order: Order,
    one: impl FnOnce() -> A + Send + 'static,
    other: impl FnOnce() -> B + Send + 'static,
    here: impl FnOnce(),
) -> (A, B) {
    let (one, other) = match order {
        Order::AsWritten => {
            let one = thread::spawn(one);
            (one, thread::spawn(other))
        }
        Order::Reversed => {
            let other = thread::spawn(other);
            (thread::spawn(one), other)
        }
    };
    here();
    (one.join().expect("no panic"), other.join().expect("no panic"))
}

#[test]
fn a_worker_that_goes_to_sleep_does_not_miss_a_job() {
    explore_orders("submit and park", 18, |order| {
        let pool = Pool::new(Config::new(1..=1));
        let (submitting, worker) = (pool.clone(), pool.clone());
        both(order, move || submitting.submit(Act::Succeed), move || worker.poll(0));
        pool.settle();
        assert_eq!(pool.counts(), (1, 0, 0), "the job waits for ever");
    });
}

#[test]
fn two_submitters_and_one_worker_leave_no_job() {
    explore_orders("two submitters", 45, |order| {
        let pool = Pool::new(Config::new(1..=1));
        let (first, second) = (pool.clone(), pool.clone());
        all(order, move || first.submit(Act::Succeed), move || second.submit(Act::Succeed), || pool.poll(0));
        pool.settle();
        assert_eq!(pool.counts(), (2, 0, 0), "a job waits for ever");
    });
}

#[test]
fn two_jobs_and_two_workers_leave_no_job() {
    explore_orders("two workers", 95, |order| {
        let pool = Pool::new(Config::new(2..=2));
        pool.poll(0);
        let (submitting, working) = (pool.clone(), pool.clone());
        let submit = move || {
            submitting.submit(Act::Succeed);
            submitting.submit(Act::Succeed);
        };
        all(order, submit, move || working.poll(1), || pool.poll_if_woken(0));
        pool.settle();
        assert_eq!(pool.counts(), (2, 0, 0), "a job waits for ever");
    });
}

#[test]
fn a_worker_that_is_sent_home_does_not_take_a_job_with_it() {
    explore_orders("scale down and submit", 60, |order| {
        let pool = Pool::new(Config::new(1..=2));
        pool.scale_to(2);
        pool.poll(0);
        let (submitting, scaling) = (pool.clone(), pool.clone());
        all(order, move || submitting.submit(Act::Succeed), move || scaling.scale_to(1), || pool.poll(1));
        pool.settle();
        assert_eq!(pool.counts(), (1, 0, 0), "the job waits for ever");
        assert_eq!((pool.workers(), pool.tasks()), (1, 1));
    });
}

#[test]
fn a_worker_that_is_lost_does_not_take_a_job_with_it() {
    explore_orders("lose and submit", 65, |order| {
        let pool = Pool::new(Config::new(2..=2));
        pool.poll(0);
        pool.poll(1);
        let (submitting, losing) = (pool.clone(), pool.clone());
        let (taken, ()) = both(order, move || submitting.submit(Act::Succeed), move || losing.lose(1));
        pool.settle();
        assert!(taken.is_some());
        assert_eq!(pool.counts(), (1, 0, 0), "the job waits for ever");
        assert_eq!(pool.workers(), 2, "it was not replaced");
    });
}

#[test]
fn a_job_that_was_taken_before_the_end_is_run_and_the_worker_leaves() {
    explore_orders("close, submit and park", 90, |order| {
        let pool = Pool::new(Config::new(1..=1));
        let (submitting, closing) = (pool.clone(), pool.clone());
        let close = move || closing.engine.close();
        let (taken, ()) = all(order, move || submitting.submit(Act::Succeed), close, || pool.poll(0));
        pool.settle();
        assert_eq!(pool.counts(), (u64::from(taken.is_some()), 0, 0), "taken: {taken:?}");
        assert_eq!((pool.workers(), pool.tasks()), (0, 0), "the worker stays");
    });
}

#[test]
fn a_job_is_cancelled_or_run_and_told_once() {
    explore_orders("cancel and take", 42, |order| {
        let pool = Pool::new(Config::new(1..=1));
        let ticket = pool.submit(Act::Succeed).expect("room");
        let (cancelling, working) = (pool.clone(), pool.clone());
        let (cancelled, ()) = both(order, move || cancelling.engine.cancel(ticket), move || working.poll(0));
        pool.settle();
        let (completed, gone, _) = pool.counts();
        assert_eq!(completed + gone, 1);
        assert_eq!(pool.told(), 1, "it was told {} times", pool.told());
        // One that had begun may end by itself all the same.
        assert!(cancelled || completed == 1, "not cancelled, and not run");
    });
}

#[test]
fn an_order_to_stop_reaches_a_job_that_begins_to_wait() {
    explore_orders("stop and listen", 58, |order| {
        let pool = Pool::new(Config::new(1..=1));
        let ticket = pool.submit(Act::Wait).expect("room");
        let (cancelling, working) = (pool.clone(), pool.clone());
        let (cancelled, ()) = both(order, move || cancelling.engine.cancel(ticket), move || working.poll(0));
        assert!(cancelled, "it had not ended");
        pool.settle();
        assert_eq!((pool.counts(), pool.told()), ((0, 1, 0), 1), "it runs for ever");
    });
}

#[test]
fn a_job_that_was_cancelled_is_not_tried_again() {
    explore_orders("cancel and fail", 50, |order| {
        let retry = Retry::new(3).backoff(Backoff::fixed(Duration::from_millis(5)));
        let pool = Pool::new(Config::new(1..=1).retry(retry));
        let ticket = pool.submit(Act::Fail).expect("room");
        let (cancelling, working) = (pool.clone(), pool.clone());
        let (cancelled, ()) = both(order, move || cancelling.engine.cancel(ticket), move || working.poll(0));
        assert!(cancelled, "it would have been tried again");
        pool.settle();
        assert_eq!((pool.counts(), pool.told()), ((0, 1, 0), 1), "it is tried again");
    });
}

#[test]
fn the_end_of_the_last_job_reaches_who_waits_for_it() {
    explore_orders("drain and finish", 105, |order| {
        let pool = Pool::new(Config::new(1..=1));
        pool.submit(Act::Succeed).expect("room");
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let (draining, working) = (pool.clone(), pool.clone());
        let (was_quiet, ()) = both(
            order,
            move || {
                draining.engine.close();
                let mut state = draining.engine.state.lock();
                let is_quiet = state.is_quiet();
                if !is_quiet {
                    assert!(state.wait_for_the_end(7, waker).is_none());
                }
                is_quiet
            },
            move || working.poll(0),
        );
        pool.settle();
        assert_eq!(pool.counts(), (1, 0, 0));
        assert!(was_quiet || woken.0.load(Ordering::SeqCst) == 1, "it waits for ever");
    });
}

#[test]
fn room_that_is_left_goes_to_the_next() {
    explore_orders("grant and leave", 24, |order| {
        let pool = Pool::new(Config::new(1..=1).queue(0).full(FullPolicy::Wait));
        pool.submit(Act::Succeed).expect("a worker is free");
        let now = pool.engine.now();
        let enter = || {
            let mut state = pool.engine.state.lock();
            let Entered { place, .. } =
                state.enter(Priority::Normal, terms().deadline, None, now).expect("it may wait");
            place
        };
        let (first, second) = (enter(), enter());
        let woken = Arc::new(Woken::default());
        let mut waker = Some(Waker::from(woken.clone()));
        assert_eq!(pool.engine.state.lock().look(&second, &mut waker), Found::Waiting);
        let (leaving, working) = (pool.clone(), pool.clone());
        both(
            order,
            move || {
                let [next, old] = leaving.engine.state.lock().leave_line(&first, Priority::Normal);
                drop(old);
                if let Some(next) = next {
                    next.wake();
                }
            },
            move || working.poll(0),
        );
        pool.settle();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1, "nobody woke the one who waits");
        assert_eq!(pool.engine.state.lock().look(&second, &mut None), Found::Granted { permits: 1 });
        let (taken, _) = pool.offer(Probe::new(Act::Succeed), true);
        assert!(taken.is_some(), "the room is not there");
    });
}

#[test]
fn the_keeper_wakes_for_what_is_due_earlier_than_it_meant_to_sleep() {
    explore_orders("keeper's ask and sleep", 42, |order| {
        let retry = Retry::new(3).backoff(Backoff::fixed(Duration::from_millis(5)));
        let pool = Pool::new(Config::new(1..=2).retry(retry).keep_alive(Duration::from_secs(60)));
        pool.scale_to(2);
        pool.poll(0);
        pool.poll(1);
        pool.unpin();
        let keeper = pool.tasks() - 1;
        assert_eq!(pool.tasks(), 3, "two workers and a keeper");
        pool.submit(Act::Fail).expect("room");
        let (keeping, working) = (pool.clone(), pool.clone());
        both(
            order,
            move || keeping.poll(keeper),
            move || {
                working.poll_if_woken(0);
                working.poll_if_woken(1);
            },
        );
        pool.settle();
        let next = pool.time.next_wake().expect("somebody sleeps");
        assert_eq!(next, pool.engine.now() + Duration::from_millis(5), "the retry is overslept");
        pool.time.advance_to(next);
        pool.settle();
        assert_eq!(pool.attempts(), 2, "it was not tried again");
    });
}

#[test]
fn two_who_close_end_the_pool_once() {
    explore_orders("close twice", 150, |order| {
        let pool = Pool::new(Config::new(1..=1));
        pool.submit(Act::Succeed).expect("room");
        let (one, other) = (pool.clone(), pool.clone());
        both(
            order,
            move || {
                one.engine.close();
                one.poll(0);
            },
            move || other.engine.close(),
        );
        pool.settle();
        assert_eq!((pool.counts(), pool.workers(), pool.tasks()), ((1, 0, 0), 0, 0));
        assert_eq!(pool.engine.state.lock().phase(), Phase::Closing);
    });
}

/// Counts how often it was woken.
#[derive(Debug, Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Tells that it was dropped.
#[derive(Debug)]
struct Result(Arc<AtomicBool>);

impl Drop for Result {
    fn drop(&mut self) {
        assert!(!self.0.swap(true, Ordering::SeqCst), "it was dropped twice");
    }
}

#[test]
fn whoever_waits_for_a_result_is_woken_when_it_is_given() {
    explore("give and poll", 5, || {
        let (reply, mut giver) = Reply::<u32, ()>::new();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        let giving = thread::spawn(move || giver.give(Ok(7)));
        let at_once = reply.poll(&mut cx);
        giving.join().expect("no panic");
        let result = match at_once {
            Poll::Ready(result) => result,
            Poll::Pending => {
                assert_eq!(woken.0.load(Ordering::SeqCst), 1, "nobody woke the one who waits");
                let Poll::Ready(result) = reply.poll(&mut cx) else { panic!("it was woken without a result") };
                result
            }
        };
        assert_eq!(result.expect("a result").expect("a success"), 7);
        assert!(reply.is_given());
    });
}

#[test]
fn a_result_that_nobody_asks_for_is_dropped_once() {
    explore("give and abandon", 3, || {
        let (reply, mut giver) = Reply::<Result, ()>::new();
        let dropped = Arc::new(AtomicBool::new(false));
        let result = Result(dropped.clone());
        let giving = thread::spawn(move || giver.give(Ok(result)));
        reply.abandon();
        giving.join().expect("no panic");
        drop(reply);
        assert!(dropped.load(Ordering::SeqCst), "it was leaked");
    });
}
