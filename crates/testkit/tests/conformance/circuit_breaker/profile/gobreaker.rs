use seawall_circuit_breaker::{Config, HalfOpen, Window};
use serde::Deserialize;
use serde_json::Value;

use super::{Setup, Style, millis};
use crate::circuit_breaker::case::Case;
use crate::circuit_breaker::foresee::NEVER_SLOW;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    max_requests: u32,
    /// Zero: the counts live as long as the state.
    interval_ms: u64,
    timeout_ms: u64,
    /// A Go expression.
    trip: String,
    bucket_ms: Option<u64>,
    buckets: Option<u32>,
}

pub(super) fn breaker(case: &Case) -> Result<Setup, String> {
    let fields: Fields = case.config()?;
    let interval = millis(fields.interval_ms);
    let (window, counted_over, clears_every) = match (fields.bucket_ms, fields.buckets) {
        (None, None) => (Window::time(NEVER_SLOW).buckets(1), None, (!interval.is_zero()).then_some(interval)),
        (Some(length), Some(buckets)) if length * u64::from(buckets) == fields.interval_ms => {
            (Window::time(interval).buckets(buckets), Some((millis(length), buckets)), None)
        }
        _ => return Err("buckets that do not make up the interval".into()),
    };
    let probes = HalfOpen::probes(fields.max_requests).without_max();
    let trip = Trip::read(&fields.trip)?;
    let (config, is_judged_by_rate) = match trip {
        Trip::Consecutive { failures } => (Config::gobreaker().consecutive_failures(failures), false),
        Trip::Rate { minimum, rate } => {
            (Config::empty().window(window.minimum_calls(minimum)).failure_rate(rate), true)
        }
    };
    let config = config.open_for(millis(fields.timeout_ms)).half_open(probes);
    Ok(Setup {
        counted_over,
        is_judged_by_rate,
        clears_every,
        ..Setup::breaker(config, window, Style::new(1.0, Value::Null))
    })
}

enum Trip {
    Consecutive { failures: u32 },
    Rate { minimum: u32, rate: f64 },
}

impl Trip {
    fn read(trip: &str) -> Result<Self, String> {
        let mut clauses = trip.split("&&").map(|clause| clause.split_whitespace().collect::<Vec<_>>());
        let unknown = || format!("the rule {trip:?}");
        let number = |text: &str| text.parse::<u32>().map_err(|error| format!("{}: {error}", unknown()));
        let (first, second) = (clauses.next().unwrap_or_default(), clauses.next());
        if clauses.next().is_some() {
            return Err(unknown());
        }
        match (first.as_slice(), second.as_deref()) {
            (["consecutive_failures", ">", than], None) => {
                Ok(Self::Consecutive { failures: number(than)?.saturating_add(1) })
            }
            (["consecutive_failures", ">=", least], None) => Ok(Self::Consecutive { failures: number(least)? }),
            (["valid_requests", ">=", minimum], Some(["failures/valid_requests", ">=", rate])) => Ok(Self::Rate {
                minimum: number(minimum)?,
                rate: rate.parse::<f64>().map_err(|error| format!("{}: {error}", unknown()))?,
            }),
            _ => Err(unknown()),
        }
    }
}
