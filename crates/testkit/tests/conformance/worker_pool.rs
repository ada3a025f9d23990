//! `worker-pool.json`: who is taken, who runs, who leaves; schedules of retries, weights and deadlines.
//!
//! The quoted systems count a submission that they refused as submitted and as dropped, and a job that failed as completed;
//! their words and figures are told from ours in [`floor`].

mod expected;
mod floor;
mod orders;
mod place;
mod queue;
mod rules;
mod schedules;
mod script;
mod shutdown;
mod workers;

use serde::Deserialize;
use serde_json::{Map, Value};

use self::expected::Expected;
use self::rules::Rules;
use crate::miss::Miss;
use crate::vector::Vector;

pub(crate) fn run(vector: &Vector) -> Vec<Miss> {
    let case: Case = match serde_json::from_value(Value::Object(vector.fields.clone())) {
        Ok(case) => case,
        Err(error) => return vec![Miss::before_all("vector", error)],
    };
    let mut expected = Expected::new(case.expect.clone());
    match play(&case, &mut expected) {
        Ok(()) => expected.finish(),
        Err(why) => vec![Miss::before_all("op", why)],
    }
}

fn play(case: &Case, expected: &mut Expected) -> Result<(), String> {
    match case.algorithm.as_str() {
        "pool.bounded_queue" | "pool.resize" | "pool.try_submit" => queue::play(case, expected),
        "pool.max_blocking" => queue::blocked(case, expected),
        "pool.core_queue_max" => queue::core_and_max(case, expected),
        "pool.rejection_policy" => queue::policies(case, expected),
        "pool.cancel" => shutdown::cancel(case, expected),
        "pool.shutdown" => shutdown::stop(case, expected),
        "pool.metrics" => workers::metrics(case, expected),
        "pool.nested_submit" => workers::nested(case, expected),
        "pool.panic" => workers::panic(case, expected),
        "pool.worker_death" => workers::death(case, expected),
        "pool.worker_spawn_failure" => workers::spawn_failure(case, expected),
        "pool.idle_purge" => workers::purge(case, expected),
        "pool.keep_alive" => workers::keep_alive(case, expected),
        "pool.config_validation" => workers::validation(case, expected),
        "pool.deadline" => schedules::deadline(case, expected),
        "pool.retry.attempt_pow4" => schedules::power_of_four(case, expected),
        "pool.retry.bullmq" => schedules::bullmq(case, expected),
        "pool.retry.sidekiq" => schedules::sidekiq(case, expected),
        "pool.priority.normalise_weights" => orders::normalise(case, expected),
        "pool.priority.numeric" => orders::numeric(case, expected),
        "pool.priority.strict" => orders::strict(case, expected),
        "pool.priority.weighted" => orders::weighted(case, expected),
        other => Err(format!("no algorithm is called {other}")),
    }
}

/// A vector of this file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    algorithm: String,
    config: Value,
    inputs: Value,
    expect: Map<String, Value>,
    #[serde(rename = "source")]
    _source: String,
    #[serde(default, rename = "check")]
    _check: Value,
    #[serde(default, rename = "note")]
    _note: Value,
}

impl Case {
    /// The configuration of a pool: a field that is not known is an error.
    fn rules(&self) -> Result<Rules, String> {
        Self::read(&self.config)
    }

    fn config<T: for<'de> Deserialize<'de>>(&self) -> Result<T, String> {
        Self::read(&self.config)
    }

    fn inputs<T: for<'de> Deserialize<'de>>(&self) -> Result<T, String> {
        Self::read(&self.inputs)
    }

    fn read<T: for<'de> Deserialize<'de>>(from: &Value) -> Result<T, String> {
        serde_json::from_value(from.clone()).map_err(|error| format!("{error} in {from}"))
    }
}
