//! One adaptive throttle for each key: the same store, with other members.

use std::sync::{Arc, Mutex};

use seawall_circuit_breaker::throttle::{Change, Config, Event};
use seawall_circuit_breaker::{AdaptiveThrottles, Keyed};
use seawall_core::Permit;
use seawall_core::observe::{Collect, Metric, Sink, Value};
use seawall_core::time::{Clock, ManualTime};

use super::SECOND;
use super::log::Log;

type OfThrottles = Keyed<String, Config, Event>;

/// Refuses as soon as fewer than half of 10 seconds' calls are accepted.
fn eager() -> Config {
    Config::default().name("shards").minimum_calls(0).seed(1)
}

fn throttles(config: OfThrottles) -> (AdaptiveThrottles<String>, ManualTime) {
    let (clock, time) = Clock::manual();
    (AdaptiveThrottles::with_clock(config, clock).expect("a valid configuration"), time)
}

fn succeed(throttles: &AdaptiveThrottles<String>, key: &str) {
    throttles.with(key).try_admit().expect("nothing is refused").success();
}

/// Fails until most calls are refused.
fn throttle(throttles: &AdaptiveThrottles<String>, key: &str) {
    for _ in 0..100 {
        if let Ok(permit) = throttles.with(key).try_admit() {
            permit.failure();
        }
    }
    assert!(throttles.get(key).expect("known").snapshot().probability > 0.9);
}

fn flood(throttles: &AdaptiveThrottles<String>) {
    (0..100).for_each(|number| succeed(throttles, &format!("shard {number}")));
}

#[test]
fn each_key_has_a_throttle_of_its_own() {
    let (shards, _time) = throttles(Keyed::new(eager()));
    throttle(&shards, "broken");
    (0..100).for_each(|_| succeed(&shards, "healthy"));
    let healthy = shards.get("healthy").expect("known").snapshot();
    assert_eq!((healthy.requests, healthy.accepts, healthy.refused), (100, 100, 0));
    let all = shards.snapshot();
    assert_eq!((all.len, all.states.passing, all.states.refusing), (2, 1, 1));
    assert_eq!(shards.snapshots().len(), 2);
}

#[test]
fn a_key_whose_calls_are_refused_stays_until_its_window_is_empty() {
    let (shards, time) = throttles(Keyed::new(eager()).capacity(1));
    throttle(&shards, "broken");
    flood(&shards);
    assert!(shards.get("broken").is_some());
    assert_eq!(shards.snapshot().untracked, 100);
    // The counts leave with the window, and the episode ends after another one without.
    time.advance(22 * SECOND);
    flood(&shards);
    assert!(shards.get("broken").is_none(), "nothing of it counts any more");
    assert_eq!(shards.snapshot().untracked, 100);
}

#[test]
fn a_key_that_is_held_by_hand_is_never_forgotten() {
    let (shards, time) = throttles(Keyed::new(eager()).capacity(2));
    shards.get_or_insert("held").expect("room").hold(0.0).expect("a probability");
    time.advance(1_000 * SECOND);
    flood(&shards);
    shards.get("held").expect("held by hand").release();
    flood(&shards);
    assert!(shards.get("held").is_none());
}

#[test]
fn who_counts_failures_goes_after_those_who_do_not() {
    let (shards, _time) = throttles(Keyed::new(eager().minimum_calls(10)).capacity(3));
    shards.with("failed").try_admit().expect("too few for a share").failure();
    flood(&shards);
    assert_eq!(shards.get("failed").expect("it goes last").snapshot().requests, 1);
}

#[test]
fn a_call_of_a_key_that_was_forgotten_ends_without_effect() {
    let (shards, _time) = throttles(Keyed::new(eager().minimum_calls(10)).capacity(1));
    let late: Vec<_> = (0..4).map(|_| shards.with("a").try_admit().expect("nothing is refused")).collect();
    for number in 0..3 {
        succeed(&shards, &format!("shard {number}"));
    }
    late.into_iter().for_each(Permit::failure);
    let snapshot = shards.get("shard 2").expect("it took the place").snapshot();
    assert_eq!((snapshot.requests, snapshot.accepts), (1, 1));
    let total = snapshot.total;
    assert_eq!((total.requests, total.successes, total.failures, total.stale), (1, 1, 0, 0));
}

#[test]
fn episodes_are_told_with_their_key() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let noting = told.clone();
    let observer = move |key: &String, event: &Event| {
        noting.lock().expect("no panic").push((key.clone(), event.change));
    };
    let logged = Log::of(|| {
        told.lock().expect("no panic").clear();
        let (shards, time) = throttles(Keyed::new(eager()).observer(observer.clone()));
        throttle(&shards, "broken");
        time.advance(15 * SECOND);
        shards.snapshots();
        time.advance(15 * SECOND);
        shards.snapshots();
    });
    let broken = |change| (String::from("broken"), change);
    assert_eq!(*told.lock().expect("no panic"), [broken(Change::Began), broken(Change::Ended)]);
    assert_eq!(logged.len(), 2);
    assert!(logged.iter().all(|logged| logged.field("key") == Some("\"broken\"")));
    assert!(logged.iter().all(|logged| logged.target == "seawall::adaptive_throttle"));
}

#[test]
fn what_cannot_be_is_named_and_changes_nothing() {
    let (shards, _time) = throttles(Keyed::new(eager()).capacity(2));
    succeed(&shards, "a");
    let before = (shards.snapshot(), shards.snapshots());
    for (config, field) in [
        (Keyed::new(eager()).capacity(0), "capacity"),
        (Keyed::new(eager().k(1.0)), "each.k"),
        (Keyed::new(eager().k(f64::NAN)), "each.k"),
        (Keyed::new(eager().name("others")), "each.name"),
    ] {
        assert_eq!(shards.reconfigure(config).expect_err(field).field(), field);
        assert_eq!((shards.snapshot(), shards.snapshots()), before, "{field}");
    }
    shards.reconfigure(Keyed::new(eager().k(3.0)).capacity(5)).expect("valid");
    assert_eq!(shards.snapshot().capacity, 5);
    assert!((shards.get("a").expect("known").formula().k() - 3.0).abs() < f64::EPSILON);
}

#[cfg(feature = "serde")]
#[test]
fn a_file_says_how_each_key_is_throttled() {
    let read = |text: &str| toml::from_str::<OfThrottles>(text);
    let config = read("capacity = 7\n[each]\nname = \"shards\"\nk = 3.0").expect("valid");
    let expected = OfThrottles::new(Config::default().name("shards").k(3.0)).capacity(7);
    assert_eq!(format!("{config:?}"), format!("{expected:?}"));
    assert!(read("[each]\nconsecutive_failures = 5").is_err(), "that is a breaker's");
    let retired = read("retire_open_after = \"1h\"").expect("a duration");
    let error = AdaptiveThrottles::<String>::new(retired).expect_err("that is a breaker's");
    assert_eq!((error.field(), error.value()), ("retire_open_after", "3600s"));
}

#[derive(Default)]
struct Sums(Vec<(String, u64)>);

impl Sums {
    fn of(throttles: &AdaptiveThrottles<String>) -> Self {
        let mut sums = Self::default();
        throttles.collect(&mut sums);
        sums
    }

    fn get(&self, sample: &str) -> u64 {
        self.0.iter().find(|(name, _)| name == sample).unwrap_or_else(|| panic!("{sample} in {:?}", self.0)).1
    }
}

impl Sink for Sums {
    fn sample(&mut self, metric: &'static Metric, labels: &[(&'static str, &str)], value: Value) {
        let [("name", "shards"), labels @ ..] = labels else { panic!("the name comes first: {labels:?}") };
        let Value::Integer(value) = value else { panic!("{} is not whole", metric.name) };
        let name = metric.name.trim_start_matches("seawall_adaptive_throttle_");
        let words: Vec<_> = std::iter::once(name).chain(labels.iter().map(|(_, value)| *value)).collect();
        self.0.push((words.join(" "), value));
    }
}

#[test]
fn sums_are_over_all_keys_that_ever_were() {
    let (shards, time) = throttles(Keyed::new(eager()).capacity(2));
    throttle(&shards, "broken");
    time.advance(30 * SECOND);
    flood(&shards);
    assert!(shards.get("broken").is_none());
    let sums = Sums::of(&shards);
    assert_eq!((sums.get("episodes"), sums.get("calls success")), (1, 100));
    assert_eq!(sums.get("refused") + sums.get("calls failure"), 100);
    assert_eq!((sums.get("keys passing"), sums.get("keys refusing")), (2, 0));
    assert_eq!((sums.get("keys_capacity"), sums.get("keys_evicted"), sums.get("untracked")), (2, 99, 0));
}
