use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall_rate_limit::{Algorithm, BurstConfig, Carry, Config, Event, Quota, Scaling};

use crate::support::*;

fn with(algorithm: Algorithm, quota: Quota, carry: Carry) -> Config {
    Config::new(quota).algorithm(algorithm).name("test").carry(carry)
}

/// What remains of another quota after six of ten were taken.
fn remaining_after(algorithm: Algorithm, quota: Quota, carry: Carry) -> u32 {
    let (limiter, _time) = limiter(config(algorithm));
    limiter.check_n(6).expect("six of ten");
    limiter.reconfigure(with(algorithm, quota, carry)).expect("valid");
    assert_eq!(limiter.quota(), quota);
    limiter.peek().remaining()
}

#[test]
fn what_was_taken_is_carried_as_the_configuration_says() {
    for algorithm in countings() {
        let twice = Quota::per_second(2 * LIMIT);
        assert_eq!(remaining_after(algorithm, twice, Carry::Reset), 20, "{algorithm:?}");
        assert_eq!(
            remaining_after(algorithm, twice, Carry::Proportional),
            match algorithm {
                // The same number of cells is owed; a window has used the same share of its limit.
                Algorithm::Gcra | Algorithm::TokenSteps => 14,
                _ => 8,
            },
            "{algorithm:?}"
        );
        assert_eq!(
            remaining_after(algorithm, twice, Carry::AsIs),
            match algorithm {
                // 600 ms are owed, which are twelve cells.
                Algorithm::Gcra | Algorithm::TokenSteps => 8,
                _ => 14,
            },
            "{algorithm:?}"
        );
    }
}

#[test]
fn less_than_was_taken_refuses_until_it_fits() {
    for algorithm in countings() {
        let (limiter, time) = limiter(config(algorithm));
        limiter.check_n(LIMIT).expect("all of it");
        limiter.reconfigure(with(algorithm, Quota::per_second(3), Carry::AsIs)).expect("valid");
        let throttled = limiter.check().expect_err("more than three are taken");
        let wait = throttled.retry_after().expect("not for ever");
        assert!(wait <= 10 * SECOND, "{algorithm:?}: {wait:?}");
        time.advance(just_below(wait));
        limiter.check().expect_err("a nanosecond is missing");
        time.advance(NANO);
        limiter.check().unwrap_or_else(|late| panic!("{algorithm:?} after {wait:?}: {late}"));
    }
}

#[test]
fn a_bucket_owes_the_same_time_under_a_smaller_burst() {
    let (limiter, time) = limiter(with(Algorithm::Gcra, Quota::per_second(1).burst(60), Carry::AsIs));
    limiter.check_n(60).expect("all of it");
    limiter.reconfigure(with(Algorithm::Gcra, Quota::per_second(1).burst(1), Carry::AsIs)).expect("valid");
    let minute = Duration::from_secs(60);
    assert_eq!(limiter.check().expect_err("a minute is owed").retry_after(), Some(minute));
    assert_eq!(limiter.check().expect_err("a minute is owed").reset_after(), minute);
    time.advance(minute);
    limiter.check().expect("nothing is owed");
}

#[test]
fn turns_that_were_promised_stay_in_order() {
    for algorithm in algorithms() {
        for carry in [Carry::AsIs, Carry::Proportional] {
            let (limiter, _time) = limiter(config(algorithm));
            let mut last = None;
            for _ in 0..3 * LIMIT {
                last = limiter.reserve(1, 100 * SECOND).ok().map(|turn| turn.keep().act_at());
            }
            // Cells that are owed at twice the speed are owed for half as long.
            let faster = if carry == Carry::AsIs { Quota::per_second(20) } else { Quota::per_second(4) };
            for quota in [Quota::per_second(5), faster] {
                limiter.reconfigure(with(algorithm, quota, carry)).expect("valid");
                let next = limiter.reserve(1, 1_000 * SECOND).map(|turn| turn.keep().act_at()).ok();
                assert!(next >= last, "{algorithm:?} {carry:?} {quota}: {next:?} before {last:?}");
                last = next;
            }
        }
    }
}

/// What cannot be taken over, and the field that is named.
fn impossible(algorithm: Algorithm) -> Vec<(Config, &'static str)> {
    let config = || config(algorithm);
    let other = if algorithm == Algorithm::Gcra { Algorithm::SlidingLog } else { Algorithm::Gcra };
    vec![
        (config().name("other"), "name"),
        (config().algorithm(other), "algorithm"),
        (config().scaling(Scaling::Sharded), "scaling"),
        (Config::new(Quota::per_second(0)).algorithm(algorithm).name("test"), "quota.limit"),
        (Config::new(Quota::new(1, Duration::ZERO)).algorithm(algorithm).name("test"), "quota.period"),
        (config().burst(BurstConfig::default().requests(0)), "burst.requests"),
        (config().burst(BurstConfig::default().penalty(Duration::ZERO)), "burst.penalty"),
        (config().max_wait(Duration::MAX), "max_wait"),
    ]
}

#[test]
fn what_cannot_be_taken_over_changes_nothing() {
    for algorithm in algorithms() {
        let events = Arc::new(Mutex::new(0));
        let told = events.clone();
        let burst = BurstConfig::default().requests(30).period(10 * SECOND);
        let first = config(algorithm).burst(burst).max_wait(SECOND).observer(move |_: &Event| {
            *told.lock().expect("not poisoned") += 1;
        });
        let (limiter, _time) = limiter(first);
        let grant = limiter.check().expect("the first");
        let before = limiter.snapshot();
        for (config, field) in impossible(algorithm) {
            let error = limiter.reconfigure(config).expect_err(field);
            assert_eq!(error.field(), field, "{algorithm:?}: {error}");
        }
        assert_eq!(limiter.snapshot(), before, "{algorithm:?}");
        assert_eq!(*events.lock().expect("not poisoned"), 0, "{algorithm:?}: nothing has changed, so nothing is told");
        for _ in 0..40 {
            let _ = limiter.check();
        }
        assert_eq!(limiter.snapshot().bursts, 1, "{algorithm:?}: it still watches, by the old figures");
        assert_eq!(*events.lock().expect("not poisoned"), 1, "{algorithm:?}");
        limiter.refund(grant);
        assert_eq!(limiter.snapshot().given_back, 1, "{algorithm:?}: its receipts are still good");
    }
}

#[test]
fn a_new_quota_is_told() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = events.clone();
    let (limiter, _time) = limiter(config(Algorithm::Gcra));
    let to = Quota::per_minute(7).burst(3);
    let next = with(Algorithm::Gcra, to, Carry::AsIs).observer(move |event: &Event| {
        told.lock().expect("not poisoned").push(*event);
    });
    limiter.reconfigure(next).expect("valid");
    let from = Quota::per_second(LIMIT);
    assert_eq!(*events.lock().expect("not poisoned"), [Event::Reconfigured { name: limiter.name(), from, to }]);
}
