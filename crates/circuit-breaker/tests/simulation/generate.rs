//! Scenarios and configurations that nobody thought of.

use std::time::Duration;

use seawall_circuit_breaker::{Abandoned, Config, HalfOpen, OpenInterval, Recovery, Undecided, Window};
use seawall_core::Jitter;

use crate::bounds;
use crate::world::{Capacity, Condition, Draws, Phase, Protection, Scenario, Timeout};

const SECOND: Duration = Duration::from_secs(1);

/// What a seed stands for. The last phase is without faults, and long enough for every circuit to close.
pub(crate) fn any(seed: u64) -> (Scenario, Protection) {
    let mut draws = Draws::new(seed, u64::MAX);
    let mut scenario = scenario(&mut draws);
    let protection = protection(&mut draws);
    let closed = bounds::overload(&scenario) + bounds::closed(&scenario, &protection);
    scenario.lengthen(closed + 10 * SECOND);
    (scenario, protection)
}

fn scenario(draws: &mut Draws) -> Scenario {
    let clients = draws.number(8, 16);
    let every = draws.between(SECOND / 16, SECOND / 8);
    let work = draws.between(SECOND / 100, SECOND / 25);
    let load = f64::from(clients) / every.as_secs_f64();
    // Twice to four times what is needed, and with a full queue still a fifth more.
    let spare = draws.from(2.0, 4.0);
    let workers = (1..1_000_u32).find(|workers| f64::from(*workers) / work.as_secs_f64() >= spare * load);
    let capacity = Capacity {
        workers: workers.expect("a load for fewer"),
        work,
        queue: draws.number(20, 400),
        drag: draws.from(0.0, spare / 1.2 - 1.0),
        cold: draws.from(0.1, 1.0),
        warm_up: draws.between(SECOND, 30 * SECOND),
    };
    let mut phases = vec![Phase::new("well", draws.number(5, 20) * SECOND, Condition::Well)];
    phases.push(fault(draws));
    for _ in 0..draws.number(0, 4) {
        let lasts = draws.number(5, 40) * SECOND;
        phases.push(if draws.chance(0.2) { Phase::new("well", lasts, Condition::Well) } else { fault(draws) });
    }
    phases.push(Phase::new("well again", SECOND, Condition::Well));
    Scenario {
        clients: clients as usize,
        every,
        patience: draws.between(SECOND / 2, 2 * SECOND),
        timeout: draws.pick(&[Timeout::Fails, Timeout::Drops]),
        without_timeout: draws.pick(&[0.0, 0.03]),
        hasty: draws.pick(&[0.0, 0.05]),
        unrelated: draws.pick(&[0.0, 0.05]),
        capacity,
        phases,
    }
}

fn fault(draws: &mut Draws) -> Phase {
    let lasts = draws.number(5, 40) * SECOND;
    match draws.number(0, 4) {
        0 => Phase::new("slow", lasts, Condition::Slow(draws.from(2.0, 50.0))),
        1 => Phase::new("errors", lasts, Condition::Failing(draws.from(0.2, 1.0))),
        2 => Phase::new("hanging", lasts, Condition::Hanging),
        3 => Phase::flapping("flapping", lasts, draws.between(SECOND / 2, 8 * SECOND)),
        _ => Phase::new("down", lasts, Condition::Refusing),
    }
}

fn protection(draws: &mut Draws) -> Protection {
    let probes = draws.number(1, 8);
    let mut half_open = HalfOpen::probes(probes).successes(draws.number(1, probes)).max(seconds(draws, 3, 15));
    if draws.chance(0.4) {
        half_open = half_open.by_rates();
    }
    if draws.chance(0.3) {
        half_open = half_open.wait_for_all();
    }
    if draws.chance(0.2) {
        half_open = half_open.after_max(Undecided::Close);
    }
    let window = if draws.chance(0.5) {
        Window::time(seconds(draws, 5, 30)).buckets(draws.number(2, 20)).minimum_calls(draws.number(1, 30))
    } else {
        let size = draws.number(10, 100);
        Window::count(size).minimum_calls(draws.number(1, size))
    };
    let protection = Protection::new("any", rules(draws), window, interval(draws), half_open);
    if draws.chance(0.5) { protection.recovery(recovery(draws)) } else { protection }
}

/// At least one rule.
fn rules(draws: &mut Draws) -> Config {
    let abandoned = draws.pick(&[Abandoned::Ignore, Abandoned::Failure, Abandoned::Rate(0.5), Abandoned::Rate(1.0)]);
    let mut rules = Config::empty().abandoned(abandoned);
    let first = draws.number(0, 4);
    for rule in 0..5 {
        if rule != first && !draws.chance(0.25) {
            continue;
        }
        rules = match rule {
            0 => rules.failure_rate(draws.from(0.2, 1.0)),
            1 => rules.slow_calls(draws.between(SECOND / 2, SECOND), draws.from(0.2, 1.0)),
            2 => rules.consecutive_failures(draws.number(2, 8)),
            3 => rules.failures_in_period(draws.number(2, 20), seconds(draws, 5, 30)),
            _ => rules.failures_in_window(draws.number(2, 10)),
        };
    }
    rules
}

fn interval(draws: &mut Draws) -> OpenInterval {
    let first = seconds(draws, 1, 10);
    let interval = if draws.chance(0.5) {
        OpenInterval::fixed(first)
    } else {
        OpenInterval::exponential(first, draws.from(1.0, 3.0), first + seconds(draws, 0, 20))
    };
    let jitter = draws.pick(&[Jitter::None, Jitter::Equal, Jitter::Full]);
    interval.jitter(jitter).stable_after(seconds(draws, 0, 60))
}

fn recovery(draws: &mut Draws) -> Recovery {
    let mut shares = vec![draws.from(0.05, 0.3)];
    for _ in 0..draws.number(0, 3) {
        let last = shares[shares.len() - 1];
        shares.push(draws.from(last + 0.01, last + 0.2));
    }
    Recovery::new(shares).each(seconds(draws, 1, 6)).calls(draws.number(1, 10))
}

fn seconds(draws: &mut Draws, low: u64, high: u64) -> Duration {
    draws.between(Duration::from_secs(low), Duration::from_secs(high))
}
