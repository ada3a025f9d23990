use seawall_core::observe::{Collect, Metric, Sink, Unit, Value};

use super::bulkhead::Partitions;
use super::full::Reason;

static LIMIT: Metric =
    Metric::gauge("seawall_partitions_limit", "How many permits there are, of all partitions.", Unit::Count);
static SHARE: Metric =
    Metric::gauge("seawall_partitions_share", "How many permits are the partition's own.", Unit::Count);
static IN_FLIGHT: Metric =
    Metric::gauge("seawall_partitions_in_flight", "How many permits the partition has in use.", Unit::Count);
static BORROWED: Metric = Metric::gauge(
    "seawall_partitions_borrowed",
    "How many permits in use lie beyond the partition's share.",
    Unit::Count,
);
static QUEUED: Metric =
    Metric::gauge("seawall_partitions_queued", "How many calls of the partition wait.", Unit::Count);
static QUEUE_AGE: Metric = Metric::gauge(
    "seawall_partitions_queue_age_seconds",
    "For how long the partition's queue has not been empty; zero when it is.",
    Unit::Seconds,
);
static CALLS: Metric = Metric::counter(
    "seawall_partitions_calls",
    "Calls by partition and outcome: admitted, or refused as full, too late, timed out, displaced, overdue or too large.",
);
static WAITED: Metric = Metric::counter("seawall_partitions_waited", "Admitted calls that had to wait for their turn.");
static UNKNOWN: Metric =
    Metric::counter("seawall_partitions_unknown", "Calls that were refused because nobody knows their partition.");

/// At most [`Config::MOST`](super::Config::MOST) partitions at once are labels.
impl Collect for Partitions {
    fn collect(&self, sink: &mut dyn Sink) {
        let now = self.snapshot();
        let name = ("name", now.name.as_str());
        sink.sample(&LIMIT, &[name], Value::Integer(now.limit.into()));
        sink.sample(&UNKNOWN, &[name], Value::Integer(now.unknown));
        for part in &now.partitions {
            let labels = [name, ("partition", part.name.as_str())];
            for (metric, value) in [
                (&SHARE, Value::Integer(part.share.into())),
                (&IN_FLIGHT, Value::Integer(part.in_flight.into())),
                (&BORROWED, Value::Integer(part.borrowed.into())),
                (&QUEUED, Value::Integer(part.queued as u64)),
                (&QUEUE_AGE, Value::Float(part.queue_age.as_secs_f64())),
                (&WAITED, Value::Integer(part.waited)),
            ] {
                sink.sample(metric, &labels, value);
            }
            sink.sample(&CALLS, &[name, labels[1], ("outcome", "admitted")], Value::Integer(part.admitted));
        }
        for (partition, refused) in self.refusals() {
            for (reason, calls) in Reason::ALL.into_iter().zip(refused) {
                if reason != Reason::UnknownPartition {
                    let labels = [name, ("partition", partition.as_str()), ("outcome", reason.label())];
                    sink.sample(&CALLS, &labels, Value::Integer(calls));
                }
            }
        }
    }
}
