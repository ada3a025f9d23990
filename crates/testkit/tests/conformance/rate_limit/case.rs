//! A vector as this file writes them.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::vector::Vector;

pub(super) struct Case {
    pub(super) algorithm: String,
    pub(super) config: Value,
    pub(super) steps: Vec<Step>,
    pub(super) total_rejected: Option<u64>,
    /// In milliseconds, for what is told in milliseconds.
    pub(super) tolerance: f64,
    /// That of the vector's own times.
    pub(super) told_tolerance: f64,
    /// Whether the expectations are what must not be copied.
    pub(super) deviates: bool,
}

pub(super) struct Step {
    pub(super) does: Does,
    /// Names without the `expect_`.
    pub(super) expected: Map<String, Value>,
    pub(super) text: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Op {
    #[default]
    Check,
    Peek,
    Refund,
    Reset,
    Reserve,
    Cancel,
    Acquire,
    TryAcquire,
    TakeUpTo,
    Gc,
    Burst,
    SetRate,
    Drive,
    GreedyTake,
}

/// What a step does.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Does {
    #[serde(default)]
    pub(super) op: Op,
    pub(super) at_ms: Option<f64>,
    pub(super) key: Option<String>,
    #[serde(default = "one")]
    pub(super) cost: i64,
    /// Of a burst or a drive.
    pub(super) count: Option<u32>,
    pub(super) from_ms: Option<f64>,
    pub(super) until_ms: Option<f64>,
    pub(super) every_ms: Option<f64>,
    pub(super) timeout_ms: Option<f64>,
    pub(super) max_delay_ms: Option<f64>,
    /// The name of a reservation.
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
    permits_per_second: Option<f64>,
    refill_tokens: Option<u32>,
    refill_period_ms: Option<f64>,
    capacity: Option<u32>,
    pub(super) set_limit: Option<u32>,
    /// How many calls passed in this second, and in the one before.
    pub(super) pass_qps: Option<u32>,
    pub(super) previous_pass_qps: Option<u32>,
    pub(super) fraction_denominator: Option<u32>,
    /// The wait as the source prints it; `expect_delay_ms` is exact.
    #[serde(rename = "source_rounded_s")]
    _source_rounded_s: Option<f64>,
    #[serde(rename = "note")]
    _note: Option<String>,
}

/// A new rate, by what of it changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) permits_per_second: Option<f64>,
    pub(super) refill_tokens: Option<u32>,
    pub(super) refill_period_ms: Option<f64>,
    pub(super) capacity: Option<u32>,
}

const fn one() -> i64 {
    1
}

/// In milliseconds. A wait is told to the nanosecond, rounded up; the vectors round to the nearest.
pub(super) const ONE_NANO: f64 = 1.1e-6;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    algorithm: String,
    config: Value,
    steps: Vec<Map<String, Value>>,
    expect_total_rejected: Option<u64>,
    #[serde(default)]
    tolerance_ms: f64,
    deviation: Option<String>,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "note")]
    _note: Option<String>,
}

impl Case {
    pub(super) fn read(vector: &Vector) -> Result<Self, String> {
        let raw: Raw = serde_json::from_value(Value::Object(vector.fields.clone())).map_err(|e| e.to_string())?;
        let steps = raw.steps.into_iter().enumerate();
        Ok(Self {
            algorithm: raw.algorithm,
            config: raw.config,
            steps: steps.map(|(i, step)| Step::read(i, step)).collect::<Result<_, _>>()?,
            total_rejected: raw.expect_total_rejected,
            tolerance: raw.tolerance_ms.max(ONE_NANO),
            told_tolerance: raw.tolerance_ms,
            deviates: raw.deviation.is_some(),
        })
    }

    /// The keys of all steps; there is always one.
    pub(super) fn keys(&self) -> Vec<String> {
        let keys: BTreeSet<_> = self.steps.iter().filter_map(|step| step.does.key.clone()).collect();
        if keys.is_empty() { vec![String::new()] } else { keys.into_iter().collect() }
    }

    /// What the first step, which only looks, tells to be left, and when.
    pub(super) fn first_look(&self) -> Option<(f64, u64)> {
        let Step { does, expected, .. } = self.steps.first()?;
        let looks = does.op == Op::Peek && does.cost == 0;
        Some((does.at_ms.filter(|_| looks)?, expected.get("remaining")?.as_u64()?))
    }
}

impl Does {
    pub(super) const fn rate(&self) -> Rate {
        let &Self { permits_per_second, refill_tokens, refill_period_ms, capacity, .. } = self;
        Rate { permits_per_second, refill_tokens, refill_period_ms, capacity }
    }
}

impl Step {
    fn read(i: usize, raw: Map<String, Value>) -> Result<Self, String> {
        let text = Value::Object(raw.clone()).to_string();
        let (mut does, mut expected) = (Map::new(), Map::new());
        for (name, value) in raw {
            match name.strip_prefix("expect_") {
                Some(field) => expected.insert(field.to_owned(), value),
                None => does.insert(name, value),
            };
        }
        let does = serde_json::from_value(Value::Object(does)).map_err(|e| format!("step {i}: {e} in {text}"))?;
        Ok(Self { does, expected, text })
    }
}
