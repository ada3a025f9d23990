//! The samples of one scrape, put in order: an exposition has each family once, with all its samples together, while
//! instances give theirs one instance after the other.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, LabelSetEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry;
use seawall_core::observe::{Metric, MetricKind, Sink, Unit, Value};

/// By name, so that two scrapes of the same instances differ in values alone.
#[derive(Default)]
pub(crate) struct Gathered {
    families: BTreeMap<&'static str, Family>,
    duplicates: u64,
}

/// The first metric of its name describes the family.
struct Family {
    metric: &'static Metric,
    samples: BTreeMap<Labels, Value>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Labels(Box<[(&'static str, Box<str>)]>);

impl Gathered {
    /// How many samples had the labels of an earlier one of the same family, and were left out.
    pub(crate) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    pub(crate) fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.families.values().try_for_each(|family| family.encode(&mut encoder))
    }
}

impl Sink for Gathered {
    fn sample(&mut self, metric: &'static Metric, labels: &[(&'static str, &str)], value: Value) {
        let family = self.families.entry(metric.name).or_insert_with(|| Family { metric, samples: BTreeMap::new() });
        let labels = Labels(labels.iter().map(|&(key, value)| (key, value.into())).collect());
        match family.samples.entry(labels) {
            Entry::Vacant(place) => _ = place.insert(value),
            Entry::Occupied(_) => self.duplicates += 1,
        }
    }
}

impl Family {
    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let kind = match self.metric.kind {
            MetricKind::Counter => MetricType::Counter,
            MetricKind::Gauge => MetricType::Gauge,
            _ => MetricType::Unknown,
        };
        let (name, unit) = name_and_unit(self.metric);
        let mut family = encoder.encode_descriptor(name, self.metric.help, unit.as_ref(), kind)?;
        for (labels, &value) in &self.samples {
            if labels.0.is_empty() {
                encode_value(&mut family, kind, value)?;
            } else {
                encode_value(&mut family.encode_family(labels)?, kind, value)?;
            }
        }
        Ok(())
    }
}

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        (&*self.0).encode(encoder)
    }
}

/// The encoder appends the unit to the name, so a name that already ends with it loses it here, and one that does not
/// is exported without a unit: it never changes on the way.
fn name_and_unit(metric: &'static Metric) -> (&'static str, Option<registry::Unit>) {
    let unit = match metric.unit {
        Unit::Seconds => registry::Unit::Seconds,
        Unit::Ratio => registry::Unit::Other("ratio".to_owned()),
        _ => return (metric.name, None),
    };
    match metric.name.strip_suffix(unit.as_str()).and_then(|name| name.strip_suffix('_')) {
        Some(name) => (name, Some(unit)),
        None => (metric.name, None),
    }
}

fn encode_value(encoder: &mut MetricEncoder<'_>, kind: MetricType, value: Value) -> Result<(), fmt::Error> {
    match (kind, value) {
        (MetricType::Counter, Value::Integer(value)) => encoder.encode_counter::<NoLabelSet, _, u64>(&value, None),
        (MetricType::Counter, Value::Float(value)) => encoder.encode_counter::<NoLabelSet, _, f64>(&value, None),
        (_, Value::Integer(value)) => encoder.encode_gauge(&value),
        (_, Value::Float(value)) => encoder.encode_gauge(&value),
        // A kind of value that this version cannot write.
        _ => Ok(()),
    }
}
