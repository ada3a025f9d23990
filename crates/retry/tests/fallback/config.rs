use seawall_core::observe::{Collect, Metric, Sink, Value};
use seawall_retry::{Fallback, FallbackConfig};

use crate::{counted, fallback};

#[test]
fn a_bad_name_is_told_with_what_would_be_valid() {
    let long = "a name that is longer than 31 bytes";
    for name in ["", long] {
        let error = Fallback::new(FallbackConfig::default().name(name)).expect_err("bad");
        assert_eq!((error.field(), error.valid()), ("name", "1 to 31 bytes of printable text"));
        assert_eq!(fallback().reconfigure(FallbackConfig::default().name(name)), Err(error));
    }
}

#[tokio::test]
async fn it_is_switched_off_and_on_while_it_runs() {
    let fallback = fallback();
    let config = || FallbackConfig::default().name("stock");
    fallback.clone().reconfigure(config().enabled(false)).expect("valid");
    assert_eq!(fallback.run_or(async { Err::<u32, _>("down") }, 7).await, Err("down"));
    assert_eq!(counted(&fallback), [0, 0, 0, 1, 0]);
    let error = fallback.reconfigure(FallbackConfig::default().name("other")).expect_err("another name");
    assert_eq!(error.to_string(), "`name` is \"other\", must be \"stock\": a running instance keeps its name");
    assert!(!fallback.is_enabled(), "a bad value changed something");
    fallback.reconfigure(config()).expect("valid");
    assert_eq!(fallback.run_or(async { Err::<u32, _>("down") }, 7).await, Ok(7));
}

#[cfg(feature = "serde")]
#[test]
fn it_is_read_from_a_file_and_written_back() {
    let config: FallbackConfig = toml::from_str("name = \"stock\"\nenabled = false").expect("valid");
    assert_eq!(config, FallbackConfig::default().name("stock").enabled(false));
    assert_eq!(toml::from_str::<FallbackConfig>(&toml::to_string(&config).expect("TOML")), Ok(config));
    assert_eq!(toml::from_str::<FallbackConfig>(""), Ok(FallbackConfig::default()));
    let error = toml::from_str::<FallbackConfig>("value = 7").expect_err("unknown").to_string();
    assert!(error.contains("unknown field `value`, expected `name` or `enabled`"), "{error}");
}

#[cfg(feature = "serde")]
#[test]
fn a_snapshot_is_json() {
    let json = serde_json::to_value(fallback().snapshot()).expect("JSON");
    let total = serde_json::json!({"good": 0, "fell_back": 0, "failed": 0, "passed_on": 0, "abandoned": 0});
    assert_eq!(json, serde_json::json!({"name": "stock", "enabled": true, "total": total}));
}

#[tokio::test]
async fn its_metrics_are_what_was_counted() {
    struct Lines(Vec<String>);

    impl Sink for Lines {
        fn sample(&mut self, metric: &'static Metric, labels: &[(&'static str, &str)], value: Value) {
            self.0.push(format!("{} {labels:?} {value:?}", metric.name));
        }
    }

    let fallback = fallback();
    fallback.run_or(async { Err::<u32, _>("down") }, 7).await.expect("the value");
    let mut lines = Lines(Vec::new());
    fallback.collect(&mut lines);
    assert_eq!(lines.0.len(), 5);
    assert_eq!(lines.0[1], r#"seawall_fallback_calls [("name", "stock"), ("end", "fell_back")] Integer(1)"#);
}
