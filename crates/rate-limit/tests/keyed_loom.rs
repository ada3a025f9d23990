//! Every interleaving, with at most two preemptions, of two or three threads on the keys of one set: whoever comes and goes, no
//! key passes more than its limit, nothing that was granted is forgotten, and nothing that was given back is minted.
//!
//! `RUSTFLAGS="--cfg seawall_loom" cargo test --release -p seawall-rate-limit --test keyed_loom -- --nocapture`
#![cfg(seawall_loom)]

use std::sync::Arc;
use std::time::Duration;

use loom::thread;
use seawall_core::Configure;
use seawall_core::stripe::model::sit;
use seawall_core::time::{Clock, ManualTime};
use seawall_rate_limit::{Algorithm, Config, Keyed, KeyedLimiter, Quota, QuotaClass};
use seawall_testkit::model::{Order, explore_orders};

/// One set of four slots on a clock that stands still; keys from 100 on are of a class with one cell at once in half the time.
struct Keys(KeyedLimiter<u32>, ManualTime);

const INTERVAL: Duration = Duration::from_micros(10);

impl Keys {
    /// Keys that may take so many cells at once.
    fn new(algorithm: Algorithm, burst: u32) -> Arc<Self> {
        let quota = match algorithm {
            Algorithm::Gcra => Quota::new(1, INTERVAL).burst(burst),
            _ => Quota::new(burst, Duration::from_millis(1)),
        };
        let halved = Quota::new(1, INTERVAL / 2);
        let class_of = |key: &u32| if *key < 100 { QuotaClass::FIRST } else { QuotaClass::new(1) };
        let config =
            Keyed::new(Config::new(quota).algorithm(algorithm)).capacity(4).classes([halved]).class_of(class_of);
        let (clock, time) = Clock::manual();
        time.advance(Duration::from_secs(1));
        Arc::new(Self(KeyedLimiter::build(config, clock).expect("a valid configuration"), time))
    }

    /// Keys of one token bucket each.
    fn buckets(burst: u32) -> Arc<Self> {
        Self::new(Algorithm::Gcra, burst)
    }

    fn takes(&self, key: u32) -> bool {
        self.0.check(&key).is_ok()
    }

    fn take(&self, key: u32, cells: u32) {
        assert!(self.0.check_n(&key, cells).is_ok(), "key {key} has {cells} cells");
    }

    /// How many more cells a key gets.
    fn drain(&self, key: u32) -> u32 {
        (0..4).filter(|_| self.takes(key)).count() as u32
    }

    fn remaining(&self, key: u32) -> u32 {
        self.0.peek(&key).remaining()
    }
}

type Role = Box<dyn FnOnce(&Keys) -> u32 + Send>;

/// Lets a thread for each role work on `keys`, and gives what they say.
fn together<const N: usize>(keys: &Arc<Keys>, order: Order, roles: [Role; N]) -> [u32; N] {
    let mut seated: Vec<_> = roles.into_iter().enumerate().collect();
    if matches!(order, Order::Reversed) {
        seated.reverse();
    }
    let threads: Vec<_> = seated
        .into_iter()
        .map(|(seat, work)| {
            let keys = keys.clone();
            let thread = thread::spawn(move || {
                sit(Some(seat).filter(|seat| *seat < 2));
                work(&keys)
            });
            (seat, thread)
        })
        .collect();
    let mut said = [0; N];
    for (seat, thread) in threads {
        said[seat] = thread.join().expect("no thread panics");
    }
    said
}

fn check(key: u32) -> Role {
    Box::new(move |keys| u32::from(keys.takes(key)))
}

#[test]
fn a_call_that_meets_its_keys_eviction_counts_for_its_key_and_for_no_other() {
    explore_orders("a call and the eviction of its key", 200, |order| {
        let keys = Keys::buckets(3);
        keys.take(0, 1);
        (1..4).for_each(|key| keys.take(key, 3));
        let [own, newcomer] = together(&keys, order, [check(0), check(4)]);
        assert!(own + newcomer > 0, "there was room for one of them");
        if own == 0 {
            // What it inherited includes the call if that was charged first; then nobody was admitted for it.
            let inherited = keys.0.snapshot().inherited;
            assert_eq!(u64::from(keys.remaining(4)), 3 - 1 - inherited, "the newcomer was charged for another");
        }
        let all = 1 + own + keys.drain(0);
        assert!(all <= 3, "{all} cells for one key");
        let all = newcomer + keys.drain(4);
        assert!(all <= 3, "{all} cells for the newcomer");
    });
}

#[test]
fn a_swap_by_what_was_read_of_a_key_that_went_admits_nobody() {
    explore_orders("a call and a slot that came to the same time", 500, |order| {
        let keys = Keys::buckets(2);
        keys.take(0, 1);
        keys.take(1, 1);
        (2..4).for_each(|key| keys.take(key, 2));
        let reserves: Role = Box::new(|keys| {
            // It owes less than the key that went, and then, by a turn, exactly as much.
            let refused = keys.0.check(&100).is_err();
            let reserved = keys.0.reserve(&100, 1, INTERVAL);
            reserved.is_ok_and(|turn| turn.keep().cells() == 1 && refused).into()
        });
        let [own, _] = together(&keys, order, [check(0), reserves]);
        let all = 1 + own + keys.drain(0);
        assert!(all <= 2, "{all} cells for one key");
    });
}

#[test]
fn a_new_key_that_two_call_has_one_slot() {
    explore_orders("two calls of a new key", 50, |order| {
        let keys = Keys::buckets(1);
        let said = together(&keys, order, [check(0), check(0)]);
        assert_eq!(said.iter().sum::<u32>(), 1);
        assert_eq!(keys.0.snapshot().arrived, 1);
    });
}

#[test]
fn a_new_key_that_two_call_while_a_third_wants_its_slot_has_one_limit() {
    explore_orders("two calls of a new key and another newcomer", 2_000, |order| {
        let keys = Keys::buckets(2);
        keys.take(1, 1);
        (2..5).for_each(|key| keys.take(key, 2));
        let [one, other, newcomer] = together(&keys, order, [check(0), check(0), check(5)]);
        // One cell is inherited.
        assert_eq!(one + other + newcomer, 1);
        assert_eq!(keys.drain(0) + keys.drain(5), 0);
    });
}

#[test]
fn no_two_newcomers_get_the_same_room() {
    explore_orders("a call and two newcomers", 2_000, |order| {
        let keys = Keys::buckets(2);
        keys.take(0, 1);
        keys.take(1, 1);
        (2..4).for_each(|key| keys.take(key, 2));
        let [own, one, other] = together(&keys, order, [check(0), check(4), check(5)]);
        for (key, had) in [(0, 1 + own), (1, 1), (4, one), (5, other)] {
            let all = had + keys.drain(key);
            assert!(all <= 2, "{all} cells for key {key}");
        }
    });
}

#[test]
fn what_is_given_back_while_the_key_calls_is_there_once() {
    explore_orders("giving back and a call", 40, |order| {
        let keys = Keys::buckets(2);
        let granted = keys.0.check(&0).expect("the first of two");
        let gives_back: Role = Box::new(move |keys| {
            keys.0.refund(granted);
            0
        });
        let [_, own] = together(&keys, order, [gives_back, check(0)]);
        assert_eq!(own + keys.drain(0), 2);
    });
}

#[test]
fn what_is_given_back_while_the_key_goes_is_not_minted() {
    explore_orders("giving back and a newcomer", 30, |order| {
        let keys = Keys::buckets(2);
        let granted = keys.0.check(&0).expect("the first of two");
        keys.take(5, 1);
        (1..3).for_each(|key| keys.take(key, 2));
        let gives_back: Role = Box::new(move |keys| {
            keys.0.refund(granted);
            0
        });
        let [_, newcomer] = together(&keys, order, [gives_back, check(4)]);
        for (key, had) in [(0, 0), (5, 1), (4, newcomer)] {
            let all = had + keys.drain(key);
            assert!(all <= 2, "{all} cells for key {key}");
        }
    });
}

#[test]
fn what_was_forgotten_is_not_given_back() {
    explore_orders("a reset and a call", 100, |order| {
        let keys = Keys::buckets(2);
        let granted = keys.0.check(&0).expect("the first of two");
        let resets: Role = Box::new(|keys| {
            keys.0.reset(&0);
            0
        });
        let takes: Role = Box::new(|keys| {
            let Ok(granted) = keys.0.check(&0) else { return 0 };
            keys.0.refund(granted);
            1
        });
        together(&keys, order, [resets, takes]);
        keys.0.refund(granted);
        assert!(keys.drain(0) <= 2, "what was forgotten was given back");
    });
}

#[test]
fn what_is_taken_while_a_step_of_the_clock_is_healed_is_not_forgotten() {
    explore_orders("two calls that find a clock which stepped back", 100, |order| {
        let keys = Keys::buckets(2);
        keys.take(0, 2);
        keys.1.step_back(Duration::from_millis(500));
        let now = keys.1.now();
        let reserves: Role =
            Box::new(|keys| u32::from(keys.0.reserve(&0, 1, INTERVAL).is_ok_and(|turn| turn.keep().cells() == 1)));
        let [refused, reserved] = together(&keys, order, [check(0), reserves]);
        assert_eq!((refused, reserved), (0, 1), "two are owed, and the next one comes in time");
        let next = keys.0.reserve(&0, 1, 3 * INTERVAL).expect("in turn").keep();
        assert!(next.act_at() >= now + 2 * INTERVAL, "a turn was promised twice");
    });
}

#[test]
fn a_window_under_a_lock_holds_too() {
    explore_orders("a call and two newcomers of a window", 200, |order| {
        let keys = Keys::new(Algorithm::sliding_window(), 2);
        keys.take(0, 1);
        keys.take(1, 1);
        (2..4).for_each(|key| keys.take(key, 2));
        let [own, one, other] = together(&keys, order, [check(0), check(4), check(5)]);
        for (key, had) in [(0, 1 + own), (1, 1), (4, one), (5, other)] {
            let all = had + keys.drain(key);
            assert!(all <= 2, "{all} cells for key {key}");
        }
    });
}
