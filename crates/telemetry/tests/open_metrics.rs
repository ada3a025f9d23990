//! What a scrape answers, read back by a parser that holds to the OpenMetrics rules.

#![expect(clippy::float_cmp, reason = "what is exported must come back exactly")]

use std::collections::BTreeMap;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use seawall_core::observe::{Collect, Metric, MetricKind, Sink, Unit, Value};
use seawall_telemetry::{CONTENT_TYPE, Instances, open_metrics, prometheus_client};

static CALLS: Metric = Metric {
    name: "seawall_gate_calls",
    help: "Calls by how they ended.",
    kind: MetricKind::Counter,
    unit: Unit::Count,
};
static WAITED: Metric = Metric {
    name: "seawall_gate_waited_seconds",
    help: "Time that calls waited.",
    kind: MetricKind::Counter,
    unit: Unit::Seconds,
};
static LOAD: Metric = Metric {
    name: "seawall_gate_load_ratio",
    help: "Share of the gate in use.",
    kind: MetricKind::Gauge,
    unit: Unit::Ratio,
};
static UNSUFFIXED: Metric = Metric {
    name: "seawall_gate_age",
    help: "A name that does not end with its unit.",
    kind: MetricKind::Gauge,
    unit: Unit::Seconds,
};

/// A pattern with one metric of every form.
struct Gate {
    name: &'static str,
    served: u64,
}

impl Collect for Gate {
    fn collect(&self, sink: &mut dyn Sink) {
        let name = ("name", self.name);
        sink.sample(&CALLS, &[name, ("outcome", "success")], Value::Integer(self.served));
        sink.sample(&CALLS, &[name, ("outcome", "failure")], Value::Integer(2));
        sink.sample(&WAITED, &[name], Value::Float(1.5));
        sink.sample(&LOAD, &[name], Value::Float(0.25));
        sink.sample(&UNSUFFIXED, &[name], Value::Integer(9));
    }
}

fn scrape(instances: &Instances) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(instances.clone()));
    open_metrics(&registry).expect("instances encode")
}

type Labels = BTreeMap<String, String>;

#[derive(Debug, Default)]
struct Family {
    kind: String,
    unit: String,
    help: String,
    samples: BTreeMap<Labels, f64>,
}

/// Reads an exposition, and panics where it breaks a rule: each family once and unbroken, its descriptors first and once
/// each, names that end as their kind and unit demand, no two samples with the same labels, `# EOF` last.
fn read(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    let body = text.strip_suffix("# EOF\n").expect("ends with EOF");
    for line in body.lines() {
        if let Some(descriptor) = line.strip_prefix("# ") {
            let mut words = descriptor.splitn(3, ' ');
            let [what, name, rest] = [(); 3].map(|()| words.next().expect("three parts"));
            if what == "HELP" {
                assert!(!families.contains_key(name), "{name} comes twice");
                name.clone_into(&mut current);
                families.insert(current.clone(), Family::default());
            }
            assert_eq!(name, current, "descriptor of another family");
            let family = families.get_mut(name).expect("HELP comes first");
            assert!(family.samples.is_empty(), "descriptor after a sample: {line}");
            let slot = match what {
                "HELP" => &mut family.help,
                "TYPE" => &mut family.kind,
                "UNIT" => &mut family.unit,
                other => panic!("unknown descriptor {other}"),
            };
            assert!(slot.is_empty(), "{what} of {name} comes twice");
            rest.clone_into(slot);
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = series
                .split_once('{')
                .map_or((series, ""), |(name, rest)| (name, rest.strip_suffix('}').expect("a closed set of labels")));
            let family = families.get_mut(&current).expect("a descriptor before the sample");
            let suffix = if family.kind == "counter" { "_total" } else { "" };
            assert_eq!(name, format!("{current}{suffix}"));
            assert!(current.ends_with(&family.unit), "{current} lacks its unit");
            let repeated = family.samples.insert(read_labels(labels), value.parse().expect("a number"));
            assert_eq!(repeated, None, "{series} comes twice");
        }
    }
    families
}

fn read_labels(mut text: &str) -> Labels {
    let mut labels = Labels::new();
    while !text.is_empty() {
        let (key, rest) = text.split_once("=\"").expect("a quoted value");
        let (mut value, mut chars) = (String::new(), rest.chars());
        loop {
            match chars.next().expect("a closing quote") {
                '"' => break,
                '\\' => value.push(match chars.next() {
                    Some('n') => '\n',
                    Some(plain @ ('\\' | '"')) => plain,
                    other => panic!("no such escape: {other:?}"),
                }),
                plain => value.push(plain),
            }
        }
        assert_eq!(labels.insert(key.to_owned(), value), None, "label {key} comes twice");
        text = chars.as_str();
        text = text.strip_prefix(',').unwrap_or(text);
    }
    labels
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[test]
fn instances_of_one_pattern_share_each_family() {
    let instances = Instances::new();
    instances.add(Gate { name: "north", served: 7 });
    instances.add(Gate { name: "south", served: 11 });
    let families = read(&scrape(&instances));

    let calls = &families["seawall_gate_calls"];
    assert_eq!((calls.kind.as_str(), calls.help.as_str()), ("counter", "Calls by how they ended."));
    assert_eq!(calls.samples.len(), 4);
    for (name, served) in [("north", 7.0), ("south", 11.0)] {
        assert_eq!(calls.samples[&labels(&[("name", name), ("outcome", "success")])], served);
        assert_eq!(calls.samples[&labels(&[("name", name), ("outcome", "failure")])], 2.0);
        assert_eq!(families["seawall_gate_waited_seconds"].samples[&labels(&[("name", name)])], 1.5);
        assert_eq!(families["seawall_gate_load_ratio"].samples[&labels(&[("name", name)])], 0.25);
    }
    assert_eq!(families["seawall_telemetry_duplicate_samples"].samples[&labels(&[])], 0.0);
}

#[test]
fn names_keep_their_unit_once() {
    let instances = Instances::new();
    instances.add(Gate { name: "north", served: 0 });
    let families = read(&scrape(&instances));
    let units: Vec<_> = families.iter().map(|(name, family)| (name.as_str(), family.unit.as_str())).collect();
    assert_eq!(
        units,
        [
            ("seawall_gate_age", ""),
            ("seawall_gate_calls", ""),
            ("seawall_gate_load_ratio", "ratio"),
            ("seawall_gate_waited_seconds", "seconds"),
            ("seawall_telemetry_duplicate_samples", ""),
        ]
    );
}

#[test]
fn label_values_survive_whatever_they_hold() {
    const ODD: &str = "a \"quoted\\\" name,\nwith } = { and ünïcode";
    let instances = Instances::new();
    instances.add(Gate { name: ODD, served: 5 });
    let text = scrape(&instances);
    let odd = labels(&[("name", ODD), ("outcome", "success")]);
    assert_eq!(read(&text)["seawall_gate_calls"].samples[&odd], 5.0);
}

#[test]
fn of_two_instances_with_one_name_the_first_is_exported_and_the_other_counted() {
    let instances = Instances::new();
    instances.add(Gate { name: "north", served: 1 });
    instances.add(Gate { name: "north", served: 100 });
    let families = read(&scrape(&instances));
    let series = labels(&[("name", "north"), ("outcome", "success")]);
    assert_eq!(families["seawall_gate_calls"].samples[&series], 1.0);
    assert_eq!(families["seawall_telemetry_duplicate_samples"].samples[&labels(&[])], 5.0);
}

#[test]
fn an_instance_added_after_registration_is_exported() {
    let instances = Instances::new();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(instances.clone()));
    assert!(!read(&open_metrics(&registry).expect("encodes")).contains_key("seawall_gate_calls"));
    instances.add(Gate { name: "late", served: 3 });
    assert!(read(&open_metrics(&registry).expect("encodes")).contains_key("seawall_gate_calls"));
}

#[test]
fn values_are_read_at_each_scrape_and_nothing_else_changes() {
    struct Rising(std::sync::atomic::AtomicU64);
    impl Collect for Rising {
        fn collect(&self, sink: &mut dyn Sink) {
            let value = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            sink.sample(&CALLS, &[], Value::Integer(value));
        }
    }
    let instances = Instances::new();
    instances.add(Rising(0.into()));
    instances.add(Gate { name: "north", served: 1 });
    let (first, second) = (scrape(&instances), scrape(&instances));
    assert_ne!(first, second);
    assert_eq!(first, second.replace("seawall_gate_calls_total 1\n", "seawall_gate_calls_total 0\n"));
}

#[test]
fn lives_beside_the_metrics_that_a_service_already_has() {
    let instances = Instances::new();
    instances.add(Gate { name: "north", served: 7 });
    let mut registry = Registry::default();
    let orders: Counter = Counter::default();
    registry.register("orders", "Orders taken", orders.clone());
    registry.sub_registry_with_label(("zone".into(), "eu".into())).register_collector(Box::new(instances));
    orders.inc();
    let families = read(&open_metrics(&registry).expect("encodes"));
    assert_eq!(families["orders"].samples[&labels(&[])], 1.0);
    let series = labels(&[("zone", "eu"), ("name", "north"), ("outcome", "success")]);
    assert_eq!(families["seawall_gate_calls"].samples[&series], 7.0);
}

#[test]
fn numbers_at_the_edge_are_written_exactly() {
    struct Edges;
    impl Collect for Edges {
        fn collect(&self, sink: &mut dyn Sink) {
            sink.sample(&CALLS, &[("name", "most")], Value::Integer(u64::MAX));
            sink.sample(&LOAD, &[("name", "nan")], Value::Float(f64::NAN));
            sink.sample(&LOAD, &[("name", "inf")], Value::Float(f64::INFINITY));
            sink.sample(&LOAD, &[("name", "tiny")], Value::Float(f64::MIN_POSITIVE));
        }
    }
    let instances = Instances::new();
    instances.add(Edges);
    let text = scrape(&instances);
    assert!(text.contains("{name=\"most\"} 18446744073709551615\n"), "{text}");
    let families = read(&text);
    let load = |name| families["seawall_gate_load_ratio"].samples[&labels(&[("name", name)])];
    assert!(load("nan").is_nan());
    assert_eq!(load("inf"), f64::INFINITY);
    assert_eq!(load("tiny"), f64::MIN_POSITIVE);
}

#[test]
fn a_collector_may_add_instances_while_it_is_asked() {
    struct Growing(Instances);
    impl Collect for Growing {
        fn collect(&self, _: &mut dyn Sink) {
            self.0.add(Gate { name: "grown", served: 1 });
        }
    }
    let instances = Instances::new();
    instances.add(Growing(instances.clone()));
    assert!(!scrape(&instances).contains("grown"));
    assert!(scrape(&instances).contains("grown"));
}

#[test]
fn media_type_is_that_of_the_text() {
    assert!(CONTENT_TYPE.starts_with("application/openmetrics-text; version=1.0.0"));
}
