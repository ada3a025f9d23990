use seawall_core::observe::{Collect, Metric, Sink, Unit, Value};

use crate::breaker::{Breaker, Totals};
use crate::event::State;

static CALLS: Metric =
    Metric::counter("seawall_circuit_breaker_calls", "Calls that were admitted and ended, by outcome.");
static REFUSED: Metric = Metric::counter("seawall_circuit_breaker_refused", "Calls that were refused.");
static TRANSITIONS: Metric =
    Metric::counter("seawall_circuit_breaker_transitions", "Changes of state, by the state that was entered.");
static STATE: Metric = Metric::gauge(
    "seawall_circuit_breaker_state",
    "1 for the state that the circuit is in, 0 for the others.",
    Unit::Count,
);
static FAILURE_RATE: Metric = Metric::gauge(
    "seawall_circuit_breaker_failure_ratio",
    "Share of the window's calls that failed; absent below the minimum of calls.",
    Unit::Ratio,
);
static SLOW_RATE: Metric = Metric::gauge(
    "seawall_circuit_breaker_slow_ratio",
    "Share of the window's calls that were slow; absent below the minimum of calls.",
    Unit::Ratio,
);

static MEAN_DURATION: Metric = Metric::gauge(
    "seawall_circuit_breaker_mean_duration_seconds",
    "How long the window's calls took on average; absent without calls, and where durations are not kept.",
    Unit::Seconds,
);
static TOTAL_DURATION: Metric = Metric::gauge(
    "seawall_circuit_breaker_total_duration_seconds",
    "How long the window's calls took together; absent where durations are not kept.",
    Unit::Seconds,
);
static SUCCESS_RATE_EMA: Metric = Metric::gauge(
    "seawall_circuit_breaker_success_ema_ratio",
    "Moving average of the success rate; absent where that is no rule, and until it counts.",
    Unit::Ratio,
);

/// What one circuit and many of them together tell alike.
pub(crate) fn sample_totals(sink: &mut dyn Sink, name: (&'static str, &str), totals: &Totals) {
    for (outcome, calls) in [
        ("success", totals.successes),
        ("failure", totals.failures),
        ("ignored", totals.ignored),
        ("abandoned", totals.abandoned),
        ("stale", totals.stale),
    ] {
        sink.sample(&CALLS, &[name, ("outcome", outcome)], Value::Integer(calls));
    }
    sink.sample(&REFUSED, &[name], Value::Integer(totals.refused));
    for (state, entered) in State::ALL.iter().zip(totals.transitions) {
        sink.sample(&TRANSITIONS, &[name, ("state", state.as_str())], Value::Integer(entered));
    }
}

impl Collect for Breaker {
    fn collect(&self, sink: &mut dyn Sink) {
        let (snapshot, totals) = self.snapshot_with_totals();
        let name = ("name", snapshot.name.as_str());
        sample_totals(sink, name, &totals);
        for state in State::ALL {
            let labels = [name, ("state", state.as_str())];
            sink.sample(&STATE, &labels, Value::Integer(u64::from(state == snapshot.state)));
        }
        let mean = snapshot.durations.and_then(|durations| durations.mean());
        let total = snapshot.durations.map(|durations| durations.total);
        for (metric, value) in [
            (&FAILURE_RATE, snapshot.failure_rate),
            (&SLOW_RATE, snapshot.slow_rate),
            (&MEAN_DURATION, mean.map(|span| span.as_secs_f64())),
            (&TOTAL_DURATION, total.map(|span| span.as_secs_f64())),
            (&SUCCESS_RATE_EMA, snapshot.success_rate_ema),
        ] {
            if let Some(value) = value {
                sink.sample(metric, &[name], Value::Float(value));
            }
        }
    }
}
