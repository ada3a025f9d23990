//! What must have happened by when, and how much may have: computed from the scenario and the configuration.

use std::time::Duration;

use seawall_circuit_breaker::Window;

use crate::world::{Protection, Scenario};

/// The chance that something which is a matter of luck takes longer than is allowed for.
const NEVER_MIND: f64 = 1e-10;

/// How long it takes until `calls` more calls of a client were judged, but for a chance of [`NEVER_MIND`].
fn time_for(calls: u32, scenario: &Scenario) -> Duration {
    let every = scenario.every.div_f64(1.0 - scenario.unrelated);
    let (mut low, mut high) = (Duration::ZERO, every * (2 * calls + 100));
    assert!(fewer_than(calls, high, every) < NEVER_MIND, "{calls} calls need longer than foreseen");
    while high > low + Duration::from_millis(10) {
        let middle = (low + high) / 2;
        if fewer_than(calls, middle, every) < NEVER_MIND { high = middle } else { low = middle }
    }
    high
}

/// The chance that fewer than `calls` come in `time` (a Poisson distribution's tail).
fn fewer_than(calls: u32, time: Duration, every: Duration) -> f64 {
    let mean = time.as_secs_f64() / every.as_secs_f64();
    let logarithms = (0..calls).scan(-mean, |logarithm, n| {
        let this = *logarithm;
        *logarithm += mean.ln() - f64::from(n + 1).ln();
        Some(this)
    });
    logarithms.map(f64::exp).sum()
}

/// For how long after a call its outcome can still open the circuit: a rate can rise by successes that leave the
/// window.
fn memory(scenario: &Scenario, protection: &Protection) -> Duration {
    match protection.window {
        Window::Time { length, .. } => length,
        Window::Count { size, .. } => time_for(size, scenario),
        _ => unreachable!("another kind of window"),
    }
}

/// When no call can fail any more, after the last fault: the dependency is warm, it has worked off its queue under
/// full load, and whoever waited for an answer has it or has gone.
pub(crate) fn overload(scenario: &Scenario) -> Duration {
    let capacity = &scenario.capacity;
    let spare = capacity.throughput(1.0) - scenario.load();
    assert!(spare > 0.0, "overload never ends by itself in {scenario:?}");
    capacity.warm_up + Duration::from_secs_f64(f64::from(capacity.queue) / spare) + scenario.patience
}

/// How long it takes from open to closed, when no call fails.
fn way_back(scenario: &Scenario, protection: &Protection) -> Duration {
    let stages = protection.recovery.iter().flat_map(|recovery| {
        recovery.shares.iter().map(|share| {
            let asking = (1..1_000_000_u32).find(|asking| f64::from(*asking) * share >= f64::from(recovery.calls));
            recovery.each.max(time_for(asking.expect("a share that is not tiny"), scenario)) + scenario.patience
        })
    });
    protection.longest_open() + trial(scenario, protection) + stages.sum::<Duration>() + time_for(1, scenario)
}

/// How long probes take to be asked for and to end.
fn trial(scenario: &Scenario, protection: &Protection) -> Duration {
    time_for(protection.half_open.probes, scenario) + scenario.patience
}

/// When every circuit is closed for good, counted from when calls do not fail any more. What is left of the bad time
/// may open one once more: what its window remembers, or probes of which some have failed.
pub(crate) fn closed(scenario: &Scenario, protection: &Protection) -> Duration {
    memory(scenario, protection).max(trial(scenario, protection)) + way_back(scenario, protection)
}

/// When every circuit has opened, counted from when every call fails.
pub(crate) fn opened(scenario: &Scenario, protection: &Protection) -> Duration {
    memory(scenario, protection) + time_for(protection.minimum_calls(), scenario) + scenario.patience
}

/// How many calls of one client reach a dependency that answers none, in `time`, once its circuit has opened: each
/// time it is half-open its probes, and between two times at least the shortest interval.
pub(crate) fn reaching(time: Duration, protection: &Protection) -> u64 {
    let mut begins = Duration::ZERO;
    let intervals = (0_u32..).map(|opened_before| protection.shortest_open(opened_before));
    let trials = intervals.take_while(|interval| {
        let within = begins < time;
        begins += *interval;
        within
    });
    u64::from(protection.half_open.probes) * trials.count() as u64
}

#[test]
fn the_time_for_calls_is_the_tail_of_their_distribution() {
    let mut scenario = Scenario::story(2, 1);
    (scenario.every, scenario.unrelated) = (Duration::from_secs(1), 0.0);
    // The chance that none has come after t seconds is exp(-t).
    let exact = -NEVER_MIND.ln();
    assert!((time_for(1, &scenario).as_secs_f64() - exact).abs() < 0.02);
    // Two: exp(-t) * (1 + t).
    let two = time_for(2, &scenario).as_secs_f64();
    assert!(((-two).exp() * (1.0 + two) / NEVER_MIND - 1.0).abs() < 0.02);
}
