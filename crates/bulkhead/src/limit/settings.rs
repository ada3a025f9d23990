//! What all configurations of algorithms share: setters, and checks that name the field.

use std::time::Duration;

use seawall_core::ConfigError;

/// A setter for each public field, named as the field.
macro_rules! setters {
    ($config:ident { $($field:ident: $kind:ty),+ $(,)? }) => {
        impl $config {
            $(
                #[doc = concat!("The same with this [`", stringify!($field), "`](field@Self::", stringify!($field), ").")]
                #[must_use]
                pub const fn $field(mut self, $field: $kind) -> Self {
                    self.$field = $field;
                    self
                }
            )+
        }
    };
}

/// Checks the fields of one algorithm, whose errors begin with its name.
#[derive(Clone, Copy)]
pub(super) struct Fields(pub(super) &'static str);

impl Fields {
    const LONGEST: Duration = Duration::from_secs(366 * 86_400);

    pub(super) fn error(self, field: &str, value: impl std::fmt::Display, valid: impl Into<String>) -> ConfigError {
        ConfigError::new(format!("{}.{field}", self.0), value, valid.into())
    }

    pub(super) fn bounds(self, initial: u32, min: u32, max: u32) -> Result<(), ConfigError> {
        if min == 0 {
            return Err(self.error("min", min, "1 to the `max`"));
        }
        if max < min {
            return Err(self.error("max", max, format!("at least the `min` of {min}")));
        }
        if !(min..=max).contains(&initial) {
            return Err(self.error("initial", initial, format!("{min} to {max}")));
        }
        Ok(())
    }

    /// Above 0 and at most 1.
    pub(super) fn share(self, field: &str, value: f64) -> Result<(), ConfigError> {
        let fits = value > 0.0 && value <= 1.0;
        if fits { Ok(()) } else { Err(self.error(field, value, "a number above 0 and at most 1")) }
    }

    /// Above 0 and below 1.
    pub(super) fn part(self, field: &str, value: f64) -> Result<(), ConfigError> {
        let fits = value > 0.0 && value < 1.0;
        if fits { Ok(()) } else { Err(self.error(field, value, "a number above 0 and below 1")) }
    }

    pub(super) fn number(self, field: &str, value: f64, least: f64, most: f64) -> Result<(), ConfigError> {
        let fits = (least..=most).contains(&value);
        if fits { Ok(()) } else { Err(self.error(field, value, format!("a number from {least} to {most}"))) }
    }

    pub(super) fn count(self, field: &str, value: u32, least: u32, most: u32) -> Result<(), ConfigError> {
        let fits = (least..=most).contains(&value);
        if fits { Ok(()) } else { Err(self.error(field, value, format!("{least} to {most}"))) }
    }

    pub(super) fn duration(self, field: &str, value: Duration) -> Result<(), ConfigError> {
        let fits = !value.is_zero() && value <= Self::LONGEST;
        if fits { Ok(()) } else { Err(self.error(field, format!("{value:?}"), "1ns to 366days")) }
    }
}
