//! Waits between attempts.
//!
//! The quoted systems take a uniform number `r` from 0 to 1; a [`Backoff`] takes one of all 64-bit numbers, whose share of them
//! stands for it.

use std::time::Duration;

use seawall_core::random::Random;
use seawall_core::{Backoff, ConfigError, Jitter};
use seawall_retry::{Config, Retry};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::case::{Case, Play, Seen};
use crate::miss::Miss;
use crate::vector::Vector;

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Op {
    /// The wait before this attempt.
    Delay {
        attempt: u32,
        shape: Option<Kind>,
        base_ms: Option<u64>,
        max_ms: Option<u64>,
        #[serde(default)]
        jitter: bool,
        r: Option<f64>,
    },
    /// All waits, until there are no more.
    Collect {},
    /// A uniform number between two others.
    Range { min: u32, max: u32, r: f64 },
    /// A wait, spread by a share of itself or by so much.
    Jitter { delay: u32, factor: Option<f64>, jitter: Option<u32>, r: f64 },
    /// A configuration that is to be refused.
    Build {
        kind_: Kind,
        initial_ms: Option<i64>,
        max_ms: Option<i64>,
        multiplier: Option<f64>,
        randomization_factor: Option<f64>,
    },
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[serde(alias = "fixed")]
    Constant,
    Linear,
    Exponential,
    #[serde(alias = "randomized")]
    ExponentialRandomized,
}

/// Waits as a configuration gives them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    kind: Option<Kind>,
    initial_ms: Option<u64>,
    base_ms: Option<u64>,
    step_ms: Option<u64>,
    multiplier: Option<f64>,
    max_ms: Option<u64>,
    /// The number of the first attempt that is waited for.
    #[serde(default)]
    first_attempt: u32,
    randomization_factor: Option<f64>,
    /// In words, or whether there is any.
    #[serde(default, rename = "jitter")]
    jitter: Value,
    #[serde(default, rename = "formula")]
    _formula: Value,
    /// Only so many of them.
    take: Option<usize>,
    /// While those before come to less.
    total_budget_ms: Option<u64>,
    /// One after the other.
    #[serde(default)]
    concat: Vec<Rules>,
}

/// Longer than any wait that a vector asks for.
const UNBOUNDED: Duration = Duration::from_secs(u64::MAX / 2_000_000_000);

impl Rules {
    fn backoff(&self) -> Result<Backoff, ConfigError> {
        let ms = Duration::from_millis;
        let initial = ms(self.initial_ms.or(self.base_ms).unwrap_or_default());
        let max = self.max_ms.map_or(UNBOUNDED, ms);
        let backoff = match self.kind.unwrap_or(Kind::Constant) {
            Kind::Constant => Backoff::exponential(initial.min(max), 1.0, max),
            Kind::Linear => Backoff::linear(initial.min(max), self.step_ms.map_or(initial, ms), max),
            Kind::Exponential | Kind::ExponentialRandomized => {
                Backoff::exponential(initial.min(max), self.multiplier.unwrap_or(2.0), max)
            }
        }?;
        let spread = match (self.randomization_factor, &self.jitter) {
            (Some(factor), _) => Some(percent(factor)),
            // "uniform +-25%"
            (None, Value::String(_) | Value::Bool(true)) => Some(25),
            _ => None,
        };
        Ok(spread.map_or(backoff, |spread| backoff.jitter(Jitter::Spread(spread))))
    }

    fn delays(&self) -> Result<Vec<Duration>, String> {
        if !self.concat.is_empty() {
            let parts = self.concat.iter().map(Self::delays).collect::<Result<Vec<_>, _>>()?;
            return Ok(parts.concat());
        }
        let delays = self.backoff().map_err(|error| error.to_string())?.delays(Random::new(0));
        let budget = self.total_budget_ms.map(Duration::from_millis);
        let mut before = Duration::ZERO;
        let within = delays.take_while(|delay| {
            let goes_on = budget.is_none_or(|budget| before < budget);
            before += *delay;
            goes_on
        });
        match (self.take, budget) {
            (Some(take), _) => Ok(within.take(take).collect()),
            (None, Some(_)) => Ok(within.collect()),
            (None, None) => Err("waits without an end".into()),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a hundred")]
fn percent(factor: f64) -> u8 {
    (factor * 100.0).round() as u8
}

/// The number whose share of all is `r`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the conversion saturates")]
fn random(r: f64) -> u64 {
    (r * 2.0_f64.powi(64)) as u64
}

fn millis(wait: Duration) -> Value {
    json!(wait.as_secs_f64() * 1e3)
}

struct Stage {
    rules: Rules,
}

pub(super) fn run(vector: &Vector) -> Vec<Miss> {
    let read = Case::<Op>::read(vector).and_then(|case| Ok((case.config()?, case)));
    match read {
        Ok((rules, case)) => case.play(&mut Stage { rules }),
        Err(why) => vec![Miss::before_all("config", why)],
    }
}

impl Play<Op> for Stage {
    fn take(&mut self, op: &Op) -> Result<Seen, String> {
        let mut seen = Seen::new();
        match *op {
            Op::Delay { attempt, shape, base_ms, max_ms, jitter, r } => {
                let mut rules = self.rules.clone();
                rules.kind = shape.or(rules.kind);
                rules.base_ms = base_ms.or(rules.base_ms);
                rules.max_ms = max_ms.or(rules.max_ms);
                if jitter {
                    rules.jitter = Value::Bool(true);
                }
                let before = attempt.checked_sub(rules.first_attempt).ok_or("an attempt before the first")?;
                let backoff = rules.backoff().map_err(|error| error.to_string())?;
                // Where none is given any will do: the middle of them.
                let wait = backoff.delay(before, random(r.unwrap_or(0.5)));
                seen.insert("delay_ms", millis(wait));
                if wait >= UNBOUNDED {
                    seen.insert("delay", json!("MAX_DURATION (no panic, no wrap)"));
                }
            }
            Op::Collect {} => {
                let delays: Vec<Value> = self.rules.delays()?.into_iter().map(millis).collect();
                seen.insert("delays_ms", json!(delays));
                seen.insert("exhausted", json!(true));
            }
            Op::Range { min, max, r } => {
                // A decorrelated wait is uniform between the first and three times the last one: a unit is three milliseconds.
                let unit = |n: u32| Duration::from_millis(u64::from(n) * 3);
                let backoff = Backoff::decorrelated(unit(min), unit(max)).map_err(|error| error.to_string())?;
                let wait = backoff.delay_after(unit(max) / 3, 1, random(r));
                seen.insert("value", truncated(wait.as_secs_f64() * 1e3 / 3.0));
            }
            Op::Jitter { delay, factor, jitter, r } => {
                let wait = Duration::from_millis(delay.into());
                let factor = factor.or_else(|| jitter.map(|by| f64::from(by) / f64::from(delay))).ok_or("no jitter")?;
                let backoff = Backoff::exponential(wait, 1.0, UNBOUNDED).map_err(|error| error.to_string())?;
                // There the smallest number gives the longest wait.
                let wait = backoff.jitter(Jitter::Spread(percent(factor))).delay(0, random(1.0 - r));
                seen.insert("value", truncated(wait.as_secs_f64() * 1e3));
            }
            Op::Build { kind_, initial_ms, max_ms, multiplier, randomization_factor } => {
                let built = build(kind_, initial_ms, max_ms, multiplier, randomization_factor);
                seen.insert("error", built.map_or_else(|_| json!("invalid_argument"), |()| Value::Null));
            }
        }
        Ok(seen)
    }

    fn look(&self, _field: &str) -> Option<Value> {
        None
    }
}

/// Whole numbers, cut off after a millionth is forgiven.
fn truncated(value: f64) -> Value {
    json!((value + 1e-6).floor())
}

/// A span of time cannot be negative here: what a configuration's types refuse is refused.
fn build(
    kind: Kind,
    initial: Option<i64>,
    max: Option<i64>,
    multiplier: Option<f64>,
    factor: Option<f64>,
) -> Result<(), String> {
    let span = |ms: i64| {
        u64::try_from(ms).map(Duration::from_millis).map_err(|error| format!("{ms} is no span of time: {error}"))
    };
    let initial = span(initial.unwrap_or(500))?;
    let max = max.map(span).transpose()?.unwrap_or(Duration::from_secs(3600));
    let config = match kind {
        Kind::Constant => Config::default().fixed(initial),
        Kind::Linear => Config::default().linear(initial, initial, max),
        Kind::Exponential | Kind::ExponentialRandomized => {
            Config::default().exponential(initial, multiplier.unwrap_or(1.5), max)
        }
    };
    let spread = factor.map(|factor| if (0.0..=1.0).contains(&factor) { Ok(percent(factor)) } else { Err(factor) });
    let config = match spread.transpose() {
        Ok(Some(percent)) => config.jitter(Jitter::Spread(percent)),
        Ok(None) => config,
        Err(_) => config.jitter(Jitter::Spread(u8::MAX)),
    };
    Retry::new(config).map(drop).map_err(|error| error.to_string())
}
