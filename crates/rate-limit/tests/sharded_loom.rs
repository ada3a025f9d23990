//! Every interleaving, with at most two preemptions, of two threads that lease cells of one limit: none is minted, none is lost
//! that somebody could still have, and none outlives a reset.
//!
//! `RUSTFLAGS="--cfg seawall_loom" cargo test --release -p seawall-rate-limit --test sharded_loom -- --nocapture`
#![cfg(seawall_loom)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loom::thread;
use seawall_core::Configure;
use seawall_core::stripe::model::sit;
use seawall_core::time::Clock;
use seawall_rate_limit::{Algorithm, Config, Limiter, Quota, Scaling};

/// Explores `body` with the threads in both orders of their making, and fails if fewer than `floor` executions were explored.
fn explore(name: &str, floor: usize, body: impl Fn([usize; 2]) + Copy + Sync + Send + 'static) {
    let explored = Arc::new(AtomicUsize::new(0));
    for seats in [[0, 1], [1, 0]] {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = model.preemption_bound.or(Some(2));
        model.max_branches = 10_000;
        let explored = explored.clone();
        model.check(move || {
            explored.fetch_add(1, Ordering::Relaxed);
            sit(None);
            body(seats);
        });
    }
    let explored = explored.load(Ordering::Relaxed);
    println!("{name}: {explored} executions explored");
    assert!(explored >= floor, "{name}: only {explored} executions, the floor is {floor}");
}

/// How many cells there are at once.
const BURST: u32 = 8;
/// A thread's first lease: two seats leave each other half, and a thread takes a half of its own.
const LEASE: u32 = 2;

/// On a clock that stands still, so that nothing is refilled.
fn leased() -> Arc<Limiter> {
    let (clock, time) = Clock::manual();
    time.advance(Duration::from_secs(1));
    // Four a microsecond: the rate allows for leases far above what there is at once.
    let config =
        Config::new(Quota::per_second(4_000_000).burst(BURST)).algorithm(Algorithm::Gcra).scaling(Scaling::Sharded);
    Arc::new(Limiter::build(config, clock).expect("a valid configuration"))
}

/// Runs both parts on threads of their own, each on its seat.
fn both<T: 'static>(
    seats: [usize; 2],
    limiter: &Arc<Limiter>,
    parts: [Box<dyn FnOnce(&Limiter) -> T + Send>; 2],
) -> [T; 2] {
    let threads = std::iter::zip(seats, parts).map(|(seat, part)| {
        let limiter = limiter.clone();
        thread::spawn(move || {
            sit(Some(seat));
            part(&limiter)
        })
    });
    let threads: Vec<_> = threads.collect();
    let ended: Vec<T> = threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect();
    ended.try_into().unwrap_or_else(|_| unreachable!("two threads"))
}

fn take(limiter: &Limiter, times: u32) -> u32 {
    (0..times).map(|_| u32::from(limiter.check().is_ok())).sum()
}

/// Takes until nothing is left, on a seat that has leased nothing.
fn drain(limiter: &Limiter) -> u32 {
    (0..=2 * BURST).take_while(|_| limiter.check().is_ok()).map(|_| 1).sum()
}

#[test]
fn all_cells_are_granted_once_whoever_leased_them() {
    explore("leases begin, are spent and gathered", 100, |seats| {
        let limiter = leased();
        let [one, other] = both(seats, &limiter, [Box::new(|l| take(l, 4)), Box::new(|l| take(l, 2))]);
        assert_eq!((one, other), (4, 2), "there were eight");
        assert_eq!(one + other + drain(&limiter), BURST);
    });
}

#[test]
fn the_last_cell_goes_to_one_of_two_wherever_it_is() {
    explore("one cell is left in a lease", 40, |seats| {
        let limiter = leased();
        sit(Some(0));
        // The first of three cells leaves a lease; the rest is taken from the bucket.
        assert_eq!(take(&limiter, 1), 1);
        sit(None);
        assert!(limiter.check_n(BURST - 1 - LEASE).is_ok(), "what was not leased");
        assert!(limiter.check_n(LEASE - 1).is_ok(), "gathered from the lease");
        let [one, other] = both(seats, &limiter, [Box::new(|l| take(l, 1)), Box::new(|l| take(l, 1))]);
        assert_eq!(one + other, 1, "one and one cell");
        assert_eq!(drain(&limiter), 0);
    });
}

#[test]
fn what_is_gathered_in_vain_is_not_lost() {
    explore("more is wanted than there is", 50, |seats| {
        let limiter = leased();
        sit(Some(0));
        assert_eq!(take(&limiter, 1), 1);
        sit(None);
        assert!(limiter.check_n(BURST - 1 - LEASE).is_ok(), "what was not leased");
        let parts: [Box<dyn FnOnce(&Limiter) -> u32 + Send>; 2] =
            [Box::new(|l| u32::from(l.check_n(LEASE + 1).is_ok())), Box::new(|l| take(l, 1))];
        let [many, one] = both(seats, &limiter, parts);
        assert_eq!(many, 0, "there were two cells");
        assert_eq!(one + drain(&limiter), LEASE);
    });
}

#[test]
fn a_call_for_more_than_its_lease_has_loses_nothing_while_others_gather() {
    explore("the rest of a lease with fresh cells", 50, |seats| {
        let limiter = leased();
        sit(Some(seats[0]));
        assert_eq!(take(&limiter, 1), 1);
        sit(None);
        // Three are left beside the two of the lease.
        assert!(limiter.check_n(BURST - 1 - LEASE - 3).is_ok());
        let parts: [Box<dyn FnOnce(&Limiter) -> u32 + Send>; 2] =
            [Box::new(|l| 3 * u32::from(l.check_n(3).is_ok())), Box::new(|l| 2 * u32::from(l.check_n(2).is_ok()))];
        let [three, two] = both(seats, &limiter, parts);
        assert_eq!(three + two + drain(&limiter), LEASE + 3);
    });
}

#[test]
fn no_lease_outlives_a_reset() {
    explore("leases begin while the limit is reset", 50, |seats| {
        let limiter = leased();
        let parts: [Box<dyn FnOnce(&Limiter) -> u32 + Send>; 2] = [
            Box::new(|l| take(l, 1)),
            Box::new(|l| {
                l.reset();
                0
            }),
        ];
        both(seats, &limiter, parts);
        let left = drain(&limiter);
        assert!(left <= BURST, "{left} cells after a reset to {BURST}");
    });
}

#[test]
fn what_is_given_back_comes_back_once_and_not_after_a_reset() {
    explore("a refund into a lease", 50, |seats| {
        let limiter = leased();
        sit(Some(0));
        assert_eq!(take(&limiter, 1), 1);
        let kept = limiter.check().expect("a leased cell");
        sit(None);
        assert!(limiter.check_n(BURST - 1 - LEASE).is_ok(), "what was not leased");
        let parts: [Box<dyn FnOnce(&Limiter) -> u32 + Send>; 2] = [
            Box::new(move |l| {
                l.refund(kept);
                take(l, 1)
            }),
            Box::new(|l| take(l, 2)),
        ];
        let [one, other] = both(seats, &limiter, parts);
        let taken = one + other + drain(&limiter);
        assert_eq!(taken, LEASE, "one was left, and one was given back");
    });
    explore("a refund while the limit is reset", 50, |seats| {
        let limiter = leased();
        sit(Some(0));
        assert_eq!(take(&limiter, 1), 1);
        let kept = limiter.check().expect("a leased cell");
        sit(None);
        let parts: [Box<dyn FnOnce(&Limiter) -> u32 + Send>; 2] = [
            Box::new(move |l| {
                l.refund(kept);
                0
            }),
            Box::new(|l| {
                l.reset();
                0
            }),
        ];
        both(seats, &limiter, parts);
        let left = drain(&limiter);
        assert!(left <= BURST, "{left} cells after a reset to {BURST}");
    });
}
