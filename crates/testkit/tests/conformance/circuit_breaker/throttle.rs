//! Adaptive throttles: each profile turns a vector's configuration into a [`Config`], or into a [`Formula`] where it asks for
//! nothing but that; from there on every operation means the same for all profiles.
//!
//! The quoted systems count a call when its outcome is recorded. Here it counts from when it asks, so a call that asked and
//! whose outcome the vector never records is taken back.

use std::time::Duration;

use seawall_circuit_breaker::throttle::{Config, Formula};
use seawall_circuit_breaker::{AdaptiveThrottle, Throttle};
use seawall_core::time::{Clock, ManualTime, Timestamp};
use seawall_core::{Permit, Ratio};
use serde::Deserialize;
use serde_json::{Value, json};

use super::case::{Case, Play, Seen};
use super::op::Ended;
use crate::miss::Miss;
use crate::vector::Vector;

/// What a step does.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Op {
    Advance {
        ms: u64,
        #[serde(default)]
        ns: u64,
    },
    SetTime {
        t_ms: u64,
    },

    /// Asks for a permit and keeps it.
    #[serde(alias = "try_acquire")]
    Acquire {},
    /// Would a call be let through?
    Allow {},
    /// The outcome of the call that holds the permit, or of one that never asked.
    Record {
        outcome: Ended,
    },
    /// So many outcomes of calls that never asked.
    Bulk {
        #[serde(default)]
        success: u64,
        #[serde(default, alias = "failure")]
        error: u64,
    },

    /// The formula's value for these figures, with what is given here in place of the configuration's.
    #[serde(alias = "rejection_rate")]
    Probability {
        #[serde(alias = "executions", alias = "n", alias = "total")]
        requests: Option<u64>,
        #[serde(alias = "successes", alias = "success")]
        accepts: u64,
        #[serde(alias = "K")]
        k: Option<f64>,
        #[serde(alias = "success_threshold")]
        threshold: Option<f64>,
        aggression: Option<f64>,
        max_rejection: Option<f64>,
    },
}

/// One vocabulary for all profiles.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    /// In words: it is the same formula for all.
    #[serde(default, rename = "formula")]
    _formula: Option<String>,
    #[serde(alias = "K")]
    k: Option<f64>,
    #[serde(alias = "success_threshold")]
    threshold: Option<f64>,
    max_rejection: Option<f64>,
    aggression: Option<f64>,
    #[serde(alias = "min_executions")]
    min_requests: Option<u32>,
    window_ms: Option<u64>,
    buckets: Option<u32>,
    /// The requests of operations that do not say.
    n: Option<u64>,
}

pub(super) fn run(vector: &Vector) -> Vec<Miss> {
    let case: Case<Op> = match Case::read(vector) {
        Ok(case) => case,
        Err(why) => return vec![Miss::before_all("vector", why)],
    };
    let set_up = case.config().and_then(|rules: Rules| Ok((config(&case.profile, &rules)?, rules)));
    let (clock, time) = Clock::manual();
    let made = set_up.and_then(|(config, rules)| {
        let throttle = AdaptiveThrottle::with_clock(config, clock).map_err(|error| error.to_string())?;
        Ok((throttle, rules))
    });
    match made {
        Ok((throttle, rules)) => case.play(&mut Stage { throttle: &throttle, time, rules, held: None, asked_at: None }),
        Err(why) => vec![Miss::before_all("config", why)],
    }
}

/// The profile's preset, with what the vector sets.
fn config(profile: &str, rules: &Rules) -> Result<Config, String> {
    let mut config = match profile {
        "google-sre" => Config::google_sre(),
        "aegis-sre" => Config::aegis(),
        "envoy-admission" => Config::envoy(),
        "failsafe-go" => Config::failsafe(),
        other => return Err(format!("the profile {other}")),
    };
    if let Some(k) = rules.k {
        config = config.k(k);
    }
    // A threshold of one is the formula's to answer; a throttle by it would never let go again.
    if let Some(threshold) = rules.threshold.filter(|threshold| *threshold < 1.0) {
        config = config.success_threshold(threshold);
    }
    if let Some(most) = rules.max_rejection {
        config = config.max_rejection(most);
    }
    if let Some(aggression) = rules.aggression {
        config = config.aggression(aggression);
    }
    if let Some(minimum) = rules.min_requests {
        config = config.minimum_calls(minimum);
    }
    if let Some(window) = rules.window_ms {
        config = config.window(Duration::from_millis(window));
    }
    if let Some(buckets) = rules.buckets {
        config = config.buckets(buckets);
    }
    Ok(config.seed(1))
}

struct Stage<'a> {
    throttle: &'a AdaptiveThrottle,
    time: ManualTime,
    rules: Rules,
    /// The call that asked last.
    held: Option<Permit<&'a Throttle>>,
    /// The probability at which it asked.
    asked_at: Option<f64>,
}

impl Stage<'_> {
    fn ask(&mut self) -> Seen {
        self.take_back();
        let probability = self.throttle.snapshot().probability;
        self.held = self.throttle.try_admit().ok();
        self.asked_at = Some(probability);
        let permitted = self.held.is_some();
        Seen::from([("permitted", json!(permitted)), ("rejected", json!(!permitted))])
    }

    fn take_back(&mut self) {
        if let Some(permit) = self.held.take() {
            permit.cancel();
        }
    }

    fn formula(&self, k: Option<f64>, threshold: Option<f64>) -> Result<Formula, String> {
        let formula = match (k.or(self.rules.k), threshold.or(self.rules.threshold)) {
            (Some(k), _) => Formula::new(k),
            (None, Some(threshold)) => Formula::of_threshold(threshold),
            (None, None) => Ok(self.throttle.formula()),
        };
        formula.map_err(|error| error.to_string())
    }
}

impl Play<Op> for Stage<'_> {
    fn take(&mut self, op: &Op) -> Result<Seen, String> {
        match op {
            Op::Advance { ms, ns } => self.time.advance(Duration::from_millis(*ms) + Duration::from_nanos(*ns)),
            Op::SetTime { t_ms } => self.time.advance_to(Timestamp::ZERO + Duration::from_millis(*t_ms)),
            Op::Acquire {} => return Ok(self.ask()),
            Op::Allow {} => {
                let seen = self.ask();
                self.take_back();
                return Ok(seen);
            }
            Op::Record { outcome } => match self.held.take() {
                Some(permit) => permit.finish(outcome.outcome()),
                None => self.throttle.record(outcome.outcome()),
            },
            Op::Bulk { success, error } => {
                (0..*success).for_each(|_| self.throttle.record(Ended::Success.outcome()));
                (0..*error).for_each(|_| self.throttle.record(Ended::Failure.outcome()));
            }
            Op::Probability { requests, accepts, k, threshold, aggression, max_rejection } => {
                let requests = requests.or(self.rules.n).ok_or("how many requests?")?;
                let most = max_rejection.or(self.rules.max_rejection).unwrap_or(1.0);
                let most = Ratio::new(most).map_err(|error| error.to_string())?;
                let aggression = aggression.or(self.rules.aggression).unwrap_or(1.0);
                let formula = self.formula(*k, *threshold)?.max_rejection(most).minimum_calls(0);
                let formula = formula.aggression(aggression).map_err(|error| error.to_string())?;
                return Ok(Seen::from([("value", json!(formula.probability(requests, *accepts)))]));
            }
        }
        Ok(Seen::new())
    }

    fn look(&self, field: &str) -> Option<Value> {
        let snapshot = self.throttle.snapshot();
        Some(match field {
            "drop_probability" | "probability" => json!(snapshot.probability),
            // failsafe-go tells the one by which the last call was decided.
            "rejection_rate" => json!(self.asked_at.unwrap_or(0.0)),
            "requests" | "total" | "executions" => json!(snapshot.requests),
            "accepts" | "success" | "successes" => json!(snapshot.accepts),
            _ => return None,
        })
    }
}
