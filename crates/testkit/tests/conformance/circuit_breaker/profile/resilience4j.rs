use std::time::Duration;

use seawall_circuit_breaker::{Config, HalfOpen, OpenInterval, Undecided, Window};
use serde::Deserialize;
use serde_json::json;

use super::{Setup, Start, Style, millis};
use crate::circuit_breaker::case::Case;
use crate::circuit_breaker::foresee::NEVER_SLOW;
use crate::circuit_breaker::op::Op;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    failure_rate_threshold_pct: Option<f64>,
    slow_call_duration_ms: Option<u64>,
    slow_call_rate_threshold_pct: Option<f64>,
    window: Option<Kind>,
    window_size: Option<u32>,
    window_size_s: Option<u32>,
    bucket_s: Option<u32>,
    minimum_calls: Option<u32>,
    permitted_in_half_open: Option<u32>,
    /// None or zero: as long as it takes.
    max_wait_in_half_open_ms: Option<u64>,
    transition_to_after_max_wait: Option<After>,
    wait_in_open_ms: Option<u64>,
    open_interval: Option<Interval>,
    /// Names of errors; the steps say `ignored` themselves.
    #[serde(rename = "ignored")]
    _ignored: Option<Vec<String>>,
    /// Whether a timer or the next call ends the open interval. Here it has ended for whoever looks.
    #[serde(rename = "automatic_transition")]
    _automatic_transition: Option<bool>,
    /// Buckets begin at whole seconds, as they do here.
    #[serde(rename = "clock_origin")]
    _clock_origin: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Count,
    Time,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum After {
    Open,
    Closed,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Interval {
    Exponential { initial_ms: u64, multiplier: f64 },
}

pub(super) fn breaker(case: &Case) -> Result<Setup, String> {
    let fields: Fields = case.config()?;
    let minimum = fields.minimum_calls.unwrap_or(100);
    let window = match fields.window()? {
        // A count's minimum is at most its size.
        Window::Count { size, .. } => Window::count(size).minimum_calls(minimum.min(size)),
        window => window.minimum_calls(minimum),
    };
    let pct = |share: Option<f64>, default: f64| share.unwrap_or(default) / 100.0;
    let after_max = match fields.transition_to_after_max_wait {
        Some(After::Closed) => Undecided::Close,
        Some(After::Open) | None => Undecided::Open,
    };
    let probes = fields.permitted_in_half_open.unwrap_or(10);
    let mut half_open = HalfOpen::probes(probes).by_rates().after_max(after_max).wait_for_all();
    half_open.max = fields.max_wait_in_half_open_ms.filter(|ms| *ms > 0).map(millis);
    let config = Config::resilience4j()
        .window(window)
        .failure_rate(pct(fields.failure_rate_threshold_pct, 50.0))
        .slow_calls(
            millis(fields.slow_call_duration_ms.unwrap_or(60_000)),
            pct(fields.slow_call_rate_threshold_pct, 100.0),
        )
        .half_open(half_open);
    let config = match fields.open_interval {
        Some(Interval::Exponential { initial_ms, multiplier }) => {
            config.open(OpenInterval::exponential(millis(initial_ms), multiplier, NEVER_SLOW))
        }
        None => config.open_for(millis(fields.wait_in_open_ms.unwrap_or(60_000))),
    };
    let style = Style { has_minimum: true, ..Style::new(100.0, json!(-1)) };
    Ok(Setup::breaker(config, window, style))
}

/// The metrics without the circuit.
pub(super) fn metrics(case: &Case) -> Result<Setup, String> {
    Ok(Setup { start: Start::MetricsOnly, ..breaker(case)? })
}

pub(super) fn window(case: &Case) -> Result<Setup, String> {
    let fields: Fields = case.config()?;
    Ok(Setup::timed_window(fields.window()?, slow_after(case)?, Style::new(100.0, json!(0))))
}

/// A window there is told which calls were slow. Here a call is slow that took longer than this: as long as the longest that was
/// not.
fn slow_after(case: &Case) -> Result<Duration, String> {
    let told = case.steps.iter().filter_map(|step| match step.op {
        Op::Record { duration_ms: Some(ms), slow, .. } => Some((ms, slow.unwrap_or(false))),
        _ => None,
    });
    let (slow, other): (Vec<_>, Vec<_>) = told.partition(|(_, slow)| *slow);
    let longest = other.iter().map(|(ms, _)| millis(*ms)).max().unwrap_or_default().max(Duration::from_nanos(1));
    if slow.iter().any(|(ms, _)| millis(*ms) <= longest) {
        return Err("a slow call that took no longer than one that was not slow".into());
    }
    Ok(longest)
}

impl Fields {
    fn window(&self) -> Result<Window, String> {
        match (self.window.unwrap_or(Kind::Count), self.window_size, self.window_size_s) {
            (Kind::Count, size, None) => Ok(Window::count(size.unwrap_or(100))),
            (Kind::Time, None, Some(seconds)) => {
                let buckets = seconds / self.bucket_s.unwrap_or(1).max(1);
                Ok(Window::time(millis(u64::from(seconds) * 1_000)).buckets(buckets))
            }
            _ => Err("a window with the size of another kind".into()),
        }
    }
}
