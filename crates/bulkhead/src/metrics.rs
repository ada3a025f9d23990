use seawall_core::observe::{Collect, Metric, Sink, Unit, Value};

use crate::compartment::Compartment;

static CALLS: Metric = Metric::counter(
    "seawall_bulkhead_calls",
    "Calls by outcome: admitted, or refused as full, too late, timed out, displaced, overdue or too large.",
);
static WAITED: Metric = Metric::counter("seawall_bulkhead_waited", "Admitted calls that had to wait for their turn.");
static ABANDONED: Metric = Metric::counter(
    "seawall_bulkhead_abandoned",
    "Admitted calls whose permit was dropped without a word of how they ended.",
);
static CANCELLED: Metric = Metric::counter(
    "seawall_bulkhead_cancelled",
    "Admitted calls that never started, because something else refused them or their caller went away.",
);
static LIMIT: Metric = Metric::gauge("seawall_bulkhead_limit", "How many permits there are.", Unit::Count);
static IN_FLIGHT: Metric = Metric::gauge("seawall_bulkhead_in_flight", "How many permits are in use.", Unit::Count);
static QUEUED: Metric = Metric::gauge("seawall_bulkhead_queued", "How many calls wait.", Unit::Count);
static QUEUE: Metric = Metric::gauge("seawall_bulkhead_queue", "How many calls may wait.", Unit::Count);
static QUEUE_AGE: Metric = Metric::gauge(
    "seawall_bulkhead_queue_age_seconds",
    "For how long the queue has not been empty; zero when it is.",
    Unit::Seconds,
);

impl Collect for Compartment {
    fn collect(&self, sink: &mut dyn Sink) {
        let now = self.snapshot();
        let name = ("name", now.name.as_str());
        for (outcome, calls) in [
            ("admitted", now.admitted),
            ("full", now.refused.full),
            ("too_late", now.refused.too_late),
            ("timed_out", now.refused.timed_out),
            ("displaced", now.refused.displaced),
            ("overdue", now.refused.overdue),
            ("too_large", now.refused.too_large),
        ] {
            sink.sample(&CALLS, &[name, ("outcome", outcome)], Value::Integer(calls));
        }
        for (metric, value) in [
            (&WAITED, Value::Integer(now.waited)),
            (&ABANDONED, Value::Integer(now.abandoned)),
            (&CANCELLED, Value::Integer(now.cancelled)),
            (&LIMIT, Value::Integer(now.limit.into())),
            (&IN_FLIGHT, Value::Integer(now.in_flight.into())),
            (&QUEUED, Value::Integer(now.queued as u64)),
            (&QUEUE, Value::Integer(now.queue as u64)),
            (&QUEUE_AGE, Value::Float(now.queue_age.as_secs_f64())),
        ] {
            sink.sample(metric, &[name], value);
        }
    }
}
