use seawall_core::observe::{Collect, Metric, Sink, Unit, Value};

use crate::pool::Pool;
use crate::task::Runs;

static JOBS: Metric = Metric::counter(
    "seawall_worker_pool_jobs",
    "Jobs that ended, by outcome: completed, failed, cancelled, expired or dropped.",
);
static SUBMITTED: Metric = Metric::counter("seawall_worker_pool_submitted", "Jobs that were taken.");
static REFUSED: Metric = Metric::counter("seawall_worker_pool_refused", "Jobs that were not taken, by reason.");
static RETRIED: Metric = Metric::counter("seawall_worker_pool_retried", "Attempts after the first.");
static PANICKED: Metric = Metric::counter("seawall_worker_pool_panicked", "Jobs whose last attempt panicked.");
static WORKERS: Metric = Metric::gauge("seawall_worker_pool_workers", "How many workers there are.", Unit::Count);
static MIN: Metric = Metric::gauge("seawall_worker_pool_min_workers", "The fewest workers there may be.", Unit::Count);
static MAX: Metric = Metric::gauge("seawall_worker_pool_max_workers", "The most workers there may be.", Unit::Count);
static RUNNING: Metric = Metric::gauge("seawall_worker_pool_running", "How many jobs run.", Unit::Count);
static QUEUED: Metric = Metric::gauge("seawall_worker_pool_queued", "How many jobs wait.", Unit::Count);
static DELAYED: Metric =
    Metric::gauge("seawall_worker_pool_delayed", "How many jobs wait for their next attempt.", Unit::Count);
static QUEUE: Metric = Metric::gauge("seawall_worker_pool_queue", "How many jobs may wait for a worker.", Unit::Count);
static SUBMITTERS: Metric =
    Metric::gauge("seawall_worker_pool_submitters", "How many submitters wait for room.", Unit::Count);
static DEAD: Metric =
    Metric::gauge("seawall_worker_pool_dead_letters", "How many jobs that failed for good are kept.", Unit::Count);
static OLDEST: Metric = Metric::gauge(
    "seawall_worker_pool_oldest_age_seconds",
    "How long the oldest queued job has waited.",
    Unit::Seconds,
);
static UTILISATION: Metric =
    Metric::gauge("seawall_worker_pool_utilisation", "Which share of the workers' time was work.", Unit::Ratio);

impl<R: Runs> Collect for Pool<R> {
    fn collect(&self, sink: &mut dyn Sink) {
        let now = self.snapshot();
        let name = ("name", now.name.as_str());
        for (outcome, jobs) in [
            ("completed", now.completed),
            ("failed", now.failed),
            ("cancelled", now.cancelled),
            ("expired", now.expired),
            ("dropped", now.dropped),
        ] {
            sink.sample(&JOBS, &[name, ("outcome", outcome)], Value::Integer(jobs));
        }
        for (reason, jobs) in [
            ("full", now.refused.full),
            ("depth_limit", now.refused.depth_limit),
            ("timed_out", now.refused.timed_out),
            ("expired", now.refused.expired),
            ("stopped", now.refused.stopped),
            ("no_worker", now.refused.no_worker),
        ] {
            sink.sample(&REFUSED, &[name, ("reason", reason)], Value::Integer(jobs));
        }
        for (metric, value) in [
            (&SUBMITTED, Value::Integer(now.submitted)),
            (&RETRIED, Value::Integer(now.retried)),
            (&PANICKED, Value::Integer(now.panicked)),
            (&WORKERS, Value::Integer(now.workers as u64)),
            (&MIN, Value::Integer(now.min_workers as u64)),
            (&MAX, Value::Integer(now.max_workers as u64)),
            (&RUNNING, Value::Integer(now.running as u64)),
            (&QUEUED, Value::Integer(now.queued as u64)),
            (&DELAYED, Value::Integer(now.delayed as u64)),
            (&QUEUE, Value::Integer(now.queue as u64)),
            (&SUBMITTERS, Value::Integer(now.submitters as u64)),
            (&DEAD, Value::Integer(now.dead_letters as u64)),
            (&OLDEST, Value::Float(now.signals.oldest_age.as_secs_f64())),
            (&UTILISATION, Value::Float(now.signals.utilisation)),
        ] {
            sink.sample(metric, &[name], value);
        }
    }
}
