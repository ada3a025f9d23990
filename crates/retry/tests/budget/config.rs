//! Values that cannot be, and how configurations are written.

use std::time::Duration;

use seawall_core::time::Clock;
use seawall_retry::{Budget, BudgetConfig, Deposits, InFlight, Tokens};

use super::{SECOND, budget};

#[test]
fn a_value_that_cannot_be_is_named_with_what_could() {
    const RATIO: &str = "must be a number from 0 to 1000";
    let (deposits, in_flight, tokens) = (Deposits::default, InFlight::default, Tokens::default);
    let table: Vec<(BudgetConfig, String)> = vec![
        (deposits().ratio(-0.1).into(), format!("`deposits.ratio` is -0.1, {RATIO}")),
        (deposits().ratio(1_000.1).into(), format!("`deposits.ratio` is 1000.1, {RATIO}")),
        (deposits().ratio(f64::NAN).into(), format!("`deposits.ratio` is NaN, {RATIO}")),
        (deposits().ratio(f64::INFINITY).into(), format!("`deposits.ratio` is inf, {RATIO}")),
        (deposits().per_second(-1.0).into(), "`deposits.per_second` is -1, must be a number from 0 to 1000000".into()),
        (
            deposits().per_second(f64::NAN).into(),
            "`deposits.per_second` is NaN, must be a number from 0 to 1000000".into(),
        ),
        (
            deposits().per_second(1e7).into(),
            "`deposits.per_second` is 10000000, must be a number from 0 to 1000000".into(),
        ),
        (deposits().ttl(Duration::ZERO).into(), "`deposits.ttl` is 0ns, must be 1s to 60s".into()),
        (
            deposits().ttl(Duration::from_nanos(999_999_999)).into(),
            "`deposits.ttl` is 999.999999ms, must be 1s to 60s".into(),
        ),
        (deposits().ttl(61 * SECOND).into(), "`deposits.ttl` is 61s, must be 1s to 60s".into()),
        (deposits().ttl(Duration::MAX).into(), format!("`deposits.ttl` is {:?}, must be 1s to 60s", Duration::MAX)),
        (in_flight().share(-0.1).into(), "`in_flight.share` is -0.1, must be a number from 0 to 1".into()),
        (in_flight().share(1.1).into(), "`in_flight.share` is 1.1, must be a number from 0 to 1".into()),
        (in_flight().share(f64::NAN).into(), "`in_flight.share` is NaN, must be a number from 0 to 1".into()),
        (tokens().max(0).into(), "`tokens.max` is 0, must be 1 to 1000".into()),
        (tokens().max(1_001).into(), "`tokens.max` is 1001, must be 1 to 1000".into()),
        (tokens().ratio(0.0).into(), "`tokens.ratio` is 0, must be a number from 0.001 to 1000".into()),
        (tokens().ratio(-1.0).into(), "`tokens.ratio` is -1, must be a number from 0.001 to 1000".into()),
        (tokens().ratio(f64::NAN).into(), "`tokens.ratio` is NaN, must be a number from 0.001 to 1000".into()),
    ];
    for (config, message) in table {
        assert_eq!(Budget::new(config.clone()).expect_err(&message).to_string(), message);
        let (running, _time) = budget(BudgetConfig::default());
        let before = running.config();
        assert_eq!(running.reconfigure(config).expect_err(&message).to_string(), message);
        assert_eq!(running.config(), before);
    }
    for config in [deposits().name("").into(), in_flight().name("").into(), BudgetConfig::from(tokens()).name("")] {
        assert_eq!(Budget::new(config).expect_err("a name has at least one byte").field(), "name");
    }
}

#[test]
fn the_least_and_the_most_of_each_value_can_be() {
    for config in [
        BudgetConfig::from(Deposits::default().ratio(0.0).per_second(0.0).ttl(SECOND)),
        Deposits::default().ratio(-0.0).per_second(-0.0).into(),
        Deposits::default().ratio(1_000.0).per_second(1_000_000.0).ttl(60 * SECOND).into(),
        InFlight::default().share(0.0).floor(0).into(),
        InFlight::default().share(1.0).floor(u32::MAX).into(),
        Tokens::default().max(1).ratio(0.001).into(),
        Tokens::default().max(1_000).ratio(1_000.0).into(),
    ] {
        let (budget, _time) = budget(config.clone());
        drop(budget.begin());
        budget.snapshot();
        assert_eq!(budget.config(), config);
    }
}

#[test]
fn the_default_is_a_fifth_and_ten_a_second_of_ten_seconds() {
    let default = Deposits::default().ratio(0.2).per_second(10.0).ttl(10 * SECOND);
    assert_eq!(Budget::default().config(), default.into());
    let snapshot = Budget::default().snapshot();
    assert_eq!((snapshot.balance, snapshot.name.as_str(), snapshot.kind), (100.0, "retry_budget", "deposits"));
}

#[test]
fn a_running_budget_keeps_its_name_and_kind() {
    let budget = Budget::with_clock(InFlight::default().name("stock"), Clock::manual().0).expect("valid");
    let error = budget.reconfigure(InFlight::default().name("payment")).expect_err("another name");
    assert_eq!(error.to_string(), "`name` is \"payment\", must be \"stock\": a running budget keeps its name");
    let error = budget.reconfigure(Tokens::default().name("stock")).expect_err("another kind");
    assert_eq!(error.to_string(), "`kind` is tokens, must be in_flight: a running budget keeps its kind");
    assert_eq!(budget.config(), InFlight::default().name("stock").into());
}

#[cfg(feature = "serde")]
mod files {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct App {
        budget: BudgetConfig,
    }

    fn read(text: &str) -> Result<BudgetConfig, toml::de::Error> {
        toml::from_str::<App>(text).map(|app| app.budget)
    }

    #[test]
    fn a_file_names_the_kind_and_leaves_out_what_it_likes() {
        let table: Vec<(&str, BudgetConfig)> = vec![
            ("budget = { deposits = {} }", BudgetConfig::default()),
            (
                r#"budget = { deposits = { name = "stock", ratio = 1, per_second = 5, ttl = "2500ms" } }"#,
                Deposits::default().name("stock").ratio(1.0).per_second(5.0).ttl(Duration::from_millis(2_500)).into(),
            ),
            ("[budget.in_flight]\nshare = 0.1", InFlight::default().share(0.1).into()),
            ("budget = { in_flight = { floor = 5 } }", InFlight::default().floor(5).into()),
            ("budget = { tokens = { max = 100, ratio = 0.5 } }", Tokens::default().max(100).ratio(0.5).into()),
        ];
        for (text, config) in table {
            assert_eq!(read(text).expect(text), config, "{text}");
            let json = serde_json::to_string(&config).expect("it can be written");
            assert_eq!(serde_json::from_str::<BudgetConfig>(&json).expect(&json), config, "{json}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (text, said) in [
            ("budget = { deposits = { rate = 0.2 } }", "unknown field `rate`, expected one of `name`, `ratio`"),
            ("budget = { in_flight = { ratio = 0.2 } }", "unknown field `ratio`, expected one of `name`, `share`"),
            ("budget = { tokens = { tokens = 10 } }", "unknown field `tokens`, expected one of `name`, `max`"),
            ("budget = { ratio = 0.2 }", "unknown variant `ratio`, expected one of `deposits`, `in_flight`, `tokens`"),
            ("budget = { deposits = { ttl = 10 } }", "invalid type: integer `10`, expected a duration"),
            ("budget = { tokens = { max = -1 } }", "invalid value: integer `-1`, expected u32"),
        ] {
            let error = read(text).expect_err(text).to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
