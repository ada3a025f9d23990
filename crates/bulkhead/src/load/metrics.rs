use seawall_core::Priority;
use seawall_core::observe::{Collect, Metric, Sink, Unit, Value};

use super::gauge::LoadGauge;
use super::level::Level;
use super::shedder::{Shedder, label};

static LOAD: Metric = Metric::gauge(
    "seawall_bulkhead_load_ratio",
    "The load, combined and smoothed; absent when no signal tells any.",
    Unit::Ratio,
);
static LEVEL: Metric =
    Metric::gauge("seawall_bulkhead_load_level", "1 for the level that the load is at, 0 for the others.", Unit::Count);
static CHANGES: Metric =
    Metric::counter("seawall_bulkhead_load_changes", "Changes of the load's level, by the level that was entered.");
static SIGNAL: Metric = Metric::gauge(
    "seawall_bulkhead_load_signal_ratio",
    "What each signal told last; absent when that was too long ago.",
    Unit::Ratio,
);
static SIGNAL_REFUSED: Metric = Metric::counter(
    "seawall_bulkhead_load_signal_refused",
    "Values of signals that could not be: below 0, or no number.",
);
static FEATURE: Metric =
    Metric::gauge("seawall_bulkhead_feature_on", "1 for each feature that is on, 0 for one that is off.", Unit::Count);
static FEATURE_CALLS: Metric =
    Metric::counter("seawall_bulkhead_feature_calls", "Calls of features by outcome: admitted, or switched off.");
static SHED: Metric =
    Metric::counter("seawall_bulkhead_shed_calls", "Calls by priority and outcome: admitted, or shed.");

impl Collect for LoadGauge {
    fn collect(&self, sink: &mut dyn Sink) {
        let now = self.snapshot();
        let name = ("name", now.name.as_str());
        if let Some(load) = now.load {
            sink.sample(&LOAD, &[name], Value::Float(load));
        }
        for (level, entered) in Level::ALL.into_iter().zip(now.entered) {
            let labels = [name, ("level", level.as_str())];
            sink.sample(&LEVEL, &labels, Value::Integer(u64::from(level == now.level)));
            sink.sample(&CHANGES, &labels, Value::Integer(entered));
        }
        for signal in &now.signals {
            let labels = [name, ("signal", signal.name.as_str())];
            if let Some(value) = signal.value {
                sink.sample(&SIGNAL, &labels, Value::Float(value));
            }
            sink.sample(&SIGNAL_REFUSED, &labels, Value::Integer(signal.refused));
        }
        for feature in &now.features {
            let label = ("feature", feature.name.as_str());
            sink.sample(&FEATURE, &[name, label], Value::Integer(u64::from(feature.on)));
            for (outcome, calls) in [("admitted", feature.admitted), ("switched_off", feature.refused)] {
                sink.sample(&FEATURE_CALLS, &[name, label, ("outcome", outcome)], Value::Integer(calls));
            }
        }
    }
}

impl<F: Send + Sync> Collect for Shedder<F> {
    fn collect(&self, sink: &mut dyn Sink) {
        let now = self.snapshot();
        let name = ("name", now.name.as_str());
        for (priority, (admitted, shed)) in Priority::ALL.into_iter().zip(now.admitted.into_iter().zip(now.shed)) {
            let priority = ("priority", label(priority));
            for (outcome, calls) in [("admitted", admitted), ("shed", shed)] {
                sink.sample(&SHED, &[name, priority, ("outcome", outcome)], Value::Integer(calls));
            }
        }
    }
}
