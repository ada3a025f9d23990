//! The executor repeats a run by its seed, moves time by itself, and tells what cannot go on.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use seawall_core::time::Timestamp;
use seawall_testkit::exec::{Executor, yield_now};

const SECOND: Duration = Duration::from_secs(1);

fn order_of(seed: u64) -> Vec<u32> {
    let executor = Executor::new(seed);
    let order = Rc::new(RefCell::new(Vec::new()));
    for id in 0..6 {
        let order = order.clone();
        executor.spawn(async move {
            yield_now().await;
            order.borrow_mut().push(id);
        });
    }
    executor.run_until_stalled();
    order.take()
}

#[test]
fn a_seed_repeats_its_order_and_other_seeds_give_others() {
    let orders: Vec<_> = (0..50).map(order_of).collect();
    assert_eq!(orders, (0..50).map(order_of).collect::<Vec<_>>());
    let different: BTreeSet<_> = orders.into_iter().collect();
    assert!(different.len() > 40, "{} different orders of 50", different.len());
    assert!(different.iter().all(|order| order.iter().collect::<BTreeSet<_>>().len() == 6));
}

#[test]
fn time_moves_only_when_all_is_stalled_and_then_to_the_next_sleeper() {
    let executor = Executor::new(1);
    let log = Rc::new(RefCell::new(Vec::new()));
    for seconds in [5, 2, 9] {
        let (clock, log) = (executor.clock(), log.clone());
        executor.spawn(async move {
            clock.sleep(SECOND * seconds).await;
            log.borrow_mut().push((seconds, clock.now()));
        });
    }
    executor.run_until_stalled();
    assert_eq!(executor.now(), Timestamp::ZERO, "being stalled does not move time");

    executor.run_for(SECOND * 6);
    assert_eq!(executor.now(), Timestamp::ZERO + SECOND * 6);
    assert_eq!(*log.borrow(), [(2, Timestamp::ZERO + SECOND * 2), (5, Timestamp::ZERO + SECOND * 5)]);

    assert_eq!(executor.run(), 0);
    assert_eq!(executor.now(), Timestamp::ZERO + SECOND * 9);
}

#[test]
fn block_on_returns_what_the_future_and_its_tasks_return() {
    let executor = Executor::new(3);
    let (clock, spawner) = (executor.clock(), executor.spawner());
    let sum = executor.block_on(async {
        let slow = spawner.spawn({
            let clock = clock.clone();
            async move {
                clock.sleep(SECOND).await;
                40
            }
        });
        let quick = spawner.spawn(async { 2 });
        slow.await + quick.await
    });
    assert_eq!(sum, 42);
    assert_eq!(executor.now(), Timestamp::ZERO + SECOND);
}

#[test]
fn a_task_that_was_not_woken_is_not_polled() {
    let executor = Executor::new(0);
    let polls = Rc::new(Cell::new(0));
    let counted = polls.clone();
    executor.spawn(poll_fn(move |_| {
        counted.set(counted.get() + 1);
        Poll::<()>::Pending
    }));
    executor.run_until_stalled();
    executor.run_for(SECOND);
    assert_eq!(polls.get(), 1);
}

#[test]
fn wake_ups_before_the_poll_count_once() {
    let executor = Executor::new(0);
    let polls = Rc::new(Cell::new(0));
    let counted = polls.clone();
    executor.spawn(poll_fn(move |cx| {
        counted.set(counted.get() + 1);
        if counted.get() == 1 {
            (0..3).for_each(|_| cx.waker().wake_by_ref());
        }
        Poll::<()>::Pending
    }));
    assert_eq!(executor.run_until_stalled(), 2);
}

#[test]
fn a_cancelled_task_is_dropped_where_it_stands() {
    let executor = Executor::new(0);
    let alive = Rc::new(());
    let held = alive.clone();
    let task = executor.spawn(async move {
        pending::<()>().await;
        drop(held);
    });
    executor.run_until_stalled();
    assert_eq!(Rc::strong_count(&alive), 2);
    task.cancel();
    assert_eq!(Rc::strong_count(&alive), 1);
    assert_eq!(executor.pending_tasks(), 0);
    assert!(!task.is_done());
}

#[test]
fn a_task_may_cancel_itself() {
    let executor = Executor::new(0);
    let own = Rc::new(RefCell::new(None::<seawall_testkit::exec::Task<()>>));
    let reached = Rc::new(Cell::new(false));
    let task = executor.spawn({
        let (own, reached) = (own.clone(), reached.clone());
        async move {
            if let Some(task) = own.borrow().as_ref() {
                task.cancel();
            }
            yield_now().await;
            reached.set(true);
        }
    });
    *own.borrow_mut() = Some(task);
    executor.run_until_stalled();
    assert!(!reached.get());
    assert_eq!(executor.pending_tasks(), 0);
}

#[test]
fn dropping_the_executor_drops_its_tasks() {
    let alive = Rc::new(());
    let executor = Executor::new(0);
    let (held, spawner) = (alive.clone(), executor.spawner());
    executor.spawn(async move {
        pending::<()>().await;
        drop((held, spawner));
    });
    executor.run_until_stalled();
    drop(executor);
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn a_panic_of_a_task_reaches_the_test_and_drops_the_task() {
    let executor = Executor::new(0);
    executor.spawn(async { panic!("as told") });
    let run = std::panic::AssertUnwindSafe(|| executor.run_until_stalled());
    assert!(std::panic::catch_unwind(run).is_err());
    assert_eq!(executor.pending_tasks(), 0);
    assert_eq!(executor.block_on(async { 1 }), 1, "the executor is usable afterwards");
}

#[test]
#[should_panic(expected = "deadlock at 0ns: everything waits and no sleep is left; 1 tasks pending, seed 7")]
fn a_deadlock_is_told() {
    let executor = Executor::new(7);
    executor.spawn(pending::<()>());
    executor.block_on(pending::<()>());
}

#[test]
#[should_panic(expected = "tasks wake each other in circles")]
fn tasks_that_run_in_circles_are_told() {
    let executor = Executor::new(0).poll_limit(1000);
    executor.spawn(async {
        loop {
            yield_now().await;
        }
    });
    executor.run_until_stalled();
}

#[test]
#[should_panic(expected = "a task cannot run the executor that runs it")]
fn running_the_executor_from_its_own_task_is_told() {
    let executor = Rc::new(Executor::new(0));
    let own = executor.clone();
    executor.block_on(async move { own.run_until_stalled() });
}
