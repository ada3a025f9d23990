//! Every call is counted once, and every change is told once.

use std::sync::Arc;

use parking_lot::Mutex;
use seawall_bulkhead::{Claiming, Config, Event, Refusals};
use seawall_core::Claim;
use seawall_core::observe::{Collect, Metric, MetricKind, Sink, Value};

use crate::{Driven, SECOND, bulkhead};

#[derive(Default)]
struct Samples(Vec<(String, MetricKind, f64)>);

impl Sink for Samples {
    fn sample(&mut self, metric: &'static Metric, labels: &[(&'static str, &str)], value: Value) {
        let value = match value {
            Value::Integer(value) => f64::from(u32::try_from(value).expect("small")),
            Value::Float(value) => value,
            _ => f64::NAN,
        };
        let outcome =
            labels.iter().find(|label| label.0 == "outcome").map_or(String::new(), |label| format!(" {}", label.1));
        assert_eq!(labels[0], ("name", "payments"));
        self.0.push((format!("{}{outcome}", metric.name), metric.kind, value));
    }
}

#[test]
fn a_snapshot_and_its_metrics_say_what_has_happened() {
    let (bulkhead, time) = bulkhead(Config::new(2).queue(3).name("payments").max_wait(SECOND));
    let claims = Claiming::directly(&bulkhead);
    let first = bulkhead.try_admit().expect("free");
    bulkhead.try_admit().expect("free").cancel();
    drop(bulkhead.try_admit().expect("free"));
    let _second = bulkhead.try_admit().expect("free");
    let waited = Driven::waiting(bulkhead.admit_within(5 * SECOND));
    let times_out = Driven::waiting(bulkhead.admit());
    let _waits = Driven::waiting(bulkhead.admit_within(9 * SECOND));
    assert!(bulkhead.try_admit().is_err());
    assert!(claims.with(&Claim::new().permits(3)).try_admit().is_err());
    first.success();
    let _third = waited.output().expect("its turn");
    time.advance(2 * SECOND);
    assert!(times_out.output().is_err());

    let snapshot = bulkhead.snapshot();
    assert_eq!((snapshot.name.as_str(), snapshot.limit, snapshot.in_flight, snapshot.queued), ("payments", 2, 2, 1));
    assert_eq!((snapshot.queue, snapshot.queue_age, snapshot.adaptive), (3, 2 * SECOND, false));
    assert_eq!((snapshot.admitted, snapshot.waited, snapshot.abandoned, snapshot.cancelled), (5, 1, 1, 1));
    let refused = snapshot.refused;
    assert_eq!((refused.full, refused.timed_out, refused.too_large, refused.total()), (1, 1, 1, 3));

    let mut samples = Samples::default();
    bulkhead.collect(&mut samples);
    let of = |name: &str| samples.0.iter().find(|sample| sample.0 == name).unwrap_or_else(|| panic!("{name}")).2;
    for (name, value) in [
        ("calls admitted", 5.0),
        ("calls full", 1.0),
        ("calls too_late", 0.0),
        ("calls timed_out", 1.0),
        ("calls displaced", 0.0),
        ("calls overdue", 0.0),
        ("calls too_large", 1.0),
        ("waited", 1.0),
        ("abandoned", 1.0),
        ("cancelled", 1.0),
        ("limit", 2.0),
        ("in_flight", 2.0),
        ("queued", 1.0),
        ("queue", 3.0),
        ("queue_age_seconds", 2.0),
    ] {
        assert!((of(&format!("seawall_bulkhead_{name}")) - value).abs() < 1e-9, "{name}");
    }
    assert_eq!(samples.0.iter().filter(|sample| sample.1 == MetricKind::Counter).count(), 10);
    assert_eq!(samples.0.len(), 15);
}

#[test]
fn a_change_is_told_once_with_no_lock_held() {
    let heard: Arc<Mutex<Vec<(u32, u32)>>> = Arc::default();
    let told = heard.clone();
    let handle: Arc<Mutex<Option<seawall_bulkhead::Bulkhead>>> = Arc::default();
    let looks = handle.clone();
    let config = Config::new(2).observer(move |event: &Event| {
        if let Some(bulkhead) = &*looks.lock() {
            let _ = bulkhead.snapshot();
        }
        match event {
            Event::LimitChanged { from, to, .. } | Event::Reconfigured { from, to, .. } => {
                told.lock().push((*from, *to));
            }
            _ => panic!("{event:?}"),
        }
    });
    let (bulkhead, _time) = bulkhead(config.clone());
    *handle.lock() = Some(bulkhead.clone());
    bulkhead.resize(5).expect("valid");
    bulkhead.resize(5).expect("valid");
    bulkhead.resize(1).expect("valid");
    bulkhead.reconfigure(config).expect("valid");
    assert_eq!(*heard.lock(), [(2, 5), (5, 1), (1, 2)]);
    *handle.lock() = None;
}

#[cfg(feature = "serde")]
#[test]
fn a_snapshot_is_written_in_base_units() {
    let (bulkhead, time) = bulkhead(Config::new(1).queue(3).name("payments"));
    let _running = bulkhead.try_admit().expect("free");
    let _waiting = Driven::waiting(bulkhead.admit());
    time.advance(SECOND / 2);
    let json = serde_json::to_value(bulkhead.snapshot()).expect("it is written");
    assert_eq!(json["queue_age_seconds"], 0.5);
    assert_eq!(json["expected_wait_seconds"], serde_json::Value::Null);
    assert_eq!((&json["name"], &json["in_flight"]), (&"payments".into(), &1.into()));
    assert_eq!(json["refused"], serde_json::to_value(Refusals::default()).expect("it is written"));
}
