//! Many threads on one budget.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use seawall_core::Outcome;
use seawall_retry::{Budget, BudgetConfig, Deposits, InFlight, Tokens};

use super::{SECOND, budget, calls, spend_all};

const THREADS: usize = 12;
const ROUNDS: usize = 200;

/// How many extra attempts all threads together get, when each takes what it can at the same moment and keeps it.
fn race(budget: &Budget) -> usize {
    let (start, taken, end) = (Barrier::new(THREADS), AtomicUsize::new(0), Barrier::new(THREADS));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                let out = spend_all(budget);
                taken.fetch_add(out.len(), Ordering::Relaxed);
                end.wait();
            });
        }
    });
    taken.into_inner()
}

#[test]
fn of_threads_that_race_for_the_last_one_exactly_one_gets_it() {
    let kinds: [BudgetConfig; 2] = [
        Deposits::default().ratio(0.0).per_second(1.0).ttl(SECOND).into(),
        InFlight::default().share(0.0).floor(1).into(),
    ];
    for config in kinds {
        for round in 0..ROUNDS {
            let (budget, _time) = budget(config.clone());
            assert_eq!(race(&budget), 1, "{} in round {round}", config.kind());
        }
    }
}

#[test]
fn threads_get_together_what_their_calls_have_paid_for() {
    for round in 0..ROUNDS / 10 {
        let (budget, _time) = budget(Deposits::default().ratio(0.25).per_second(0.0));
        let taken = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        let call = budget.begin();
                        let extra = call.spend();
                        taken.fetch_add(usize::from(extra.is_some()), Ordering::Relaxed);
                    }
                });
            }
        });
        let late = spend_all(&budget).len();
        assert_eq!(taken.into_inner() + late, THREADS * 250, "round {round}");
        let snapshot = budget.snapshot();
        assert_eq!((snapshot.calls, snapshot.in_flight, snapshot.extra_in_flight), (THREADS as u64 * 1_000, 0, 0));
    }
}

/// No call is lost or counted twice while buckets end.
#[test]
fn calls_of_several_threads_pay_while_time_passes() {
    let (budget, time) = budget(Deposits::default().ratio(1.0).per_second(0.0));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(|| calls(&budget, 50_000))).collect();
        let clock = scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                time.advance(SECOND / 7);
                std::thread::yield_now();
            }
        });
        for caller in callers {
            caller.join().expect("no thread panics");
        }
        done.store(true, Ordering::Release);
        clock.join().expect("no thread panics");
    });
    assert_eq!(budget.snapshot().calls, 200_000);
    assert!(spend_all(&budget).len() <= 200_000);
    time.advance(20 * SECOND);
    assert!(budget.spend().is_none(), "no call pays for ever");
    calls(&budget, 7);
    assert_eq!(spend_all(&budget).len(), 7);
}

#[test]
fn results_of_several_threads_are_all_counted() {
    let (budget, _time) = budget(Tokens::default().max(1_000).ratio(0.001));
    let each = |times, outcome| {
        let budget = &budget;
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(move || (0..times).for_each(|_| budget.record(outcome)));
            }
        });
        budget.snapshot().balance
    };
    assert_eq!(each(50, Outcome::Failure), 400.0);
    assert_eq!(each(5_000, Outcome::Success), 460.0);
}
