use std::fmt;

use crate::ConfigError;

/// A share: a number above 0 and at most 1.
///
/// ```
/// use seawall_core::Ratio;
///
/// let half = Ratio::new(0.5)?;
/// assert!(half.is_reached_by(3, 6));
/// assert!(!half.is_reached_by(2, 6));
/// assert!(Ratio::new(f64::NAN).is_err());
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Ratio(f64);

impl Ratio {
    /// All of it.
    pub const ONE: Self = Self(1.0);

    /// What can be a ratio, for error messages.
    pub const VALID: &'static str = "a number above 0 and at most 1";

    /// The ratio of this value.
    ///
    /// # Errors
    /// If it is not above 0 and at most 1, or not a number.
    pub fn new(value: f64) -> Result<Self, ConfigError> {
        if value > 0.0 && value <= 1.0 { Ok(Self(value)) } else { Err(ConfigError::new("ratio", value, Self::VALID)) }
    }

    /// The ratio of so many hundredths.
    ///
    /// # Panics
    /// If `percent` is not 1 to 100: at compile time when used in a constant.
    pub const fn percent(percent: u8) -> Self {
        assert!(percent >= 1 && percent <= 100, "a percentage is 1 to 100");
        Self(percent as f64 / 100.0)
    }

    /// Its value.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// Whether `part` of `whole` is at least this share. A quotient of two counts is rounded correctly, so a threshold
    /// written in decimals is met exactly.
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^53 are exact, and windows are far smaller")]
    pub fn is_reached_by(self, part: u64, whole: u64) -> bool {
        whole > 0 && part as f64 / whole as f64 >= self.0
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl TryFrom<f64> for Ratio {
    type Error = ConfigError;

    fn try_from(value: f64) -> Result<Self, ConfigError> {
        Self::new(value)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Ratio {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Ratio {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Self::new(value)
            .map_err(|error| serde::de::Error::custom(format_args!("{} is not {}", error.value(), error.valid())))
    }
}
