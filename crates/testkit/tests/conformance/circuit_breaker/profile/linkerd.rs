use seawall_circuit_breaker::{Config, HalfOpen, OpenInterval, Window};
use serde::Deserialize;
use serde_json::Value;

use super::{Setup, Style, millis};
use crate::circuit_breaker::case::Case;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accrual {
    max_failures: u32,
    backoff_ms: Backoff,
    #[serde(default = "one")]
    half_open_probes: u32,
}

const fn one() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Backoff {
    min: u64,
    max: u64,
    multiplier: f64,
    jitter: f64,
}

/// Rates are shares of one; there is none of nothing.
fn style() -> Style {
    Style::new(1.0, Value::Null)
}

pub(super) fn breaker(case: &Case) -> Result<Setup, String> {
    let Accrual { max_failures, backoff_ms: backoff, half_open_probes: probes } = case.config()?;
    if backoff.jitter != 0.0 {
        return Err("an interval that nobody can foretell".into());
    }
    let open = OpenInterval::exponential(millis(backoff.min), backoff.multiplier, millis(backoff.max));
    let config =
        Config::empty().consecutive_failures(max_failures).open(open).half_open(HalfOpen::probes(probes).without_max());
    Ok(Setup::breaker(config, Window::count(1), style()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SuccessRate {
    window_ms: u64,
    buckets: u32,
    trip: String,
}

pub(super) fn window(case: &Case) -> Result<Setup, String> {
    const TRIP: &str = "total >= max(min_requests,1) && success_ratio < threshold";
    let SuccessRate { window_ms, buckets, trip } = case.config()?;
    if trip != TRIP {
        return Err(format!("the rule {trip:?}"));
    }
    Ok(Setup::window(Window::time(millis(window_ms)).buckets(buckets), style()))
}
