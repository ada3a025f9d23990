//! How a backoff is written in a file: a table of its shape.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Backoff, Jitter, Shape};
use crate::ConfigError;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Table {
    Fixed {
        #[serde(with = "humantime_serde")]
        wait: Duration,
        #[serde(default, skip_serializing_if = "is_none")]
        jitter: Jitter,
    },
    Linear {
        #[serde(with = "humantime_serde")]
        initial: Duration,
        #[serde(with = "humantime_serde")]
        step: Duration,
        #[serde(with = "humantime_serde")]
        max: Duration,
        #[serde(default, skip_serializing_if = "is_none")]
        jitter: Jitter,
    },
    Exponential {
        #[serde(with = "humantime_serde")]
        initial: Duration,
        multiplier: f64,
        #[serde(with = "humantime_serde")]
        max: Duration,
        #[serde(default, skip_serializing_if = "is_none")]
        jitter: Jitter,
    },
    Polynomial {
        #[serde(with = "humantime_serde")]
        unit: Duration,
        exponent: u32,
        #[serde(with = "humantime_serde")]
        max: Duration,
        #[serde(default, skip_serializing_if = "is_none")]
        jitter: Jitter,
    },
    Decorrelated {
        #[serde(with = "humantime_serde")]
        initial: Duration,
        #[serde(with = "humantime_serde")]
        max: Duration,
        #[serde(default, skip_serializing_if = "is_none")]
        jitter: Jitter,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_none(jitter: &Jitter) -> bool {
    *jitter == Jitter::None
}

impl TryFrom<Table> for Backoff {
    type Error = ConfigError;

    fn try_from(table: Table) -> Result<Self, ConfigError> {
        let (backoff, jitter) = match table {
            Table::Fixed { wait, jitter } => (Self::fixed(wait), jitter),
            Table::Linear { initial, step, max, jitter } => (Self::linear(initial, step, max)?, jitter),
            Table::Exponential { initial, multiplier, max, jitter } => {
                (Self::exponential(initial, multiplier, max)?, jitter)
            }
            Table::Polynomial { unit, exponent, max, jitter } => (Self::polynomial(unit, exponent, max)?, jitter),
            Table::Decorrelated { initial, max, jitter } => (Self::decorrelated(initial, max)?, jitter),
        };
        Ok(backoff.jitter(jitter))
    }
}

impl From<Backoff> for Table {
    #[expect(clippy::float_cmp, reason = "a fixed wait has exactly this multiplier")]
    fn from(Backoff { initial, shape, max, jitter }: Backoff) -> Self {
        match shape {
            Shape::Exponential { multiplier } if multiplier == 1.0 && initial == max => {
                Self::Fixed { wait: initial, jitter }
            }
            Shape::Exponential { multiplier } => Self::Exponential { initial, multiplier, max, jitter },
            Shape::Linear { step } => Self::Linear { initial, step, max, jitter },
            Shape::Polynomial { exponent } => Self::Polynomial { unit: initial, exponent, max, jitter },
            Shape::Decorrelated => Self::Decorrelated { initial, max, jitter },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_read_as_it_was_written() {
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3_600));
        let shapes = [
            Backoff::fixed(second),
            Backoff::linear(second, second, hour).expect("valid"),
            Backoff::exponential(second, 1.0, hour).expect("valid"),
            Backoff::exponential(second, 1.5, hour).expect("valid"),
            Backoff::polynomial(second, 4, hour).expect("valid"),
            Backoff::decorrelated(second, hour).expect("valid"),
        ];
        for shape in shapes {
            for jitter in [Jitter::None, Jitter::Full, Jitter::Spread(10), Jitter::Below(50)] {
                let backoff = shape.jitter(jitter);
                let text = serde_json::to_string(&backoff).expect("writes");
                assert_eq!(serde_json::from_str::<Backoff>(&text).expect("reads"), backoff, "{text}");
            }
        }
    }

    #[test]
    fn a_table_that_cannot_be_says_why() {
        let read = |text| serde_json::from_str::<Backoff>(text).expect_err(text).to_string();
        let error = read(r#"{"polynomial": {"unit": "1s", "exponent": 0, "max": "1h"}}"#);
        assert!(error.starts_with("`exponent` is 0, must be 1 to 16"), "{error}");
        let error = read(r#"{"fixed": {"wait": "1s", "jiter": "full"}}"#);
        assert!(error.starts_with("unknown field `jiter`, expected `wait` or `jitter`"), "{error}");
    }
}
