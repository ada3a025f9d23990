//! What a budget is for: a dependency that is down, with and without.

use std::collections::BTreeSet;
use std::time::Duration;

use seawall_core::random::Random;
use seawall_core::time::Timestamp;
use seawall_retry::{Budget, BudgetConfig, Deposits};

use super::{SECOND, budget};

const CALLS_PER_SECOND: u64 = 200;
const MOST_ATTEMPTS: u32 = 4;
/// The dependency is down from here.
const DOWN_FROM: Duration = Duration::from_secs(30);
const UNTIL: Duration = Duration::from_secs(120);

/// When the dependency was called, in nanoseconds.
#[derive(Default)]
struct Load {
    calls: Vec<u64>,
    extra: Vec<u64>,
}

impl Load {
    fn calls_within(&self, from: u64, to: u64) -> f64 {
        count(&self.calls, from, to)
    }

    fn all_within(&self, from: u64, to: u64) -> f64 {
        count(&self.calls, from, to) + count(&self.extra, from, to)
    }
}

fn count(times: &[u64], from: u64, to: u64) -> f64 {
    let number = times.partition_point(|at| *at <= to) - times.partition_point(|at| *at <= from);
    u32::try_from(number).map_or(f64::NAN, f64::from)
}

fn nanos(span: Duration) -> u64 {
    span.as_nanos().try_into().expect("some minutes")
}

/// Clients call at random moments, 200 times a second. One in a hundred calls fails, and all of them once the dependency is down.
/// A call that fails is made again up to three times, each after a random wait of up to `max_wait`, if the budget pays: for a wait
/// of zero at once. Extra attempts are noted when they are paid for.
fn simulate(config: Option<BudgetConfig>, max_wait: Duration, seed: u64) -> Load {
    let (budget, time) = budget(config.clone().unwrap_or_default());
    let budget: Option<&Budget> = config.map(|_| &budget);
    let mut random = Random::new(seed);
    let mut load = Load::default();
    // Attempts that are due: when, which, and the how manieth of its call.
    let mut due = BTreeSet::from([(0, 0, 1)]);
    let mut next_id = 1;
    while let Some((at, id, attempt)) = due.pop_first().filter(|(at, ..)| *at < nanos(UNTIL)) {
        time.advance_to(Timestamp::from_nanos(at));
        if attempt == 1 {
            drop(budget.map(Budget::begin));
            load.calls.push(at);
            let gap = random.next() % (2 * nanos(SECOND) / CALLS_PER_SECOND);
            due.insert((at + gap, next_id, 1));
            next_id += 1;
        }
        let fails = at >= nanos(DOWN_FROM) || random.next().is_multiple_of(100);
        if fails && attempt < MOST_ATTEMPTS && budget.is_none_or(|budget| budget.spend().is_some()) {
            load.extra.push(at);
            due.insert((at + random.next() % nanos(max_wait).max(1), id, attempt + 1));
        }
    }
    load
}

/// The load in each `ttl` up to an extra attempt, divided by the calls of the same time, without the free ones: the largest.
fn worst(load: &Load, free: f64, ttl: Duration) -> f64 {
    let ttl = nanos(ttl);
    let of = |at: u64| {
        // What is before the beginning of time was nothing.
        let (calls, all) = match at.checked_sub(ttl) {
            Some(from) => (load.calls_within(from, at), load.all_within(from, at)),
            None => (load.calls_within(0, at) + 1.0, load.all_within(0, at) + 1.0),
        };
        (all - free) / calls
    };
    load.extra.iter().map(|at| of(*at)).fold(0.0, f64::max)
}

#[test]
fn a_dependency_that_is_down_gets_no_more_than_its_load_and_the_ratio() {
    let ttl = 10 * SECOND;
    for (ratio, per_second, max_wait, seed) in
        [(0.2, 0.0, Duration::ZERO, 1), (0.2, 10.0, SECOND, 2), (0.1, 1.0, SECOND / 10, 3), (0.5, 0.0, 3 * SECOND, 4)]
    {
        let config = Deposits::default().ratio(ratio).per_second(per_second).ttl(ttl);
        let load = simulate(Some(config.into()), max_wait, seed);
        let free = per_second * ttl.as_secs_f64();
        let worst = worst(&load, free, ttl);
        let usual = simulate(None, max_wait, seed);
        let down = (nanos(DOWN_FROM), nanos(UNTIL));
        let times = |load: &Load| load.all_within(down.0, down.1) / load.calls_within(down.0, down.1);
        println!(
            "ratio {ratio}, {per_second} a second free: {:.3} times the load while down, at most {worst:.3} and the free ones \
             in any ttl; without a budget {:.3}",
            times(&load),
            times(&usual)
        );
        assert!(worst <= 1.0 + ratio + 1e-9, "{worst} times the load, with a ratio of {ratio}");
        assert!(worst > 1.0 + 0.95 * ratio, "{worst}: the bound was not even reached, so nothing is shown");
        assert!(times(&usual) > 3.8, "three retries are four times the load");
        assert!(times(&load) < 1.0 + ratio + per_second / 200.0 + 0.05);
    }
}

#[test]
fn a_few_failures_are_all_made_again() {
    let load = simulate(Some(BudgetConfig::default()), SECOND, 5);
    let usual = simulate(None, SECOND, 5);
    let healthy = nanos(DOWN_FROM) - 1;
    assert_eq!(count(&load.extra, 0, healthy), count(&usual.extra, 0, healthy));
    assert!(count(&load.extra, 0, healthy) > 30.0);
}
