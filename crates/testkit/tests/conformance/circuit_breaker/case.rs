use serde::Deserialize;
use serde_json::{Map, Value};

use super::op::Op;
use crate::vector::Vector;

/// A vector of this file.
pub(crate) struct Case {
    pub(crate) pattern: String,
    pub(crate) profile: String,
    pub(crate) config: Value,
    pub(crate) steps: Vec<Step>,
    pub(crate) tolerance: f64,
    expect: Vec<Map<String, Value>>,
}

pub(crate) struct Step {
    pub(crate) i: u64,
    pub(crate) op: Op,
    /// The operation as the vector writes it.
    pub(crate) text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    pattern: String,
    profile: String,
    config: Value,
    steps: Vec<Map<String, Value>>,
    expect: Vec<Map<String, Value>>,
    /// Rates of single precision and of decimals differ from ours in the last places.
    #[serde(default = "exact")]
    tolerance: f64,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "portable")]
    _portable: bool,
    #[serde(default, rename = "kind")]
    _kind: Value,
    #[serde(default, rename = "notes")]
    _notes: Value,
}

const fn exact() -> f64 {
    1e-9
}

impl Case {
    pub(crate) fn read(vector: &Vector) -> Result<Self, String> {
        let raw: Raw = serde_json::from_value(Value::Object(vector.fields.clone())).map_err(|e| e.to_string())?;
        if raw.pattern == "adaptive-throttle" {
            return Err("the pattern adaptive-throttle".into());
        }
        let steps = raw.steps.into_iter().map(Step::read).collect::<Result<Vec<_>, _>>()?;
        for expected in &raw.expect {
            let after = expected.get("after").and_then(Value::as_u64);
            if after.is_none_or(|after| steps.iter().all(|step| step.i != after)) {
                return Err(format!("an expectation after no step: {expected:?}"));
            }
        }
        Ok(Self {
            pattern: raw.pattern,
            profile: raw.profile,
            config: raw.config,
            steps,
            tolerance: raw.tolerance,
            expect: raw.expect,
        })
    }

    /// What must be seen after this step.
    pub(crate) fn expected_after(&self, step: u64) -> impl Iterator<Item = (&str, &Value)> {
        let of_step = self.expect.iter().filter(move |e| e.get("after").and_then(Value::as_u64) == Some(step));
        of_step.flatten().filter(|(name, _)| *name != "after").map(|(name, value)| (name.as_str(), value))
    }

    /// The configuration as the profile knows it: a field that it does not know is an error.
    pub(crate) fn config<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_value(self.config.clone()).map_err(|error| format!("{error} in {}", self.config))
    }
}

impl Step {
    fn read(mut raw: Map<String, Value>) -> Result<Self, String> {
        let i = raw.remove("i").and_then(|i| i.as_u64()).ok_or("a step without its number")?;
        let text = Value::Object(raw.clone()).to_string();
        let op = serde_json::from_value(Value::Object(raw)).map_err(|error| format!("step {i}: {error} in {text}"))?;
        Ok(Self { i, op, text })
    }
}
