use seawall_core::observe::{Collect, Metric, Sink, Unit, Value};

use super::handle::Throttle;
use super::snapshot::Total;

static CALLS: Metric =
    Metric::counter("seawall_adaptive_throttle_calls", "Calls that were admitted and ended, by outcome.");
static REFUSED: Metric = Metric::counter("seawall_adaptive_throttle_refused", "Calls that were refused.");
static EPISODES: Metric = Metric::counter("seawall_adaptive_throttle_episodes", "Times that throttling began.");
static REFUSAL: Metric = Metric::gauge(
    "seawall_adaptive_throttle_refusal_ratio",
    "Probability with which the next call is refused.",
    Unit::Ratio,
);
static REQUESTS: Metric = Metric::gauge(
    "seawall_adaptive_throttle_window_requests",
    "Requests of the window, refused ones too.",
    Unit::Count,
);
static ACCEPTS: Metric =
    Metric::gauge("seawall_adaptive_throttle_window_accepts", "Accepted calls of the window.", Unit::Count);

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
