use seawall_core::observe::{Collect, Metric, Sink, Unit, Value};

use super::handle::Budget;

static CALLS: Metric = Metric::counter("seawall_retry_budget_calls", "Original calls that began.");
static SPENT: Metric = Metric::counter("seawall_retry_budget_spent", "Extra attempts that were paid for.");
static GIVEN_BACK: Metric =
    Metric::counter("seawall_retry_budget_given_back", "Extra attempts paid for and never begun.");
static DENIED: Metric = Metric::counter("seawall_retry_budget_denied", "Extra attempts that were refused.");
static BALANCE: Metric = Metric::gauge(
    "seawall_retry_budget_balance",
    "Extra attempts that could begin now; of the kind tokens, the tokens left.",
    Unit::Count,
);
static IN_FLIGHT: Metric = Metric::gauge("seawall_retry_budget_in_flight", "Original calls that run.", Unit::Count);
static EXTRA: Metric = Metric::gauge(
    "seawall_retry_budget_extra_in_flight",
    "Extra attempts that run, or are paid for and wait.",
    Unit::Count,
);

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
