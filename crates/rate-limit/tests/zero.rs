//! Clocks of any zero: a limiter decides the same an hour after it as fifty-six years after it.
#![cfg(not(seawall_loom))]

use std::time::Duration;

use seawall_core::time::{Clock, ManualTime};
use seawall_rate_limit::limit::AtomicGcra;
use seawall_rate_limit::{
    Algorithm, BurstConfig, Carry, Config, Keyed, KeyedRateLimiter, Quota, RateLimiter, Scaling, Seed,
};

/// How long ago the zeros are, in whole seconds, as windows that begin with the clock's periods begin with them.
const HOUR: Duration = Duration::from_secs(3_600);
const SINCE_1970: Duration = Duration::from_secs(1_764_000_000);

fn algorithms() -> [Algorithm; 9] {
    [
        Algorithm::Gcra,
        Algorithm::sliding_window(),
        Algorithm::SlidingLog,
        Algorithm::WindowCounter,
        Algorithm::fixed_window(),
        Algorithm::TokenSteps,
        Algorithm::warm_up(Duration::from_secs(2)),
        Algorithm::pacer(),
        Algorithm::Pacer { slack: 4 },
    ]
}

fn config(limit: u32, algorithm: Algorithm) -> Config {
    let burst = BurstConfig::default().requests(1_000).penalty(Duration::from_secs(1));
    Config::new(Quota::per_second(limit)).algorithm(algorithm).burst(burst).carry(Carry::Proportional)
}

/// A clock on which so much time has passed.
fn clock(since: Duration) -> (Clock, ManualTime) {
    let (clock, time) = Clock::manual();
    time.advance(since);
    (clock, time)
}

/// What a limiter says, from its making to a restart after a step of the clock.
fn direct(algorithm: Algorithm, scaling: Scaling, since: Duration) -> Vec<String> {
    let (clock, time) = clock(since);
    let config = |limit| config(limit, algorithm).scaling(scaling);
    let limiter = RateLimiter::with_clock(config(7), clock.clone()).expect("valid");
    let mut said = Vec::new();
    let mut ask = |limiter: &RateLimiter| {
        for (pause, cells) in [(0, 1), (0, 3), (33, 1), (5, 2), (400, 2), (1, 1)] {
            time.advance(Duration::from_millis(pause));
            let granted = limiter.check_n(cells);
            let told = granted.as_ref().map(|grant| (grant.remaining(), grant.reset_after()));
            said.push(format!("{told:?}"));
            if let (Ok(grant), 2) = (granted, cells) {
                limiter.refund(grant);
            }
            let turn = limiter.reserve(1, Duration::from_millis(300)).map(|turn| turn.keep().wait());
            said.push(format!("{turn:?} {:?}", limiter.debt()));
        }
    };
    ask(&limiter);
    limiter.reconfigure(config(3)).expect("valid");
    ask(&limiter);
    time.step_back(Duration::from_secs(1_800));
    ask(&limiter);
    let after = RateLimiter::with_clock(config(3), clock).expect("valid");
    after.restore(&limiter.debt(), Duration::from_millis(10));
    ask(&after);
    said
}

#[test]
fn a_limiter_decides_the_same_whatever_the_clocks_zero() {
    for scaling in [Scaling::Strict, Scaling::Sharded] {
        for algorithm in algorithms() {
            let (near, far) = (direct(algorithm, scaling, HOUR), direct(algorithm, scaling, SINCE_1970));
            assert!(near.iter().any(|said| said.starts_with("Ok((")), "{algorithm:?} lets nothing pass");
            assert_eq!(near, far, "{algorithm:?} {scaling:?}");
        }
    }
}

/// The same of a limiter of keys.
fn keyed(algorithm: Algorithm, since: Duration) -> Vec<String> {
    let (clock, time) = clock(since);
    let config = |limit| {
        let classes = [Quota::per_minute(limit)];
        Keyed::<u32>::new(config(limit, algorithm)).capacity(4).classes(classes).seed(Seed::new(1, 2))
    };
    let limiter = KeyedRateLimiter::with_clock(config(7), clock.clone()).expect("valid");
    let mut said = Vec::new();
    let mut ask = |limiter: &KeyedRateLimiter<u32>| {
        for (pause, cells) in [(0, 1), (33, 1), (5, 2), (400, 2)] {
            time.advance(Duration::from_millis(pause));
            for key in 0..7 {
                let granted = limiter.check_n(&key, cells);
                let told = granted.as_ref().map(|grant| (grant.remaining(), grant.reset_after()));
                said.push(format!("{key}: {told:?}"));
                if let (Ok(grant), 2) = (granted, cells) {
                    limiter.refund(grant);
                }
            }
            let turn = limiter.reserve(&0, 1, Duration::from_millis(300)).map(|turn| turn.keep().wait());
            said.push(format!("{turn:?} {:?}", limiter.debts()));
        }
    };
    ask(&limiter);
    limiter.reconfigure(config(3)).expect("valid");
    ask(&limiter);
    time.step_back(Duration::from_secs(1_800));
    ask(&limiter);
    let after = KeyedRateLimiter::with_clock(config(3), clock).expect("valid");
    after.restore(&limiter.debts(), Duration::from_millis(10)).expect("the same seed");
    ask(&after);
    said
}

#[test]
fn a_limiter_of_keys_decides_the_same_whatever_the_clocks_zero() {
    for algorithm in algorithms() {
        let (near, far) = (keyed(algorithm, HOUR), keyed(algorithm, SINCE_1970));
        assert!(near.iter().any(|said| said.starts_with("0: Ok((")), "{algorithm:?} lets nothing pass");
        assert_eq!(near, far, "{algorithm:?}");
    }
}

#[test]
fn a_bare_bucket_refills_whatever_the_clocks_zero() {
    let (clock, time) = clock(SINCE_1970);
    let bucket = AtomicGcra::with_clock(Quota::per_second(2), clock).expect("valid");
    assert_eq!(bucket.remaining(), 2);
    assert!(bucket.check_n(2).is_ok() && bucket.check().is_err());
    time.advance(Duration::from_millis(500));
    assert!(bucket.check().is_ok() && bucket.check().is_err());
}

#[test]
fn a_clock_that_steps_back_behind_the_limiters_beginning_locks_nobody_out() {
    for algorithm in [Algorithm::Gcra, Algorithm::Pacer { slack: 4 }] {
        let (clock, time) = clock(SINCE_1970);
        let limiter = RateLimiter::with_clock(config(10, algorithm), clock).expect("valid");
        while limiter.check().is_ok() {}
        time.step_back(400 * 24 * HOUR);
        let _ = limiter.check();
        time.advance(Duration::from_secs(1));
        assert!(limiter.check().is_ok(), "{algorithm:?}");
        assert!((0..20).filter(|_| limiter.check().is_ok()).count() < 10, "{algorithm:?}");
    }
}
