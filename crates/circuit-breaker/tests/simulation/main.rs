//! Many clients, one dependency, and what befalls it, on virtual time: whatever happens, once faults are over every
//! circuit closes again, and what happens until then stays within bounds that follow from the configuration.
//!
//! `SEAWALL_SIMULATION_SEEDS` says which seeds are played: so many, or from one to below another, such as `17..18`.

mod bounds;
mod checks;
mod generate;
#[path = "../../examples/simulation/world/mod.rs"]
mod world;

use std::env;
use std::ops::Range;
use std::time::Duration;

use seawall_circuit_breaker::{Config, HalfOpen, OpenInterval, Window};

use checks::{books_balance, closed_from, openings, total};
use world::{Condition, Phase, Protection, Scenario, Timeout, simulate, whole_seconds};

const SECOND: Duration = Duration::from_secs(1);

/// The seeds to play; so many unless the environment says otherwise.
fn seeds(usually: u64) -> Range<u64> {
    let Ok(said) = env::var("SEAWALL_SIMULATION_SEEDS") else { return 0..usually };
    let seeds = match said.split_once("..") {
        Some((first, end)) => first.parse().ok().zip(end.parse().ok()).map(|(first, end)| first..end),
        None => said.parse().ok().map(|count| 0..count),
    };
    seeds.unwrap_or_else(|| panic!("SEAWALL_SIMULATION_SEEDS is {said:?}, must be a number or two, as 17..18"))
}

/// Says what was being checked, if the check fails.
struct Told(String);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("with {}", self.0);
        }
    }
}

/// Plays `check` for every seed.
fn for_seeds(usually: u64, check: impl Fn(u64)) {
    for seed in seeds(usually) {
        let _told = Told(format!("SEAWALL_SIMULATION_SEEDS={seed}..{}", seed + 1));
        check(seed);
    }
}

/// A crash of a minute.
fn crash(well_again: u32) -> Scenario {
    let mut scenario = Scenario::story(16, 0);
    scenario.phases = vec![
        Phase::new("well", 20 * SECOND, Condition::Well),
        Phase::new("down", 60 * SECOND, Condition::Refusing),
        Phase::new("well again", well_again * SECOND, Condition::Well),
    ];
    scenario
}

#[test]
fn once_faults_are_over_every_circuit_closes_and_nothing_is_lost() {
    let protections = Protection::all().into_iter().chain([Protection::progressive().own_jitter()]);
    for protection in protections {
        for_seeds(2, |seed| {
            let mut scenario = Scenario::story(16, 0);
            // So much that it recovers by itself: the bounds are those of the breaker alone.
            (scenario.capacity.drag, scenario.without_timeout) = (0.2, 0.01);
            let closed = bounds::overload(&scenario) + bounds::closed(&scenario, &protection);
            scenario.lengthen(closed + 20 * SECOND);
            let run = simulate(&scenario, Some(&protection), seed);
            books_balance(&run);
            closed_from(scenario.faults_end() + closed, &run);
            assert!(run.clients.iter().all(|client| client.refused > 0), "{}: a circuit never opened", protection.name);
        });
    }
}

#[test]
fn any_faults_and_any_rules_end_closed() {
    for_seeds(24, |seed| {
        let (scenario, protection) = generate::any(seed);
        let phases: Vec<&str> = scenario.phases.iter().map(|phase| phase.name).collect();
        let _told = Told(format!("{phases:?} and {protection:?}"));
        let closed = bounds::overload(&scenario) + bounds::closed(&scenario, &protection);
        let run = simulate(&scenario, Some(&protection), seed);
        books_balance(&run);
        closed_from(scenario.faults_end() + closed, &run);
    });
}

#[test]
fn while_the_dependency_is_down_only_probes_reach_it() {
    let stretch = 90 * SECOND;
    for condition in [Condition::Refusing, Condition::Hanging] {
        for protection in Protection::all() {
            let mut scenario = Scenario::story(12, 0);
            scenario.hasty = 0.0;
            let opened = whole_seconds(bounds::opened(&scenario, &protection));
            let down = Phase::new("down", opened + stretch, condition);
            scenario.phases = vec![Phase::new("well", 10 * SECOND, Condition::Well), down];
            let begin = 10 * SECOND + opened;
            let most = bounds::reaching(stretch, &protection) * scenario.clients as u64;
            for_seeds(2, |seed| {
                let run = simulate(&scenario, Some(&protection), seed);
                books_balance(&run);
                let bins = run.from(begin);
                let (asked, reached) = (total(bins, |bin| bin.asked), total(bins, |bin| bin.admitted));
                assert!(reached > 0, "{}: nobody tries", protection.name);
                assert!(u64::from(reached) <= most, "{}: {reached} calls, at most {most}", protection.name);
                assert!(most * 20 < asked.into(), "{}: {most} calls of {asked} is no small bound", protection.name);
            });
        }
    }
}

/// A probe that is dropped gives its place to the next call, until as many were dropped as there are places: while
/// the last of them is awaited, all other places may have been given again.
#[test]
fn while_the_dependency_hangs_calls_that_are_dropped_open_the_circuit_too() {
    let stretch = 90 * SECOND;
    for protection in [Protection::default_config(), Protection::progressive()] {
        let mut scenario = Scenario::story(12, 0);
        scenario.timeout = Timeout::Drops;
        let opened = whole_seconds(bounds::opened(&scenario, &protection));
        let hanging = Phase::new("hanging", opened + stretch, Condition::Hanging);
        scenario.phases = vec![Phase::new("well", 10 * SECOND, Condition::Well), hanging];
        // Room for all of them: a refusal at once would be a failure.
        scenario.capacity.queue = 100_000;
        let begin = 10 * SECOND + opened;
        let most = 2 * bounds::reaching(stretch, &protection) * scenario.clients as u64;
        for_seeds(2, |seed| {
            let run = simulate(&scenario, Some(&protection), seed);
            books_balance(&run);
            let reached = total(run.from(begin), |bin| bin.admitted);
            assert!(reached > 0, "{}: nobody tries", protection.name);
            assert!(u64::from(reached) <= most, "{}: {reached} calls, at most {most}", protection.name);
        });
    }
}

#[test]
fn a_crash_leaves_clients_without_breakers_in_overload_for_good() {
    for_seeds(3, |seed| {
        let scenario = crash(240);
        let run = simulate(&scenario, None, seed);
        let last = run.from(scenario.length().saturating_sub(60 * SECOND));
        let (asked, good) = (total(last, |bin| bin.asked), total(last, |bin| bin.good));
        assert!(good * 20 < asked, "{good} of {asked} calls were answered in time");
        assert!(last.iter().all(|bin| bin.queue == scenario.capacity.queue as usize), "the queue was not always full");
        assert!(last.iter().all(|bin| bin.took(0.99) == Some(scenario.patience)), "answers came in time");
    });
}

#[test]
fn after_a_crash_circuits_bring_the_load_back_and_every_call_is_answered() {
    for protection in Protection::all() {
        for_seeds(1, |seed| {
            let scenario = crash(300);
            let run = simulate(&scenario, Some(&protection), seed);
            books_balance(&run);
            let last = scenario.length().saturating_sub(60 * SECOND);
            closed_from(last, &run);
            let (asked, good) = (total(run.from(last), |bin| bin.asked), total(run.from(last), |bin| bin.good));
            // Those that ran when the stretch began ended in it, those that run when it ends did not.
            assert!(good.abs_diff(asked) < 50, "{}: {good} of {asked} calls were answered", protection.name);
        });
    }
}

/// What jitter and recovery by stages are for: a cold dependency is never asked for more than it can do.
#[test]
fn coming_back_step_by_step_never_overloads_a_cold_dependency() {
    let scenario = crash(150);
    let most = scenario.capacity.queue as usize;
    let at_once = {
        let rules = Config::default().slow_calls(SECOND / 2, 0.5);
        let open = OpenInterval::fixed(10 * SECOND);
        Protection::new("at once", rules, Window::time(10 * SECOND), open, HalfOpen::default())
    };
    let after_crash = |protection: Option<&Protection>, seed| {
        let run = simulate(&scenario, protection, seed);
        let bins = run.from(scenario.faults_end());
        let queue = bins.iter().map(|bin| bin.queue).max().unwrap_or_default();
        (total(bins, |bin| bin.admitted), total(bins, |bin| bin.good), queue)
    };
    for_seeds(3, |seed| {
        let (admitted, good, queue) = after_crash(Some(&Protection::progressive()), seed);
        assert!(queue * 4 < most, "{queue} calls waited, of {most} at most");
        assert!((admitted - good) * 200 < admitted, "{good} of {admitted} calls were answered");
        let (admitted_at_once, good_at_once, queue) = after_crash(Some(&at_once), seed);
        let lost = admitted_at_once - good_at_once;
        assert!(queue == most && lost > 200, "coming back at once is harmless: {lost} calls were lost, {queue} waited");
        let (_, without, queue) = after_crash(None, seed);
        assert!(queue == most && good > 100 * without, "{good} answers, and {without} without breakers");
    });
}

#[test]
fn no_circuit_opens_without_a_fault() {
    for protection in Protection::all() {
        for_seeds(2, |seed| {
            let mut scenario = Scenario::story(16, 0);
            scenario.phases = vec![Phase::new("well", 120 * SECOND, Condition::Failing(0.005))];
            let run = simulate(&scenario, Some(&protection), seed);
            books_balance(&run);
            assert_eq!(openings(&run), 0, "{}", protection.name);
            assert!(run.clients.iter().any(|client| client.failures > 0), "no call failed at all");
            assert!(run.clients.iter().all(|client| client.refused == 0), "{}: a call was refused", protection.name);
        });
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for protection in Protection::all().into_iter().map(Some).chain([None]) {
        let trace = |seed| simulate(&crash(20), protection.as_ref(), seed).trace;
        assert_eq!(trace(1), trace(1));
        assert_ne!(trace(1), trace(2));
    }
}

/// Those that carry the names of configurations are those configurations.
#[test]
fn what_is_compared_is_what_users_get() {
    assert!(Protection::default_config().is(&Config::default()));
    assert!(Protection::classic().is(&Config::classic()));
}
