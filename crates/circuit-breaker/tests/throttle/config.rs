//! A configuration that cannot be is refused with its field, its value and what would be valid; with feature `serde` what is
//! written is read back as the same, and what is misspelt is refused.

use std::time::Duration;

use seawall_circuit_breaker::AdaptiveThrottle;
use seawall_circuit_breaker::throttle::Config;

use crate::SECOND;

/// What cannot be: the configuration, and of its error the field, the value and what would be valid.
fn impossible() -> Vec<(Config, &'static str, &'static str, &'static str)> {
    let config = Config::default;
    let (k, aggression) = ("a number above 1 and at most 1000", "a number from 1 to 100");
    let threshold = "a number of at least 0.001 and below 1";
    let share = "a number above 0 and at most 1";
    let name = "1 to 31 bytes of printable text";
    vec![
        (config().name(""), "name", "\"\"", name),
        (config().name("a name of thirty-two bytes, a-b-c"), "name", "\"a name of thirty-two bytes, a-b-c\"", name),
        (config().k(1.0), "k", "1", k),
        (config().k(0.5), "k", "0.5", k),
        (config().k(0.0), "k", "0", k),
        (config().k(-2.0), "k", "-2", k),
        (config().k(1_000.1), "k", "1000.1", k),
        (config().k(f64::NAN), "k", "NaN", k),
        (config().k(f64::INFINITY), "k", "inf", k),
        (config().success_threshold(1.0), "success_threshold", "1", threshold),
        (config().success_threshold(0.0), "success_threshold", "0", threshold),
        (config().success_threshold(-0.5), "success_threshold", "-0.5", threshold),
        (config().success_threshold(f64::NAN), "success_threshold", "NaN", threshold),
        (config().max_rejection(0.0), "max_rejection", "0", share),
        (config().max_rejection(1.1), "max_rejection", "1.1", share),
        (config().max_rejection(f64::NAN), "max_rejection", "NaN", share),
        (config().aggression(0.9), "aggression", "0.9", aggression),
        (config().aggression(100.5), "aggression", "100.5", aggression),
        (config().aggression(f64::NAN), "aggression", "NaN", aggression),
        (config().buckets(0), "buckets", "0", "1 to 1000"),
        (config().buckets(1_001), "buckets", "1001", "1 to 1000"),
        (config().window(Duration::ZERO), "window", "0ns", "at least 10ms"),
        (config().window(Duration::from_micros(9_999)), "window", "9.999ms", "at least 10ms"),
        (config().window(Duration::MAX), "window", "18446744073709551615.999999999s", "at most 366 days"),
    ]
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    for (config, field, value, valid) in impossible() {
        let error = AdaptiveThrottle::new(config.clone()).expect_err(&format!("{config:?}"));
        assert_eq!((error.field(), error.value()), (field, value), "{config:?}");
        assert!(error.valid().contains(valid), "{error}, {config:?}");
    }
}

#[test]
fn the_bounds_themselves_can_be() {
    let config = Config::default;
    for config in [
        config().k(1.0_f64.next_up()),
        config().k(1_000.0),
        config().success_threshold(0.001),
        config().success_threshold(1.0_f64.next_down()),
        config().max_rejection(1.0),
        config().max_rejection(f64::MIN_POSITIVE),
        config().aggression(1.0),
        config().aggression(100.0),
        config().minimum_calls(0),
        config().minimum_calls(u32::MAX),
        config().window(SECOND).buckets(1_000),
        config().window(Duration::from_millis(1)).buckets(1),
        config().window(366 * 24 * 3_600 * SECOND),
    ] {
        let throttle = AdaptiveThrottle::new(config.clone()).unwrap_or_else(|error| panic!("{error}: {config:?}"));
        for _ in 0..10 {
            drop(throttle.try_admit());
        }
        assert_eq!(throttle.snapshot().requests, 10);
    }
}

#[test]
fn a_threshold_is_the_inverse_of_k() {
    let throttle = AdaptiveThrottle::new(Config::default().success_threshold(0.8)).expect("valid");
    assert!((throttle.formula().k() - 1.25).abs() < 1e-15);
}

#[cfg(feature = "serde")]
mod files {
    use super::*;

    #[test]
    fn a_file_says_what_the_setters_say() {
        let text = r#"
            name = "search"
            k = 1.5
            max_rejection = 0.95
            aggression = 1.5
            minimum_calls = 50
            window = "1m 250ms"
            buckets = 25
            abandoned = "ignore"
        "#;
        let read: Config = toml::from_str(text).expect("valid");
        let made = Config::default()
            .name("search")
            .k(1.5)
            .max_rejection(0.95)
            .aggression(1.5)
            .minimum_calls(50)
            .window(Duration::from_millis(60_250))
            .buckets(25)
            .abandoned(seawall_circuit_breaker::throttle::Abandoned::Ignore);
        assert_eq!(format!("{read:?}"), format!("{made:?}"));
        let empty: Config = toml::from_str("").expect("all has a default");
        assert_eq!(format!("{empty:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn what_is_written_is_read_back_as_the_same() {
        for config in [Config::default(), Config::google_sre(), Config::aegis(), Config::envoy(), Config::failsafe()] {
            let json = serde_json::to_string(&config).expect("it serialises");
            let back: Config = serde_json::from_str(&json).expect(&json);
            assert_eq!(format!("{back:?}"), format!("{config:?}"), "{json}");
            let text = toml::to_string(&config).expect("it serialises");
            let back: Config = toml::from_str(&text).expect(&text);
            assert_eq!(format!("{back:?}"), format!("{config:?}"), "{text}");
        }
        let json = serde_json::to_value(Config::aegis()).expect("it serialises");
        assert_eq!((&json["success_threshold"], &json["window"]), (&0.6.into(), &"3s".into()));
    }

    #[test]
    fn what_is_misspelt_or_said_twice_is_refused() {
        for (text, told) in [
            ("kay = 2.0", "unknown field `kay`"),
            ("seed = 3", "unknown field `seed`"),
            ("k = 2.0\nsuccess_threshold = 0.5", "`success_threshold` is 0.5, must be left out where `k` is given"),
            ("window = 10", "invalid type"),
            ("window = \"10 parsecs\"", "parsecs"),
            ("buckets = -1", "-1"),
            ("abandoned = \"maybe\"", "maybe"),
        ] {
            let error = toml::from_str::<Config>(text).expect_err(text).to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
