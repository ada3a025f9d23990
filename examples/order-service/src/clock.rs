//! Wall time, for what is stored and shown; durations are the family's clock's.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// A moment of wall time in milliseconds since 1970, as it is stored; RFC 3339 as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-03-01T09:30:00.000Z")]
pub(crate) struct WallTime(i64);

impl WallTime {
    /// The last that RFC 3339 can write.
    const LAST: i64 = 253_402_300_799_999;

    /// The machine's own idea of the time.
    #[expect(
        clippy::disallowed_methods,
        reason = "what is stored and shown to people is wall time, and read here only"
    )]
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// From a stored value; what lies before 1970 or after 9999 cannot be shown and counts as 1970.
    pub(crate) fn from_millis(millis: i64) -> Self {
        Self(if (0..=Self::LAST).contains(&millis) { millis } else { 0 })
    }

    /// As it is stored.
    pub(crate) fn as_millis(self) -> i64 {
        self.0
    }

    /// Later by `duration`.
    pub(crate) fn after(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis).min(Self::LAST))
    }

    /// As the standard library has it.
    pub(crate) fn to_system(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0.unsigned_abs())
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_millis(self.to_system()).fmt(f)
    }
}

impl Serialize for WallTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_stored_moment_can_be_shown() {
        assert_eq!(WallTime::from_millis(1_700_000_000_123).to_string(), "2023-11-14T22:13:20.123Z");
        for odd in [i64::MIN, -1, i64::MAX] {
            assert_eq!(WallTime::from_millis(odd).to_string(), "1970-01-01T00:00:00.000Z");
        }
    }
}
