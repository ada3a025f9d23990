use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use seawall_rate_limit::{AdaptiveConfig, Algorithm, Config, Event, Quota};

use crate::support::*;

#[test]
fn a_load_that_is_none_is_refused_and_changes_nothing() {
    for algorithm in algorithms() {
        let (limiter, _time) = limiter(config(algorithm).adaptive(AdaptiveConfig::default()));
        limiter.adapt(0.9).expect("a load");
        let before = limiter.snapshot();
        for (load, value) in
            [(f64::NAN, "NaN"), (-1.0, "-1"), (1.1, "1.1"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")]
        {
            let error = limiter.adapt(load).expect_err(value);
            assert_eq!((error.field(), error.value(), error.valid()), ("load", value, "0 to 1"));
        }
        assert_eq!(limiter.snapshot(), before, "{algorithm:?}");
        assert_eq!(limiter.adapt(0.0).expect("the least load").limit(), 7, "{algorithm:?}: 0.7 + 0.05, in whole cells");
        assert_eq!(limiter.adapt(1.0).expect("the highest load").limit(), 5, "{algorithm:?}: 0.75 * 0.7");
    }
}

#[test]
fn the_share_moves_by_addition_and_by_multiplication_between_its_bounds() {
    let adaptive = AdaptiveConfig::default().floor(0.25).ceiling(2.0).target(0.5).increase(0.5).decrease(0.5);
    let config = Config::new(Quota::per_second(100)).algorithm(Algorithm::Gcra).adaptive(adaptive);
    let (limiter, _time) = limiter(config);
    let mut shares = Vec::new();
    for load in [0.5, 0.4, 0.4, 0.6, 0.6, 0.6, 0.6, 0.6, 0.0] {
        let quota = limiter.adapt(load).expect("a load");
        assert_eq!(limiter.quota(), quota);
        let share = limiter.snapshot().share;
        assert!((f64::from(quota.limit()) - 100.0 * share).abs() < 1e-9);
        shares.push(quota.limit());
    }
    assert_eq!(shares, [150, 200, 200, 100, 50, 25, 25, 25, 75]);
}

#[test]
fn a_smaller_share_lets_pass_less() {
    for algorithm in countings() {
        let adaptive = AdaptiveConfig::default().decrease(0.5);
        let (limiter, time) = limiter(config(algorithm).adaptive(adaptive));
        assert_eq!(exhaust(&limiter), LIMIT, "{algorithm:?}");
        time.advance(10 * SECOND);
        limiter.adapt(1.0).expect("a load");
        assert_eq!(exhaust(&limiter), LIMIT / 2, "{algorithm:?}");
        // What is taken already stays taken, whatever the quota becomes.
        limiter.adapt(1.0).expect("a load");
        limiter.check().expect_err("more than a quarter is taken");
    }
}

#[test]
fn a_change_is_told_once_and_no_change_is_not() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = events.clone();
    let adaptive = AdaptiveConfig::default();
    let observed = config(Algorithm::Gcra).adaptive(adaptive).observer(move |event: &Event| {
        told.lock().expect("not poisoned").push(*event);
    });
    let (limiter, _time) = limiter(observed);
    limiter.adapt(0.1).expect("a load");
    limiter.adapt(0.95).expect("a load");
    let (from, to) = (Quota::per_second(10), Quota::per_second(7));
    let adapted = Event::Adapted { name: limiter.name(), load: 0.95, from, to };
    assert_eq!(*events.lock().expect("not poisoned"), [adapted]);
    limiter.reconfigure(config(Algorithm::Gcra).adaptive(adaptive)).expect("valid");
    limiter.adapt(0.95).expect("a load");
    assert_eq!(events.lock().expect("not poisoned").len(), 1, "the new configuration has no observer");
}

#[test]
fn the_share_outlives_a_new_configuration_within_its_bounds() {
    let adaptive = AdaptiveConfig::default().decrease(0.5);
    let (limiter, _time) = limiter(config(Algorithm::Gcra).adaptive(adaptive));
    limiter.adapt(1.0).expect("a load");
    let next =
        |adaptive| Config::new(Quota::per_second(100)).algorithm(Algorithm::Gcra).name("test").adaptive(adaptive);
    limiter.reconfigure(next(adaptive)).expect("valid");
    assert_eq!(limiter.quota().limit(), 50);
    limiter.reconfigure(next(adaptive.floor(0.8))).expect("valid");
    assert_eq!(limiter.quota().limit(), 80);
    limiter.reconfigure(Config::new(Quota::per_second(100)).algorithm(Algorithm::Gcra).name("test")).expect("valid");
    assert_eq!((limiter.quota().limit(), limiter.adapt(1.0).expect("ignored").limit()), (100, 100));
}

#[test]
fn every_share_that_may_hold_is_checked_before_any_does() {
    let year = Duration::from_secs(365 * 24 * 3600);
    let wide = AdaptiveConfig::default().floor(0.1).ceiling(100.0);
    let log = |limit| Config::new(Quota::per_second(limit)).algorithm(Algorithm::SlidingLog).adaptive(wide);
    let error =
        seawall_rate_limit::RateLimiter::new(log(1_000)).expect_err("a hundred times as much is too long a log");
    assert_eq!(error.field(), "quota.limit");
    seawall_rate_limit::RateLimiter::new(log(600)).expect("60 000 cells are not too many");
    // Rounded, two and four cells a year may become one and three: more than a bucket can owe.
    let bucket = |burst| Config::new(Quota::new(2, year).burst(burst)).algorithm(Algorithm::Gcra).adaptive(wide);
    let error = seawall_rate_limit::RateLimiter::new(bucket(4)).expect_err("it may refill for three years");
    assert_eq!((error.field(), error.value()), ("quota.burst", "4"));
    let fits = seawall_rate_limit::RateLimiter::new(bucket(2)).expect("it refills in two years at most");
    for load in (0..100).map(|step| f64::from(step * 37 % 100) / 100.0) {
        fits.adapt(load).expect("every share fits");
    }
}
