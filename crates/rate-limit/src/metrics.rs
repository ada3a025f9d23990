use seawall_core::observe::{Collect, Metric, Sink, Unit, Value};

use crate::limiter::Limiter;

static CALLS: Metric = Metric::counter(
    "seawall_rate_limit_calls",
    "Calls by outcome: admitted within the limit, throttled, or shadowed, which passed beyond a limit that is not enforced.",
);
static WAITED: Metric = Metric::counter("seawall_rate_limit_waited", "Admitted calls that had to wait for their turn.");
static GIVEN_BACK: Metric = Metric::counter("seawall_rate_limit_given_back", "Grants that were given back.");
static BURSTS: Metric = Metric::counter("seawall_rate_limit_bursts", "Bursts of calls.");
static LIMIT: Metric =
    Metric::gauge("seawall_rate_limit_limit", "How many cells may pass in every period, as it holds now.", Unit::Count);
static PERIOD: Metric = Metric::gauge("seawall_rate_limit_period_seconds", "The limit's period.", Unit::Seconds);
static SHARE: Metric = Metric::gauge(
    "seawall_rate_limit_share_ratio",
    "The share of the configured limit that the load leaves.",
    Unit::Ratio,
);
static REMAINING: Metric =
    Metric::gauge("seawall_rate_limit_remaining", "How many cells could be taken now.", Unit::Count);
static RESET_AFTER: Metric = Metric::gauge(
    "seawall_rate_limit_reset_after_seconds",
    "After how long everything is as if nothing had been taken, if nothing more is.",
    Unit::Seconds,
);

impl Collect for Limiter {
    fn collect(&self, sink: &mut dyn Sink) {
        let now = self.snapshot();
        let name = ("name", now.name.as_str());
        for (outcome, calls) in [("admitted", now.admitted), ("throttled", now.throttled), ("shadowed", now.shadowed)] {
            sink.sample(&CALLS, &[name, ("outcome", outcome)], Value::Integer(calls));
        }
        for (metric, value) in [
            (&WAITED, Value::Integer(now.waited)),
            (&GIVEN_BACK, Value::Integer(now.given_back)),
            (&BURSTS, Value::Integer(now.bursts)),
            (&LIMIT, Value::Integer(now.quota.limit().into())),
            (&PERIOD, Value::Float(now.quota.period().as_secs_f64())),
            (&SHARE, Value::Float(now.share)),
            (&REMAINING, Value::Integer(now.remaining.into())),
            (&RESET_AFTER, Value::Float(now.reset_after.as_secs_f64())),
        ] {
            sink.sample(metric, &[name], value);
        }
    }
}
