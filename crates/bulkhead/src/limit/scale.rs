use seawall_core::ConfigError;

use super::settings::Fields;
use super::stats::log10_int;

/// A number of calls that may grow with the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Scale {
    /// Always as many.
    Fixed(u32),
    /// So many times the [decimal logarithm](log10_int) of the limit: a limit of 1000 has three times the number of one of 10.
    Log10(u32),
}

impl Scale {
    /// How many it is for this limit.
    pub fn of(self, limit: u32) -> u32 {
        match self {
            Self::Fixed(calls) => calls,
            Self::Log10(times) => times.saturating_mul(log10_int(limit)),
        }
    }

    pub(super) fn check(self, fields: Fields, field: &str) -> Result<(), ConfigError> {
        let (Self::Fixed(calls) | Self::Log10(calls)) = self;
        fields.count(field, calls, 1, 1_000_000)
    }
}

/// How a limit is lowered.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Decrease {
    /// By so many.
    By(Scale),
    /// To this part of it: above 0 and below 1.
    To(f64),
}

impl Decrease {
    /// What is left of `limit`, of which `whole` are whole.
    pub(super) fn of(self, limit: f64, whole: u32) -> f64 {
        match self {
            Self::By(scale) => limit - f64::from(scale.of(whole)),
            Self::To(part) => limit * part,
        }
    }

    pub(super) fn check(self, fields: Fields, field: &str) -> Result<(), ConfigError> {
        match self {
            Self::By(scale) => scale.check(fields, field),
            Self::To(part) => fields.part(field, part),
        }
    }
}
