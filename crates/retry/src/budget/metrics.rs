use seawall_core::observe::{Collect, Metric, MetricKind, Sink, Unit, Value};

use super::handle::Budget;

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, help, kind: MetricKind::Counter, unit: Unit::Count }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, help, kind: MetricKind::Gauge, unit: Unit::Count }
}

static CALLS: Metric = counter("seawall_retry_budget_calls", "Original calls that began.");
static SPENT: Metric = counter("seawall_retry_budget_spent", "Extra attempts that were paid for.");
static GIVEN_BACK: Metric = counter("seawall_retry_budget_given_back", "Extra attempts paid for and never begun.");
static DENIED: Metric = counter("seawall_retry_budget_denied", "Extra attempts that were refused.");
static BALANCE: Metric =
    gauge("seawall_retry_budget_balance", "Extra attempts that could begin now; of the kind tokens, the tokens left.");
static IN_FLIGHT: Metric = gauge("seawall_retry_budget_in_flight", "Original calls that run.");
static EXTRA: Metric =
    gauge("seawall_retry_budget_extra_in_flight", "Extra attempts that run, or are paid for and wait.");

impl Collect for Budget {
    fn collect(&self, sink: &mut dyn Sink) {
        let snapshot = self.snapshot();
        let name = ("name", snapshot.name.as_str());
        for (metric, count) in [
            (&CALLS, snapshot.calls),
            (&SPENT, snapshot.spent),
            (&GIVEN_BACK, snapshot.given_back),
            (&DENIED, snapshot.denied),
            (&IN_FLIGHT, snapshot.in_flight),
            (&EXTRA, snapshot.extra_in_flight),
        ] {
            sink.sample(metric, &[name], Value::Integer(count));
        }
        sink.sample(&BALANCE, &[name], Value::Float(snapshot.balance));
    }
}
