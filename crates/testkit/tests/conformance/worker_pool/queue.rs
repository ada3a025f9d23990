//! Bounded queues: who is taken, who waits, who is refused.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Case;
use super::expected::Expected;
use super::floor::{Act, Floor, Order};
use super::rules::{LONG, Rules};
use super::script::{self, Said, Step};

pub(super) fn play(case: &Case, expected: &mut Expected) -> Result<(), String> {
    let rules = case.rules()?;
    let mut floor = Floor::new(rules.config()?)?;
    let mut inputs: Map<String, Value> = case.inputs()?;
    let tries = case.algorithm == "pool.try_submit";
    if let Some(texts) = texts(&mut inputs, "steps")? {
        run_steps(&mut floor, &rules, &texts, expected)?;
    }
    if let Some(sizes) = inputs.remove("resize_to") {
        resize_to(&floor, &rules, &sizes, expected)?;
    }
    if let Some(count) = count(&mut inputs, "submit_tasks_that_wait")? {
        for at in 0..count {
            floor.submit(Order::new(at.to_string()).held());
        }
        floor.see(expected, &format!("_after_first_{count}"));
    }
    for field in ["then_submit", "then_submit_one_more"] {
        for _ in 0..count(&mut inputs, field)?.unwrap_or(0) {
            floor.submit(Order::new(field).held());
        }
    }
    if let Some(names) = inputs.remove("submit_order") {
        submit_in_order(&mut floor, &names, &mut inputs, expected)?;
    }
    for at in 0..count(&mut inputs, "try_submits")?.unwrap_or(0) {
        floor.try_submit(Order::new(at.to_string()).held());
    }
    let span = Duration::from_millis(count(&mut inputs, "task_ms")?.unwrap_or(0) as u64);
    match inputs.remove("tasks") {
        None => {}
        Some(Value::Array(tasks)) => {
            for task in tasks {
                let order = Order::new("task").held().act(act(task.as_str().ok_or("a task is told by its name")?)?);
                if tries {
                    floor.try_submit(order)
                } else {
                    floor.submit(order)
                };
            }
        }
        Some(tasks) => {
            let tasks = tasks.as_u64().ok_or("tasks are counted or told")?;
            (0..tasks).for_each(|at| submit_in_turn(&mut floor, Order::new(at.to_string()).act(Act::Sleep(span))));
        }
    }
    if let Some(last) = floor.jobs.last() {
        expected.see_word("last_result", &last.outcome());
    }
    if let Some(then) = inputs.remove("then") {
        for Said { step, .. } in script::steps(then.as_str().ok_or("`then` is a text")?)? {
            match step {
                Step::Stop => {
                    floor.release_all();
                    if !floor.stop_and_wait() {
                        return Err("the pool does not end".into());
                    }
                }
                Step::TrySubmit(name) => _ = floor.try_submit(Order::new(name)),
                Step::Submit(1) => _ = floor.submit(Order::new("late")),
                other => return Err(format!("{other:?} after everything")),
            }
        }
    }
    nothing_left(&inputs)?;
    let outcomes: Vec<String> = floor.jobs.iter().map(super::floor::Submitted::outcome).collect();
    expected.see_words("results", &outcomes);
    floor.see(expected, "");
    Ok(())
}

/// What a task does, by what is said of it.
pub(super) fn act(said: &str) -> Result<Act, String> {
    let quoted = said.split('"').nth(1).map(str::to_owned);
    match said {
        _ if said.starts_with("returns error") => Ok(Act::Fail(quoted.ok_or("an error has a text")?)),
        _ if said.starts_with("panics") => Ok(Act::Panic(quoted.unwrap_or_default())),
        _ if said.starts_with("kills its worker") => Ok(Act::Kill),
        _ => Ok(Act::Succeed),
    }
}

/// As somebody who submits one after the other: each waits until it is taken.
fn submit_in_turn(floor: &mut Floor, order: Order) {
    let at = floor.submit(order);
    while floor.jobs[at].is_blocked() && floor.step() {}
}

fn submit_in_order(
    floor: &mut Floor,
    names: &Value,
    inputs: &mut Map<String, Value>,
    expected: &mut Expected,
) -> Result<(), String> {
    for name in names.as_array().ok_or("an order is a list")? {
        floor.submit(Order::new(name.to_string()).held());
    }
    let full: Vec<String> = inputs.keys().filter(|key| key.ends_with("_submitted_while_full")).cloned().collect();
    for key in full {
        let are_blocked = inputs.remove(&key) == Some(Value::Bool(true));
        for name in key.trim_end_matches("_submitted_while_full").split("_and_") {
            let job = floor.jobs.iter().find(|job| job.name == name).ok_or("no such job")?;
            if job.was_blocked != are_blocked {
                return Err(format!("job {name} was {}taken at once", if are_blocked { "" } else { "not " }));
            }
        }
    }
    floor.release_all();
    let executed: Vec<Value> =
        floor.executed().iter().map(|name| serde_json::from_str(name).unwrap_or(Value::Null)).collect();
    let prefix = expected.take("order_prefix").unwrap_or(json!([]));
    let length = prefix.as_array().map_or(0, Vec::len).min(executed.len());
    expected.judge("order_prefix", &prefix, &json!(executed), json!(executed[..length]) == prefix);
    if let Some(suffix) = expected.take("order_suffix_any_permutation_of") {
        let sorted = |list: &[Value]| {
            let mut texts: Vec<String> = list.iter().map(Value::to_string).collect();
            texts.sort();
            texts
        };
        let same = suffix.as_array().is_some_and(|suffix| sorted(suffix) == sorted(&executed[length..]));
        expected.judge("order_suffix_any_permutation_of", &suffix, &json!(executed), same);
    }
    Ok(())
}

fn resize_to(floor: &Floor, rules: &Rules, sizes: &Value, expected: &mut Expected) -> Result<(), String> {
    for size in sizes.as_array().ok_or("sizes are a list")? {
        let before = floor.pool.snapshot().max_workers;
        let resized = usize::try_from(size.as_i64().ok_or("a size is a whole number")?)
            .is_ok_and(|most| floor.pool.resize(rules.least().min(most)..=most).is_ok());
        let after = floor.pool.snapshot().max_workers;
        if !resized && before != after {
            return Err(format!("a resize that failed changed {before} to {after}"));
        }
        expected.see_word(&size.to_string(), &if resized { after.to_string() } else { "error".into() });
    }
    Ok(())
}

fn run_steps(floor: &mut Floor, rules: &Rules, texts: &[String], expected: &mut Expected) -> Result<(), String> {
    let mut running: Vec<u64> = Vec::new();
    let mut finished = 0;
    for text in texts {
        let mut names: Vec<String> = Vec::new();
        for Said { step, remark } in script::steps(text)? {
            let before = floor.jobs.len();
            let mut called = Vec::new();
            match &step {
                Step::Submit(count) => {
                    for _ in 0..*count {
                        floor.submit(Order::new("job").held());
                    }
                    called = vec!["submit".into(), format!("submit_{count}")];
                }
                Step::SubmitNth(ordinal) => {
                    let at = floor.submit(Order::new(ordinal).held());
                    if script::number(ordinal) != Some(at + 1) {
                        return Err(format!("`{text}` submits the job number {}", at + 1));
                    }
                    expected.see_word(&format!("results_{ordinal}"), &floor.jobs[at].outcome());
                }
                Step::SubmitNamed(name) => {
                    floor.submit(Order::new(name).held());
                    called = vec!["submit".into(), format!("submit_{name}")];
                }
                Step::TrySubmit(name) => {
                    let at = floor.try_submit(Order::new(name).held());
                    expected.see_word(&format!("try_submit_{name}"), &floor.jobs[at].outcome());
                }
                Step::Resize(to) => {
                    let most = usize::try_from(*to).map_err(|error| format!("`{text}`: {error}"))?;
                    let range = rules.least().min(most)..=most;
                    floor.pool.resize(range).map_err(|error| format!("`{text}`: {error}"))?;
                    floor.settle();
                    called = vec!["resize".into(), format!("resize_{to}"), format!("tune_{to}")];
                }
                Step::Finish(count) => {
                    if !(0..*count).all(|_| floor.release(None)) {
                        return Err(format!("`{text}`: not so many run"));
                    }
                    finished += count;
                    called = vec![format!("{count}_completions"), format!("{count}_finished")];
                }
                Step::Release(name) => {
                    if !floor.release(Some(name)) {
                        return Err(format!("`{text}`: it does not run"));
                    }
                    called = vec![format!("release_{name}")];
                }
                Step::ReleaseAll => floor.release_all(),
                other => return Err(format!("{other:?} in a queue's steps")),
            }
            if remark.contains("block") && floor.jobs[before..].iter().any(|job| !job.is_blocked()) {
                return Err(format!("`{text}`: it was not blocked"));
            }
            if floor.jobs.len() > before && finished > 0 {
                let word = if finished == 1 { "one".into() } else { finished.to_string() };
                expected.see_word(&format!("after_{word}_finished"), &floor.jobs[before].outcome());
            }
            let joined = names.iter().flat_map(|first| called.iter().map(move |next| format!("{first}_and_{next}")));
            names = if names.is_empty() { called } else { joined.collect() };
            look(floor, &names, &mut running, expected);
        }
    }
    if let Some(list) = expected.take("running") {
        let got = if list.is_array() { json!(running) } else { json!(running.last()) };
        expected.judge("running", &list, &got, list == got);
    }
    floor.see(expected, "_before_end");
    floor.release_all();
    floor.see(expected, "_at_end");
    Ok(())
}

/// What can be seen after a step of these names.
fn look(floor: &Floor, names: &[String], running: &mut Vec<u64>, expected: &mut Expected) {
    let figures: Map<String, Value> =
        floor.figures().into_iter().map(|(name, figure)| (name.to_owned(), json!(figure))).collect();
    let now = floor.pool.running() as u64;
    if running.last() != Some(&now) {
        running.push(now);
    }
    for name in names {
        let field = format!("after_{name}");
        if let Some(wanted) = expected.take(&field) {
            expected.see_object(&field, &wanted, &figures);
        }
    }
    if floor.jobs.iter().any(super::floor::Submitted::is_blocked) {
        floor.see(expected, "_while_blocked");
    }
}

/// Submitters that wait, up to so many.
pub(super) fn blocked(case: &Case, expected: &mut Expected) -> Result<(), String> {
    let mut floor = Floor::new(case.rules()?.config()?)?;
    let mut inputs: Map<String, Value> = case.inputs()?;
    let submits = count(&mut inputs, "submits")?.ok_or("how many are submitted?")?;
    nothing_left(&inputs)?;
    let mut words = Vec::new();
    for at in 0..submits {
        let before = floor.pool.running();
        let job = floor.submit(Order::new(at.to_string()).held());
        let job = &floor.jobs[job];
        words.push(match job.outcome().as_str() {
            "blocked" => "blocks".into(),
            "ok" if floor.pool.running() > before => "running".into(),
            "ok" => "queued".into(),
            other => other.to_owned(),
        });
    }
    floor.release_all();
    let words: Vec<String> = words
        .into_iter()
        .zip(&floor.jobs)
        .map(|(word, job)| if word == "blocks" { format!("blocks, later {}", job.outcome()) } else { word })
        .collect();
    for field in expected.names() {
        if let Some(first) = field.strip_prefix("first_") {
            let first: usize = first.parse().map_err(|error| format!("{field}: {error}"))?;
            let of_all = words[..first.min(words.len())].iter().find(|word| *word != &words[0]).unwrap_or(&words[0]);
            expected.see_word(&field, of_all);
        } else if let Some(at) = script::number(&field) {
            expected.see_word(&field, words.get(at.wrapping_sub(1)).map_or("none", String::as_str));
        }
    }
    floor.see(expected, "");
    Ok(())
}

/// A core of workers that are always there, a queue, and more workers when that is full.
pub(super) fn core_and_max(case: &Case, expected: &mut Expected) -> Result<(), String> {
    let rules = case.rules()?;
    let mut floor = Floor::new(rules.config()?)?;
    let mut inputs: Map<String, Value> = case.inputs()?;
    if let Some(texts) = texts(&mut inputs, "steps")? {
        nothing_left(&inputs)?;
        return prestart(&mut floor, &rules, &texts, expected);
    }
    let submits = count(&mut inputs, "submits")?;
    let submits = submits.or(count(&mut inputs, "submits_of_never_finishing_tasks")?);
    nothing_left(&inputs)?;
    let mut words = Vec::new();
    for at in 0..submits.ok_or("how many are submitted?")? {
        let before = floor.pool.running();
        let job = floor.submit(Order::new(at.to_string()).blocking());
        words.push(match floor.jobs[job].outcome().as_str() {
            "ok" if floor.pool.running() > before => "new_worker".into(),
            "ok" => "queued".into(),
            other => other.to_owned(),
        });
    }
    expected.see_words("results", &words);
    floor.see_only(expected, &["pool_size", "queued", "running", "waiting"]);
    if let Some(shutdown) = &rules.shutdown {
        let within = match shutdown.as_str() {
            "shutdownNow" => Duration::ZERO,
            "graceful shutdown" | "shutdown" => LONG,
            other => return Err(format!("no shutdown is called {other}")),
        };
        let mut drain = floor.drain(within);
        assert!(seawall_testkit::drive::poll(drain.as_mut()).is_pending(), "jobs run");
        let late = floor.submit(Order::new("late"));
        expected.see("rejected_after_shutdown", floor.jobs[late].outcome() == "pool_stopped");
        floor.release_all();
        if !floor.end(LONG, drain) {
            return Err("the pool does not end".into());
        }
    }
    floor.see(expected, "");
    Ok(())
}

/// The least workers are there from the beginning, and when the range changes.
fn prestart(floor: &mut Floor, rules: &Rules, texts: &[String], expected: &mut Expected) -> Result<(), String> {
    let mut least = rules.least();
    let sizes = expected.take("pool_size");
    let started = expected.take("started");
    for text in texts {
        for Said { step, .. } in script::steps(text)? {
            match step {
                Step::Prestart(_) => {}
                Step::SetCore(core) => {
                    least = core;
                    floor.pool.resize(core..=rules.most()).map_err(|error| error.to_string())?;
                    floor.settle();
                }
                other => return Err(format!("{other:?} before anything is submitted")),
            }
            if floor.pool.workers() != least {
                return Err(format!(
                    "`{text}`: {} workers, where there are never fewer than {least}",
                    floor.pool.workers()
                ));
            }
        }
    }
    if started.is_some() {
        expected.lacks("prestart", "the least workers were there before anybody asked");
    }
    if let Some(last) = sizes.as_ref().and_then(Value::as_array).and_then(|sizes| sizes.last()) {
        let got = json!(floor.pool.workers());
        expected.judge("pool_size", last, &got, *last == got);
    }
    Ok(())
}

/// What becomes of the job that finds the queue full.
pub(super) fn policies(case: &Case, expected: &mut Expected) -> Result<(), String> {
    let rules = case.rules()?;
    let mut floor = Floor::new(rules.config()?)?;
    let mut inputs: Map<String, Value> = case.inputs()?;
    for name in texts(&mut inputs, "submits")?.unwrap_or_default() {
        floor.submit(Order::new(name).held());
    }
    for text in texts(&mut inputs, "steps")?.unwrap_or_default() {
        for Said { step, .. } in script::steps(&text)? {
            match step {
                Step::Shutdown | Step::Stop => floor.pool.close(),
                Step::SubmitNamed(name) => _ = floor.submit(Order::new(name)),
                Step::Submit(count) => {
                    for _ in 0..count {
                        floor.submit(Order::new("job"));
                    }
                }
                other => return Err(format!("{other:?} among policies")),
            }
            floor.settle();
        }
    }
    nothing_left(&inputs)?;
    for field in ["executed_by_caller", "run_by_caller", "ran_in_caller"] {
        expected.see_words(field, &floor.run_by_caller());
    }
    floor.release_all();
    let names = |of: &dyn Fn(&super::floor::Submitted) -> bool| -> Vec<String> {
        floor.jobs.iter().filter(|job| of(job)).map(|job| job.name.clone()).collect()
    };
    let refused = names(&|job| !job.is_taken());
    let mut executed = floor.executed();
    if !floor.run_by_caller().is_empty() {
        // Callers run theirs before those that wait.
        executed.sort();
    }
    expected.see_words("executed", &executed);
    let silent = rules.is_silent();
    expected.see_words("discarded", &names(&|job| job.was_dropped() || (silent && !job.is_taken())));
    expected.see_words("rejected", if silent { &[] } else { &refused });
    floor.see(expected, "");
    Ok(())
}

/// A list of texts of this name.
pub(super) fn texts(inputs: &mut Map<String, Value>, field: &str) -> Result<Option<Vec<String>>, String> {
    let list = inputs.remove(field).map(serde_json::from_value);
    list.transpose().map_err(|error| format!("{field}: {error}"))
}

/// A number of this name.
pub(super) fn count(inputs: &mut Map<String, Value>, field: &str) -> Result<Option<usize>, String> {
    let count = inputs.remove(field).map(serde_json::from_value);
    count.transpose().map_err(|error| format!("{field}: {error}"))
}

/// Whatever was not read is not known.
pub(super) fn nothing_left(inputs: &Map<String, Value>) -> Result<(), String> {
    match inputs.keys().next() {
        Some(field) => Err(format!("no input is called {field}")),
        None => Ok(()),
    }
}
