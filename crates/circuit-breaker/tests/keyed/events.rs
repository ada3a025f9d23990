//! Every transition is told with its key, after the locks are released.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock};

use seawall_circuit_breaker::{CircuitBreakers, Event, HalfOpen, Keyed, State};
use tracing::Level;

use super::log::Log;
use super::{INTERVAL, SECOND, breakers, fail, fragile, is_refused, open, state, succeed};

type Told = Arc<Mutex<Vec<(String, State, State)>>>;

/// What is told of each key.
fn told() -> (Told, impl Fn(&String, &Event) + Send + Sync) {
    let told = Told::default();
    let noting = told.clone();
    let observer = move |key: &String, event: &Event| {
        noting.lock().expect("no panic").push((key.clone(), event.from, event.to));
    };
    (told, observer)
}

fn take(told: &Told) -> Vec<(String, State, State)> {
    std::mem::take(&mut *told.lock().expect("no panic"))
}

#[test]
fn transitions_are_told_with_their_key() {
    let (told, observer) = told();
    let (hosts, time) = breakers(Keyed::new(fragile().half_open(HalfOpen::probes(1))).observer(observer));
    open(&hosts, "a");
    succeed(&hosts, "b");
    time.advance(INTERVAL);
    succeed(&hosts, "a");
    let of_a = |from, to| (String::from("a"), from, to);
    let expected =
        [of_a(State::Closed, State::Open), of_a(State::Open, State::HalfOpen), of_a(State::HalfOpen, State::Closed)];
    assert_eq!(take(&told), expected);
}

#[test]
fn a_circuit_that_is_used_again_tells_its_new_key_and_nothing_of_the_change() {
    let (told, observer) = told();
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(1).observer(observer));
    fail(&hosts, "a");
    succeed(&hosts, "b");
    assert!(hosts.remove("b"));
    assert_eq!(take(&told), []);
    open(&hosts, "c");
    assert_eq!(take(&told), [(String::from("c"), State::Closed, State::Open)]);
}

#[test]
fn another_observer_is_told_from_its_reconfiguration_on() {
    let (first, observer) = told();
    let (second, next) = told();
    let (hosts, _time) = breakers(Keyed::new(fragile()).observer(observer));
    open(&hosts, "a");
    hosts.reconfigure(Keyed::new(fragile()).observer(next)).expect("valid");
    open(&hosts, "b");
    hosts.reconfigure(Keyed::new(fragile())).expect("valid");
    open(&hosts, "c");
    assert_eq!((take(&first).len(), take(&second).len()), (1, 1));
}

#[test]
fn what_is_logged_says_which_key() {
    let logged = Log::of(|| {
        let (hosts, _time) = breakers(Keyed::new(fragile()));
        open(&hosts, "shop.example");
    });
    let [opened] = &logged[..] else { panic!("{logged:?}") };
    assert_eq!((opened.level, opened.target), (Level::WARN, "seawall::circuit_breaker"));
    assert_eq!((opened.field("name"), opened.field("key")), (Some("hosts"), Some("\"shop.example\"")));
    assert_eq!(opened.field("to"), Some("open"));
}

#[test]
fn that_nobody_can_be_forgotten_is_logged_once_a_minute() {
    let full = |hosts: &CircuitBreakers<String>| (0..100).for_each(|number| fail(hosts, &format!("new {number}")));
    let logged = Log::of(|| {
        let (hosts, time) = breakers(Keyed::new(fragile()).capacity(1));
        open(&hosts, "a");
        full(&hosts);
        time.advance(59 * SECOND);
        full(&hosts);
        time.advance(SECOND);
        full(&hosts);
    });
    let told: Vec<_> = logged.iter().filter(|logged| logged.field("untracked").is_some()).collect();
    let field = |name| told.iter().map(|logged| logged.field(name)).collect::<Vec<_>>();
    assert_eq!(field("untracked"), [Some("0"), Some("200")]);
    assert_eq!(field("capacity"), [Some("1"), Some("1")]);
    assert!(told.iter().all(|logged| logged.level == Level::WARN && logged.target == "seawall::circuit_breaker"));
}

#[test]
fn an_observer_may_call_the_breakers() {
    let hosts = Arc::new(OnceLock::<CircuitBreakers<String>>::new());
    let inside = hosts.clone();
    let observer = move |key: &String, event: &Event| {
        let hosts = inside.get().expect("set before the first event");
        // A host that opens takes its mirror with it, and the oldest of the others may have to go for that.
        if event.to == State::Open && !key.starts_with("mirror of") {
            hosts.get_or_insert(format!("mirror of {key}").as_str()).expect("room").trip();
        }
        let _ = (hosts.len(), hosts.snapshot(), hosts.get(key.as_str()).map(|own| own.snapshot()));
    };
    let made = CircuitBreakers::new(Keyed::new(fragile()).capacity(4).observer(observer)).expect("valid");
    let hosts = hosts.get_or_init(|| made);
    succeed(hosts, "x");
    succeed(hosts, "y");
    open(hosts, "a");
    assert!(is_refused(hosts, "mirror of a"));
    open(hosts, "b");
    assert!(is_refused(hosts, "mirror of b") && is_refused(hosts, "a"));
}

#[test]
fn an_observer_that_panics_loses_no_probe_and_holds_nobody() {
    let observer = |_: &String, event: &Event| assert!(event.to != State::HalfOpen, "as told");
    let (hosts, time) = breakers(Keyed::new(fragile().half_open(HalfOpen::probes(1))).capacity(1).observer(observer));
    hosts.get_or_insert("a").expect("room").trip();
    time.advance(INTERVAL);
    assert!(catch_unwind(AssertUnwindSafe(|| hosts.with("a").try_admit())).is_err());
    assert_eq!(hosts.get("a").expect("known").snapshot().probes_left, Some(1));
    succeed(&hosts, "a");
    assert_eq!(state(&hosts, "a"), Some(State::Closed));
    succeed(&hosts, "b");
    assert!(hosts.get("b").is_some(), "nobody holds the other");
}

#[test]
fn an_observer_that_panics_keeps_no_key_from_its_new_configuration() {
    let observer = |key: &String, _: &Event| assert!(key != "a", "as told");
    let patient = fragile().consecutive_failures(3);
    let (hosts, _time) = breakers(Keyed::new(patient).observer(observer));
    for key in ["a", "b"] {
        fail(&hosts, key);
        fail(&hosts, key);
    }
    let stricter = Keyed::new(fragile()).observer(observer);
    assert!(catch_unwind(AssertUnwindSafe(|| hosts.reconfigure(stricter))).is_err());
    assert_eq!((state(&hosts, "a"), state(&hosts, "b")), (Some(State::Open), Some(State::Open)));
}
