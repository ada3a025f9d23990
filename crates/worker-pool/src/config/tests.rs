use super::*;

fn says(config: &Config, text: &str) {
    assert_eq!(config.check().expect_err(text).to_string(), text);
}

#[test]
fn the_defaults_are_valid() {
    assert_eq!(Config::new(0..=1).check().expect("valid").as_str(), "worker-pool");
    Config::new(1..=1 << 20).queue(0).submitters(0).dead_letters(0).max_wait(Duration::ZERO).check().expect("valid");
    Config::new(3..=3).queue(1 << 30).depth_limit(Priority::Low, 0).check().expect("valid");
}

#[test]
#[expect(clippy::reversed_empty_ranges, reason = "what is refused")]
fn workers_that_cannot_be_are_named() {
    let valid = "must be from the fewest to the most, which is 1 to 1048576";
    says(&Config::new(5..=3), &format!("`workers` is 5..=3, {valid}"));
    says(&Config::new(0..=0), &format!("`workers` is 0..=0, {valid}"));
    says(&Config::new(1..=(1 << 20) + 1), &format!("`workers` is 1..=1048577, {valid}"));
}

#[test]
fn every_value_that_cannot_be_is_named() {
    let (zero, long) = (Duration::ZERO, Duration::from_secs(366 * 86_400 + 1));
    let one = || Config::new(1..=1);
    let growth = |target_latency| one().growth(GrowthPolicy::DepthOrAge { target_latency });
    says(&one().queue(usize::MAX), &format!("`queue` is {}, must be 0 to 1073741824", usize::MAX));
    says(&one().submitters((1 << 30) + 1), "`submitters` is 1073741825, must be 0 to 1073741824");
    says(&one().retrying((1 << 30) + 1), "`retrying` is 1073741825, must be 0 to 1073741824");
    says(&one().dead_letters((1 << 30) + 1), "`dead_letters` is 1073741825, must be 0 to 1073741824");
    says(&one().max_wait(long), "`max_wait` is 31622401s, must be at most 366 days");
    says(&one().keep_alive(zero), "`keep_alive` is 0ns, must be above zero and at most 366 days");
    says(&one().timeout(zero), "`timeout` is 0ns, must be above zero and at most 366 days");
    says(&one().expires_in(zero), "`expires_in` is 0ns, must be above zero and at most 366 days");
    says(&one().order(Order::Aging(zero)), "`order.aging` is 0ns, must be above zero and at most 366 days");
    says(&growth(zero), "`growth.depth_or_age.target_latency` is 0ns, must be above zero and at most 366 days");
    says(&one().retry(Retry::new(0)), "`retry.attempts` is 0, must be 1 to 1000");
    for config in [one().keep_alive(long), one().timeout(long), one().expires_in(long), growth(long)] {
        assert_eq!(config.check().expect_err("too long").value(), "31622401s");
    }
    assert_eq!(one().name("").check().expect_err("empty").field(), "name");
}

#[cfg(feature = "serde")]
mod formats {
    use crate::growth::Load;
    use crate::weights::Weights;

    use super::*;

    fn everything() -> Config {
        Config::new(3..=20)
            .name("orders")
            .queue(500)
            .full(FullPolicy::DropOldest)
            .max_wait(Duration::from_millis(250))
            .submitters(7)
            .keep_alive(Duration::from_secs(30))
            .growth(GrowthPolicy::Age { target_latency: Duration::from_millis(50) })
            .order(Order::Weighted(Weights::new(1, 3, 6, 12).expect("valid")))
            .depth_limit(Priority::Low, 100)
            .depth_limit(Priority::Critical, 0)
            .timeout(Duration::from_secs(5))
            .expires_in(Duration::from_secs(60))
            .retry(Retry::new(4).sidekiq().panics(true))
            .retrying(12)
            .dead_letters(10)
            .target_utilisation(Ratio::percent(60))
    }

    #[test]
    fn every_setter_has_its_field() {
        let text = r#"
            name = "orders"
            workers = { min = 3, max = 20 }
            queue = 500
            full = "drop_oldest"
            max_wait = "250ms"
            submitters = 7
            keep_alive = "30s"
            growth = { age = { target_latency = "50ms" } }
            order = { weighted = { low = 1, normal = 3, high = 6, critical = 12 } }
            depth_limits = { low = 100, critical = 0 }
            timeout = "5s"
            expires_in = "1m"
            retry = { attempts = 4, backoff = "sidekiq", panics = true }
            retrying = 12
            dead_letters = 10
            target_utilisation = 0.6
        "#;
        let read: Config = toml::from_str(text).expect("reads");
        assert_eq!(format!("{read:?}"), format!("{:?}", everything()));
    }

    #[test]
    fn what_was_written_is_read() {
        for config in [everything(), Config::new(0..=1), Config::new(2..=2).order(Order::Strict)] {
            let text = toml::to_string(&config).expect("writes");
            let read: Config = toml::from_str(&text).expect("reads");
            assert_eq!(format!("{read:?}"), format!("{config:?}"), "{text}");
            let text = serde_json::to_string(&config).expect("writes");
            let read: Config = serde_json::from_str(&text).expect("reads");
            assert_eq!(format!("{read:?}"), format!("{config:?}"), "{text}");
        }
    }

    #[test]
    fn what_is_left_out_is_the_default() {
        let read: Config = toml::from_str("workers = { min = 1, max = 4 }").expect("reads");
        assert_eq!(format!("{read:?}"), format!("{:?}", Config::new(1..=4)));
        let growth: Config =
            toml::from_str("workers = { min = 1, max = 4 }\ngrowth = { depth_or_age = {} }").expect("reads");
        assert_eq!(format!("{growth:?}"), format!("{:?}", Config::new(1..=4)));
    }

    #[test]
    fn a_rule_of_ones_own_is_not_written() {
        let config = Config::new(1..=4).growth(|load: &Load| load.queued > 9);
        assert!(!toml::to_string(&config).expect("writes").contains("growth"));
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for (text, said) in [
            ("workers = { min = 1, max = 4, step = 2 }", "unknown field `step`"),
            ("workers = { min = 1, max = 4 }\nqeue = 3", "unknown field `qeue`"),
            ("workers = { min = 1, max = 4 }\ndepth_limits = { urgent = 3 }", "unknown field `urgent`"),
            ("workers = { min = 1, max = 4 }\nfull = 'explode'", "unknown variant `explode`"),
            (
                "workers = { min = 1, max = 4 }\ngrowth = { age = { latency = '1s' } }",
                "latency, available keys: target_latency",
            ),
            ("queue = 3", "missing field `workers`"),
            (
                "workers = { min = 1, max = 4 }\norder = { weighted = { low = 0, normal = 1, high = 1, critical = 1 } }",
                "`weights.low` is 0, must be 1 to 4294967295",
            ),
        ] {
            let error = toml::from_str::<Config>(text).expect_err(text).to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
