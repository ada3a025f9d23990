//! How well a provider works, as it is told to.

use std::time::Duration;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a provider behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// The share of requests that fail with 503, from 0 to 1.
    #[schema(minimum = 0, maximum = 1, example = 0.2)]
    pub failure_rate: f64,
    /// How long each answer takes, such as `250ms`; at most a minute. The work is done before its answer waits, so a
    /// caller that gives up has paid all the same.
    #[serde(with = "humantime_serde")]
    #[schema(value_type = String, default = "0s", example = "20ms")]
    pub latency: Duration,
    /// Whether every request fails with 503.
    pub outage: bool,
    /// Whether no request is ever answered, and nothing is done for any.
    pub hang: bool,
}

impl Behaviour {
    /// The longest that an answer can be told to take.
    pub(crate) const MAX_LATENCY: Duration = Duration::from_mins(1);

    /// A provider that always fails.
    pub fn outage() -> Self {
        Self { outage: true, ..Self::default() }
    }

    /// A provider that takes every request and answers none.
    pub fn hanging() -> Self {
        Self { hang: true, ..Self::default() }
    }

    /// A provider whose answers take so long.
    pub fn slow(latency: Duration) -> Self {
        Self { latency, ..Self::default() }
    }

    /// The name of the field that is out of range, its value, and what would be valid.
    pub(crate) fn fault(&self) -> Option<(&'static str, String, &'static str)> {
        if !(0.0..=1.0).contains(&self.failure_rate) {
            Some(("failure_rate", self.failure_rate.to_string(), "a number from 0 to 1"))
        } else if self.latency > Self::MAX_LATENCY {
            let value = humantime::format_duration(self.latency).to_string();
            Some(("latency", value, "a duration from 0s to 1m"))
        } else {
            None
        }
    }
}

/// The present behaviour.
#[derive(Debug)]
pub(super) struct Mood(RwLock<Behaviour>);

impl Mood {
    pub(super) fn new(behaviour: Behaviour) -> Self {
        Self(RwLock::new(behaviour))
    }

    pub(super) fn get(&self) -> Behaviour {
        *self.0.read()
    }

    pub(super) fn set(&self, behaviour: Behaviour) {
        *self.0.write() = behaviour;
    }

    /// Whether the next request is to fail.
    pub(super) fn fails(&self) -> bool {
        let behaviour = self.get();
        behaviour.outage || fastrand::f64() < behaviour.failure_rate
    }
}
