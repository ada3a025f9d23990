//! A configuration that cannot be is refused with its field, its value and what would be valid; with feature `serde` what is
//! written is read back as the same, and what is misspelt is refused.

use std::time::Duration;

use seawall_rate_limit::{AdaptiveConfig, Algorithm, BurstConfig, Carry, Config, Mode, Quota, RateLimiter, Scaling};

const YEAR: Duration = Duration::from_secs(367 * 24 * 3600);

/// What cannot be: the configuration, and of its error the field, the value and what would be valid.
fn impossible() -> Vec<(Config, &'static str, &'static str, &'static str)> {
    let config = || Config::new(Quota::per_second(10));
    let quota = |quota| Config::new(quota).algorithm(Algorithm::Gcra);
    let by = |algorithm| config().algorithm(algorithm);
    let burst = |burst| config().burst(burst);
    let adaptive = |adaptive| config().adaptive(adaptive);
    let (watch, share) = (BurstConfig::default, AdaptiveConfig::default);
    let (many, period) = ("1 to 4294967295", "1µs to 366 days");
    let name = "1 to 31 bytes of printable text";
    vec![
        (config().name(""), "name", "\"\"", name),
        (config().name("a name of thirty-two bytes, a-b-c"), "name", "\"a name of thirty-two bytes, a-b-c\"", name),
        (quota(Quota::per_second(0)), "quota.limit", "0", many),
        (quota(Quota::per_second(1).burst(0)), "quota.burst", "0", many),
        (quota(Quota::new(1, Duration::ZERO)), "quota.period", "0ns", period),
        (quota(Quota::new(1, Duration::from_nanos(999))), "quota.period", "999ns", period),
        (quota(Quota::new(1, YEAR)), "quota.period", "31708800s", period),
        (quota(Quota::per_hour(1).burst(u32::MAX)), "quota.burst", "4294967295", "1 to "),
        (Config::new(Quota::per_second(5).burst(9)), "quota.burst", "9", "absent: only token buckets have a burst"),
        (by(Algorithm::SlidingWindow { buckets: 0 }), "algorithm.buckets", "0", "1 to 8"),
        (by(Algorithm::SlidingWindow { buckets: 9 }), "algorithm.buckets", "9", "1 to 8"),
        (Config::new(Quota::per_second(65_537)).algorithm(Algorithm::SlidingLog), "quota.limit", "65537", "1 to 65536"),
        (config().max_wait(YEAR), "max_wait", "31708800s", "at most 366 days"),
        (burst(watch().requests(0)), "burst.requests", "0", many),
        (burst(watch().period(Duration::ZERO)), "burst.period", "0ns", period),
        (burst(watch().penalty(Duration::ZERO)), "burst.penalty", "0ns", period),
        (burst(watch().penalty(YEAR)), "burst.penalty", "31708800s", period),
        (adaptive(share().ceiling(f64::NAN)), "adaptive.ceiling", "NaN", "above 0 and at most 100"),
        (adaptive(share().ceiling(100.5)), "adaptive.ceiling", "100.5", "above 0 and at most 100"),
        (adaptive(share().floor(0.0)), "adaptive.floor", "0", "above 0 and at most the ceiling"),
        (adaptive(share().floor(1.5)), "adaptive.floor", "1.5", "above 0 and at most the ceiling"),
        (adaptive(share().floor(f64::NAN)), "adaptive.floor", "NaN", "above 0 and at most the ceiling"),
        (adaptive(share().target(1.0)), "adaptive.target", "1", "above 0 and below 1"),
        (adaptive(share().target(-0.5)), "adaptive.target", "-0.5", "above 0 and below 1"),
        (adaptive(share().increase(0.0)), "adaptive.increase", "0", "above 0 and at most 1"),
        (adaptive(share().increase(f64::INFINITY)), "adaptive.increase", "inf", "above 0 and at most 1"),
        (adaptive(share().decrease(1.0)), "adaptive.decrease", "1", "above 0 and below 1"),
        (adaptive(share().decrease(f64::NAN)), "adaptive.decrease", "NaN", "above 0 and below 1"),
    ]
}

#[test]
fn what_cannot_be_is_named_with_its_value_and_what_would_be_valid() {
    for (config, field, value, valid) in impossible() {
        let error = RateLimiter::new(config).expect_err(field);
        assert_eq!((error.field(), error.value()), (field, value), "{error}");
        assert!(error.valid().starts_with(valid), "{field}: {:?} does not begin with {valid:?}", error.valid());
    }
}

#[test]
fn what_cannot_be_changes_nothing() {
    let limiter = RateLimiter::new(Config::new(Quota::per_second(10))).expect("valid");
    limiter.check().expect("the first");
    let before = (limiter.quota(), limiter.peek().remaining());
    for (config, field, ..) in impossible() {
        limiter.reconfigure(config).expect_err(field);
        assert_eq!((limiter.quota(), limiter.peek().remaining()), before, "{field}");
    }
}

#[test]
fn the_widest_values_are_valid() {
    for quota in
        [Quota::new(u32::MAX, Quota::SHORTEST), Quota::new(u32::MAX, Quota::LONGEST), Quota::new(1, Quota::LONGEST)]
    {
        for algorithm in [Algorithm::Gcra, Algorithm::sliding_window(), Algorithm::WindowCounter, Algorithm::TokenSteps]
        {
            let limiter =
                RateLimiter::new(Config::new(quota).algorithm(algorithm).max_wait(Quota::LONGEST)).expect("valid");
            assert_eq!(limiter.check_n(quota.limit()).map(|grant| grant.remaining()), Ok(0), "{algorithm:?} {quota}");
        }
    }
}

#[test]
fn what_was_configured_can_be_asked() {
    let (adaptive, burst) = (AdaptiveConfig::default().floor(0.25), BurstConfig::default().requests(9));
    let config = Config::new(Quota::per_second(1))
        .name("api")
        .algorithm(Algorithm::Gcra)
        .max_wait(Duration::from_millis(75))
        .mode(Mode::Shadow)
        .scaling(Scaling::Sharded)
        .carry(Carry::Reset)
        .adaptive(adaptive)
        .burst(burst)
        .with_quota(Quota::per_minute(7).burst(9));
    assert_eq!(config.quota(), Quota::per_minute(7).burst(9));
    assert_eq!((config.get_name(), config.get_algorithm()), ("api", Algorithm::Gcra));
    assert_eq!((config.get_max_wait(), config.get_mode()), (Duration::from_millis(75), Mode::Shadow));
    assert_eq!((config.get_scaling(), config.get_carry()), (Scaling::Sharded, Carry::Reset));
    assert_eq!((config.get_adaptive(), config.get_burst()), (Some(adaptive), Some(burst)));
    let limiter = RateLimiter::new(config).expect("valid");
    assert_eq!(limiter.quota().limit(), 7);
}

#[cfg(feature = "serde")]
mod formats {
    use super::*;
    use seawall_rate_limit::limit::Alignment;

    /// Configurations in which every field is another than by default.
    fn every_field() -> Vec<Config> {
        let algorithms = [
            Algorithm::sliding_window(),
            Algorithm::SlidingWindow { buckets: 3 },
            Algorithm::Gcra,
            Algorithm::SlidingLog,
            Algorithm::WindowCounter,
            Algorithm::fixed_window(),
            Algorithm::FixedWindow { alignment: Alignment::Clock { offset: Duration::from_millis(20) } },
            Algorithm::FixedWindow { alignment: Alignment::FirstCell },
            Algorithm::TokenSteps,
            Algorithm::warm_up(Duration::from_secs(10)),
            Algorithm::Pacer { slack: 7 },
        ];
        let plain = algorithms.map(|algorithm| Config::new(Quota::per_minute(7)).algorithm(algorithm));
        let adaptive = AdaptiveConfig::default().floor(0.25).ceiling(3.5).target(0.5).increase(0.125).decrease(0.75);
        let burst =
            BurstConfig::default().requests(9).period(Duration::from_millis(1_500)).penalty(Duration::from_secs(3));
        let full = Config::new(Quota::new(3, Duration::from_millis(250)).burst(12))
            .algorithm(Algorithm::Gcra)
            .name("all of it")
            .max_wait(Duration::from_millis(75))
            .mode(Mode::Shadow)
            .scaling(Scaling::Sharded)
            .adaptive(adaptive)
            .burst(burst);
        let carried = [Carry::AsIs, Carry::Proportional, Carry::Reset].map(|carry| full.clone().carry(carry));
        plain.into_iter().chain(carried).collect()
    }

    #[test]
    fn what_is_written_is_read_back_as_the_same() {
        for config in every_field() {
            let told = format!("{config:?}");
            let json = serde_json::to_string(&config).expect("it can be written");
            let read: Config = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{json}: {error}"));
            assert_eq!(format!("{read:?}"), told, "{json}");
            let text = toml::to_string(&config).expect("it can be written");
            let read: Config = toml::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(format!("{read:?}"), told, "{text}");
        }
    }

    #[test]
    fn a_quota_is_enough() {
        let read: Config = toml::from_str("quota = { limit = 100, period = \"1m\" }").expect("it is enough");
        assert_eq!(format!("{read:?}"), format!("{:?}", Config::new(Quota::per_minute(100))));
    }

    #[test]
    fn people_write_it_like_this() {
        let text = r#"
            name = "api"
            max_wait = "50ms"
            mode = "shadow"
            scaling = "sharded"
            carry = "as_is"
            algorithm = "gcra"
            [quota]
            limit = 100
            period = "1s"
            burst = 300
            [adaptive]
            floor = 0.2
            [burst]
            requests = 1000
            penalty = "1m"
        "#;
        let read: Config = toml::from_str(text).expect("it is as it is documented");
        let written = Config::new(Quota::per_second(100).burst(300))
            .name("api")
            .max_wait(Duration::from_millis(50))
            .mode(Mode::Shadow)
            .scaling(Scaling::Sharded)
            .algorithm(Algorithm::Gcra)
            .adaptive(AdaptiveConfig::default().floor(0.2))
            .burst(BurstConfig::default().requests(1_000).penalty(Duration::from_secs(60)));
        assert_eq!(format!("{read:?}"), format!("{written:?}"));
        RateLimiter::new(read).expect("valid");
    }

    #[test]
    fn what_is_misspelt_is_refused_by_its_name() {
        let quota = "quota = { limit = 1, period = \"1s\" }";
        for (text, told) in [
            ("", "quota"),
            ("quota = { limit = 1, period = \"1s\", brust = 3 }", "brust"),
            ("quota = { limit = -1, period = \"1s\" }", "-1"),
            ("quota = { limit = 1, period = \"a while\" }", "a while"),
            (&format!("{quota}\nmax_weight = \"1s\""), "max_weight"),
            (&format!("{quota}\nalgorithm = \"leaky\""), "leaky"),
            (&format!("{quota}\nalgorithm = {{ sliding_window = {{ bukkets = 2 }} }}"), "bukkets"),
            (&format!("{quota}\nmode = \"observe\""), "observe"),
            (&format!("{quota}\ncarry = \"as-is\""), "as-is"),
            (&format!("{quota}\n[adaptive]\nflour = 0.5"), "flour"),
            (&format!("{quota}\n[burst]\nrequest = 5"), "request"),
        ] {
            let error = toml::from_str::<Config>(text).expect_err(told).to_string();
            assert!(error.contains(told), "{text:?}: {error}");
        }
    }
}
