use std::time::Duration;

use seawall_core::Rejection;
use seawall_rate_limit::{Algorithm, Config, Quota};

use crate::support::*;

#[test]
fn a_refusal_says_which_limit_and_when_to_come_back() {
    let (limiter, _time) = limiter(Config::new(Quota::per_second(2)).algorithm(Algorithm::Gcra).name("api"));
    limiter.check_n(2).expect("both");
    let throttled = limiter.check().expect_err("exhausted");
    assert_eq!(throttled.to_string(), "the limit `api` of 2 per 1s is reached, retry after 500ms");
    assert_eq!(
        format!("{throttled:?}"),
        "Throttled { name: \"api\", retry_after: Some(500ms), remaining: 0, quota: Quota { limit: 2, period: 1s, \
         burst: None }, .. }"
    );
    let never = limiter.check_n(3).expect_err("more than two");
    assert_eq!(never.to_string(), "3 cells are more than the limit `api` of 2 per 1s ever has at once");
    let source = std::error::Error::source(&throttled).expect("the rejection");
    assert_eq!(Rejection::find(source).map(Rejection::reason), Some("throttled"));
}

#[test]
fn what_users_hold_can_be_printed() {
    let (limiter, _time) = limiter(Config::new(Quota::per_minute(2).burst(5)).algorithm(Algorithm::Gcra).name("api"));
    assert!(format!("{limiter:?}").contains("api"), "{limiter:?}");
    let limiter: &seawall_rate_limit::Limiter = &limiter;
    assert_eq!(
        format!("{limiter:?}"),
        "Limiter { name: \"api\", quota: Quota { limit: 2, period: 60s, burst: Some(5) }, .. }"
    );
    assert_eq!(limiter.quota().to_string(), "2 per 60s, burst 5");
    let turn = limiter.reserve(1, Duration::ZERO).expect("at once");
    assert!(format!("{turn:?}").starts_with("Reservation { act_at: Timestamp("), "{turn:?}");
    assert!(format!("{:?}", turn.keep()).starts_with("Grant {"));
    let config = format!("{:?}", config(Algorithm::Gcra));
    assert!(
        config.starts_with("Config { name: \"test\", quota: Quota {") && config.ends_with("burst: None, .. }"),
        "{config}"
    );
}
