use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::miss::{Bound, Miss};
use crate::vector::Vector;

/// A vector of this file, whose steps are operations `O`.
pub(crate) struct Case<O> {
    pub(crate) pattern: String,
    pub(crate) profile: String,
    pub(crate) config: Value,
    pub(crate) steps: Vec<Step<O>>,
    pub(crate) tolerance: f64,
    expect: Vec<Map<String, Value>>,
}

pub(crate) struct Step<O> {
    pub(crate) i: u64,
    pub(crate) op: O,
    /// The operation as the vector writes it.
    pub(crate) text: String,
}

/// What a step itself showed.
pub(crate) type Seen = BTreeMap<&'static str, Value>;

/// What a vector is played on.
pub(crate) trait Play<O> {
    /// Takes a step.
    fn take(&mut self, op: &O) -> Result<Seen, String>;

    /// What is shown now under the name that a vector has for it; `None` if nothing of that name is.
    fn look(&self, field: &str) -> Option<Value>;
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

impl<O: DeserializeOwned> Case<O> {
    pub(crate) fn read(vector: &Vector) -> Result<Self, String> {
        let raw: Raw = serde_json::from_value(Value::Object(vector.fields.clone())).map_err(|e| e.to_string())?;
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
}

impl<O> Case<O> {
    /// Takes all steps, and tells what did not come as it should.
    pub(crate) fn play(&self, stage: &mut impl Play<O>) -> Vec<Miss> {
        let mut misses = Vec::new();
        for step in &self.steps {
            let seen = match stage.take(&step.op) {
                Ok(seen) => seen,
                Err(why) => {
                    // What comes after a step that could not be taken says nothing.
                    misses.push(Miss { step: Some(step.i), field: "op".into(), expected: step.text.clone(), got: why });
                    return misses;
                }
            };
            for (name, expected) in self.expected_after(step.i) {
                let (field, bound) = Bound::of(name);
                let got = seen.get(field).cloned().or_else(|| stage.look(field));
                if got.as_ref().is_none_or(|got| !bound.holds(expected, got, self.tolerance)) {
                    misses.push(Miss {
                        step: Some(step.i),
                        field: name.to_owned(),
                        expected: expected.to_string(),
                        got: got.map_or_else(
                            || "nothing: it is not a field that this project has".into(),
                            |got| got.to_string(),
                        ),
                    });
                }
            }
        }
        misses
    }

    /// What must be seen after this step.
    fn expected_after(&self, step: u64) -> impl Iterator<Item = (&str, &Value)> {
        let of_step = self.expect.iter().filter(move |e| e.get("after").and_then(Value::as_u64) == Some(step));
        of_step.flatten().filter(|(name, _)| *name != "after").map(|(name, value)| (name.as_str(), value))
    }

    /// The configuration as the profile knows it: a field that it does not know is an error.
    pub(crate) fn config<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_value(self.config.clone()).map_err(|error| format!("{error} in {}", self.config))
    }
}

impl<O: DeserializeOwned> Step<O> {
    fn read(mut raw: Map<String, Value>) -> Result<Self, String> {
        let i = raw.remove("i").and_then(|i| i.as_u64()).ok_or("a step without its number")?;
        let text = Value::Object(raw.clone()).to_string();
        let op = serde_json::from_value(Value::Object(raw)).map_err(|error| format!("step {i}: {error} in {text}"))?;
        Ok(Self { i, op, text })
    }
}
