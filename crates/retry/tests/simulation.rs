//! What budgets are for: while a dependency is down it gets at most its normal load and what the budget says, and while it fails
//! now and then, budgets are not in the way.

#[allow(dead_code, reason = "the table of the example asks for other parts of the same simulation")]
#[path = "../examples/budget/outage.rs"]
mod outage;

use seawall_core::time::Timestamp;

use outage::{ATTEMPTS, FLOOR, FREE_PER_SECOND, Kind, LATENCY, LONGEST_WAIT, Log, Phase, RATIO, TTL, play};

const SEEDS: std::ops::Range<u64> = 1..4;

fn each_seed(kind: Kind, check: impl Fn(u64, &[Log])) {
    for seed in SEEDS {
        check(seed, &play(kind, seed));
    }
}

/// How many of `times`, which are in order, are in `(after, until]`.
fn between(times: &[Timestamp], after: Timestamp, until: Timestamp) -> u32 {
    let count = times.partition_point(|&at| at <= until) - times.partition_point(|&at| at <= after);
    u32::try_from(count).expect("thousands")
}

fn before(at: Timestamp, span: std::time::Duration) -> Timestamp {
    Timestamp::ZERO + at.saturating_duration_since(Timestamp::ZERO).saturating_sub(span)
}

fn granted(log: &Log) -> Vec<Timestamp> {
    log.granted.iter().map(|&(at, _)| at).collect()
}

#[test]
fn a_seed_repeats_every_call_and_every_attempt() {
    for kind in Kind::ALL {
        assert_eq!(play(kind, 3), play(kind, 3), "{kind:?}");
    }
    assert_ne!(play(Kind::Deposits, 3), play(Kind::Deposits, 4));
}

#[test]
fn calls_are_the_same_whatever_is_done_about_failures() {
    let calls = |kind| play(kind, 5).into_iter().map(|log| log.calls).collect::<Vec<_>>();
    for kind in Kind::ALL {
        assert_eq!(calls(kind), calls(Kind::Never), "{kind:?}");
    }
}

#[test]
fn without_retries_each_call_is_one_attempt() {
    each_seed(Kind::Never, |seed, logs| {
        for log in logs {
            assert_eq!(log.attempts, log.calls, "seed {seed}");
            assert!(log.granted.is_empty(), "seed {seed}");
        }
        assert!(Log::merged(logs).goodput(Phase::Down) < f64::EPSILON, "seed {seed}");
    });
}

#[test]
fn three_retries_put_nearly_four_times_the_load_on_a_dependency_that_is_down() {
    each_seed(Kind::ThreeRetries, |seed, logs| {
        let load = Log::merged(logs).load(Phase::Down);
        assert!(load > 3.0, "seed {seed}: {load}");
        assert!(load <= f64::from(ATTEMPTS), "seed {seed}: {load}");
    });
}

#[test]
fn in_every_window_deposits_grant_no_more_than_was_paid_for() {
    let free = FREE_PER_SECOND * TTL.as_secs_f64();
    each_seed(Kind::Deposits, |seed, logs| {
        for log in logs {
            let granted = granted(log);
            for &at in &granted {
                let start = before(at, TTL);
                let calls = f64::from(between(&log.calls, start, at));
                let extra = f64::from(between(&granted, start, at));
                assert!(
                    calls + extra <= calls * (1.0 + RATIO) + free,
                    "seed {seed}, {at}: {calls} calls, {extra} more"
                );
            }
            // It is not kept by granting nothing.
            assert!(granted.len() > 100, "seed {seed}: {}", granted.len());
        }
    });
}

#[test]
fn with_deposits_the_dependency_sees_little_more_than_its_normal_load_while_it_is_down() {
    // An attempt arrives when it was waited for, and some of the first were paid for by the calls of the last window before.
    let begin = before(Phase::Down.begin(), LONGEST_WAIT);
    let windows = (Phase::Down.end().saturating_duration_since(begin).as_secs_f64() / TTL.as_secs_f64()).floor() + 1.0;
    let free = windows * FREE_PER_SECOND * TTL.as_secs_f64();
    each_seed(Kind::Deposits, |seed, logs| {
        for log in logs {
            let arrived = f64::from(between(&log.attempts, Phase::Down.begin(), Phase::Down.end()));
            let calls = f64::from(between(&log.calls, Phase::Down.begin(), Phase::Down.end()));
            let paying = f64::from(between(&log.calls, before(begin, TTL), Phase::Down.end()));
            assert!(arrived <= calls + RATIO * paying + free, "seed {seed}: {arrived} of {calls}, {paying} paid");
        }
        let load = Log::merged(logs).load(Phase::Down);
        assert!(load < 1.0 + RATIO + 0.15, "seed {seed}: {load}");
        let unbudgeted = Log::merged(&play(Kind::ThreeRetries, seed)).load(Phase::Down);
        assert!(load < unbudgeted / 2.5, "seed {seed}: {load} of {unbudgeted}");
    });
}

#[test]
fn of_those_that_run_no_more_are_further_attempts_than_is_granted() {
    each_seed(Kind::InFlight, |seed, logs| {
        for log in logs {
            assert!(!log.granted.is_empty(), "seed {seed}");
            for (at, budget) in &log.granted {
                let budget = budget.as_ref().expect("there is one");
                // floor(calls * share / (1 - share)) + 1, or the floor.
                let most = (budget.in_flight / 4 + 1).max(FLOOR.into());
                assert!(budget.extra_in_flight <= most, "seed {seed}, {at}: {budget:?}");
            }
        }
        let load = Log::merged(logs).load(Phase::Down);
        assert!(load < 1.6, "seed {seed}: {load}");
    });
}

#[test]
fn while_some_fail_a_budget_is_as_good_as_none() {
    for seed in SEEDS {
        let goodput = |kind| Log::merged(&play(kind, seed)).goodput(Phase::Shaky);
        let [never, unbudgeted, deposits, in_flight] = Kind::ALL.map(goodput);
        assert!(never < 0.93, "seed {seed}: {never}");
        assert!(unbudgeted > 0.99, "seed {seed}: {unbudgeted}");
        assert!(deposits > unbudgeted - 0.005, "seed {seed}: {deposits} and {unbudgeted}");
        assert!(in_flight > unbudgeted - 0.04, "seed {seed}: {in_flight} and {unbudgeted}");
    }
}

#[test]
fn when_it_is_well_again_everything_is_as_before() {
    // What was out when it came back is over after this.
    let settled = Phase::WellAgain.begin() + (LATENCY + LONGEST_WAIT) * ATTEMPTS;
    for kind in Kind::ALL {
        each_seed(kind, |seed, logs| {
            let late = |times: &[Timestamp]| between(times, settled, Phase::WellAgain.end());
            for log in logs {
                assert_eq!(late(&log.attempts), late(&log.calls), "{kind:?}, seed {seed}");
                assert_eq!(late(&log.good), late(&log.calls), "{kind:?}, seed {seed}");
            }
        });
    }
}
