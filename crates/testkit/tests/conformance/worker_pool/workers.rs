//! Workers: how many there are, and what becomes of them and of their jobs.

use std::time::Duration;

use seawall_core::spawn::Spawner;
use seawall_worker_pool::{Config, Pool};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Case;
use super::expected::Expected;
use super::floor::{Act, Floor, Order};
use super::queue::{act, count, nothing_left};
use super::rules::{LONG, Rules, seconds};

pub(super) fn metrics(case: &Case, expected: &mut Expected) -> Result<(), String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        tasks: usize,
        #[serde(default)]
        odd_tasks_fail: bool,
        then: String,
    }
    let Inputs { tasks, odd_tasks_fail, then } = case.inputs()?;
    let mut floor = Floor::new(case.rules()?.config()?)?;
    // Told apart by number alone: nobody looks at each of so many.
    let handles: Vec<_> = (1..=tasks)
        .map(|at| {
            let fails = odd_tasks_fail && at % 2 == 1;
            floor.pool.try_submit(async move { if fails { Err("odd") } else { Ok(()) } })
        })
        .collect::<Result<_, _>>()
        .map_err(|refused| refused.to_string())?;
    if then != "stop_and_wait" {
        return Err(format!("`{then}` after everything"));
    }
    if !floor.stop_and_wait() {
        return Err("the pool does not end".into());
    }
    drop(handles);
    floor.see(expected, "");
    Ok(())
}

/// A job that submits another to its own pool; both stay.
pub(super) fn nested(case: &Case, expected: &mut Expected) -> Result<(), String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        task_submits_child_and_both_live: bool,
        then_tune: Option<usize>,
    }
    let Inputs { task_submits_child_and_both_live, then_tune } = case.inputs()?;
    let rules = case.rules()?;
    let mut floor = Floor::new(rules.config()?)?;
    if task_submits_child_and_both_live {
        let pool = floor.pool.clone();
        let parent = async move {
            pool.try_execute(std::future::pending::<()>()).map_err(|refused| refused.to_string())?;
            std::future::pending::<Result<(), String>>().await
        };
        floor.pool.try_execute(parent).map_err(|refused| refused.to_string())?;
        floor.settle();
    }
    floor.see_only(expected, &["running", "waiting"]);
    if let Some(most) = then_tune {
        floor.pool.resize(rules.least().min(most)..=most).map_err(|error| error.to_string())?;
        let seen = floor.pool.snapshot();
        expected.see("capacity_after_tune", seen.max_workers);
        if seen.running > most || seen.max_workers != most {
            return Err(format!("tuned to {most}, there are {seen:?}"));
        }
    }
    Ok(())
}

pub(super) fn panic(case: &Case, expected: &mut Expected) -> Result<(), String> {
    let mut inputs: Map<String, Value> = case.inputs()?;
    let task = inputs.remove("task").ok_or("what does the task?")?;
    nothing_left(&inputs)?;
    let mut floor = Floor::new(case.rules()?.config()?)?;
    let at = floor.submit(Order::new("task").act(act(task.as_str().ok_or("a task is told")?)?));
    expected.see_word("task_error_is", &floor.jobs[at].outcome());
    expected.see("payload_preserved", floor.jobs[at].panic());
    let next = floor.submit(Order::new("next"));
    expected.see("pool_usable_afterwards", floor.executed().last().is_some_and(|name| name == "next"));
    expected.see_word("next_result", &floor.jobs[next].outcome());
    floor.see(expected, "");
    Ok(())
}

pub(super) fn death(case: &Case, expected: &mut Expected) -> Result<(), String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        tasks: Vec<String>,
    }
    let Inputs { tasks } = case.inputs()?;
    let mut floor = Floor::new(case.rules()?.config()?)?;
    for task in &tasks {
        floor.submit(Order::new(task).act(act(task)?));
    }
    if !floor.stop_and_wait() {
        return Err("the pool does not end".into());
    }
    floor.see(expected, "");
    floor.see(expected, "_at_end");
    Ok(())
}

pub(super) fn spawn_failure(case: &Case, expected: &mut Expected) -> Result<(), String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        factory_fails_after: usize,
        tasks: usize,
    }
    let Inputs { factory_fails_after, tasks } = case.inputs()?;
    let mut floor = Floor::starting(case.rules()?.config()?, factory_fails_after)?;
    for at in 0..tasks {
        floor.submit(Order::new(at.to_string()));
    }
    if !floor.stop_and_wait() {
        return Err("the pool does not end".into());
    }
    floor.see(expected, "");
    Ok(())
}

/// Their `running` are workers that exist, and their `free` those that could be added.
pub(super) fn purge(case: &Case, expected: &mut Expected) -> Result<(), String> {
    let rules = case.rules()?;
    let mut floor = Floor::new(rules.config()?)?;
    let mut inputs: Map<String, Value> = case.inputs()?;
    let tasks = count(&mut inputs, "tasks")?.ok_or("how many tasks?")?;
    let longest = count(&mut inputs, "task_ms_max")?.unwrap_or(1).max(1);
    let idle = inputs.remove("idle_for_s").and_then(|idle| idle.as_f64()).ok_or("idle for how long?")?;
    nothing_left(&inputs)?;
    for at in 0..tasks {
        let span = Duration::from_millis((at % longest + 1) as u64);
        floor.submit(Order::new(at.to_string()).act(Act::Sleep(span)));
    }
    expected.see("running_before", floor.pool.workers());
    floor.pass(seconds(idle)?);
    expected.see("running_after", floor.pool.workers());
    expected.see("running_after_idle", floor.pool.workers());
    if expected.names().iter().any(|name| name.ends_with("_after_release")) {
        floor.stop_and_wait();
        let workers = floor.pool.workers();
        expected.see("running_after_release", workers);
        expected.see("free_after_release", rules.most() - workers);
    }
    Ok(())
}

pub(super) fn keep_alive(case: &Case, expected: &mut Expected) -> Result<(), String> {
    let rules = case.rules()?;
    let mut inputs: Map<String, Value> = case.inputs()?;
    let tasks = count(&mut inputs, "tasks")?.ok_or("how many tasks?")?;
    let keep_alive = rules.keep_alive()?;
    let idle = match inputs.remove("idle_for").ok_or("idle for how long?")? {
        Value::String(text) if text == "> keep_alive" => 2 * keep_alive,
        Value::String(text) if text == "< keep_alive" => keep_alive / 2,
        other => seconds(other.as_f64().ok_or("idle for how long?")?)?,
    };
    nothing_left(&inputs)?;
    for (field, least) in [("core_timeout_true", 0), ("core_timeout_false", rules.least())] {
        let Some(wanted) = expected.take(field) else { continue };
        let mut floor = Floor::new(rules.config()?.workers(least..=rules.most()))?;
        for at in 0..tasks {
            floor.submit(Order::new(at.to_string()));
        }
        floor.pass(idle);
        let workers = floor.pool.workers();
        for (name, bound) in wanted.as_object().ok_or("sizes are named")? {
            let size = bound.as_u64().ok_or("a size is a number")?;
            let holds = match name.as_str() {
                "pool_size" => workers as u64 == size,
                "pool_size_at_least" => workers as u64 >= size,
                "pool_size_at_most" => workers as u64 <= size,
                other => return Err(format!("no size is called {other}")),
            };
            expected.judge(&format!("{field}.{name}"), bound, &json!(workers), holds);
        }
    }
    Ok(())
}

/// An attempt to configure what cannot be. Numbers that the types rule out are errors as well.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attempt {
    core: Option<i64>,
    max: Option<i64>,
    queue_capacity: Option<i64>,
    keep_alive: Option<f64>,
    #[serde(default)]
    set_max_below_core: bool,
    #[serde(default)]
    set_core_above_max: bool,
}

pub(super) fn validation(case: &Case, expected: &mut Expected) -> Result<(), String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        attempts: Vec<Attempt>,
    }
    let _none: Rules = case.rules()?;
    let Inputs { attempts } = case.inputs()?;
    let mut results = Vec::new();
    let mut unchanged = true;
    for attempt in &attempts {
        let built = if attempt.set_max_below_core || attempt.set_core_above_max {
            let floor = Floor::new(Config::new(2..=4))?;
            let before = floor.pool.snapshot();
            let (least, most) = if attempt.set_max_below_core { (2, 1) } else { (5, 4) };
            let resized = floor.pool.resize(least..=most);
            let after = floor.pool.snapshot();
            unchanged &= (before.min_workers, before.max_workers, before.workers)
                == (after.min_workers, after.max_workers, after.workers);
            resized.is_ok()
        } else {
            attempt.build().is_some()
        };
        results.push(if built { "ok" } else { "error" });
    }
    expected.see_words("results", &results);
    expected.see("state_unchanged_after_failed_setter", unchanged);
    Ok(())
}

impl Attempt {
    fn build(&self) -> Option<()> {
        let whole = |number: Option<i64>, otherwise| usize::try_from(number.unwrap_or(otherwise)).ok();
        let config = Config::new(whole(self.core, 1)?..=whole(self.max, 1)?);
        let config = config.queue(whole(self.queue_capacity, 1)?);
        let config = config.keep_alive(Duration::try_from_secs_f64(self.keep_alive.unwrap_or(1.0)).ok()?.min(LONG));
        let place = std::sync::Arc::new(super::place::Place::new(usize::MAX));
        Pool::new(config, Spawner::custom(place)).is_ok().then_some(())
    }
}
