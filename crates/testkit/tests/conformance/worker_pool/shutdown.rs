//! Cancelling jobs and pools, and what a pool that stops does.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seawall_testkit::drive;
use seawall_worker_pool::{Reason, Report};
use serde_json::{Map, Value, json};

use super::Case;
use super::expected::Expected;
use super::floor::{Floor, Order};
use super::queue::{count, nothing_left, texts};
use super::rules::{LONG, seconds};
use super::script::{self, Said, Step};

type Drain = Pin<Box<dyn Future<Output = Report>>>;

/// Who cancels jobs interrupts none of them where the quoted systems cannot: they are blocking work, which ends by itself.
pub(super) fn cancel(case: &Case, expected: &mut Expected) -> Result<(), String> {
    let mut floor = Floor::new(case.rules()?.config()?)?;
    let mut inputs: Map<String, Value> = case.inputs()?;
    if let Some(submit) = count(&mut inputs, "submit")? {
        let which = inputs.remove("cancel").unwrap_or_default();
        nothing_left(&inputs)?;
        return cancel_each(&mut floor, submit, which.as_str().unwrap_or("all"), expected);
    }
    let texts = texts(&mut inputs, "steps")?.ok_or("what is done?")?;
    nothing_left(&inputs)?;
    let mut drain: Option<Drain> = None;
    for text in &texts {
        for Said { step, remark } in script::steps(text)? {
            match step {
                Step::SubmitNamed(name) => {
                    let running = floor.pool.running();
                    floor.submit(Order::new(name).blocking());
                    let runs = floor.pool.running() > running;
                    if (remark.starts_with("runs") && !runs) || (remark.starts_with("queued") && runs) {
                        return Err(format!("`{text}`: runs: {runs}"));
                    }
                }
                Step::CancelPool => {
                    let mut begun = floor.drain(Duration::ZERO);
                    if drive::poll(begun.as_mut()).is_pending() {
                        floor.settle();
                        drain = Some(begun);
                    }
                }
                Step::Release(name) => {
                    if !floor.release(Some(&name)) {
                        return Err(format!("`{text}`: it does not run"));
                    }
                }
                Step::Stop => {
                    let within = bound(&remark)?;
                    let begun = drain.take().unwrap_or_else(|| floor.drain(within));
                    if !floor.end(within, begun) {
                        return Err(format!("`{text}`: the pool does not end"));
                    }
                }
                other => return Err(format!("{other:?} where jobs are cancelled")),
            }
        }
    }
    for job in &floor.jobs {
        expected.see_word(&format!("{}_result", job.name), &job.outcome());
    }
    floor.see(expected, "");
    Ok(())
}

/// The time of `bounded by 250 ms`.
fn bound(remark: &str) -> Result<Duration, String> {
    let Some(rest) = remark.strip_prefix("bounded by ") else { return Ok(LONG) };
    match rest.split_once(' ') {
        Some((number, "ms")) => number.parse().map(Duration::from_millis).map_err(|error| error.to_string()),
        Some((number, "s")) => seconds(number.parse().map_err(|error| format!("{rest}: {error}"))?),
        _ => Err(format!("{rest}: no time")),
    }
}

fn cancel_each(floor: &mut Floor, submit: usize, which: &str, expected: &mut Expected) -> Result<(), String> {
    for at in 0..submit {
        floor.submit(Order::new(at.to_string()).held());
    }
    let which = which.split(',').next().unwrap_or(which).trim();
    let chosen: Vec<usize> = match which {
        "both" | "all" => (0..submit).collect(),
        "first" | "running" => vec![0],
        "last" | "second" | "queued" => vec![submit - 1],
        other => return Err(format!("who is `{other}`?")),
    };
    for at in chosen {
        floor.jobs[at].cancel();
    }
    floor.release_all();
    let outcomes: Vec<String> = floor.jobs.iter().map(super::floor::Submitted::outcome).collect();
    expected.see_words("results", &outcomes);
    floor.see(expected, "");
    Ok(())
}

pub(super) fn stop(case: &Case, expected: &mut Expected) -> Result<(), String> {
    let mut floor = Floor::new(case.rules()?.config()?)?;
    let mut inputs: Map<String, Value> = case.inputs()?;
    let texts = texts(&mut inputs, "steps")?.ok_or("what is done?")?;
    nothing_left(&inputs)?;
    let mut results: Vec<String> = Vec::new();
    for text in &texts {
        for Said { step, .. } in script::steps(text)? {
            match step {
                Step::SubmitWhileStopping => {
                    let (inner, outer) = submit_while_stopping(&mut floor)?;
                    results.push(inner);
                    expected.see_word("already_running_task", &outer);
                }
                Step::Submit(count) => {
                    for _ in 0..count {
                        let at = floor.submit(Order::new("job"));
                        results.push(floor.jobs[at].outcome());
                    }
                }
                Step::TrySubmit(name) => {
                    let at = floor.try_submit(Order::new(name));
                    results.push(floor.jobs[at].outcome());
                }
                Step::Stop => results.push(ok_if(floor.stop_and_wait())),
                Step::StopWithin(within) => {
                    let within = seconds(within)?;
                    let drain = floor.drain(within);
                    results.push(ok_if(floor.end(within, drain)));
                }
                Step::Reboot => {
                    // What comes after is of a pool that there is not.
                    let wanted = expected.take("results").unwrap_or_default();
                    let wanted = wanted.as_array().map_or(&[][..], |wanted| &wanted[..results.len().min(wanted.len())]);
                    let mut before = Expected::new(Map::from_iter([("results".to_owned(), json!(wanted))]));
                    before.see_words("results", &results);
                    expected.absorb(before);
                    expected.lacks("reboot", "a pool that has ended stays so");
                    return Ok(());
                }
                other => return Err(format!("{other:?} where a pool stops")),
            }
        }
    }
    expected.see_words("results", &results);
    floor.see(expected, "");
    Ok(())
}

fn ok_if(ended: bool) -> String {
    if ended { "ok" } else { "timeout" }.into()
}

/// A job that runs while the pool begins to stop submits another. Gives what came of both.
fn submit_while_stopping(floor: &mut Floor) -> Result<(String, String), String> {
    let (go, gate) = smol::channel::bounded::<()>(1);
    let inner: Arc<Mutex<Option<Reason>>> = Arc::default();
    let job = {
        let (pool, inner) = (floor.pool.clone(), inner.clone());
        async move {
            let _closed = gate.recv().await;
            let refused = pool.try_submit(async {}).err().map(|refused| refused.reason());
            *inner.lock().unwrap_or_else(PoisonError::into_inner) = refused;
        }
    };
    let handle = floor.pool.try_submit(job).map_err(|refused| refused.to_string())?;
    floor.settle();
    let mut drain = floor.drain(LONG);
    if drive::poll(drain.as_mut()).is_ready() {
        return Err("the pool ended before its job".into());
    }
    drop(go);
    if !floor.end(LONG, drain) {
        return Err("the pool does not end".into());
    }
    let outer = match floor.wait_for(LONG, handle) {
        Some(Ok(())) => "ok".into(),
        other => format!("{other:?}"),
    };
    let inner = match *inner.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(Reason::Stopped) => "pool_stopped".into(),
        other => format!("{other:?}"),
    };
    Ok((inner, outer))
}
