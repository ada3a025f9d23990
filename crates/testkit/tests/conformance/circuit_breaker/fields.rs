use seawall_circuit_breaker::{Cause, State};
use serde_json::{Value, json};

use super::op::name_of;
use super::profile::Start;
use super::stage::Stage;

/// What the circuit shows under the name that a vector has for it; `None` if it shows nothing of that name.
pub(crate) fn look(stage: &Stage<'_>, field: &str) -> Option<Value> {
    let snapshot = stage.snapshot();
    let (figures, style) = (snapshot.figures, &stage.setup.style);
    let cause_told = |cause| json!(stage.setup.told(|event| event.cause == cause));
    Some(match field {
        "state" if snapshot.state == State::ForcedOpen => json!(style.forced_open),
        "state" => json!(name_of(snapshot.state)),
        "is_open" | "should_open" => json!(snapshot.state != State::Closed),
        "should_close" => json!(snapshot.state == State::Closed),
        "allow" => json!(match snapshot.state {
            State::Open | State::ForcedOpen => false,
            State::HalfOpen => snapshot.probes_left > Some(0),
            _ => true,
        }),
        "available_probes" => json!(snapshot.probes_left.unwrap_or(0)),
        // Metrics without a circuit have no state that could begin.
        "not_permitted" if stage.setup.start == Start::MetricsOnly => json!(snapshot.total.refused),
        "not_permitted" => json!(snapshot.refused_in_state),

        "buffered" | "total" | "throughput" => json!(figures.calls),
        "sum" => json!(i64::try_from(figures.succeeded()).ok()?.checked_sub_unsigned(figures.failed)?),
        "succeeded" => json!(figures.succeeded()),
        "failed" => json!(figures.failed),
        "slow" => json!(figures.slow),
        "slow_failed" => json!(figures.slow_failed),
        "slow_succeeded" => json!(figures.slow - figures.slow_failed),
        "success_rate" => style.rate_of(figures.succeeded(), figures.calls),
        "failure_rate" | "failure_ratio" if style.has_minimum => style.rate(snapshot.failure_rate),
        "failure_rate" | "failure_ratio" => style.rate_of(figures.failed, figures.calls),
        "slow_rate" if style.has_minimum => style.rate(snapshot.slow_rate),
        "slow_rate" => style.rate_of(figures.slow, figures.calls),
        "verdict" => json!(if snapshot.failure_rate.is_none() {
            "BELOW_MINIMUM"
        } else if stage.setup.would_open(&stage.history).ok()? {
            "EXCEEDED"
        } else {
            "BELOW_THRESHOLDS"
        }),
        // resilience4j writes whole milliseconds.
        "total_duration_ms" => json!(u64::try_from(snapshot.durations?.total.as_millis()).ok()?),
        "avg_duration_ms" => match snapshot.durations?.mean() {
            Some(mean) => json!(u64::try_from(mean.as_millis()).ok()?),
            None => style.rate(None),
        },
        "counts" => stage.counts.look(&snapshot, stage.in_flight(), stage.time.now()),

        "events_state_transition" => json!(stage.setup.transitions()),
        "events_state_transition_since_enter" => json!(stage.setup.transitions() - stage.told_at_entry),
        "events_failure_rate_exceeded" => cause_told(Cause::FailureRate),
        "events_slow_call_rate_exceeded" => cause_told(Cause::SlowCallRate),
        "on_half_opened" => json!(stage.setup.told(|event| event.to == State::HalfOpen)),
        "generator_half_open_attempts" => json!(stage.setup.opened_before()),
        _ => return None,
    })
}
