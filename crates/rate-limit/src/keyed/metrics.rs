use seawall_core::observe::{Collect, Metric, Sink, Unit, Value};

use super::limiter::KeyedLimiter;

static CALLS: Metric = Metric::counter(
    "seawall_rate_limit_calls",
    "Calls by outcome: admitted within the limit, throttled, or shadowed, which passed beyond a limit that is not enforced.",
);
static WAITED: Metric = Metric::counter("seawall_rate_limit_waited", "Admitted calls that had to wait for their turn.");
static GIVEN_BACK: Metric = Metric::counter("seawall_rate_limit_given_back", "Grants that were given back.");
static BURSTS: Metric = Metric::counter("seawall_rate_limit_bursts", "Bursts of calls.");
static SHARE: Metric = Metric::gauge(
    "seawall_rate_limit_share_ratio",
    "The share of the configured limit that the load leaves.",
    Unit::Ratio,
);
static KEYS: Metric =
    Metric::gauge("seawall_rate_limit_keys", "Keys that have taken something that still counts.", Unit::Count);
static CAPACITY: Metric =
    Metric::gauge("seawall_rate_limit_keys_capacity", "For how many keys there is room.", Unit::Count);
static ARRIVED: Metric =
    Metric::counter("seawall_rate_limit_keys_arrived", "Keys that were given a slot, each time anew.");
static EVICTED: Metric = Metric::counter(
    "seawall_rate_limit_keys_evicted_live",
    "Keys that had to go although they had taken something that counted.",
);
static INHERITED: Metric = Metric::counter(
    "seawall_rate_limit_inherited_cells",
    "Cells that newcomers were charged for the sake of keys that had to go.",
);

/// No key is a label: there are too many of them, and outsiders choose them.
impl<K: ?Sized, S: Send + Sync> Collect for KeyedLimiter<K, S> {
    fn collect(&self, sink: &mut dyn Sink) {
        let now = self.snapshot();
        let name = ("name", now.name.as_str());
        for (outcome, calls) in [("admitted", now.admitted), ("throttled", now.throttled), ("shadowed", now.shadowed)] {
            sink.sample(&CALLS, &[name, ("outcome", outcome)], Value::Integer(calls));
        }
        for (metric, value) in [
            (&WAITED, now.waited),
            (&GIVEN_BACK, now.given_back),
            (&BURSTS, now.bursts),
            (&KEYS, now.keys as u64),
            (&CAPACITY, now.capacity as u64),
            (&ARRIVED, now.arrived),
            (&EVICTED, now.evicted_live),
            (&INHERITED, now.inherited),
        ] {
            sink.sample(metric, &[name], Value::Integer(value));
        }
        sink.sample(&SHARE, &[name], Value::Float(now.share));
    }
}
