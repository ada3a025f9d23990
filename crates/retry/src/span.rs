//! Which spans of time a configuration takes.

use std::time::Duration;

use seawall_core::ConfigError;

const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Any, up to the longest.
pub(crate) fn bounded(field: &'static str, span: Duration) -> Result<Duration, ConfigError> {
    if span <= LONGEST { Ok(span) } else { Err(ConfigError::new(field, format!("{span:?}"), "at most 366 days")) }
}

/// Any but none.
pub(crate) fn positive(field: &'static str, span: Duration) -> Result<Duration, ConfigError> {
    if span.is_zero() || span > LONGEST {
        return Err(ConfigError::new(field, format!("{span:?}"), "above zero and at most 366 days"));
    }
    Ok(span)
}
