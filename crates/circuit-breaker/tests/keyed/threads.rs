//! Many threads at once: one circuit for each key, and never one key's calls with another's.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use seawall_circuit_breaker::{CircuitBreakers, Config, HalfOpen, Keyed, State};
use seawall_core::time::Clock;
use seawall_core::{Permit, Report};
use seawall_testkit::random::Random;

use super::fragile;

const THREADS: usize = 4;

#[test]
fn threads_that_meet_at_a_new_key_get_one_circuit() {
    let hosts = CircuitBreakers::<String>::new(Keyed::new(fragile()).capacity(1_000)).expect("valid");
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for round in 0..300 {
                    barrier.wait();
                    hosts.with(format!("host {round}").as_str()).try_admit().expect("closed").success();
                }
            });
        }
    });
    let snapshot = hosts.snapshot();
    assert_eq!((snapshot.len, snapshot.evicted, snapshot.untracked), (300, 0, 0));
    hosts.for_each(|key, snapshot| assert_eq!(snapshot.total.successes, THREADS as u64, "{key}"));
}

/// Every second key works, every other one fails, and says so in its error.
fn works(key: usize) -> bool {
    key.is_multiple_of(2)
}

fn end<H: seawall_core::Hold>(key: usize, permit: Permit<H>) {
    if works(key) { permit.success() } else { permit.finish(Report::failure().because(&key)) }
}

static KEYS: [usize; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

#[test]
fn keys_are_never_mixed_however_fast_they_come_and_go() {
    // No failure opens a circuit, so that all of them can be forgotten all the time.
    let config = Config::empty().name("hosts").consecutive_failures(1_000_000);
    let hosts = CircuitBreakers::<usize>::new(Keyed::new(config).capacity(4)).expect("valid");
    let seen = AtomicU64::new(0);
    let check = || {
        hosts.for_each(|key, snapshot| {
            let total = snapshot.total;
            let of_others = if works(*key) { total.failures } else { total.successes };
            assert_eq!(of_others, 0, "{key}: {snapshot:?}");
            if let Some(error) = snapshot.last_error {
                assert_eq!(error, key.to_string());
            }
            seen.fetch_add(1, Ordering::Relaxed);
        });
    };
    thread::scope(|scope| {
        for thread in 0..THREADS as u64 {
            let (hosts, check) = (&hosts, &check);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                let mut late: Vec<(usize, Permit<_>)> = Vec::new();
                for round in 0..15_000 {
                    let key = random.below(KEYS.len());
                    let permit = hosts.with(&KEYS[key]).try_admit().expect("nothing opens");
                    if random.below(4) == 0 {
                        late.push((key, permit));
                    } else {
                        end(key, permit);
                    }
                    if late.len() > 8 {
                        let (key, permit) = late.swap_remove(random.below(8));
                        end(key, permit);
                    }
                    match random.below(64) {
                        0 => drop(hosts.remove(&random.below(12))),
                        1 => check(),
                        _ if round % 1_000 == 0 => drop(hosts.get_or_insert(&key)),
                        _ => {}
                    }
                }
                for (key, permit) in late {
                    end(key, permit);
                }
            });
        }
    });
    check();
    assert!(hosts.snapshot().evicted > 100 && seen.into_inner() > 100, "too little happened");
}

#[test]
fn a_key_that_works_is_never_refused_because_another_fails() {
    let (clock, time) = Clock::manual();
    let config = Config::empty()
        .name("hosts")
        .consecutive_failures(1)
        .open_for(Duration::from_millis(1))
        .half_open(HalfOpen::probes(1));
    let keyed = Keyed::new(config).capacity(4).retire_open_after(Duration::from_millis(1));
    let hosts = CircuitBreakers::<usize>::with_clock(keyed, clock).expect("valid");
    let refused = AtomicU64::new(0);
    thread::scope(|scope| {
        for thread in 0..THREADS as u64 {
            let (hosts, time, refused) = (&hosts, &time, &refused);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                for _ in 0..20_000 {
                    let key = random.below(16);
                    match hosts.with(&key).try_admit() {
                        Ok(permit) => end(key, permit),
                        Err(open) => {
                            assert!(!works(key), "{key}: {open}");
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    if random.below(16) == 0 {
                        time.advance(Duration::from_micros(500));
                    }
                }
            });
        }
    });
    let snapshot = hosts.snapshot();
    assert!(snapshot.evicted > 1_000 && refused.into_inner() > 1_000, "{snapshot:?}");
}

#[test]
fn who_is_held_stays_while_others_come_and_go() {
    let hosts = CircuitBreakers::<usize>::new(Keyed::new(fragile()).capacity(4)).expect("valid");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (hosts, done) = (&hosts, &done);
        let churn = scope.spawn(move || {
            let mut random = Random::new(1);
            while !done.load(Ordering::Relaxed) {
                let key = random.below(1_000);
                if let Ok(permit) = hosts.with(&key).try_admit() {
                    permit.success();
                }
                hosts.remove(&random.below(1_000));
            }
        });
        for round in 0..2_000 {
            let key = round % 10;
            let Some(held) = hosts.get_or_insert(&key) else { continue };
            held.force_open();
            for _ in 0..5 {
                assert_eq!(held.state(), State::ForcedOpen);
                assert_eq!(hosts.get(&key).expect("it is held").state(), State::ForcedOpen);
                assert!(hosts.with(&key).try_admit().is_err() && !hosts.remove(&key));
            }
            held.reset();
        }
        done.store(true, Ordering::Relaxed);
        churn.join().expect("no panic");
    });
    assert!(hosts.snapshot().evicted > 0);
}

#[test]
fn settings_reach_keys_that_come_meanwhile() {
    let hosts = Arc::new(CircuitBreakers::<usize>::new(Keyed::new(fragile()).capacity(500)).expect("valid"));
    for failures in 3..40 {
        thread::scope(|scope| {
            for thread in 0..2 {
                let hosts = &hosts;
                scope.spawn(move || {
                    let config = fragile().consecutive_failures(failures + thread);
                    hosts.reconfigure(Keyed::new(config).capacity(500)).expect("valid");
                });
            }
            for key in 0..10 {
                hosts.get_or_insert(&(failures as usize * 10 + key)).expect("room");
            }
        });
        // Whoever was last, all have the same.
        let opens_at: Vec<_> = hosts
            .snapshots()
            .into_iter()
            .map(|(key, _)| {
                let own = hosts.get(&key).expect("known");
                own.reset();
                let failures = (1..100).find(|_| {
                    own.record(Report::failure(), Duration::ZERO);
                    own.state() == State::Open
                });
                own.reset();
                failures
            })
            .collect();
        assert!(opens_at.windows(2).all(|pair| pair[0] == pair[1]), "{opens_at:?}");
    }
}
