use std::time::Duration;

use seawall_circuit_breaker::{Config, HalfOpen, Window};
use serde::Deserialize;
use serde_json::json;

use super::{Setup, Style, millis};
use crate::circuit_breaker::case::Case;

/// So many, of so many; without a capacity, that many in a row.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Thresholds {
    #[serde(default = "one")]
    failure_threshold: u32,
    failure_thresholding_capacity: Option<u32>,
    success_threshold: Option<u32>,
    success_thresholding_capacity: Option<u32>,
}

const fn one() -> u32 {
    1
}

/// Rates are shares of one with two decimals.
fn style() -> Style {
    Style { places: Some(2), ..Style::new(1.0, json!(0)) }
}

pub(super) fn breaker(case: &Case) -> Result<Setup, String> {
    let thresholds: Thresholds = case.config()?;
    let (failures, of) = (
        thresholds.failure_threshold,
        thresholds.failure_thresholding_capacity.unwrap_or(thresholds.failure_threshold),
    );
    let (successes, probes) = match thresholds.success_threshold {
        Some(successes) => (successes, thresholds.success_thresholding_capacity.unwrap_or(successes)),
        // Too many failures open again: what closes is that they cannot become that many any more.
        None => ((of + 1).checked_sub(failures).ok_or("a threshold above its capacity")?, of),
    };
    let window = Window::count(of).minimum_calls(of);
    let config = Config::empty()
        .window(window)
        .failures_in_window(failures)
        .open_for(millis(60_000))
        .half_open(HalfOpen::probes(probes).successes(successes).without_max());
    Ok(Setup::breaker(config, window, style()))
}

#[derive(Deserialize)]
#[serde(tag = "window", rename_all = "lowercase", deny_unknown_fields)]
enum Stats {
    Count {
        window_size: u32,
    },
    Time {
        buckets: u32,
        window_ms: u64,
        #[serde(default)]
        clock_start_ms: u64,
        /// Buckets begin at multiples of their length, as they do here.
        #[serde(rename = "bucket_alignment")]
        _bucket_alignment: Option<String>,
    },
}

pub(super) fn window(case: &Case) -> Result<Setup, String> {
    let (window, start_at) = match case.config()? {
        Stats::Count { window_size } => (Window::count(window_size), Duration::ZERO),
        Stats::Time { buckets, window_ms, clock_start_ms, .. } => {
            (Window::time(millis(window_ms)).buckets(buckets), millis(clock_start_ms))
        }
    };
    Ok(Setup { start_at, ..Setup::window(window, style()) })
}
