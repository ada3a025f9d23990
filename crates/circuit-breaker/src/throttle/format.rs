//! How a configuration is written in a file. What is left out has its default.

use std::time::Duration;

use seawall_core::ConfigError;
use serde::Deserialize;

use super::config::{self, Abandoned, Allowance};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    name: Option<String>,
    k: Option<f64>,
    success_threshold: Option<f64>,
    max_rejection: Option<f64>,
    aggression: Option<f64>,
    minimum_calls: Option<u32>,
    #[serde(default, with = "humantime_serde")]
    window: Option<Duration>,
    buckets: Option<u32>,
    abandoned: Option<Abandoned>,
}

impl TryFrom<Config> for config::Config {
    type Error = ConfigError;

    fn try_from(file: Config) -> Result<Self, ConfigError> {
        let default = Self::default();
        let allowance = match (file.k, file.success_threshold) {
            (Some(_), Some(threshold)) => {
                return Err(ConfigError::new(
                    "success_threshold",
                    threshold,
                    "left out where `k` is given: it is 1 / k",
                ));
            }
            (Some(k), None) => Allowance::K(k),
            (None, Some(threshold)) => Allowance::SuccessThreshold(threshold),
            (None, None) => default.allowance,
        };
        Ok(Self {
            name: file.name.unwrap_or(default.name),
            allowance,
            max_rejection: file.max_rejection.unwrap_or(default.max_rejection),
            aggression: file.aggression.unwrap_or(default.aggression),
            minimum_calls: file.minimum_calls.unwrap_or(default.minimum_calls),
            window: file.window.unwrap_or(default.window),
            buckets: file.buckets.unwrap_or(default.buckets),
            abandoned: file.abandoned.unwrap_or(default.abandoned),
            seed: None,
            observer: None,
        })
    }
}
