use std::time::Duration;

use seawall_circuit_breaker::{Cause, Config, HalfOpen, Trip, Window};
use serde::Deserialize;
use serde_json::Value;

use super::{Setup, Style, failures_above, millis};
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
    /// An average over so many calls that fades. Here it is that of the last so many.
    SuccessRateEma {
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
    rate: Option<Rate>,
}

#[derive(Clone, Copy)]
struct Rate {
    window: Window,
    minimum: u32,
    failures: f64,
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
    let config = match rules.rate {
        Some(rate) => config.window(rate.window).failure_rate(rate.failures),
        None => config,
    };
    let window = rules.rate.map_or(Window::count(1), |rate| rate.window);
    Ok(Setup::breaker(config.open_by(move |trip: &Trip| rules.dead(trip)), window, Style::new(1.0, Value::Null)))
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
                self.add_rate(Window::time(millis(*window_ms)), (*min_requests).max(1), *required, *mark_dead_ms)?;
            }
            Policy::SuccessRateEma { required, window, mark_dead_ms } => {
                self.add_rate(Window::count(*window), *window, *required, *mark_dead_ms)?;
            }
            Policy::Or { of } => of.iter().try_for_each(|policy| self.add(policy))?,
        }
        Ok(())
    }

    fn add_rate(&mut self, window: Window, minimum: u32, required: f64, mark_dead_ms: u64) -> Result<(), String> {
        let rate = Rate {
            window: window.minimum_calls(minimum),
            minimum,
            failures: failures_above(required).ok_or("a required rate of nothing")?,
            dead: millis(mark_dead_ms),
        };
        match self.rate.replace(rate) {
            None => Ok(()),
            Some(_) => Err("two windows in one circuit".into()),
        }
    }

    /// The longest that a rule which is met asks for.
    fn dead(&self, trip: &Trip) -> Duration {
        let by_run = self.consecutive.filter(|_| trip.cause == Cause::ConsecutiveFailures).map(|(_, dead)| dead);
        let by_rate = self.rate.filter(|rate| {
            trip.figures.failure_rate(u64::from(rate.minimum)).is_some_and(|share| share >= rate.failures)
        });
        let all = self.consecutive.map(|(_, dead)| dead).into_iter().chain(self.rate.map(|rate| rate.dead));
        // A probe that failed meets none of them anew.
        by_run.max(by_rate.map(|rate| rate.dead)).or(all.max()).unwrap_or(NEVER_SLOW)
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
