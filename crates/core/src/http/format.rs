//! How [`Statuses`] are written in a file: `failure = ["5xx", 408, 429]`, `ignored = ["400-404"]`.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{StatusRange, Statuses};
use crate::{ConfigError, Outcome};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    failure: Option<Vec<StatusRange>>,
    ignored: Option<Vec<StatusRange>>,
}

impl TryFrom<File> for Statuses {
    type Error = ConfigError;

    fn try_from(file: File) -> Result<Self, ConfigError> {
        let mut statuses = if file.failure.is_some() { Self::empty() } else { Self::default() };
        let failures = file.failure.unwrap_or_default();
        for &range in &failures {
            statuses = statuses.failure(range)?;
        }
        for range in file.ignored.unwrap_or_default() {
            statuses = statuses.ignored(range)?;
            if failures.iter().any(|failure| failure.first <= range.last && range.first <= failure.last) {
                return Err(ConfigError::new("ignored", range, "statuses that are not failures too"));
            }
        }
        Ok(statuses)
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(File::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Serialize for Statuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Lists {
            failure: Vec<StatusRange>,
            ignored: Vec<StatusRange>,
        }

        let list = |outcome| self.ranges(outcome).collect();
        Lists { failure: list(Outcome::Failure), ignored: list(Outcome::Ignored) }.serialize(serializer)
    }
}

impl Serialize for StatusRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.first == self.last { serializer.serialize_u16(self.first) } else { serializer.collect_str(self) }
    }
}

impl<'de> Deserialize<'de> for StatusRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;

        impl Visitor<'_> for NumberOrText {
            type Value = StatusRange;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(StatusRange::VALID)
            }

            fn visit_u64<E: Error>(self, status: u64) -> Result<StatusRange, E> {
                let number = u16::try_from(status).map(StatusRange::from);
                number.map_err(|_too_large| E::invalid_value(Unexpected::Unsigned(status), &self))
            }

            fn visit_i64<E: Error>(self, status: i64) -> Result<StatusRange, E> {
                let number = u16::try_from(status).map(StatusRange::from);
                number.map_err(|_out_of_range| E::invalid_value(Unexpected::Signed(status), &self))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<StatusRange, E> {
                text.parse().map_err(|_neither| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(NumberOrText)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Statuses, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_takes_the_place_of_the_defaults() {
        assert_eq!(read("{}"), Ok(Statuses::default()));
        assert_eq!(read(r#"{"failure": []}"#), Ok(Statuses::empty()));
        let only = Statuses::empty().failure(500..=599).and_then(|s| s.failure(429)).and_then(|s| s.ignored(400..=404));
        assert_eq!(read(r#"{"failure": ["5xx", 429], "ignored": ["400-404"]}"#), only.map_err(|e| e.to_string()));
        let beside = Statuses::default().ignored(503).expect("valid");
        assert_eq!(read(r#"{"ignored": ["503"]}"#), Ok(beside));
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let some = Statuses::default().ignored(404).and_then(|statuses| statuses.failure(300..=399)).expect("valid");
        let text = serde_json::to_string(&some).expect("JSON");
        assert_eq!(text, r#"{"failure":["3xx",408,429,500,"502-504","506-999"],"ignored":[404]}"#);
        assert_eq!(read(&text), Ok(some));
    }

    #[test]
    fn an_error_says_what_would_be_valid() {
        for (text, says) in [
            (r#"{"failure": [99]}"#, "`failure` is 99, must be a status from 100 to 999"),
            (r#"{"failure": ["504-500"]}"#, "`failure` is 504-500, must be a range that does not end before it begins"),
            (
                r#"{"failure": ["5xx"], "ignored": [503]}"#,
                "`ignored` is 503, must be statuses that are not failures too",
            ),
            (r#"{"ignored": ["0xx"]}"#, "invalid value: string \"0xx\", expected a status from 100 to 999, a range"),
            (r#"{"ignored": [-1]}"#, "invalid value: integer `-1`, expected a status"),
            (r#"{"ignored": [70000]}"#, "invalid value: integer `70000`, expected a status"),
            (r#"{"ignored": [404.5]}"#, "invalid type: floating point `404.5`, expected a status"),
            (r#"{"failures": []}"#, "unknown field `failures`, expected `failure` or `ignored`"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
