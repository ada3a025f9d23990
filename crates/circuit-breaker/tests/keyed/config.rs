//! A configuration that cannot be is refused, and changes nothing; the capacity may change while it runs.

use std::time::Duration;

use seawall_circuit_breaker::{CircuitBreakers, Config, Keyed, State};

use super::{SECOND, breakers, fail, fragile, is_refused, open, state, succeed};

/// What cannot be: the configuration, and of its error the field, the value and what would be valid.
fn impossible() -> Vec<(Keyed<String>, &'static str, &'static str, &'static str)> {
    let keyed = || Keyed::new(fragile());
    let span = "above zero and at most 366 days";
    vec![
        (keyed().capacity(0), "capacity", "0", "1 to 16777216"),
        (keyed().capacity(16_777_217), "capacity", "16777217", "1 to 16777216"),
        (keyed().capacity(u32::MAX), "capacity", "4294967295", "1 to 16777216"),
        (keyed().retire_open_after(Duration::ZERO), "retire_open_after", "0ns", span),
        (keyed().retire_open_after(367 * 24 * 3600 * SECOND), "retire_open_after", "31708800s", span),
        (Keyed::new(fragile().failure_rate(f64::NAN)), "each.failure_rate", "NaN", "a number above 0 and at most 1"),
        (Keyed::new(fragile().name("")), "each.name", "\"\"", "1 to 31 bytes of printable text"),
        (Keyed::new(Config::empty()), "each.failure_rate", "missing", "nothing would open the circuit"),
    ]
}

#[test]
fn what_cannot_be_is_named_with_its_value_and_what_would_be_valid() {
    for (config, field, value, valid) in impossible() {
        let error = CircuitBreakers::<String>::new(config).expect_err(field);
        assert_eq!((error.field(), error.value()), (field, value));
        assert!(error.valid().contains(valid), "{field}: {}", error.valid());
    }
}

#[test]
fn the_limits_themselves_are_valid() {
    for config in [
        Keyed::new(fragile()).capacity(1),
        Keyed::new(fragile()).capacity(16_777_216),
        Keyed::new(fragile()).retire_open_after(Duration::from_nanos(1)),
        Keyed::default(),
    ] {
        let (hosts, _time) = breakers(config);
        hosts.with("a").try_admit().expect("closed").success();
        assert_eq!(hosts.len(), 1);
    }
    let (hosts, _time) = breakers(Keyed::default());
    assert_eq!((hosts.snapshot().capacity, hosts.name().as_str()), (10_000, "circuit_breaker"));
}

#[test]
fn a_refused_reconfiguration_changes_nothing() {
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(2));
    fail(&hosts, "a");
    succeed(&hosts, "b");
    let before = (hosts.snapshot(), hosts.snapshots());
    for (config, field, ..) in impossible() {
        assert_eq!(hosts.reconfigure(config).expect_err(field).field(), field);
        assert_eq!((hosts.snapshot(), hosts.snapshots()), before, "{field}");
    }
    let error = hosts.reconfigure(Keyed::new(fragile().name("others"))).expect_err("another name");
    assert_eq!((error.field(), error.value()), ("each.name", "\"others\""));
    assert!(error.valid().contains("\"hosts\""), "{error}");
    fail(&hosts, "a");
    assert_eq!(state(&hosts, "a"), Some(State::Open), "the second failure");
}

#[test]
fn a_reconfiguration_reaches_every_key_and_keeps_what_was_counted() {
    let (hosts, _time) = breakers(Keyed::new(fragile().consecutive_failures(3)));
    fail(&hosts, "a");
    fail(&hosts, "a");
    fail(&hosts, "b");
    assert!(hosts.remove("b"));
    hosts.reconfigure(Keyed::new(fragile())).expect("valid");
    assert_eq!(state(&hosts, "a"), Some(State::Open), "two failures are enough now");
    for key in ["took the place of b", "new"] {
        open(&hosts, key);
    }
}

#[test]
fn the_capacity_grows_at_once() {
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(1));
    open(&hosts, "a");
    succeed(&hosts, "b");
    assert_eq!((hosts.len(), hosts.snapshot().untracked), (1, 1));
    hosts.reconfigure(Keyed::new(fragile()).capacity(200)).expect("valid");
    for number in 0..199 {
        succeed(&hosts, &format!("host {number}"));
    }
    assert!(is_refused(&hosts, "a"));
    let snapshot = hosts.snapshot();
    assert_eq!((snapshot.len, snapshot.capacity, snapshot.evicted), (200, 200, 0));
}

#[test]
fn the_capacity_shrinks_as_new_keys_come() {
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(100));
    for number in 0..98 {
        succeed(&hosts, &format!("host {number}"));
    }
    open(&hosts, "a");
    open(&hosts, "b");
    hosts.reconfigure(Keyed::new(fragile()).capacity(10)).expect("valid");
    assert_eq!((hosts.len(), hosts.snapshot().capacity), (100, 10), "nobody is forgotten before somebody comes");
    for number in 0..200 {
        let before = hosts.len();
        succeed(&hosts, &format!("new {number}"));
        assert!(hosts.len() == 10 || hosts.len() < before, "{before} became {}", hosts.len());
    }
    assert_eq!(hosts.len(), 10);
    assert!(is_refused(&hosts, "a") && is_refused(&hosts, "b"));
    // Room that was left is used again.
    hosts.reconfigure(Keyed::new(fragile()).capacity(20)).expect("valid");
    (0..10).for_each(|number| succeed(&hosts, &format!("more {number}")));
    assert_eq!(hosts.len(), 20);
}

#[cfg(feature = "serde")]
mod text {
    use super::*;

    fn parse(text: &str) -> Result<Keyed<String>, toml::de::Error> {
        toml::from_str(text)
    }

    fn assert_same(one: &Keyed<String>, other: &Keyed<String>) {
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }

    #[test]
    fn what_is_written_is_read_back_as_the_same() {
        let config = Keyed::new(fragile()).capacity(77).retire_open_after(90 * SECOND);
        let text = toml::to_string(&config).expect("it can be written");
        assert!(text.contains("retire_open_after = \"1m 30s\""), "{text}");
        assert_same(&parse(&text).expect("it was written so"), &config);
    }

    #[test]
    fn what_is_left_out_is_the_default() {
        assert_same(&parse("").expect("all is left out"), &Keyed::default());
        let parsed = parse("capacity = 5\n[each]\nname = \"hosts\"\nconsecutive_failures = 2").expect("valid");
        assert_same(&parsed, &Keyed::new(Config::empty().name("hosts").consecutive_failures(2)).capacity(5));
    }

    #[test]
    fn what_is_misspelt_is_refused() {
        for (text, named) in [
            ("capacitance = 5", "capacitance"),
            ("[each]\nconsecutive_failure = 5", "consecutive_failure"),
            ("consecutive_failures = 5", "consecutive_failures"),
            ("retire_open_after = \"soon\"", "retire_open_after"),
            ("capacity = -1", "capacity"),
            ("capacity = 1e9", "capacity"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
