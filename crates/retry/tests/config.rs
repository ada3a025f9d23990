//! Configurations from files.
#![cfg(feature = "serde")]

use std::time::Duration;

use seawall_core::Jitter;
use seawall_retry::{Config, Deposits, Hedge, HedgeConfig, HedgeDelay, Retry};

const SECOND: Duration = Duration::from_secs(1);

fn debug(config: &impl std::fmt::Debug) -> String {
    format!("{config:?}")
}

#[test]
fn every_field_is_read() {
    let text = r#"
        name = "payment"
        max_attempts = 5
        backoff = { exponential = { initial = "100ms", multiplier = 1.5, max = "5s" } }
        jitter = { spread = 25 }
        attempt_timeout = "2s"
        within = "1m"
        max_hint = "10s"
        budget = { deposits = { ratio = 0.5, per_second = 2.0, ttl = "20s" } }
    "#;
    let read: Config = toml::from_str(text).expect("TOML");
    let made = Config::default()
        .name("payment")
        .max_attempts(5)
        .exponential(Duration::from_millis(100), 1.5, 5 * SECOND)
        .jitter(Jitter::Spread(25))
        .attempt_timeout(2 * SECOND)
        .within(60 * SECOND)
        .max_hint(10 * SECOND)
        .budget(Deposits::default().ratio(0.5).per_second(2.0).ttl(20 * SECOND));
    assert_eq!(debug(&read), debug(&made));
    Retry::new(read).expect("valid");

    let read: HedgeConfig = toml::from_str(
        r#"
            name = "catalogue"
            delay = { quantile = { quantile = 0.99, window = 500, warm_up = 50 } }
            max_hedges = 2
            budget = "none"
        "#,
    )
    .expect("TOML");
    let delay = HedgeDelay::quantile(0.99).window(500).warm_up(50);
    let made = HedgeConfig::default().name("catalogue").delay(delay).max_hedges(2).without_budget();
    assert_eq!(debug(&read), debug(&made));
    Hedge::new(read).expect("valid");
}

#[test]
fn what_is_left_out_has_its_default() {
    let (read, read_hedge): (Config, HedgeConfig) =
        (toml::from_str("").expect("TOML"), toml::from_str("").expect("TOML"));
    assert_eq!(debug(&read), debug(&Config::default()));
    assert_eq!(debug(&read_hedge), debug(&HedgeConfig::default()));
    let read: HedgeConfig = toml::from_str("delay = { quantile = { quantile = 0.9 } }").expect("TOML");
    assert_eq!(debug(&read), debug(&HedgeConfig::default().delay(HedgeDelay::quantile(0.9))));
}

#[test]
fn what_is_written_is_read_back_as_the_same() {
    let configs = [
        Config::default(),
        Config::default().fixed(SECOND).jitter(Jitter::None).without_budget(),
        Config::default().linear(SECOND, SECOND, 9 * SECOND).within(SECOND),
        Config::default().decorrelated(SECOND, 9 * SECOND).attempt_timeout(SECOND),
        Config::default().polynomial(SECOND, 4, 9 * SECOND).jitter(Jitter::Below(50)),
    ];
    for config in configs {
        let text = serde_json::to_string(&config).expect("JSON");
        assert_eq!(debug(&serde_json::from_str::<Config>(&text).expect("what was written")), debug(&config), "{text}");
    }
    for delay in [HedgeDelay::Never, HedgeDelay::Fixed(SECOND), HedgeDelay::mean(1.5).plus(SECOND)] {
        let text = serde_json::to_string(&HedgeConfig::default().delay(delay.clone())).expect("JSON");
        let read: HedgeConfig = serde_json::from_str(&text).expect("what was written");
        assert_eq!(debug(&read), debug(&HedgeConfig::default().delay(delay)), "{text}");
    }
}

#[test]
fn what_is_unknown_or_cannot_be_is_refused() {
    for (text, told) in [
        ("retries = 3", "unknown field `retries`"),
        ("max_attempts = -1", "-1"),
        ("within = '5'", "within"),
        ("backoff = { fixed = { wait = '1s', max = '2s' } }", "max"),
        ("jitter = 'some'", "unknown variant `some`"),
        ("budget = { deposits = { share = 1.0 } }", "unknown field `share`"),
        ("budget = 'unlimited'", "unknown variant `unlimited`"),
    ] {
        let error = toml::from_str::<Config>(text).expect_err(text).to_string();
        assert!(error.contains(told), "{text}: {error}");
    }
    let error = Retry::new(Config::default().budget(Deposits::default().ratio(f64::NAN))).expect_err("no ratio");
    assert_eq!(error.field(), "budget.deposits.ratio");
    let error = toml::from_str::<HedgeConfig>("delay = { quantile = { window = 3 } }").expect_err("no quantile");
    assert!(error.to_string().contains("missing field `quantile`"), "{error}");
}
