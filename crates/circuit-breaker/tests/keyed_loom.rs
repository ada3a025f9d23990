//! Every interleaving, with at most two preemptions, of two or three threads on the circuits of two keys that have room for one: no
//! key is refused, opened or counted for by another's calls, who is held stays, and a key never has two circuits.
//!
//! `RUSTFLAGS="--cfg seawall_loom" cargo test --release -p seawall-circuit-breaker --test keyed_loom -- --nocapture`
//!
//! The index itself is not explored: each look and each change is one step.
#![cfg(seawall_loom)]

use std::sync::Arc;

use loom::thread;
use seawall_circuit_breaker::{Breakers, Config, Keyed, KeyedToken, Open, State, Token};
use seawall_core::stripe::model::sit;
use seawall_core::time::{Clock, Now};
use seawall_core::{Admits, Ask, Configure, Ending, Policy, Report};
use seawall_testkit::model::{Order, explore_orders};

/// The policy itself, without the handle, whose reference counts loom need not see.
struct Hosts(Breakers<u32>);

impl Hosts {
    /// The first failure of a key opens its circuit. The circuits are made, and were used for others.
    fn new(capacity: u32) -> Arc<Self> {
        let config = Keyed::new(Config::empty().consecutive_failures(1)).capacity(capacity);
        let hosts = Self(Breakers::build(config, Clock::manual().0).expect("a valid configuration"));
        let others = 100..100 + capacity;
        others.clone().for_each(|key| hosts.succeed(key));
        others.for_each(|key| assert!(hosts.0.remove(&key)));
        Arc::new(hosts)
    }

    fn admit(&self, key: u32) -> Result<KeyedToken<Token>, Open> {
        let now = Now::new(self.0.clock());
        self.0.try_admit(&Ask::new(&key, &now))
    }

    fn end(&self, token: KeyedToken<Token>, ending: Ending<'_>) {
        let now = Now::new(self.0.clock());
        self.0.settle(token, ending, &now);
    }

    fn succeed(&self, key: u32) {
        let token = self.admit(key).expect("no failure of this key");
        self.end(token, Ending::Finished(Report::success()));
    }

    fn fail(&self, key: u32) {
        let token = self.admit(key).expect("no failure of this key before");
        self.end(token, Ending::Finished(Report::failure()));
    }

    fn state(&self, key: u32) -> Option<State> {
        self.0.get(&key).map(|own| own.state())
    }
}

type Role = Box<dyn FnOnce(&Hosts) + Send>;

/// Lets a thread for each role work on `hosts`, and waits for all.
fn together<const N: usize>(hosts: &Arc<Hosts>, order: Order, roles: [Role; N]) {
    let mut seated: Vec<_> = roles.into_iter().enumerate().collect();
    if matches!(order, Order::Reversed) {
        seated.reverse();
    }
    let threads: Vec<_> = seated
        .into_iter()
        .map(|(seat, work)| {
            let hosts = hosts.clone();
            thread::spawn(move || {
                sit(Some(seat).filter(|seat| *seat < 2));
                work(&hosts);
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no thread panics");
    }
}

#[test]
fn a_failure_counts_for_its_own_key_or_for_none() {
    explore_orders("a failure and a newcomer", 500, |order| {
        let hosts = Hosts::new(1);
        hosts.succeed(1);
        together(&hosts, order, [Box::new(|hosts| hosts.fail(1)), Box::new(|hosts| hosts.succeed(2))]);
        match (hosts.state(1), hosts.state(2)) {
            // It was open before the other came, who then passed untracked; or the other had come and gone.
            (Some(State::Open), None) => {}
            // Its call, or the call's end, found that it had to go.
            (None, Some(State::Closed)) => {
                let total = hosts.0.get(&2).expect("it lives here").snapshot().total;
                assert_eq!((total.failures, total.refused, total.opened, total.abandoned), (0, 0, 0, 0));
                // What ends at the very moment of the change is one of the old generation's.
                assert!(total.stale <= 1 && total.successes <= 1, "{total:?}");
            }
            states => panic!("{states:?}"),
        }
        assert_eq!(hosts.0.len(), 1);
    });
}

#[test]
fn nobody_is_refused_because_another_key_fails() {
    explore_orders("a known key and a newcomer that fails", 500, |order| {
        let hosts = Hosts::new(1);
        hosts.succeed(1);
        together(&hosts, order, [Box::new(|hosts| hosts.succeed(1)), Box::new(|hosts| hosts.fail(2))]);
        match (hosts.state(1), hosts.state(2)) {
            (None, Some(State::Open)) => {}
            (Some(State::Closed), None) => {
                let total = hosts.0.get(&1).expect("it lives here").snapshot().total;
                assert_eq!((total.failures, total.refused, total.opened), (0, 0, 0));
            }
            states => panic!("{states:?}"),
        }
    });
}

#[test]
fn an_open_circuit_is_never_forgotten() {
    explore_orders("an open key and two newcomers", 100_000, |order| {
        let hosts = Hosts::new(1);
        let failing = hosts.admit(1).expect("closed");
        together(
            &hosts,
            order,
            [
                Box::new(move |hosts| {
                    hosts.end(failing, Ending::Finished(Report::failure()));
                    if hosts.admit(1).is_err() {
                        // Whoever was refused by it once finds it from then on.
                        assert!(hosts.admit(1).is_err());
                        assert_eq!(hosts.state(1), Some(State::Open));
                    }
                }),
                Box::new(|hosts| hosts.succeed(2)),
                Box::new(|hosts| hosts.succeed(3)),
            ],
        );
        assert_eq!(hosts.0.len(), 1);
    });
}

#[test]
fn who_is_held_stays() {
    explore_orders("a held key and a newcomer", 400, |order| {
        let hosts = Hosts::new(1);
        hosts.succeed(1);
        together(
            &hosts,
            order,
            [
                Box::new(|hosts| {
                    let Some(held) = hosts.0.get(&1) else { return };
                    assert_eq!(held.snapshot().total.successes, 1, "it is the one that was found");
                    assert!(hosts.state(1).is_some());
                    held.force_open();
                    drop(held);
                    assert_eq!(hosts.state(1), Some(State::ForcedOpen), "it is kept by its state now");
                }),
                Box::new(|hosts| hosts.succeed(2)),
            ],
        );
        assert_eq!(hosts.0.len(), 1);
    });
}

#[test]
fn a_new_key_that_two_call_has_one_circuit() {
    explore_orders("two calls of a new key", 200, |order| {
        let hosts = Hosts::new(2);
        together(&hosts, order, [Box::new(|hosts| hosts.succeed(1)), Box::new(|hosts| hosts.succeed(1))]);
        let total = hosts.0.get(&1).expect("known").snapshot().total;
        assert_eq!((hosts.0.len(), total.successes, total.stale), (1, 2, 0));
    });
}

#[test]
fn what_is_told_of_a_key_is_its_own() {
    explore_orders("a look at all keys and a newcomer", 100, |order| {
        let hosts = Hosts::new(1);
        hosts.succeed(1);
        together(
            &hosts,
            order,
            [
                Box::new(|hosts| {
                    hosts.0.for_each(|key, snapshot| match key {
                        1 => assert_eq!((snapshot.state, snapshot.total.successes), (State::Closed, 1)),
                        _ => assert_eq!(snapshot.total.successes, 0),
                    });
                }),
                Box::new(|hosts| hosts.fail(2)),
            ],
        );
    });
}

#[test]
fn the_settings_of_whoever_came_last_are_those_of_every_key() {
    explore_orders("two reconfigurations", 200, |order| {
        let hosts = Hosts::new(2);
        hosts.succeed(1);
        let reconfigure = |failures| -> Role {
            Box::new(move |hosts| {
                let config = Config::empty().consecutive_failures(failures);
                hosts.0.reconfigure(Keyed::new(config).capacity(2)).expect("a valid configuration");
            })
        };
        together(&hosts, order, [reconfigure(2), reconfigure(3)]);
        // One that was there, and one that comes now.
        let opens_at = [1, 2].map(|key| {
            (1..=3).find(|_| {
                hosts.fail(key);
                hosts.state(key) == Some(State::Open)
            })
        });
        assert!(opens_at[0].is_some() && opens_at[0] == opens_at[1], "{opens_at:?}");
    });
}
