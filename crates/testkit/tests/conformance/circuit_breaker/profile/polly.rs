use seawall_circuit_breaker::{Config, HalfOpen, Trip, Window};
use serde::Deserialize;
use serde_json::json;

use super::{Setup, Style, millis};
use crate::circuit_breaker::case::Case;
use crate::circuit_breaker::foresee::NEVER_SLOW;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(default = "five_seconds")]
    break_duration_ms: u64,
    #[serde(default = "one")]
    half_open_probes: u32,
    /// What the generator does besides giving the break duration: it keeps what it is told, as it does here always.
    #[serde(rename = "break_duration_generator")]
    _break_duration_generator: Option<String>,
}

const fn five_seconds() -> u64 {
    5_000
}

const fn one() -> u32 {
    1
}

fn style() -> Style {
    Style { forced_open: "ISOLATED", ..Style::new(1.0, json!(0)) }
}

pub(super) fn breaker(case: &Case) -> Result<Setup, String> {
    let fields: Fields = case.config()?;
    let (pause, probes) = (millis(fields.break_duration_ms), fields.half_open_probes);
    // Whoever is refused in half-open is told to come back after another break.
    let max = Some(pause).filter(|pause| !pause.is_zero() && *pause <= NEVER_SLOW);
    let mut half_open = HalfOpen::probes(probes);
    half_open.max = max;
    let mut setup =
        Setup::breaker(Config::polly().half_open(half_open), Window::time(millis(30_000)).minimum_calls(100), style());
    // Breaks of no length and of longer than a year are its tests' way to take time out of the question.
    let attempts = setup.opened_before.clone();
    setup.config = setup.config.open_by(move |trip: &Trip| {
        attempts.lock().push(trip.opened_before);
        pause
    });
    Ok(setup)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sampling {
    sampling_duration_ms: u64,
    windows: u32,
}

pub(super) fn window(case: &Case) -> Result<Setup, String> {
    let sampling: Sampling = case.config()?;
    let window = Window::time(millis(sampling.sampling_duration_ms)).buckets(sampling.windows);
    Ok(Setup::window(window, style()))
}
