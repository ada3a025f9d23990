//! `vectors/unsupported.toml`: what this project deliberately does not offer.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::miss::Miss;
use crate::vector::Vector;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unsupported {
    #[serde(default, rename = "unsupported")]
    rules: Vec<Rule>,
}

/// Vectors for which everything that is given here holds, and why they need not pass.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) file: String,
    id: Option<String>,
    pattern: Option<String>,
    profile: Option<String>,
    algorithm: Option<String>,
    /// Excuses nothing before the first step that takes this operation.
    operation: Option<String>,
    /// Excuses nothing but misses of these fields.
    #[serde(default)]
    fields: Vec<String>,
    /// What the vector's configuration says.
    #[serde(default)]
    config: Map<String, Value>,
    /// Vectors that must pass all the same.
    #[serde(default)]
    except: Vec<String>,
    pub(crate) reason: String,
}

impl Unsupported {
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let list: Self = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        match list.rules.iter().find(|rule| !rule.is_narrow() || rule.reason.trim().is_empty()) {
            Some(rule) => Err(format!("{}: a rule needs a condition and a reason: {rule:?}", path.display())),
            None => Ok(list),
        }
    }

    /// The rules that together excuse every miss; `None` if one of them is excused by none.
    pub(crate) fn excuse(&self, file: &str, vector: &Vector, misses: &[Miss]) -> Option<Vec<usize>> {
        let mut used = Vec::new();
        for miss in misses {
            let rule = self.rules.iter().position(|rule| rule.file == file && rule.excuses(vector, miss))?;
            if !used.contains(&rule) {
                used.push(rule);
            }
        }
        Some(used)
    }

    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

impl Rule {
    const fn is_narrow(&self) -> bool {
        self.id.is_some()
            || self.pattern.is_some()
            || self.profile.is_some()
            || self.algorithm.is_some()
            || self.operation.is_some()
            || !self.fields.is_empty()
    }

    fn excuses(&self, vector: &Vector, miss: &Miss) -> bool {
        let says = |field, wanted: &Option<String>| wanted.is_none() || vector.text(field) == wanted.as_deref();
        let config = vector.fields.get("config");
        self.id.as_ref().is_none_or(|id| *id == vector.id)
            && says("pattern", &self.pattern)
            && says("profile", &self.profile)
            && says("algorithm", &self.algorithm)
            && self.config.iter().all(|(key, value)| config.and_then(|config| config.get(key)) == Some(value))
            && !self.except.contains(&vector.id)
            && (self.fields.is_empty() || self.fields.contains(&miss.field))
            && self.operation.as_ref().is_none_or(|operation| {
                vector.step_of(operation).is_some_and(|first| miss.step.is_some_and(|step| step >= first))
            })
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let conditions = [
            ("id", &self.id),
            ("pattern", &self.pattern),
            ("profile", &self.profile),
            ("algorithm", &self.algorithm),
            ("operation", &self.operation),
        ];
        f.write_str(&self.file)?;
        for (name, value) in conditions {
            if let Some(value) = value {
                write!(f, ", {name} {value}")?;
            }
        }
        for field in &self.fields {
            write!(f, ", field {field}")?;
        }
        Ok(())
    }
}
