//! `circuit-breaker.json`: breakers, the windows and accrual rules that breakers are made of, and [throttles](throttle).
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
mod throttle;

use seawall_circuit_breaker::CircuitBreaker;
use seawall_core::time::Clock;
use serde_json::{Value, json};

use self::case::{Case, Play, Seen};
use self::op::Op;
use self::stage::Stage;
use crate::miss::Miss;
use crate::vector::Vector;

pub(crate) fn run(vector: &Vector) -> Vec<Miss> {
    if vector.text("pattern") == Some("adaptive-throttle") {
        return throttle::run(vector);
    }
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
    case.play(&mut Stage::new(&breaker, time, setup, &case))
}

impl Play<Op> for Stage<'_> {
    fn take(&mut self, op: &Op) -> Result<Seen, String> {
        self.take(op)
    }

    fn look(&self, field: &str) -> Option<Value> {
        fields::look(self, field)
    }
}

/// Milliseconds, with what is left of them.
fn millis(duration: std::time::Duration) -> Value {
    json!(duration.as_secs_f64() * 1e3)
}
