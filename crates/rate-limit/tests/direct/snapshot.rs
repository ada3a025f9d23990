use std::time::Duration;

use seawall_core::observe::{Collect, Metric, Sink, Value};
use seawall_rate_limit::{AdaptiveConfig, Algorithm, BurstConfig, Mode, Quota, RateLimiter};

use crate::support::*;

/// A limiter with something of everything: three admitted, two refused, one waited, one given back, one burst.
fn lived() -> RateLimiter {
    let burst = BurstConfig::default().requests(4).period(SECOND);
    let config = config(Algorithm::Gcra).adaptive(AdaptiveConfig::default().decrease(0.5)).burst(burst).name("lived");
    let (limiter, _time) = limiter(config);
    limiter.adapt(0.99).expect("a load");
    limiter.check_n(4).expect("four of five");
    limiter.refund(limiter.check().expect("one of one"));
    limiter.check_n(2).expect_err("two of one");
    limiter.check_n(6).expect_err("six of five");
    _ = limiter.reserve(2, SECOND).expect("in a second").keep();
    limiter
}

#[test]
fn a_snapshot_tells_the_quota_that_holds_and_what_was_counted() {
    let now = lived().snapshot();
    assert_eq!((now.name.as_str(), now.algorithm, now.mode), ("lived", Algorithm::Gcra, Mode::Enforce));
    assert_eq!((now.quota, now.share), (Quota::per_second(5), 0.5));
    assert_eq!((now.remaining, now.reset_after), (0, Duration::from_millis(1_200)));
    assert_eq!((now.admitted, now.throttled, now.shadowed), (3, 2, 0));
    assert_eq!((now.waited, now.given_back, now.bursts), (1, 1, 1));
}

#[derive(Default)]
struct Samples(Vec<Sample>);

/// A metric's name, its labels and its value.
type Sample = (&'static str, Vec<(String, String)>, Value);

impl Sink for Samples {
    fn sample(&mut self, metric: &'static Metric, labels: &[(&'static str, &str)], value: Value) {
        let labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
        assert!(metric.name.starts_with("seawall_rate_limit_"), "{}", metric.name);
        self.0.push((metric.name, labels, value));
    }
}

#[test]
fn metrics_tell_the_same_as_the_snapshot() {
    let mut samples = Samples::default();
    lived().collect(&mut samples);
    let told: Vec<String> = samples
        .0
        .iter()
        .map(|(name, labels, value)| {
            assert_eq!(labels[0], ("name".to_owned(), "lived".to_owned()));
            let labels: Vec<_> = labels[1..].iter().map(|(label, value)| format!("{label}={value}")).collect();
            let value = match value {
                Value::Integer(value) => value.to_string(),
                Value::Float(value) => value.to_string(),
                other => format!("{other:?}"),
            };
            format!("{} {} {value}", name.trim_start_matches("seawall_rate_limit_"), labels.join(","))
        })
        .collect();
    assert_eq!(
        told,
        [
            "calls outcome=admitted 3",
            "calls outcome=throttled 2",
            "calls outcome=shadowed 0",
            "waited  1",
            "given_back  1",
            "bursts  1",
            "limit  5",
            "period_seconds  1",
            "share_ratio  0.5",
            "remaining  0",
            "reset_after_seconds  1.2",
        ]
    );
}

#[cfg(feature = "serde")]
#[test]
fn a_snapshot_is_written_to_any_format() {
    let json = serde_json::to_value(lived().snapshot()).expect("it can be written");
    assert_eq!(
        json,
        serde_json::json!({
            "name": "lived",
            "algorithm": "gcra",
            "quota": { "limit": 5, "period": "1s" },
            "share": 0.5,
            "mode": "enforce",
            "remaining": 0,
            "reset_after_seconds": 1.2,
            "admitted": 3,
            "throttled": 2,
            "shadowed": 0,
            "waited": 1,
            "given_back": 1,
            "bursts": 1,
        })
    );
}
