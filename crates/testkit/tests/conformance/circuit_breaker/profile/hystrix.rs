use seawall_circuit_breaker::{Config, Window};
use serde::Deserialize;
use serde_json::Value;

use super::{Setup, Style, millis};
use crate::circuit_breaker::case::Case;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    error_threshold_pct: f64,
    volume_threshold: u32,
    sleep_window_ms: u64,
    window_ms: u64,
    buckets: u32,
    /// How often Hystrix looks at its figures. Here every call is judged when it ends.
    #[serde(rename = "health_snapshot_interval_ms")]
    _health_snapshot_interval_ms: u64,
}

pub(super) fn breaker(case: &Case) -> Result<Setup, String> {
    let fields: Fields = case.config()?;
    let window = Window::time(millis(fields.window_ms)).buckets(fields.buckets).minimum_calls(fields.volume_threshold);
    let config = Config::hystrix()
        .window(window)
        .failure_rate(fields.error_threshold_pct / 100.0)
        .open_for(millis(fields.sleep_window_ms));
    Ok(Setup::breaker(config, window, Style::new(100.0, Value::Null)))
}
