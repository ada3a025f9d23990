//! How exact decisions are that look at no lane but their own.

use std::sync::{Barrier, Mutex};

use seawall_circuit_breaker::Throttled;
use seawall_circuit_breaker::throttle::{Config, Formula};
use seawall_core::{Outcome, Permit};
use seawall_testkit::random::Random;

use crate::{record, throttle};

/// One in so many of the requests may be missing, and as many of the accepted calls.
const SLACK: u64 = 128;

/// Checks that a refusal was drawn by counts of which at most that many are missing.
fn check(refusal: &Throttled, formula: &Formula, requests: u64, accepts: u64) {
    let missing = requests / SLACK;
    let least = formula.probability(requests - missing, accepts);
    let most = formula.probability(requests + missing, accepts.saturating_sub(missing));
    let used = refusal.probability();
    assert!((least..=most).contains(&used), "{used} for {accepts} of {requests}, within {least} and {most}");
}

#[test]
fn a_decision_lacks_at_most_one_in_128_of_the_counts() {
    for seed in 0..8 {
        let (throttle, _time) = throttle(Config::default());
        let formula = throttle.formula();
        let (mut random, mut requests, mut accepts) = (Random::new(seed), 0, 0);
        let (mut refusals, mut inexact) = (0, 0);
        let mut running = Vec::new();
        for step in 0..40_000 {
            // Good times and bad ones, with many calls running and with few.
            let (good, most) = (if step % 9_000 < 3_000 { 9 } else { 1 }, [10, 400][step / 2_500 % 2]);
            match throttle.try_admit() {
                Ok(permit) => running.push(permit),
                Err(refusal) => {
                    refusals += 1;
                    check(&refusal, &formula, requests, accepts);
                    let exact = formula.probability(requests, accepts);
                    inexact += u32::from((refusal.probability() - exact).abs() > 1e-12);
                }
            }
            requests += 1;
            while running.len() > most {
                let permit = running.swap_remove(random.below(running.len()));
                if random.chance(1, 8) {
                    permit.ignore();
                    requests -= 1;
                } else if random.chance(good, 10) {
                    permit.success();
                    accepts += 1;
                } else {
                    permit.failure();
                }
            }
        }
        for permit in running {
            permit.cancel();
        }
        assert!(refusals > 1_000, "{refusals} refusals show little");
        assert!(inexact > 100, "{inexact} of {refusals} decided without a look: the bound was not tried");
    }
}

#[test]
fn with_few_requests_no_decision_lacks_any() {
    let (throttle, _time) = throttle(Config::default().minimum_calls(0));
    let formula = throttle.formula();
    let (mut requests, mut accepts) = (0_u64, 0);
    while requests < 4 * SLACK {
        match throttle.try_admit() {
            Ok(permit) if requests.is_multiple_of(3) => {
                permit.success();
                accepts += 1;
            }
            Ok(permit) => permit.failure(),
            Err(refusal) => {
                let exact = formula.probability(requests, accepts);
                assert!((refusal.probability() - exact).abs() < 1e-12, "{} for {exact}", refusal.probability());
            }
        }
        requests += 1;
    }
}

#[test]
fn many_that_are_accepted_or_taken_back_at_once_are_known_to_the_next_call() {
    for ignored in [false, true] {
        let (throttle, _time) = throttle(Config::default().k(1.5));
        let formula = throttle.formula();
        record(&throttle, Outcome::Success, 30_000);
        let (mut requests, mut accepts, mut running) = (30_000_u64, 30_000, Vec::new());
        for _ in 0..50_000 {
            running.extend(throttle.try_admit());
            requests += 1;
        }
        // They end while nobody asks.
        for permit in running {
            if ignored {
                permit.ignore();
                requests -= 1;
            } else {
                permit.success();
                accepts += 1;
            }
        }
        for _ in 0..100 {
            match throttle.try_admit() {
                Ok(permit) => permit.failure(),
                Err(refusal) => check(&refusal, &formula, requests, accepts),
            }
            requests += 1;
        }
    }
}

/// Nothing ends, so nothing but asking can tell: the requests alone exceed what was accepted.
#[test]
fn calls_that_hang_are_noticed_without_any_ending() {
    for accepts in [100_u64, 1_000, 20_000] {
        let (throttle, _time) = throttle(Config::default());
        let formula = throttle.formula();
        for _ in 0..accepts {
            throttle.try_admit().expect("all is well").success();
        }
        let (mut requests, mut hanging, mut first) = (accepts, Vec::new(), None);
        while requests < 4 * accepts {
            match throttle.try_admit() {
                Ok(permit) => hanging.push(permit),
                Err(refusal) => {
                    check(&refusal, &formula, requests, accepts);
                    first.get_or_insert(requests);
                }
            }
            requests += 1;
        }
        let first = first.expect("a half of the requests hangs");
        assert!(first > 2 * accepts, "after {first} requests it refused what the formula lets pass");
        // Chance and the slack let some pass: far fewer than would double the requests.
        assert!(first < 2 * accepts + accepts / 4 + 60, "after {accepts} accepted, the first refusal came at {first}");
        for permit in hanging {
            permit.failure();
        }
    }
}

#[test]
fn whatever_threads_count_at_once_nothing_is_lost_and_the_bound_holds() {
    const THREADS: u64 = 4;
    const CALLS: u64 = 20_000;
    for round in 0..6 {
        let (throttle, _time) = throttle(Config::default().k(if round % 2 == 0 { 1.1 } else { 3.0 }));
        let formula = throttle.formula();
        let start = Barrier::new(4);
        let work = |seed| {
            let mut random = Random::new(seed);
            start.wait();
            let mut succeeded = 0;
            for _ in 0..CALLS {
                if let Ok(permit) = throttle.try_admit() {
                    match random.below(8) {
                        0 => permit.failure(),
                        1 => permit.ignore(),
                        2 => permit.cancel(),
                        3 => drop(permit),
                        _ => {
                            permit.success();
                            succeeded += 1;
                        }
                    }
                }
            }
            succeeded
        };
        let succeeded: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|seed| scope.spawn(move || work(10 * round + seed))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        // What the next call is decided by, before anybody looks at all lanes.
        let decided = throttle.try_admit().map(Permit::cancel);
        let snapshot = throttle.snapshot();
        let total = snapshot.total;
        assert_eq!((total.requests, total.successes), (THREADS * CALLS + 1, succeeded));
        let taken_back = total.requests - snapshot.requests;
        let ended = total.successes + total.failures + total.abandoned + taken_back;
        assert_eq!(ended + total.refused, total.requests, "{total:?}");
        assert_eq!((snapshot.accepts, snapshot.refused), (succeeded, total.refused));
        if let Err(refusal) = decided {
            check(&refusal, &formula, snapshot.requests - 1, snapshot.accepts);
        }
    }
}

/// A lane that was granted much must not use it up once the margin has gone.
#[test]
fn a_grant_is_recalled_when_the_margin_shrinks() {
    let (throttle, _time) = throttle(Config::default());
    let formula = throttle.formula();
    // This thread's lane is granted its share of a wide margin.
    record(&throttle, Outcome::Success, 100_000);
    throttle.snapshot();
    throttle.try_admit().expect("all is well").failure();
    // Another one uses up the margin, and looks.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            record(&throttle, Outcome::Failure, 400_000);
            throttle.snapshot();
        });
    });
    let (mut requests, mut refusals) = (500_001, 0);
    for _ in 0..20_000 {
        match throttle.try_admit() {
            Ok(permit) => permit.failure(),
            Err(refusal) => {
                refusals += 1;
                check(&refusal, &formula, requests, 100_000);
            }
        }
        requests += 1;
    }
    assert!(refusals > 10_000, "with a chance above a half, {refusals} of 20 000 were refused");
}

/// The margin is there once, however many lanes there are.
#[test]
fn lanes_share_one_margin() {
    let (throttle, _time) = throttle(Config::default());
    let formula = throttle.formula();
    record(&throttle, Outcome::Success, 1_000);
    let (turn, alive) = (Mutex::new(1_004), Barrier::new(4));
    let work = || {
        // Each lane is granted its share; then they use it up one after the other, while all are there to keep their lanes.
        throttle.try_admit().expect("all is well").failure();
        alive.wait();
        let mut requests = turn.lock().expect("no panic");
        let mut refusals = 0;
        for _ in 0..400 {
            match throttle.try_admit() {
                Ok(permit) => permit.failure(),
                Err(refusal) => {
                    refusals += 1;
                    check(&refusal, &formula, *requests, 1_000);
                }
            }
            *requests += 1;
        }
        drop(requests);
        alive.wait();
        refusals
    };
    let refused: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert!(refused > 20, "2 600 requests for 1 000 accepted ones, and {refused} refusals");
}
