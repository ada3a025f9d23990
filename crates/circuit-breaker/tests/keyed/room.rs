//! Who is forgotten to make room for a new key, and who is not.

use std::time::Duration;

use seawall_circuit_breaker::{Breaker, Config, HalfOpen, Keyed, OpenInterval, State, Window};
use seawall_core::{Outcome, Permit};

use super::{INTERVAL, SECOND, breakers, fail, fragile, is_refused, open, state, succeed};

#[test]
fn no_more_keys_are_kept_than_there_is_room_for() {
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(3));
    for number in 0..100 {
        succeed(&hosts, &format!("host {number}"));
        assert_eq!(hosts.len(), 3.min(number + 1));
    }
    let snapshot = hosts.snapshot();
    assert_eq!((snapshot.len, snapshot.capacity, snapshot.evicted, snapshot.untracked), (3, 3, 97, 0));
    assert_eq!(snapshot.states.closed, 3);
}

#[test]
fn who_was_used_lately_stays() {
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(4));
    for number in 0..100 {
        succeed(&hosts, "often");
        succeed(&hosts, &format!("host {number}"));
    }
    assert_eq!(hosts.get("often").expect("used all the time").snapshot().total.successes, 100);
}

#[test]
fn who_counts_failures_goes_after_those_who_do_not() {
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(4));
    fail(&hosts, "failed once");
    for number in 0..100 {
        succeed(&hosts, &format!("host {number}"));
    }
    fail(&hosts, "failed once");
    assert_eq!(state(&hosts, "failed once"), Some(State::Open));
}

#[test]
fn an_open_circuit_is_never_forgotten() {
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(4));
    open(&hosts, "a");
    open(&hosts, "b");
    for number in 0..1_000 {
        succeed(&hosts, &format!("host {number}"));
    }
    assert!(is_refused(&hosts, "a") && is_refused(&hosts, "b"));
}

#[test]
fn calls_pass_untracked_when_nobody_can_be_forgotten() {
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(2));
    open(&hosts, "a");
    open(&hosts, "b");
    for _ in 0..10 {
        fail(&hosts, "c");
    }
    assert!(!is_refused(&hosts, "c"));
    assert!(hosts.get("c").is_none() && hosts.get_or_insert("c").is_none());
    assert_eq!((hosts.len(), hosts.snapshot().untracked), (2, 11));
    assert!(is_refused(&hosts, "a") && is_refused(&hosts, "b"));
}

#[test]
fn who_was_used_goes_rather_than_a_new_key_untracked() {
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(3));
    open(&hosts, "open");
    for _ in 0..2 {
        succeed(&hosts, "clean");
        fail(&hosts, "failed");
        succeed(&hosts, "clean");
    }
    succeed(&hosts, "new");
    assert!(hosts.get("new").is_some());
    assert_eq!((state(&hosts, "open"), hosts.get("clean").is_none()), (Some(State::Open), true));
    assert_eq!(hosts.snapshot().untracked, 0);
}

#[test]
fn a_failure_that_left_its_window_keeps_nobody() {
    let config = Config::default().name("hosts").window(Window::time(10 * SECOND));
    let (hosts, time) = breakers(Keyed::new(config).capacity(2));
    let now = hosts.get_or_insert("failed now").expect("room");
    fail(&hosts, "failed long ago");
    time.advance(20 * SECOND);
    now.record(Outcome::Failure, Duration::ZERO);
    drop(now);
    succeed(&hosts, "new");
    assert!(hosts.get("failed long ago").is_none());
    assert_eq!(hosts.get("failed now").expect("it goes last").snapshot().figures.failed, 1);
}

#[test]
fn a_recent_failure_in_a_period_is_one_that_counts() {
    let config = Config::empty().name("hosts").failures_in_period(2, 10 * SECOND);
    let (hosts, time) = breakers(Keyed::new(config).capacity(2));
    fail(&hosts, "failed");
    succeed(&hosts, "failed");
    for number in 0..10 {
        succeed(&hosts, &format!("host {number}"));
    }
    assert!(hosts.get("failed").is_some());
    time.advance(10 * SECOND);
    for number in 0..10 {
        succeed(&hosts, &format!("host {number}"));
    }
    assert!(hosts.get("failed").is_none(), "nothing of it counts any more");
}

#[test]
fn a_circuit_that_grew_its_interval_is_kept_until_it_is_stable() {
    let growing = OpenInterval::exponential(SECOND, 2.0, 60 * SECOND).stable_after(30 * SECOND);
    let (hosts, time) = breakers(Keyed::new(fragile().open(growing)).capacity(2));
    open(&hosts, "was open");
    hosts.get("was open").expect("known").force_closed();
    let flood = || (0..10).for_each(|number| succeed(&hosts, &format!("host {number}")));
    flood();
    assert!(hosts.get("was open").is_some());
    time.advance(30 * SECOND);
    flood();
    flood();
    assert!(hosts.get("was open").is_none());
}

#[test]
fn a_circuit_held_by_hand_or_half_open_is_never_forgotten() {
    let (hosts, time) = breakers(Keyed::new(fragile()).capacity(5).retire_open_after(SECOND));
    for (key, hold) in [
        ("forced", Breaker::force_open as fn(&Breaker)),
        ("disabled", Breaker::disable),
        ("metrics only", Breaker::metrics_only),
        ("half-open", Breaker::trip),
    ] {
        hold(&hosts.get_or_insert(key).expect("room"));
    }
    time.advance(INTERVAL);
    let probe = hosts.with("half-open").try_admit().expect("a probe");
    for number in 0..1_000 {
        succeed(&hosts, &format!("host {number}"));
    }
    assert_eq!(state(&hosts, "forced"), Some(State::ForcedOpen));
    assert_eq!(state(&hosts, "disabled"), Some(State::Disabled));
    assert_eq!(state(&hosts, "metrics only"), Some(State::MetricsOnly));
    assert_eq!(state(&hosts, "half-open"), Some(State::HalfOpen));
    probe.success();
}

#[test]
fn a_circuit_that_nobody_called_for_long_may_be_retired() {
    let (hosts, time) = breakers(Keyed::new(fragile()).capacity(2).retire_open_after(10 * SECOND));
    open(&hosts, "a");
    open(&hosts, "b");
    for (passed, why) in
        [(SECOND, "they were called"), (INTERVAL + 8 * SECOND, "the interval was not over for so long")]
    {
        time.advance(passed);
        succeed(&hosts, "c");
        assert!(hosts.get("c").is_none(), "{why}");
    }
    time.advance(SECOND);
    succeed(&hosts, "c");
    assert!(hosts.get("c").is_some());
    assert_eq!((hosts.len(), hosts.snapshot().evicted), (2, 1));
    // Without the permission it would have stayed.
    let (hosts, time) = breakers(Keyed::new(fragile()).capacity(1));
    open(&hosts, "a");
    time.advance(366 * 24 * 3600 * SECOND);
    succeed(&hosts, "b");
    assert!(hosts.get("b").is_none());
    assert_eq!(state(&hosts, "a"), Some(State::HalfOpen));
}

#[test]
fn a_circuit_that_is_called_is_not_retired() {
    let probing = fragile().half_open(HalfOpen::probes(1).without_max());
    let (hosts, time) = breakers(Keyed::new(probing).capacity(1).retire_open_after(10 * SECOND));
    open(&hosts, "a");
    time.advance(INTERVAL);
    let probe = hosts.with("a").try_admit().expect("a probe");
    time.advance(100 * SECOND);
    assert!(is_refused(&hosts, "a"), "the probe hangs");
    succeed(&hosts, "b");
    assert!(hosts.get("b").is_none(), "somebody asked for it a moment ago");
    probe.failure();
    assert_eq!(state(&hosts, "a"), Some(State::Open));
}

#[test]
fn a_half_open_circuit_is_retired_from_when_its_probes_are_given_up() {
    let probing = fragile().half_open(HalfOpen::probes(1).max(30 * SECOND));
    let (hosts, time) = breakers(Keyed::new(probing).capacity(1).retire_open_after(10 * SECOND));
    open(&hosts, "a");
    time.advance(INTERVAL);
    let hangs = hosts.with("a").try_admit().expect("a probe");
    for _ in 0..3 {
        time.advance(13 * SECOND);
        succeed(&hosts, "b");
        assert!(hosts.get("b").is_none());
    }
    time.advance(SECOND);
    succeed(&hosts, "b");
    assert!(hosts.get("b").is_some(), "it would have opened again 10 seconds ago");
    hangs.success();
    assert_eq!(hosts.get("b").expect("known").snapshot().total.successes, 1);
}

#[test]
fn a_call_of_a_key_that_was_forgotten_ends_without_effect() {
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(1));
    let late: Vec<_> = (0..4).map(|_| hosts.with("a").try_admit().expect("closed")).collect();
    succeed(&hosts, "b");
    late.into_iter().for_each(Permit::failure);
    let snapshot = hosts.get("b").expect("it took the place").snapshot();
    assert_eq!((snapshot.total.failures, snapshot.total.stale, snapshot.total.successes), (0, 0, 1));
    succeed(&hosts, "a");
    assert_eq!(hosts.get("a").expect("it came back").snapshot().total.failures, 0);
}

#[test]
fn the_search_goes_on_where_it_ended() {
    // More open circuits than are looked at for one new key, and one that can go.
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(1_001));
    for number in 0..1_000 {
        hosts.get_or_insert(format!("open {number}").as_str()).expect("room").force_open();
    }
    succeed(&hosts, "idle");
    let untracked = (0..).take_while(|number| {
        succeed(&hosts, &format!("new {number}"));
        hosts.get("idle").is_some()
    });
    assert!(untracked.count() <= 1_001 / 64, "it was not found in one round");
    assert_eq!(hosts.snapshot().evicted, 1);
}
