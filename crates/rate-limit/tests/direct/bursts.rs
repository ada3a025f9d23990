use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall_core::time::{Clock, ManualTime};
use seawall_rate_limit::{Algorithm, BurstConfig, Config, Event, Quota, RateLimiter};

use crate::support::*;

type Told = Arc<Mutex<Vec<Event>>>;

fn watched(algorithm: Algorithm, burst: BurstConfig) -> (RateLimiter, ManualTime, Told) {
    let told = Told::default();
    let events = told.clone();
    let config = Config::new(Quota::per_second(20)).algorithm(algorithm).name("test").burst(burst);
    let config = config.observer(move |event: &Event| events.lock().expect("not poisoned").push(*event));
    let (clock, time) = Clock::manual();
    time.advance(SECOND);
    (RateLimiter::with_clock(config, clock).expect("valid"), time, told)
}

fn count(told: &Told) -> usize {
    told.lock().expect("not poisoned").len()
}

#[test]
fn a_burst_is_told_once_with_its_figures() {
    for algorithm in countings() {
        let (limiter, time, told) = watched(algorithm, BurstConfig::default());
        for _ in 0..50 {
            let _ = limiter.check();
        }
        assert_eq!(count(&told), 0, "{algorithm:?}: fifty are no burst");
        for _ in 0..20 {
            let _ = limiter.check();
        }
        let period = Duration::from_secs(10);
        let burst = Event::Burst { name: limiter.name(), key: 0, requests: 50, period, penalty: None };
        assert_eq!(*told.lock().expect("not poisoned"), [burst], "{algorithm:?}");
        assert_eq!(limiter.snapshot().bursts, 1, "{algorithm:?}");
        time.advance(30 * SECOND);
        (0..60).for_each(|_| _ = limiter.check());
        assert_eq!(limiter.snapshot().bursts, 2, "{algorithm:?}: it was over for a while");
    }
}

#[test]
fn whoever_makes_a_burst_is_refused_for_as_long_as_its_penalty() {
    let penalty = BurstConfig::default().requests(5).period(SECOND).penalty(3 * SECOND);
    for algorithm in countings() {
        let (limiter, time, _told) = watched(algorithm, penalty);
        for _ in 0..5 {
            limiter.check().expect("no burst yet");
        }
        let throttled = limiter.check().expect_err("a burst");
        assert_eq!(throttled.retry_after(), Some(3 * SECOND), "{algorithm:?}");
        let refusals = [
            limiter.reserve(1, 100 * SECOND).map(|turn| _ = turn.keep()),
            limiter.try_admit().map(seawall_core::Permit::success),
            limiter.check().map(drop),
        ];
        for refused in refusals {
            assert_eq!(refused.expect_err("by every door").retry_after(), Some(3 * SECOND), "{algorithm:?}");
        }
        assert_eq!(limiter.take_up_to(5).cells(), 0, "{algorithm:?}");
        assert_eq!(limiter.peek().remaining(), 15, "{algorithm:?}: what is refused takes nothing");
        time.advance(just_below(3 * SECOND));
        assert_eq!(limiter.check().expect_err("a nanosecond is missing").retry_after(), Some(NANO), "{algorithm:?}");
        time.advance(NANO);
        limiter.check().expect("the penalty is over");
    }
}

#[test]
fn looks_make_no_burst() {
    let penalty = BurstConfig::default().requests(5).period(SECOND).penalty(3 * SECOND);
    let (limiter, _time, told) = watched(Algorithm::Gcra, penalty);
    for _ in 0..100 {
        limiter.peek();
        limiter.check_n(0).expect("it takes nothing");
    }
    assert_eq!(count(&told), 0);
}

#[test]
fn watching_begins_changes_and_ends_with_the_configuration() {
    let base = || Config::new(Quota::per_second(1_000)).algorithm(Algorithm::Gcra).name("test");
    let (limiter, _time) = limiter(base());
    (0..100).for_each(|_| _ = limiter.check().expect("no limit is reached"));
    assert_eq!(limiter.snapshot().bursts, 0, "nobody watches");
    let burst = BurstConfig::default().requests(10).period(SECOND);
    limiter.reconfigure(base().burst(burst)).expect("valid");
    (0..10).for_each(|_| _ = limiter.check().expect("no penalty"));
    assert_eq!(limiter.snapshot().bursts, 0);
    limiter.check().expect("no penalty");
    assert_eq!(limiter.snapshot().bursts, 1);
    limiter.reconfigure(base().burst(burst.penalty(SECOND))).expect("valid");
    limiter.check().expect_err("what was counted stays, and is punished now");
    limiter.reconfigure(base()).expect("valid");
    (0..100).for_each(|_| _ = limiter.check().expect("nobody watches any more"));
}

#[test]
fn whoever_comes_back_when_it_was_told_to_begins_anew() {
    let (clock, time) = Clock::manual();
    let burst = BurstConfig::default().requests(2).period(10 * SECOND).penalty(SECOND);
    let limiter = RateLimiter::with_clock(Config::new(Quota::per_second(100)).burst(burst), clock).expect("valid");
    for _ in 0..3 {
        assert_eq!((0..2).filter(|_| limiter.check().is_ok()).count(), 2);
        let throttled = limiter.check().expect_err("the third is a burst");
        assert_eq!((throttled.retry_after(), throttled.quota()), (Some(SECOND), Quota::per_second(100)));
        time.advance(just_below(SECOND));
        assert!(limiter.check().is_err());
        time.advance(Duration::from_nanos(1));
    }
    assert_eq!(limiter.snapshot().bursts, 3);
}
