//! `circuit-breaker.json`: breakers, and the windows and accrual rules that breakers are made of.
//!
//! Each profile turns a vector's configuration into a [`Config`](seawall_circuit_breaker::Config) that behaves as the quoted
//! system; from there on every operation means the same for all profiles, and goes through the breaker's public methods.

mod case;
mod counts;
mod fields;
mod foresee;
mod op;
mod profile;
mod stage;

use seawall_circuit_breaker::CircuitBreaker;
use seawall_core::time::Clock;
use serde_json::{Value, json};

use self::case::Case;
use self::stage::Stage;
use crate::miss::{Bound, Miss};
use crate::vector::Vector;

pub(crate) fn run(vector: &Vector) -> Vec<Miss> {
    let case = match Case::read(vector) {
        Ok(case) => case,
        Err(why) => return vec![Miss::before_all("vector", why)],
    };
    let mut setup = match profile::set_up(&case) {
        Ok(setup) => setup,
        Err(why) => return vec![Miss::before_all("config", why)],
    };
    let (clock, time) = Clock::manual();
    let breaker = match CircuitBreaker::with_clock(setup.watched_config(), clock) {
        Ok(breaker) => breaker,
        Err(why) => return vec![Miss::before_all("config", why)],
    };
    play(&case, &mut Stage::new(&breaker, time, setup, &case))
}

fn play(case: &Case, stage: &mut Stage<'_>) -> Vec<Miss> {
    let mut misses = Vec::new();
    for step in &case.steps {
        let seen = match stage.take(&step.op) {
            Ok(seen) => seen,
            Err(why) => {
                // What comes after a step that could not be taken says nothing.
                misses.push(Miss { step: Some(step.i), field: "op".into(), expected: step.text.clone(), got: why });
                return misses;
            }
        };
        for (name, expected) in case.expected_after(step.i) {
            let (field, bound) = Bound::of(name);
            let got = seen.get(field).cloned().or_else(|| fields::look(stage, field));
            if got.as_ref().is_none_or(|got| !bound.holds(expected, got, case.tolerance)) {
                misses.push(Miss {
                    step: Some(step.i),
                    field: name.to_owned(),
                    expected: expected.to_string(),
                    got: got.map_or_else(
                        || "nothing: it is not a field that this project has".into(),
                        |got| got.to_string(),
                    ),
                });
            }
        }
    }
    misses
}

/// Milliseconds, with what is left of them.
fn millis(duration: std::time::Duration) -> Value {
    json!(duration.as_secs_f64() * 1e3)
}
