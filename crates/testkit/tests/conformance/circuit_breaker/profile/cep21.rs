use seawall_circuit_breaker::{Config, HalfOpen, Window};
use serde::Deserialize;
use serde_json::Value;

use super::{Setup, Start, Style, millis};
use crate::circuit_breaker::case::Case;
use crate::circuit_breaker::op::Op;

/// The opener and closer of its package `hystrix`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    volume_threshold: u32,
    error_threshold_pct: f64,
    sleep_window_ms: u64,
    required_consecutive_successes: u32,
    force_open: bool,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            volume_threshold: 20,
            error_threshold_pct: 50.0,
            sleep_window_ms: 5_000,
            required_consecutive_successes: 1,
            force_open: false,
        }
    }
}

pub(super) fn breaker(case: &Case) -> Result<Setup, String> {
    let fields: Fields = case.config()?;
    let successes = fields.required_consecutive_successes;
    let window = Window::time(millis(10_000)).minimum_calls(fields.volume_threshold);
    let config = Config::hystrix().open_for(millis(fields.sleep_window_ms)).half_open(HalfOpen::probes(successes));
    let config = if case.steps.iter().any(|step| matches!(step.op, Op::Opened { .. })) {
        // The closer alone: with the keenest of openers, the circuit is closed as long as the closer is content.
        config.consecutive_failures(1)
    } else {
        config.window(window).failure_rate(fields.error_threshold_pct / 100.0)
    };
    let start = if fields.force_open { Start::ForcedOpen } else { Start::Closed };
    Ok(Setup { start, ..Setup::breaker(config, window, Style::new(100.0, Value::Null)) })
}
