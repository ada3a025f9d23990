use seawall_core::observe::{Collect, Metric, MetricKind, Sink, Unit, Value};

use super::handle::Throttle;
use super::snapshot::Total;

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, help, kind: MetricKind::Counter, unit: Unit::Count }
}

const fn gauge(name: &'static str, help: &'static str, unit: Unit) -> Metric {
    Metric { name, help, kind: MetricKind::Gauge, unit }
}

static CALLS: Metric = counter("seawall_adaptive_throttle_calls", "Calls that were admitted and ended, by outcome.");
static REFUSED: Metric = counter("seawall_adaptive_throttle_refused", "Calls that were refused.");
static EPISODES: Metric = counter("seawall_adaptive_throttle_episodes", "Times that throttling began.");
static REFUSAL: Metric =
    gauge("seawall_adaptive_throttle_refusal_ratio", "Probability with which the next call is refused.", Unit::Ratio);
static REQUESTS: Metric =
    gauge("seawall_adaptive_throttle_window_requests", "Requests of the window, refused ones too.", Unit::Count);
static ACCEPTS: Metric =
    gauge("seawall_adaptive_throttle_window_accepts", "Accepted calls of the window.", Unit::Count);

/// What one throttle and many of them together tell alike.
pub(crate) fn sample_total(sink: &mut dyn Sink, name: (&'static str, &str), total: &Total) {
    for (outcome, calls) in [
        ("success", total.successes),
        ("failure", total.failures),
        ("ignored", total.ignored),
        ("abandoned", total.abandoned),
        ("stale", total.stale),
    ] {
        sink.sample(&CALLS, &[name, ("outcome", outcome)], Value::Integer(calls));
    }
    sink.sample(&REFUSED, &[name], Value::Integer(total.refused));
    sink.sample(&EPISODES, &[name], Value::Integer(total.episodes));
}

impl Collect for Throttle {
    fn collect(&self, sink: &mut dyn Sink) {
        let snapshot = self.snapshot();
        let name = ("name", snapshot.name.as_str());
        sample_total(sink, name, &snapshot.total);
        for (metric, count) in [(&REQUESTS, snapshot.requests), (&ACCEPTS, snapshot.accepts)] {
            sink.sample(metric, &[name], Value::Integer(count));
        }
        sink.sample(&REFUSAL, &[name], Value::Float(snapshot.probability));
    }
}
