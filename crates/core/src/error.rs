use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// A configuration value that cannot be: which field, what it was, what would be valid.
///
/// ```
/// let error = seawall_core::ConfigError::new("window.size", "0", "1 to 1000000");
/// assert_eq!(error.to_string(), "`window.size` is 0, must be 1 to 1000000");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    field: Cow<'static, str>,
    value: String,
    valid: Cow<'static, str>,
}

impl ConfigError {
    /// An error about `field`, whose value was `value` and must be `valid`.
    pub fn new(
        field: impl Into<Cow<'static, str>>,
        value: impl fmt::Display,
        valid: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { field: field.into(), value: value.to_string(), valid: valid.into() }
    }

    /// The field, with a dotted path where it is inside another.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The value that was given, as text.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What would be valid.
    pub fn valid(&self) -> &str {
        &self.valid
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {}, must be {}", self.field, self.value, self.valid)
    }
}

impl Error for ConfigError {}
