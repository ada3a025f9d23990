//! How a schedule is written in a file: a backoff, or the name of one that is none.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use seawall_core::Backoff;

use super::Schedule;

const SIDEKIQ: &str = "sidekiq";

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Backoff(backoff) => backoff.serialize(serializer),
            Self::Sidekiq => serializer.serialize_str(SIDEKIQ),
        }
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScheduleVisitor)
    }
}

struct ScheduleVisitor;

impl<'de> Visitor<'de> for ScheduleVisitor {
    type Value = Schedule;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`sidekiq` or a table of a backoff's shape")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Schedule, E> {
        if name == SIDEKIQ { Ok(Schedule::Sidekiq) } else { Err(E::invalid_value(Unexpected::Str(name), &self)) }
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Schedule, A::Error> {
        Backoff::deserialize(MapAccessDeserializer::new(table)).map(Schedule::Backoff)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::retry::Retry;

    use super::*;

    #[test]
    fn a_retry_is_read_as_it_was_written() {
        let backoff = Backoff::polynomial(Duration::from_secs(1), 4, Duration::from_secs(3_600)).expect("valid");
        for retry in
            [Retry::never(), Retry::new(25).sidekiq().panics(true), Retry::new(4).backoff(backoff), Retry::new(7)]
        {
            let text = serde_json::to_string(&retry).expect("writes");
            assert_eq!(serde_json::from_str::<Retry>(&text).expect("reads"), retry, "{text}");
        }
    }

    #[test]
    fn a_schedule_that_is_none_is_named() {
        let read = |text| serde_json::from_str::<Retry>(text).expect_err(text).to_string();
        let error = read(r#"{"attempts": 3, "backoff": "fibonacci"}"#);
        assert!(error.contains("\"fibonacci\", expected `sidekiq` or a table of a backoff's shape"), "{error}");
        let error = read(r#"{"attempts": 3, "tries": 4}"#);
        assert!(error.contains("unknown field `tries`"), "{error}");
    }
}
