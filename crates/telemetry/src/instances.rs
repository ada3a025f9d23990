use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use seawall_core::observe::{Collect, Metric, MetricKind, Sink, Unit, Value};

use crate::gather::Gathered;

/// How many samples a scrape left out: not zero when two instances of one pattern have the same name.
static DUPLICATES: Metric = Metric {
    name: "seawall_telemetry_duplicate_samples",
    help: "Samples of the last scrape left out because another instance has the same name.",
    kind: MetricKind::Gauge,
    unit: Unit::Count,
};

/// The instances whose metrics are exported: a [`Collector`] for a registry of [`prometheus_client`].
///
/// Cloning gives another handle on the same set, so that an instance made later can still be added after the registry
/// took its clone. Register one set per registry: two would each write the families that they have in common.
///
/// Instances of one pattern share each metric family and differ by the label `name`, so give them different names: of two
/// samples with the same labels only that of the instance added first is exported, and the gauge
/// `seawall_telemetry_duplicate_samples` counts the others.
///
/// An instance stays until the last handle on the set is dropped. What comes and goes implements [`Collect`] itself and
/// gives the samples of those that it has.
#[derive(Clone, Default)]
pub struct Instances {
    members: Arc<RwLock<Vec<Arc<dyn Collect>>>>,
}

impl Instances {
    /// No instances.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more instance, exported from the next scrape on.
    pub fn add(&self, instance: impl Collect + 'static) {
        self.members.write().push(Arc::new(instance));
    }
}

impl Collector for Instances {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        // A copy: `collect` is the pattern's code and runs under no lock of ours.
        let members = self.members.read().clone();
        let mut gathered = Gathered::default();
        for member in members {
            member.collect(&mut gathered);
        }
        let duplicates = Value::Integer(gathered.duplicates());
        gathered.sample(&DUPLICATES, &[], duplicates);
        gathered.encode(encoder)
    }
}

impl fmt::Debug for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instances").field("len", &self.members.read().len()).finish()
    }
}
