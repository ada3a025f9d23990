//! How a configuration is written in a file.
//!
//! A field that is left out has the value that the constructors give it beside those that are there: the failure rate is a
//! rule only where no other is given, a window's minimum is never above its size, the longest interval never below the
//! first. What is written out is read back as the same.

use std::time::Duration;

use seawall_core::Jitter;
use serde::{Deserialize, Serializer};

use crate::config::{self, Abandoned, FailuresInPeriod, Recovery, SlowCalls, SuccessRateEma, Undecided};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    name: Option<String>,
    window: Option<config::Window>,
    failure_rate: Option<f64>,
    slow_calls: Option<SlowCalls>,
    consecutive_failures: Option<u32>,
    failures_in_period: Option<FailuresInPeriod>,
    failures_in_window: Option<u32>,
    success_rate_ema: Option<SuccessRateEma>,
    durations: Option<bool>,
    abandoned: Option<Abandoned>,
    open: Option<config::OpenInterval>,
    half_open: Option<config::HalfOpen>,
    recovery: Option<Recovery>,
}

impl From<Config> for config::Config {
    fn from(file: Config) -> Self {
        let other_rule = file.slow_calls.is_some()
            || file.consecutive_failures.is_some()
            || file.failures_in_period.is_some()
            || file.failures_in_window.is_some()
            || file.success_rate_ema.is_some();
        let default = if other_rule { Self::empty() } else { Self::default() };
        Self {
            name: file.name.unwrap_or(default.name),
            window: file.window.unwrap_or(default.window),
            failure_rate: file.failure_rate.or(default.failure_rate),
            slow_calls: file.slow_calls,
            consecutive_failures: file.consecutive_failures,
            failures_in_period: file.failures_in_period,
            failures_in_window: file.failures_in_window,
            success_rate_ema: file.success_rate_ema,
            durations: file.durations.unwrap_or(default.durations),
            abandoned: file.abandoned.unwrap_or(default.abandoned),
            open: file.open.unwrap_or(default.open),
            half_open: file.half_open.unwrap_or(default.half_open),
            recovery: file.recovery,
            open_by: None,
            observer: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(crate) enum Window {
    Count {
        size: u32,
        minimum_calls: Option<u32>,
    },
    Time {
        #[serde(with = "humantime_serde")]
        length: Duration,
        buckets: Option<u32>,
        minimum_calls: Option<u32>,
    },
}

impl From<Window> for config::Window {
    fn from(file: Window) -> Self {
        let (window, minimum) = match file {
            Window::Count { size, minimum_calls } => (Self::count(size), minimum_calls),
            Window::Time { length, buckets, minimum_calls } => {
                let window = Self::time(length);
                (buckets.map_or(window, |buckets| window.buckets(buckets)), minimum_calls)
            }
        };
        minimum.map_or(window, |minimum| window.minimum_calls(minimum))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenInterval {
    #[serde(default, rename = "for", with = "humantime_serde")]
    first: Option<Duration>,
    multiplier: Option<f64>,
    #[serde(default, with = "humantime_serde")]
    max: Option<Duration>,
    jitter: Option<Jitter>,
    #[serde(default, with = "humantime_serde")]
    stable_after: Option<Duration>,
    honour_hint: Option<bool>,
}

impl From<OpenInterval> for config::OpenInterval {
    fn from(file: OpenInterval) -> Self {
        let default = Self::default();
        let first = file.first.unwrap_or(default.first);
        Self {
            first,
            multiplier: file.multiplier.unwrap_or(default.multiplier),
            max: file.max.unwrap_or(default.max.max(first)),
            jitter: file.jitter.unwrap_or(default.jitter),
            stable_after: file.stable_after.unwrap_or(default.stable_after),
            honour_hint: file.honour_hint.unwrap_or(default.honour_hint),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HalfOpen {
    probes: Option<u32>,
    successes: Option<u32>,
    max: Option<Limit>,
    after_max: Option<Undecided>,
    wait_for_all: Option<bool>,
}

impl From<HalfOpen> for config::HalfOpen {
    fn from(file: HalfOpen) -> Self {
        let default = Self::default();
        Self {
            probes: file.probes.unwrap_or(default.probes),
            successes: file.successes,
            max: file.max.map_or(default.max, |limit| limit.0),
            after_max: file.after_max.unwrap_or(default.after_max),
            wait_for_all: file.wait_for_all.unwrap_or(default.wait_for_all),
        }
    }
}

/// A duration, or `"never"`.
struct Limit(Option<Duration>);

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "never" {
            return Ok(Self(None));
        }
        let limit = humantime_serde::re::humantime::parse_duration(&text);
        limit.map(|limit| Self(Some(limit))).map_err(|error| {
            serde::de::Error::custom(format_args!(
                "{text:?} is neither a duration such as \"30s\" nor \"never\": {error}"
            ))
        })
    }
}

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
pub(crate) fn limit<S: Serializer>(limit: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match limit {
        Some(limit) => humantime_serde::serialize(limit, serializer),
        None => serializer.serialize_str("never"),
    }
}
