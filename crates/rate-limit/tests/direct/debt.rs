use std::time::Duration;

use seawall_rate_limit::{Algorithm, Config, Debt, Quota};

use crate::support::*;

const MINUTE: Duration = Duration::from_secs(60);

/// What another instance is told of a debt.
fn restarted(
    algorithm: Algorithm,
    debt: &Debt,
    elapsed: Duration,
) -> (seawall_rate_limit::RateLimiter, seawall_core::time::ManualTime) {
    let (next, time) = limiter(config(algorithm));
    next.restore(debt, elapsed);
    (next, time)
}

#[test]
fn what_was_granted_counts_after_a_restart() {
    each(algorithms(), |algorithm, limiter, _| {
        exhaust(limiter);
        let wait = limiter.check().expect_err("exhausted").retry_after().expect("later");
        assert_eq!(limiter.debt().wait(), wait, "{algorithm:?}");
        let (next, time) = restarted(*algorithm, &limiter.debt(), Duration::ZERO);
        let told = next.check().expect_err("it counts").retry_after().expect("later");
        assert!(told >= wait, "{algorithm:?}: {told:?} of {wait:?}");
        assert!(told <= wait + 2 * SECOND, "{algorithm:?}: {told:?} of {wait:?}");
        time.advance(told);
        next.check().unwrap_or_else(|late| panic!("{algorithm:?}: {late}"));
    });
}

#[test]
fn turns_to_come_are_to_come_after_a_restart_and_the_time_between_is_subtracted() {
    for algorithm in algorithms().into_iter().filter(|algorithm| *algorithm != Algorithm::TokenSteps) {
        let (limiter, _time) = limiter(config(algorithm));
        exhaust(&limiter);
        (0..1_000).for_each(|_| _ = limiter.reserve(1, 10 * MINUTE).expect("in turn").keep());
        let wait = limiter.check().expect_err("turns are to come").retry_after().expect("later");
        assert!(wait > 90 * SECOND, "{algorithm:?}: {wait:?}");
        for elapsed in [Duration::ZERO, Duration::from_millis(33_333), MINUTE] {
            let (next, time) = restarted(algorithm, &limiter.debt(), elapsed);
            let told = next.check().expect_err("turns are to come").retry_after().expect("later");
            let left = wait.saturating_sub(elapsed);
            assert!(told >= left && told <= left + 3 * SECOND, "{algorithm:?}: {told:?} of {left:?}");
            // It is no step of the clock that has brought it there.
            assert_eq!(next.check().expect_err("still").retry_after(), Some(told), "{algorithm:?}");
            assert!(next.reserve(1, 10 * MINUTE).expect("in turn").wait() >= left, "{algorithm:?}");
            time.advance(told);
            next.check().unwrap_or_else(|late| panic!("{algorithm:?}: {late}"));
        }
    }
}

#[test]
fn what_a_pacers_last_call_has_yet_to_pay_is_paid_after_a_restart() {
    for algorithm in pacings() {
        let (limiter, _time) = limiter(config(algorithm));
        exhaust(&limiter);
        let wait = limiter.check().expect_err("one after the other").retry_after().expect("later");
        _ = limiter.reserve(300, wait).expect("in turn").keep();
        let wait = limiter.check().expect_err("thirty seconds at least").retry_after().expect("later");
        assert!(wait >= 30 * SECOND, "{algorithm:?}: {wait:?}");
        let (next, _time) = restarted(algorithm, &limiter.debt(), 10 * SECOND);
        let told = next.check().expect_err("it is not paid for").retry_after().expect("later");
        assert!((told + 10 * SECOND).abs_diff(wait) <= Duration::from_nanos(2), "{algorithm:?}: {told:?} of {wait:?}");
        let (paid, _time) = restarted(algorithm, &limiter.debt(), wait);
        paid.check().unwrap_or_else(|late| panic!("{algorithm:?}: {late}"));
    }
}

#[test]
fn a_debt_of_any_size_locks_nobody_out_for_ever() {
    for algorithm in algorithms() {
        let (limiter, _time) = limiter(config(algorithm));
        limiter.check().expect("the first");
        let (next, time) = restarted(algorithm, &limiter.debt(), Duration::MAX);
        next.check().expect("it is long paid for");
        time.advance(SECOND);
    }
}

#[test]
fn nobody_owes_a_slow_quota_more_than_a_quicker_one_that_permits_it_all_ever_asks() {
    let day = Config::new(Quota::per_day(1)).algorithm(Algorithm::Gcra).name("test");
    let (limiter, time) = limiter(day.clone());
    limiter.check().expect("the only one of the day");
    limiter.reconfigure(config(Algorithm::Gcra)).expect("valid");
    let wait = limiter.check().expect_err("as an empty bucket").retry_after();
    assert_eq!(wait, Some(Duration::from_millis(100)));
    time.advance(SECOND);
    assert_eq!(exhaust(&limiter), LIMIT);

    // Whose turns are to come keep them.
    limiter.reconfigure(day).expect("valid");
    let turn = limiter.reserve(1, 100 * 1_440 * MINUTE).expect("in turn").keep();
    limiter.reconfigure(config(Algorithm::Gcra)).expect("valid");
    let next = limiter.reserve(1, 100 * 1_440 * MINUTE).expect("in turn").keep();
    assert!(next.act_at() >= turn.act_at());
}

#[test]
fn a_quota_that_was_larger_for_a_while_is_not_forgiven() {
    let of = |limit, burst| Config::new(Quota::per_second(limit).burst(burst)).algorithm(Algorithm::Gcra).name("test");
    let (limiter, _time) = limiter(of(1, 60));
    limiter.check_n(60).expect("all of it");
    limiter.reconfigure(of(1, 1)).expect("valid");
    limiter.reconfigure(of(1, 2)).expect("valid");
    assert_eq!(limiter.peek().reset_after(), MINUTE, "two did not permit sixty");
    limiter.reconfigure(of(1, 60)).expect("valid");
    assert_eq!(limiter.check().expect_err("all of it was taken").retry_after(), Some(SECOND));
}

#[test]
fn whoever_wants_more_than_there_ever_is_is_told_so_while_punished_too() {
    let burst = seawall_rate_limit::BurstConfig::default().requests(1).period(SECOND).penalty(SECOND);
    for algorithm in countings() {
        let (limiter, _time) = limiter(config(algorithm).burst(burst));
        limiter.check().expect("no burst yet");
        assert!(!limiter.check().expect_err("a burst").is_never(), "{algorithm:?}");
        assert!(limiter.check_n(LIMIT + 1).expect_err("punished").is_never(), "{algorithm:?}");
        assert!(!limiter.check_n(LIMIT).expect_err("punished").is_never(), "{algorithm:?}");
    }
}
