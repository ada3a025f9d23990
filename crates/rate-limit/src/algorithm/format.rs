//! How an algorithm is written in a file: its name, or a table of its name with parameters.

use std::fmt;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Algorithm;
use crate::limit::{Alignment, SlidingWindow};

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Table {
    SlidingWindow(Buckets),
    Gcra(Nothing),
    SlidingLog(Nothing),
    WindowCounter(Nothing),
    FixedWindow(Aligned),
    TokenSteps(Nothing),
    WarmUp(Warm),
    Pacer(Slack),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Buckets {
    buckets: u8,
}

impl Default for Buckets {
    fn default() -> Self {
        Self { buckets: SlidingWindow::MOST_BUCKETS }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Aligned {
    alignment: Alignment,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Warm {
    #[serde(with = "humantime_serde")]
    over: Duration,
    #[serde(default = "third")]
    cold_factor: f64,
}

const fn third() -> f64 {
    3.0
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Slack {
    slack: u32,
}

impl From<Table> for Algorithm {
    fn from(table: Table) -> Self {
        match table {
            Table::SlidingWindow(Buckets { buckets }) => Self::SlidingWindow { buckets },
            Table::Gcra(Nothing {}) => Self::Gcra,
            Table::SlidingLog(Nothing {}) => Self::SlidingLog,
            Table::WindowCounter(Nothing {}) => Self::WindowCounter,
            Table::FixedWindow(Aligned { alignment }) => Self::FixedWindow { alignment },
            Table::TokenSteps(Nothing {}) => Self::TokenSteps,
            Table::WarmUp(Warm { over, cold_factor }) => Self::WarmUp { over, cold_factor },
            Table::Pacer(Slack { slack }) => Self::Pacer { slack },
        }
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable;

        impl<'de> Visitor<'de> for NameOrTable {
            type Value = Algorithm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an algorithm, or a table of its name with parameters")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Algorithm, E> {
                Ok(match name {
                    "sliding_window" => Algorithm::sliding_window(),
                    "gcra" => Algorithm::Gcra,
                    "sliding_log" => Algorithm::SlidingLog,
                    "window_counter" => Algorithm::WindowCounter,
                    "fixed_window" => Algorithm::fixed_window(),
                    "token_steps" => Algorithm::TokenSteps,
                    "pacer" => Algorithm::pacer(),
                    "warm_up" => {
                        return Err(E::custom("`warm_up` needs a table with `over`, such as { over = \"10s\" }"));
                    }
                    _ => {
                        let valid = "one of sliding_window, gcra, sliding_log, window_counter, fixed_window, token_steps, \
                                     warm_up, pacer";
                        return Err(E::custom(format_args!("`algorithm` is {name:?}, must be {valid}")));
                    }
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Algorithm, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map)).map(Algorithm::from)
            }
        }

        deserializer.deserialize_any(NameOrTable)
    }
}
