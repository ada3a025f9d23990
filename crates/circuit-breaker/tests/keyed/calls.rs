//! Which key a call counts for.

use seawall_circuit_breaker::{CircuitBreakers, Keyed, State};
use seawall_core::time::Now;
use seawall_core::{Admits, Ask, Ending, Policy, Report};

use super::{INTERVAL, breakers, fragile, is_refused, open, state, succeed};

#[test]
fn each_key_has_a_circuit_of_its_own() {
    let (hosts, _time) = breakers(Keyed::new(fragile()));
    open(&hosts, "broken");
    succeed(&hosts, "healthy");
    assert!(is_refused(&hosts, "broken"));
    assert!(!is_refused(&hosts, "healthy"));
    assert_eq!((state(&hosts, "broken"), state(&hosts, "healthy")), (Some(State::Open), Some(State::Closed)));
    assert_eq!((state(&hosts, "unknown"), hosts.len()), (None, 2));
}

#[test]
fn a_circuit_opens_and_closes_as_a_breaker_does() {
    let (hosts, time) = breakers(Keyed::new(fragile()));
    open(&hosts, "host");
    let refusal = hosts.with("host").try_admit().expect_err("open");
    assert_eq!((refusal.name().as_str(), refusal.retry_after()), ("hosts", Some(INTERVAL)));
    time.advance(INTERVAL);
    succeed(&hosts, "host");
    succeed(&hosts, "host");
    assert_eq!(state(&hosts, "host"), Some(State::Closed));
    let snapshot = hosts.get("host").expect("known").snapshot();
    assert_eq!((snapshot.total.successes, snapshot.total.failures, snapshot.total.refused), (2, 2, 2));
}

#[test]
fn keys_are_found_by_whatever_they_are_borrowed_as() {
    let (hosts, _time) = breakers(Keyed::new(fragile()));
    succeed(&hosts, "host");
    hosts.with(&String::from("host")).try_admit().expect("closed").success();
    assert_eq!(hosts.len(), 1);

    let ports = CircuitBreakers::<(String, u16)>::new(Keyed::new(fragile())).expect("valid");
    ports.with(&(String::from("host"), 80)).try_admit().expect("closed").failure();
    ports.with(&(String::from("host"), 443)).try_admit().expect("closed").success();
    assert_eq!(ports.len(), 2);
    let failures = |port| ports.get(&(String::from("host"), port)).expect("known").snapshot().total.failures;
    assert_eq!((failures(80), failures(443)), (1, 0));
}

#[test]
fn a_call_ends_for_the_key_for_which_it_was_admitted() {
    let (hosts, _time) = breakers(Keyed::new(fragile()));
    let calls: Vec<_> = ["a", "b", "a", "c"].map(|key| hosts.with(key).try_admit().expect("closed")).into();
    for (number, call) in calls.into_iter().enumerate().rev() {
        if number % 2 == 0 { call.failure() } else { call.success() }
    }
    assert_eq!(state(&hosts, "a"), Some(State::Open));
    assert_eq!((state(&hosts, "b"), state(&hosts, "c")), (Some(State::Closed), Some(State::Closed)));
}

#[test]
fn a_reservation_asks_its_key_again_when_the_call_comes() {
    let (hosts, _time) = breakers(Keyed::new(fragile()));
    let now = Now::new(Policy::clock(&*hosts));
    let mut reserved = Admits::try_admit(&hosts, &Ask::new("host", &now).reserving()).expect("closed");
    open(&hosts, "host");
    assert_eq!(hosts.renew(&mut reserved, &now).map_err(|open| open.state()), Err(State::Open));
    hosts.settle(reserved, Ending::Cancelled, &now);
}

#[test]
fn a_reservation_of_a_key_that_was_forgotten_passes_untracked() {
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(1));
    let now = Now::new(Policy::clock(&*hosts));
    let mut reserved = Admits::try_admit(&hosts, &Ask::new("forgotten", &now).reserving()).expect("closed");
    open(&hosts, "next");
    assert!(hosts.renew(&mut reserved, &now).is_ok(), "another one's circuit is open");
    hosts.settle(reserved, Ending::Finished(Report::failure()), &now);
    assert_eq!(hosts.get("next").expect("open").snapshot().total.failures, 2);
}
