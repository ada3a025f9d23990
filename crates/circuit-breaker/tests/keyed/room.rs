//! Who is forgotten to make room for a new key, and who is not.

use seawall_circuit_breaker::{Keyed, State};

use super::{breakers, fail, fragile, is_refused, open, state, succeed};

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
