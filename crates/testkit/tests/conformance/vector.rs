use serde::Deserialize;
use serde_json::{Map, Value};

/// One fact: what every file's vectors have in common is that they are objects with an `id`.
#[derive(Debug, Deserialize)]
pub(crate) struct Vector {
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) fields: Map<String, Value>,
}

impl Vector {
    /// A field of the vector itself, if it is a text.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    /// The first step whose operation is this.
    pub(crate) fn step_of(&self, operation: &str) -> Option<u64> {
        let steps = self.fields.get("steps")?.as_array()?;
        let at = steps.iter().position(|step| step.get("op").and_then(Value::as_str) == Some(operation))?;
        Some(steps[at].get("i").and_then(Value::as_u64).unwrap_or(at as u64))
    }
}
