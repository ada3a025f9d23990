use std::fmt;

use serde_json::Value;

/// Something that did not come as the vector says.
#[derive(Debug)]
pub(crate) struct Miss {
    /// The step after which it was looked for; none if the vector could not even be begun.
    pub(crate) step: Option<u64>,
    /// What was looked for: a field of the expectation, or `op` if the step could not be taken.
    pub(crate) field: String,
    pub(crate) expected: String,
    pub(crate) got: String,
}

impl Miss {
    /// The vector could not be begun.
    pub(crate) fn before_all(field: &str, why: impl fmt::Display) -> Self {
        Self { step: None, field: field.into(), expected: "one that this project knows".into(), got: why.to_string() }
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(step) = self.step {
            write!(f, "step {step}: ")?;
        }
        write!(f, "{}: expected {}, got {}", self.field, self.expected, self.got)
    }
}

/// How an expectation compares: the name may end in a bound.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    Equal,
    AtLeast,
    AtMost,
    Above,
    Below,
}

impl Bound {
    /// The field and the comparison that a name such as `value_max_exclusive` stands for.
    pub(crate) fn of(name: &str) -> (&str, Self) {
        for (suffix, bound) in [
            ("_min_exclusive", Self::Above),
            ("_max_exclusive", Self::Below),
            ("_min", Self::AtLeast),
            ("_max", Self::AtMost),
        ] {
            if let Some(field) = name.strip_suffix(suffix) {
                return (field, bound);
            }
        }
        (name, Self::Equal)
    }

    /// Whether `got` is as expected; numbers within `tolerance`.
    pub(crate) fn holds(self, expected: &Value, got: &Value, tolerance: f64) -> bool {
        if let (Some(expected), Some(got)) = (expected.as_f64(), got.as_f64()) {
            return match self {
                Self::Equal => (expected - got).abs() <= tolerance,
                Self::AtLeast => got >= expected - tolerance,
                Self::AtMost => got <= expected + tolerance,
                Self::Above => got > expected,
                Self::Below => got < expected,
            };
        }
        match (self, expected, got) {
            (Self::Equal, Value::Array(expected), Value::Array(got)) => {
                expected.len() == got.len() && expected.iter().zip(got).all(|(e, g)| self.holds(e, g, tolerance))
            }
            (Self::Equal, Value::Object(expected), Value::Object(got)) => {
                expected.iter().all(|(key, e)| got.get(key).is_some_and(|g| self.holds(e, g, tolerance)))
            }
            (Self::Equal, expected, got) => expected == got,
            _ => false,
        }
    }
}
