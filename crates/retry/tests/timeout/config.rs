use std::time::Duration;

use seawall_core::observe::{Collect, Metric, Sink, Value};
use seawall_retry::{Timeout, TimeoutConfig};

use crate::{MS, timeout};

#[test]
fn a_bad_value_is_named_with_what_would_be_valid() {
    let year = Duration::from_secs(400 * 24 * 3600);
    let named = |name: &str| TimeoutConfig::new(MS).name(name);
    for (config, field, value, valid) in [
        (TimeoutConfig::new(Duration::ZERO), "duration", "0ns", "above zero and at most 366 days"),
        (TimeoutConfig::new(year), "duration", "34560000s", "above zero and at most 366 days"),
        (named(""), "name", "\"\"", "1 to 31 bytes of printable text"),
        (named("a\nb"), "name", "\"a\\nb\"", "1 to 31 bytes of printable text"),
    ] {
        let error = Timeout::new(config.clone()).expect_err(field);
        assert_eq!((error.field(), error.value(), error.valid()), (field, value, valid));
        let (running, ..) = timeout(MS);
        assert_eq!(running.reconfigure(config).expect_err(field), error);
        assert_eq!(running.duration(), MS, "a bad value changed something");
    }
}

#[test]
fn a_running_instance_keeps_its_name() {
    let (timeout, ..) = timeout(MS);
    let error = timeout.reconfigure(TimeoutConfig::new(2 * MS).name("other")).expect_err("another name");
    assert_eq!(error.to_string(), "`name` is \"other\", must be \"inventory\": a running instance keeps its name");
    assert_eq!(timeout.duration(), MS);
}

#[cfg(feature = "serde")]
#[test]
fn it_is_read_from_a_file_and_written_back() {
    let config: TimeoutConfig = toml::from_str("name = \"inventory\"\nduration = \"1s 500ms\"").expect("valid");
    assert_eq!(config, TimeoutConfig::new(1_500 * MS).name("inventory"));
    let text = toml::to_string(&config).expect("TOML");
    assert_eq!(toml::from_str::<TimeoutConfig>(&text).expect("the same"), config);
    let short: TimeoutConfig = toml::from_str("duration = \"250ms\"").expect("valid");
    assert_eq!(short, TimeoutConfig::new(250 * MS));

    for (text, says) in [
        ("duration = \"1s\"\nlimit = \"2s\"", "unknown field `limit`, expected `name` or `duration`"),
        ("name = \"inventory\"", "missing field `duration`"),
        ("duration = 250", "expected a duration"),
        ("duration = \"-1s\"", "invalid value: string \"-1s\", expected a duration"),
    ] {
        let error = toml::from_str::<TimeoutConfig>(text).expect_err(text).to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_snapshot_is_json() {
    let (timeout, ..) = timeout(250 * MS);
    let json = serde_json::to_value(timeout.snapshot()).expect("JSON");
    let total = serde_json::json!({"in_time": 0, "elapsed": 0, "deadline": 0, "refused": 0, "abandoned": 0});
    assert_eq!(json, serde_json::json!({"name": "inventory", "duration_seconds": 0.25, "total": total}));
}

#[test]
fn its_metrics_are_what_was_counted() {
    struct Lines(Vec<String>);

    impl Sink for Lines {
        fn sample(&mut self, metric: &'static Metric, labels: &[(&'static str, &str)], value: Value) {
            self.0.push(format!("{} {labels:?} {value:?}", metric.name));
        }
    }

    let (timeout, ..) = timeout(250 * MS);
    for _ in 0..2 {
        let mut call = std::pin::pin!(timeout.run(async {}));
        assert!(seawall_testkit::drive::poll(call.as_mut()).is_ready());
    }
    let mut lines = Lines(Vec::new());
    timeout.collect(&mut lines);
    assert_eq!(lines.0.len(), 6);
    let first = r#"seawall_timeout_calls [("name", "inventory"), ("end", "in_time")] Integer(2)"#;
    assert_eq!(lines.0[0], first);
    assert_eq!(lines.0[5], r#"seawall_timeout_limit_seconds [("name", "inventory")] Float(0.25)"#);
}
