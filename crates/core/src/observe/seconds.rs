//! A span of time as a number of seconds: how snapshots and events write theirs, in the unit of the metrics.
//!
//! For serde's `with` on a field of type `Duration`; [`option`] is for an `Option<Duration>`. An `f64` tells nanoseconds
//! apart in spans of up to 97 days; longer ones are rounded. Configuration is for people and holds texts such as `"30s"`
//! instead.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Snapshot {
//!     #[serde(rename = "age_seconds", with = "seawall_core::observe::seconds")]
//!     age: Duration,
//!     #[serde(rename = "wait_seconds", with = "seawall_core::observe::seconds::option")]
//!     wait: Option<Duration>,
//! }
//!
//! let json = serde_json::to_string(&Snapshot { age: Duration::from_millis(1_500), wait: None })?;
//! assert_eq!(json, r#"{"age_seconds":1.5,"wait_seconds":null}"#);
//! let read: Snapshot = serde_json::from_str(&json)?;
//! assert_eq!((read.age, read.wait), (Duration::from_millis(1_500), None));
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// Writes `span` as an `f64`.
///
/// # Errors
///
/// Those of `serializer`.
pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64())
}

/// Reads a number of seconds, rounded to nanoseconds.
///
/// # Errors
///
/// For what is not a number of at least 0 that fits into a `Duration`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    read(f64::deserialize(deserializer)?)
}

fn read<E: Error>(seconds: f64) -> Result<Duration, E> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|error| E::custom(format_args!("{seconds} is not a span of time in seconds: {error}")))
}

/// A span of time that may be absent, as a number of seconds or nothing.
pub mod option {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes `span` as an `f64`, or that there is none.
    ///
    /// # Errors
    ///
    /// Those of `serializer`.
    pub fn serialize<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => serializer.serialize_some(&span.as_secs_f64()),
            None => serializer.serialize_none(),
        }
    }

    /// Reads a number of seconds, rounded to nanoseconds, or nothing.
    ///
    /// # Errors
    ///
    /// For what is there and not a number of at least 0 that fits into a `Duration`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Option::<f64>::deserialize(deserializer)?.map(super::read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn written(span: Duration) -> Value {
        serialize(&span, serde_json::value::Serializer).expect("writes")
    }

    #[test]
    fn a_span_is_a_number_and_an_absent_one_is_null() {
        let wait = |span: Option<Duration>| option::serialize(&span, serde_json::value::Serializer).expect("writes");
        assert_eq!(written(Duration::from_millis(250)), json!(0.25));
        assert_eq!(written(Duration::ZERO), json!(0.0));
        assert_eq!(wait(Some(Duration::from_secs(3))), json!(3.0));
        assert_eq!(wait(None), json!(null));
        assert_eq!(option::deserialize(json!(3)).expect("reads"), Some(Duration::from_secs(3)));
        assert_eq!(option::deserialize(json!(null)).expect("reads"), None);
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for seconds in [-0.5, 1e300] {
            let error = deserialize(json!(seconds)).expect_err("refused").to_string();
            assert!(error.starts_with(&format!("{seconds} is not a span of time in seconds: ")), "{error}");
            assert_eq!(option::deserialize(json!(seconds)).expect_err("refused").to_string(), error);
        }
        for wrong in [json!(null), json!("3s")] {
            assert!(deserialize(&wrong).is_err(), "{wrong}");
        }
        assert!(read::<serde_json::Error>(f64::NAN).is_err());
    }

    proptest! {
        #[test]
        fn up_to_97_days_not_a_nanosecond_is_lost(secs in 0..97 * 86_400_u64, nanos in 0..1_000_000_000_u32) {
            let span = Duration::new(secs, nanos);
            prop_assert_eq!(deserialize(written(span)).expect("reads"), span);
        }
    }
}
