//! `adaptive-limit.json`: algorithms that find a limit, the formulas and the statistics that they are made of, and a gate beside them.

mod bbr;
mod correlation;
mod formulas;
mod gradient;
mod levels;
mod per_call;
mod statistics;

use std::time::Duration;

use serde_json::Value;

use crate::miss::Miss;
use crate::vector::Vector;

pub(crate) fn run(vector: &Vector) -> Vec<Miss> {
    let algorithm = vector.fields.get("config").and_then(|config| config.get("algorithm")).and_then(Value::as_str);
    match (vector.text("pattern"), algorithm) {
        (Some("statistics"), _) => statistics::run(vector),
        (Some("priority"), _) => levels::run(vector),
        (Some("adaptive-limit"), Some("aimd" | "vegas" | "gradient2")) => per_call::run(vector),
        (Some("adaptive-limit"), Some("envoy-gradient")) => gradient::run(vector),
        (Some("adaptive-limit"), Some("bbr")) => bbr::run(vector),
        (Some("adaptive-limit"), Some(name)) if name.starts_with("failsafe-go adaptive") => correlation::run(vector),
        (Some("adaptive-limit"), None) => formulas::run(vector),
        (pattern, algorithm) => vec![Miss::before_all("pattern", format!("{pattern:?} with {algorithm:?}"))],
    }
}

/// A time in milliseconds, which need not be whole.
fn millis(millis: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(millis / 1e3).map_err(|error| format!("{millis} ms: {error}"))
}

fn in_millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
