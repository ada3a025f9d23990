use serde_json::{Map, Value};

use crate::miss::{Bound, Miss};

/// Bounds that are sums and products of decimals.
const TOLERANCE: f64 = 1e-9;

/// What a vector expects and has not been seen yet.
#[derive(Debug)]
pub(super) struct Expected {
    left: Map<String, Value>,
    misses: Vec<Miss>,
}

impl Expected {
    pub(super) const fn new(left: Map<String, Value>) -> Self {
        Self { left, misses: Vec::new() }
    }

    /// Takes an expectation out, to be judged by whoever asks.
    pub(super) fn take(&mut self, field: &str) -> Option<Value> {
        self.left.remove(field)
    }

    /// Something was seen. If nobody expects it, it does not matter.
    pub(super) fn see(&mut self, field: &str, got: impl Into<Value>) {
        if let Some(expected) = self.take(field) {
            let got = got.into();
            self.judge(field, &expected, &got, Bound::Equal.holds(&expected, &got, TOLERANCE));
        }
    }

    /// The same for a word that has several names.
    pub(super) fn see_word(&mut self, field: &str, got: &str) {
        if let Some(expected) = self.take(field) {
            let same = expected.as_str().is_some_and(|expected| meaning(expected) == meaning(got));
            self.judge(field, &expected, &got.into(), same);
        }
    }

    /// The same for a list of words.
    pub(super) fn see_words(&mut self, field: &str, got: &[impl AsRef<str>]) {
        if let Some(expected) = self.take(field) {
            let got: Vec<&str> = got.iter().map(AsRef::as_ref).collect();
            let same = expected.as_array().is_some_and(|expected| {
                expected.len() == got.len()
                    && expected.iter().zip(&got).all(|(e, g)| e.as_str().is_some_and(|e| meaning(e) == meaning(g)))
            });
            self.judge(field, &expected, &got.into(), same);
        }
    }

    /// Figures were seen, of which some are expected.
    pub(super) fn see_object(&mut self, field: &str, expected: &Value, got: &Map<String, Value>) {
        let got = Value::Object(got.clone());
        self.judge(field, expected, &got, Bound::Equal.holds(expected, &got, TOLERANCE));
    }

    /// Something was judged.
    pub(super) fn judge(&mut self, field: &str, expected: &Value, got: &Value, holds: bool) {
        if !holds {
            let miss = Miss { step: None, field: field.into(), expected: expected.to_string(), got: got.to_string() };
            self.misses.push(miss);
        }
    }

    /// Something that this project does not have was asked for.
    pub(super) fn lacks(&mut self, what: &str, got: &str) {
        self.misses.push(Miss { step: None, field: what.into(), expected: what.into(), got: got.into() });
    }

    /// Takes over what another has seen and missed.
    pub(super) fn absorb(&mut self, other: Self) {
        self.misses.extend(other.finish());
    }

    /// The names of what is left.
    pub(super) fn names(&self) -> Vec<String> {
        self.left.keys().cloned().collect()
    }

    /// What did not come as expected, or not at all.
    pub(super) fn finish(mut self) -> Vec<Miss> {
        for (field, expected) in std::mem::take(&mut self.left) {
            let got = "nothing: it is not a field that this project has".into();
            self.misses.push(Miss { step: None, field, expected: expected.to_string(), got });
        }
        self.misses
    }
}

/// One word of those that the systems have for the same.
fn meaning(word: &str) -> &str {
    match word {
        "queue_full" | "overload" | "overloaded" => "rejected",
        "pool_closed" | "closed" => "pool_stopped",
        "canceled" => "cancelled",
        other => other,
    }
}
