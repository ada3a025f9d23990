use seawall_core::ConfigError;
use seawall_rate_limit::{Algorithm, Config, Keyed, KeyedRateLimiter, Quota, Scaling};

fn error(config: Keyed<str>) -> String {
    KeyedRateLimiter::<str>::new(config).map(|_| ()).map_err(|error: ConfigError| error.to_string()).unwrap_err()
}

fn each() -> Config {
    Config::new(Quota::per_second(1))
}

#[test]
fn what_cannot_be_is_refused_by_name_value_and_range() {
    for (config, expected) in [
        (Keyed::new(each()).capacity(0), "`capacity` is 0, must be 1 to 67108864"),
        (Keyed::new(each()).capacity((1 << 26) + 1), "`capacity` is 67108865, must be 1 to 67108864"),
        (Keyed::new(Config::new(Quota::per_second(0))), "`each.quota.limit` is 0, must be 1 to 4294967295"),
        (
            Keyed::new(each()).classes([Quota::per_second(1), Quota::per_second(0)]),
            "`classes[1].limit` is 0, must be 1 to 4294967295",
        ),
        (Keyed::new(each()).classes([Quota::per_second(1); 256]), "`classes` is 256 quotas, must be at most 255"),
    ] {
        assert_eq!(error(config), expected);
    }
    assert!(
        error(Keyed::new(each().scaling(Scaling::Sharded))).starts_with("`each.scaling` is Sharded, must be Strict")
    );
    let burst = Keyed::new(each()).classes([Quota::per_second(1).burst(2)]);
    assert!(error(burst).starts_with("`classes[0].burst` is 2, must be absent"));
}

#[test]
fn memory_is_what_is_said() {
    // In eighths of a byte.
    for (algorithm, most) in [(Algorithm::Gcra, 149), (Algorithm::sliding_window(), 8 * 100)] {
        let keys = KeyedRateLimiter::<str>::new(Keyed::new(each().algorithm(algorithm))).expect("valid").snapshot();
        assert_eq!(keys.capacity, 65_536);
        let eighths = keys.memory * 8 / keys.capacity;
        assert!(eighths <= most, "{algorithm:?}: {eighths} eighths of a byte a key");
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_configuration_is_read_from_a_file() {
    let text = r#"
        capacity = 1000
        classes = [{ limit = 600, period = "1m" }]
        [each]
        name = "users"
        algorithm = "gcra"
        quota = { limit = 60, period = "1m" }
    "#;
    let config: Keyed<str> = toml::from_str(text).expect("readable");
    let users = KeyedRateLimiter::<str>::new(config).expect("valid").snapshot();
    assert_eq!((users.name.as_str(), users.capacity), ("users", 1_024));
    assert_eq!(users.quotas, [Quota::per_minute(60), Quota::per_minute(600)]);
    let unknown = toml::from_str::<Keyed<str>>(&text.replace("capacity", "capazity")).unwrap_err();
    assert!(unknown.to_string().contains("capazity"));
}
