use std::time::Duration;

use seawall_circuit_breaker::{Cause, Config, HalfOpen, SuccessRateEma, Trip, Window};
use serde::Deserialize;
use serde_json::Value;

use super::{Setup, Style, millis};
use crate::circuit_breaker::case::Case;
use crate::circuit_breaker::foresee::NEVER_SLOW;

/// When a node is taken out of use, and for how long.
#[derive(Deserialize)]
#[serde(tag = "policy", rename_all = "kebab-case", deny_unknown_fields)]
enum Policy {
    Consecutive {
        failures: u32,
        mark_dead_ms: u64,
    },
    SuccessRateWithinDuration {
        required: f64,
        window_ms: u64,
        min_requests: u32,
        mark_dead_ms: u64,
    },
    #[serde(rename = "success-rate-ema")]
    SuccessRateOverCalls {
        required: f64,
        window: u32,
        mark_dead_ms: u64,
    },
    /// Any of them, for as long as the longest of those says.
    Or {
        of: Vec<Self>,
    },
}

#[derive(Clone, Copy, Default)]
struct Rules {
    /// In a row, and how long then.
    consecutive: Option<(u32, Duration)>,
    average: Option<Average>,
}

#[derive(Clone, Copy)]
struct Average {
    rule: SuccessRateEma,
    dead: Duration,
}

pub(super) fn accrual(case: &Case) -> Result<Setup, String> {
    let mut rules = Rules::default();
    rules.add(&case.config()?)?;
    let config = Config::empty().half_open(HalfOpen::probes(1).without_max());
    let config = match rules.consecutive {
        Some((failures, _)) => config.consecutive_failures(failures),
        None => config,
    };
    let config = match rules.average {
        Some(average) => config.success_rate_ema(average.rule),
        None => config,
    };
    let config = config.open_by(move |trip: &Trip| rules.dead(trip));
    Ok(Setup::breaker(config, Window::count(1), Style::new(1.0, Value::Null)))
}

impl Rules {
    fn add(&mut self, policy: &Policy) -> Result<(), String> {
        match policy {
            Policy::Consecutive { failures, mark_dead_ms } => {
                let new = (*failures, millis(*mark_dead_ms));
                self.consecutive = Some(match self.consecutive {
                    // The shorter run comes first and decides alone; of equal ones the longer pause wins.
                    Some(old) if old.0 < new.0 || (old.0 == new.0 && old.1 >= new.1) => old,
                    _ => new,
                });
            }
            Policy::SuccessRateWithinDuration { required, window_ms, min_requests, mark_dead_ms } => {
                // The failure that is judged is a request too, so none and one are the same minimum.
                let rule = SuccessRateEma::over_time(*required, millis(*window_ms));
                self.add_average(rule.minimum_calls((*min_requests).max(1)), *mark_dead_ms)?;
            }
            Policy::SuccessRateOverCalls { required, window, mark_dead_ms } => {
                self.add_average(SuccessRateEma::over_calls(*required, *window), *mark_dead_ms)?;
            }
            Policy::Or { of } => of.iter().try_for_each(|policy| self.add(policy))?,
        }
        Ok(())
    }

    fn add_average(&mut self, rule: SuccessRateEma, mark_dead_ms: u64) -> Result<(), String> {
        match self.average.replace(Average { rule, dead: millis(mark_dead_ms) }) {
            None => Ok(()),
            Some(_) => Err("two averages in one circuit".into()),
        }
    }

    /// The longest that a rule which is met asks for.
    fn dead(&self, trip: &Trip) -> Duration {
        let by_run = self.consecutive.filter(|_| trip.cause == Cause::ConsecutiveFailures).map(|(_, dead)| dead);
        // Of a probe that failed nothing tells which of them it would have met.
        let probed = trip.cause == Cause::ProbesFailed;
        let by_average = self
            .average
            .filter(|average| !probed && trip.success_rate_ema.is_some_and(|share| share < average.rule.required));
        let all = self.consecutive.map(|(_, dead)| dead).into_iter().chain(self.average.map(|average| average.dead));
        by_run.max(by_average.map(|average| average.dead)).or(all.max()).unwrap_or(NEVER_SLOW)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Adder {
    window_ms: u64,
    slices: u32,
}

/// Its sum is that of calls that succeeded, less those that failed: a window keeps both, and so numbers of either sign.
pub(super) fn window(case: &Case) -> Result<Setup, String> {
    let Adder { window_ms, slices } = case.config()?;
    Ok(Setup::window(Window::time(millis(window_ms)).buckets(slices), Style::new(1.0, Value::Null)))
}
