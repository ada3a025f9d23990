//! What becomes of the load on a dependency, second by second on manual time.

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::Duration;

use seawall_circuit_breaker::throttle::Config;
use seawall_circuit_breaker::{AdaptiveThrottle, Throttle};
use seawall_core::Permit;
use seawall_core::time::ManualTime;

use crate::{SECOND, throttle};

/// How many calls ask each second, at even distances.
const RATE: u32 = 100;

struct Client<'a> {
    throttle: &'a AdaptiveThrottle,
    time: &'a ManualTime,
}

/// What happened to the calls of some seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Load {
    sent: u32,
    accepted: u32,
    refused: u32,
}

impl Client<'_> {
    /// Calls for so many seconds a dependency that accepts at most `capacity` calls each second.
    fn call(&self, seconds: u32, capacity: u32) -> Load {
        let mut load = Load::default();
        for _ in 0..seconds {
            let mut accepted = 0;
            for _ in 0..RATE {
                self.time.advance(SECOND / RATE);
                match self.throttle.try_admit() {
                    Err(_) => load.refused += 1,
                    Ok(permit) => {
                        load.sent += 1;
                        if accepted < capacity {
                            accepted += 1;
                            permit.success();
                        } else {
                            permit.failure();
                        }
                    }
                }
            }
            load.accepted += accepted;
        }
        load
    }

    /// For how many seconds some call is refused, now that all would be accepted.
    fn recovers_in(&self) -> u32 {
        (0..500).find(|_| self.call(1, RATE).refused == 0).expect("it must not stay throttled")
    }
}

fn over_seeds(config: &Config, check: impl Fn(u64, Client<'_>)) {
    for seed in 0..20 {
        let (throttle, time) = throttle(config.clone().seed(seed));
        check(seed, Client { throttle: &throttle, time: &time });
    }
}

#[test]
fn a_dependency_that_is_down_is_hardly_called_and_comes_back_to_no_refusals() {
    over_seeds(&Config::default(), |seed, client| {
        assert_eq!(client.call(30, RATE), Load { sent: 3_000, accepted: 3_000, refused: 0 });
        let noticing = client.call(4, 0);
        assert_eq!(noticing.refused, 0, "seed {seed}: half of the window is still accepted");
        client.call(10, 0);
        let down = client.call(50, 0);
        assert!(down.sent < 25, "seed {seed}: {} of 5 000 calls went to a dependency that is down", down.sent);
        let recovery = client.recovers_in();
        assert!(recovery < 150, "seed {seed}: {recovery} seconds");
        assert_eq!(client.call(60, RATE).refused, 0, "seed {seed}: fault-free, and still refusing");
    });
}

#[test]
fn a_cap_finds_out_sooner_that_the_dependency_is_back_and_sends_it_more() {
    over_seeds(&Config::default().max_rejection(0.95), |seed, client| {
        client.call(30, RATE);
        client.call(20, 0);
        let down = client.call(60, 0);
        assert!((180..420).contains(&down.sent), "seed {seed}: {} of 6 000 is not a twentieth", down.sent);
        let recovery = client.recovers_in();
        assert!((12..35).contains(&recovery), "seed {seed}: {recovery} seconds");
        assert_eq!(client.call(60, RATE).refused, 0, "seed {seed}");
    });
}

#[test]
fn what_reaches_an_overloaded_dependency_tends_to_k_times_what_it_accepts() {
    for (k, capacity) in [(2.0, 30), (1.5, 30), (2.0, 10), (1.2, 60)] {
        let sum = Cell::new((0, 0));
        over_seeds(&Config::default().k(k), |seed, client| {
            client.call(60, capacity);
            let (load, told) = (client.call(100, capacity), format!("seed {seed}, k {k}"));
            // Draws leave it idle for a moment now and then.
            assert!(load.accepted > 97 * capacity, "{told}: {} of {} accepted", load.accepted, 100 * capacity);
            sum.set((sum.get().0 + load.sent, sum.get().1 + load.accepted));
            client.recovers_in();
            assert_eq!(client.call(60, RATE).refused, 0, "{told}");
        });
        let share = f64::from(sum.get().0) / f64::from(sum.get().1);
        // A little more than k: the calls of the newest bucket that are accepted come first.
        assert!((k * 0.99..k * 1.05).contains(&share), "k {k}: {share} times what is accepted is sent");
    }
}

#[test]
fn a_dependency_of_which_a_third_fails_is_not_throttled() {
    over_seeds(&Config::default(), |seed, client| {
        let load = client.call(60, RATE * 2 / 3);
        assert_eq!((load.sent, load.refused), (60 * RATE, 0), "seed {seed}");
    });
}

/// Calls whose end comes `takes` later, if ever.
fn call_slowly<'a>(client: &Client<'a>, seconds: u32, takes: Duration) -> (Load, Vec<Permit<&'a Throttle>>) {
    let mut running = VecDeque::new();
    let mut load = Load::default();
    for _ in 0..seconds * RATE {
        client.time.advance(SECOND / RATE);
        let now = client.time.now();
        while running.front().is_some_and(|(end, _)| *end <= now) {
            let ended: Option<(_, Permit<&Throttle>)> = running.pop_front();
            if let Some((_, permit)) = ended {
                permit.success();
            }
            load.accepted += 1;
        }
        match client.throttle.try_admit() {
            Ok(permit) => {
                load.sent += 1;
                running.push_back((now + takes, permit));
            }
            Err(_) => load.refused += 1,
        }
    }
    (load, running.into_iter().map(|(_, permit)| permit).collect())
}

#[test]
fn calls_that_take_longer_than_the_window_are_accepted_all_the_same() {
    // 2 000 run at the same time; at the beginning none of them has ended.
    over_seeds(&Config::default().minimum_calls(5_000).window(30 * SECOND), |seed, client| {
        let (load, _running) = call_slowly(&client, 120, 20 * SECOND);
        assert_eq!(load.refused, 0, "seed {seed}");
    });
    over_seeds(&Config::default().minimum_calls(1_100), |seed, client| {
        let (load, _running) = call_slowly(&client, 120, 15 * SECOND);
        assert_eq!(load.refused, 0, "seed {seed}: there are never as many requests in the window");
    });
}

#[test]
fn many_calls_at_once_after_a_silence_pass_below_the_minimum() {
    over_seeds(&Config::default(), |seed, client| {
        client.call(5, RATE);
        client.time.advance(3_600 * SECOND);
        // Half a second each, so 50 run at the same time: the minimum of 100 is twice that.
        let (load, _running) = call_slowly(&client, 20, SECOND / 2);
        assert_eq!(load.refused, 0, "seed {seed}");
    });
}

#[test]
fn a_dependency_that_hangs_is_given_up_before_any_call_ends() {
    over_seeds(&Config::default(), |seed, client| {
        client.call(20, RATE);
        let (load, hanging) = call_slowly(&client, 20, 3_600 * SECOND);
        assert!(load.refused > 900, "seed {seed}: {} of 2 000 were refused", load.refused);
        for permit in hanging {
            permit.failure();
        }
        client.recovers_in();
        assert_eq!(client.call(60, RATE).refused, 0, "seed {seed}");
    });
}
