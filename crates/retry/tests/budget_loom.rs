//! Every interleaving, with at most two preemptions, of two or three threads on one budget: what a call has paid can be spent by its
//! own thread at once, nothing is spent twice, and no result is lost.
//!
//! `RUSTFLAGS="--cfg seawall_loom" cargo test --release -p seawall-retry --test budget_loom -- --nocapture`
#![cfg(seawall_loom)]

use std::sync::Arc;
use std::time::Duration;

use loom::thread;
use seawall_core::Outcome;
use seawall_core::stripe::model::sit;
use seawall_core::time::{Clock, ManualTime};
use seawall_retry::{Budget, BudgetConfig, Deposits, InFlight, Tokens};
use seawall_testkit::model::explore;

fn budget(config: impl Into<BudgetConfig>) -> (Arc<Budget>, ManualTime) {
    let (clock, time) = Clock::manual();
    (Arc::new(Budget::with_clock(config, clock).expect("valid")), time)
}

fn ratio(ratio: f64) -> Deposits {
    Deposits::default().ratio(ratio).per_second(0.0)
}

/// Where threads count: lanes of their own, and the one that those without share.
const SEATS: [[Option<usize>; 2]; 3] = [[Some(0), Some(1)], [Some(0), None], [None, None]];

/// What a thread on each of these seats gets from `work`, one after the other in no order.
fn together<const N: usize>(
    budget: &Arc<Budget>,
    seats: [Option<usize>; N],
    work: impl Fn(&Budget) -> usize + Copy + Send + 'static,
) -> usize {
    let threads = seats.map(|seat| {
        let budget = budget.clone();
        thread::spawn(move || {
            sit(seat);
            work(&budget)
        })
    });
    threads.into_iter().map(|thread| thread.join().expect("no thread panics")).sum()
}

fn call_and_spend(budget: &Budget) -> usize {
    let call = budget.begin();
    usize::from(call.spend().is_some())
}

#[test]
fn a_thread_can_spend_at_once_what_its_own_call_has_paid() {
    for seats in SEATS {
        explore(&format!("own call {seats:?}"), 20, move || {
            let (budget, _time) = budget(ratio(1.0));
            assert_eq!(together(&budget, seats, call_and_spend), 2);
            assert!(budget.spend().is_none(), "something was paid for twice");
            let snapshot = budget.snapshot();
            assert_eq!((snapshot.calls, snapshot.in_flight, snapshot.extra_in_flight), (2, 0, 0));
        });
    }
}

#[test]
fn what_two_calls_have_paid_together_one_of_their_threads_gets() {
    for seats in SEATS {
        explore(&format!("half a call {seats:?}"), 20, move || {
            let (budget, _time) = budget(ratio(0.5));
            assert_eq!(together(&budget, seats, call_and_spend), 1);
        });
    }
}

#[test]
fn no_call_is_lost_or_pays_longer_when_a_bucket_ends_as_it_begins() {
    for seats in SEATS {
        explore(&format!("a bucket ends {seats:?}"), 20, move || {
            let (budget, time) = budget(ratio(1.0));
            drop(budget.begin());
            time.advance(Duration::from_millis(9_500));
            let call = |budget: &Budget| {
                drop(budget.begin());
                1
            };
            assert_eq!(together(&budget, seats, call), 2);
            time.advance(Duration::from_millis(500));
            // The first is ten buckets old.
            let out: Vec<_> = std::iter::from_fn(|| budget.spend()).collect();
            assert_eq!(out.len(), 2);
        });
    }
}

#[test]
fn of_two_threads_one_gets_the_last_free_one() {
    let kinds: [(BudgetConfig, usize); 2] = [
        (Deposits::default().ratio(0.0).per_second(1.0).ttl(Duration::from_secs(1)).into(), 1),
        (InFlight::default().share(0.0).floor(1).into(), 1),
    ];
    for (config, free) in kinds {
        let kind = config.kind();
        explore(&format!("the last one, {kind}"), 2, move || {
            let (budget, _time) = budget(config.clone());
            // Kept, so that it stays in flight.
            let keep = |budget: &Budget| budget.spend().map(std::mem::forget).map_or(0, |()| 1);
            assert_eq!(together(&budget, [Some(0), Some(1)], keep), free);
        });
    }
}

#[test]
fn every_result_takes_or_returns_its_tokens() {
    explore("tokens", 20, || {
        let (budget, _time) = budget(Tokens::default().max(4).ratio(0.5));
        budget.record(Outcome::Failure);
        let work = |budget: &Budget| {
            budget.record(Outcome::Failure);
            budget.record(Outcome::Success);
            0
        };
        together(&budget, [Some(0), Some(1)], work);
        assert!((budget.snapshot().balance - 2.0).abs() < f64::EPSILON);
    });
}
