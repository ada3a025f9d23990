//! What is seen and done from outside: one key's circuit, all of them, and keys that are taken out.

use std::collections::BTreeMap;

use seawall_circuit_breaker::{Keyed, State};

use super::{breakers, fail, fragile, is_refused, open, state, succeed};

#[test]
fn who_is_held_is_not_forgotten() {
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(2));
    let held = hosts.get_or_insert("held").expect("room");
    let again = hosts.get("held").expect("known");
    for number in 0..100 {
        succeed(&hosts, &format!("host {number}"));
    }
    drop(again);
    for number in 0..100 {
        succeed(&hosts, &format!("host {number}"));
    }
    assert!(hosts.get("held").is_some(), "one still holds it");
    drop(held);
    for number in 0..100 {
        succeed(&hosts, &format!("host {number}"));
    }
    assert!(hosts.get("held").is_none());
    assert_eq!(hosts.snapshot().untracked, 0);
}

#[test]
fn whoever_only_looks_keeps_nobody_out() {
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(2));
    succeed(&hosts, "watched");
    for number in 0..10 {
        let _ = (state(&hosts, "watched"), hosts.snapshots(), hosts.snapshot());
        succeed(&hosts, &format!("host {number}"));
    }
    assert!(hosts.get("watched").is_none());
}

#[test]
fn a_circuit_is_held_by_hand_before_its_first_call() {
    let (hosts, _time) = breakers(Keyed::new(fragile()));
    hosts.get_or_insert("maintenance").expect("room").force_open();
    assert!(is_refused(&hosts, "maintenance"));
    hosts.get("maintenance").expect("known").reset();
    assert!(!is_refused(&hosts, "maintenance"));
}

#[test]
fn a_key_that_is_removed_begins_anew() {
    let (hosts, _time) = breakers(Keyed::new(fragile()));
    open(&hosts, "a");
    succeed(&hosts, "b");
    let late = hosts.with("b").try_admit().expect("closed");
    assert!(hosts.remove("a") && hosts.remove("b"));
    assert!(!hosts.remove("a"), "it is gone already");
    assert_eq!((hosts.len(), hosts.is_empty()), (0, true));
    late.failure();
    for key in ["b", "a"] {
        succeed(&hosts, key);
        let total = hosts.get(key).expect("it came back").snapshot().total;
        assert_eq!((total.successes, total.failures, total.refused, total.opened), (1, 0, 0, 0));
    }
    assert_eq!(hosts.snapshot().evicted, 0, "nobody had to go");
}

#[test]
fn a_key_that_is_held_cannot_be_removed() {
    let (hosts, _time) = breakers(Keyed::new(fragile()));
    let held = hosts.get_or_insert("a").expect("room");
    held.force_open();
    assert!(!hosts.remove("a"));
    assert!(is_refused(&hosts, "a"));
    drop(held);
    assert!(hosts.remove("a"));
}

#[test]
fn all_keys_are_seen_with_their_own_snapshots() {
    let (hosts, _time) = breakers(Keyed::new(fragile()));
    open(&hosts, "a");
    succeed(&hosts, "b");
    fail(&hosts, "c");
    let seen: BTreeMap<_, _> = hosts.snapshots().into_iter().collect();
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    for (key, seen) in &seen {
        assert_eq!(*seen, hosts.get(key.as_str()).expect("known").snapshot());
    }
    let all = hosts.snapshot();
    assert_eq!((all.len, all.states.open, all.states.closed), (3, 1, 2));
    assert_eq!(all.states.get(State::Closed), 2);
}

#[test]
fn whoever_is_told_of_all_keys_may_change_them_meanwhile() {
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(3));
    (0..3).for_each(|number| succeed(&hosts, &format!("host {number}")));
    let mut told = Vec::new();
    hosts.for_each(|key, _| {
        hosts.remove(key.as_str());
        succeed(&hosts, &format!("{key} again"));
        told.push(key.clone());
    });
    assert!((3..=6).contains(&told.len()), "{told:?}");
    assert_eq!(hosts.len(), 3);
}

#[cfg(feature = "serde")]
#[test]
fn a_snapshot_is_written_with_its_counts_by_state() {
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(2));
    open(&hosts, "a");
    succeed(&hosts, "b");
    let written = serde_json::to_value(hosts.snapshot()).expect("a snapshot can be written");
    let expected = serde_json::json!({
        "name": "hosts",
        "len": 2,
        "capacity": 2,
        "states": {"closed": 1, "open": 1, "half_open": 0, "disabled": 0, "forced_open": 0, "metrics_only": 0},
        "evicted": 0,
        "untracked": 0,
    });
    assert_eq!(written, expected);
}
