use seawall_circuit_breaker::{Config, HalfOpen, Window};
use serde::Deserialize;
use serde_json::Value;

use super::{Setup, Style, above, millis};
use crate::circuit_breaker::case::Case;

/// A degrade rule.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    strategy: Strategy,
    /// Of `error-ratio`.
    threshold: Option<f64>,
    /// Of `slow-ratio`.
    max_rt_ms: Option<u64>,
    slow_ratio: Option<f64>,
    #[serde(default)]
    compare: Compare,
    min_requests: u32,
    /// One bucket, which ends as a whole.
    stat_interval_ms: u64,
    recovery_timeout_ms: u64,
    #[serde(default = "one")]
    half_open_probes: u32,
}

const fn one() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Strategy {
    ErrorRatio,
    SlowRatio,
}

#[derive(Clone, Copy, Default, Deserialize)]
enum Compare {
    /// Sentinel's own.
    #[default]
    #[serde(rename = ">")]
    Above,
    #[serde(rename = ">=")]
    AtLeast,
}

impl Compare {
    fn with(self, rate: f64) -> f64 {
        match self {
            Self::Above => above(rate),
            Self::AtLeast => rate,
        }
    }
}

pub(super) fn breaker(case: &Case) -> Result<Setup, String> {
    let rule: Rule = case.config()?;
    let window = Window::time(millis(rule.stat_interval_ms)).buckets(1).minimum_calls(rule.min_requests);
    let probes = rule.half_open_probes;
    let config =
        Config::empty().window(window).open_for(millis(rule.recovery_timeout_ms)).half_open(HalfOpen::probes(probes));
    let config = match (rule.strategy, rule.threshold, rule.max_rt_ms, rule.slow_ratio) {
        (Strategy::ErrorRatio, Some(rate), None, None) => config.failure_rate(rule.compare.with(rate)),
        (Strategy::SlowRatio, None, Some(ms), Some(rate)) => config.slow_calls(millis(ms), rule.compare.with(rate)),
        _ => return Err("a strategy with the fields of another".into()),
    };
    Ok(Setup::breaker(config, window, Style::new(1.0, Value::Null)))
}
