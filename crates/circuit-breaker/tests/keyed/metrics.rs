//! What an exporter sees: sums over all keys, never a key.

use std::collections::BTreeMap;

use seawall_circuit_breaker::Keyed;
use seawall_core::observe::{Collect, Metric, MetricKind, Sink, Value};

use super::{breakers, fail, fragile, is_refused, open, succeed};

/// Each sample with its labels but the name.
#[derive(Default)]
struct Samples {
    values: BTreeMap<String, u64>,
    counters: Vec<String>,
}

impl Sink for Samples {
    fn sample(&mut self, metric: &'static Metric, labels: &[(&'static str, &str)], value: Value) {
        let [("name", "hosts"), labels @ ..] = labels else { panic!("the name comes first: {labels:?}") };
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let sample = format!("{}{{{}}}", metric.name.trim_start_matches("seawall_circuit_breaker_"), labels.join(","));
        if metric.kind == MetricKind::Counter {
            self.counters.push(sample.clone());
        }
        let Value::Integer(value) = value else { panic!("{sample} is not whole") };
        assert!(self.values.insert(sample, value).is_none(), "a sample comes once");
    }
}

fn samples(of: &impl Collect) -> Samples {
    let mut samples = Samples::default();
    of.collect(&mut samples);
    samples
}

#[test]
fn keys_are_counted_by_state_and_calls_over_all_keys() {
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(2));
    open(&hosts, "a");
    succeed(&hosts, "b");
    succeed(&hosts, "c");
    assert!(is_refused(&hosts, "a"));
    let values = samples(&hosts).values;
    for (sample, value) in [
        ("keys{state=closed}", 1),
        ("keys{state=open}", 1),
        ("keys{state=half_open}", 0),
        ("keys_capacity{}", 2),
        ("keys_evicted{}", 1),
        ("untracked{}", 0),
        ("calls{outcome=success}", 2),
        ("calls{outcome=failure}", 2),
        ("refused{}", 2),
        ("transitions{state=open}", 1),
    ] {
        assert_eq!(values.get(sample), Some(&value), "{sample}");
    }
}

#[test]
fn no_counter_ever_falls() {
    let (hosts, _time) = breakers(Keyed::new(fragile()).capacity(3));
    let mut before = samples(&hosts);
    for number in 0..200 {
        let key = format!("host {}", number % 20);
        if number % 3 == 0 && !is_refused(&hosts, &key) {
            fail(&hosts, &key);
        } else if !is_refused(&hosts, &key) {
            succeed(&hosts, &key);
        }
        if number % 7 == 0 {
            hosts.remove(key.as_str());
        }
        let now = samples(&hosts);
        for counter in &now.counters {
            assert!(now.values[counter] >= before.values[counter], "{counter} fell at {number}");
        }
        before = now;
    }
    assert!(before.values["keys_evicted{}"] > 10);
    let ended = before.values["calls{outcome=success}"] + before.values["calls{outcome=failure}"];
    assert!(ended > 100, "{ended}");
}
