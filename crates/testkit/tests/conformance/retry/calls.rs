//! Calls that are made again: how often, after what waits, and what is given in the end.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall_core::Jitter;
use seawall_retry::{Attempt, Config, Event, Retry, Verdict};
use seawall_testkit::exec::Executor;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::case::{Case, Play, Seen};
use crate::miss::Miss;
use crate::vector::Vector;

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Op {
    /// A whole call.
    Run { attempt_outcomes: Option<Vec<String>>, every_attempt: Option<String>, max_retries: Option<u32> },
    /// A call that is out.
    Start { every_attempt: String },
    /// It is dropped then.
    CancelAtMs { ms: u64 },
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    max_attempts: Option<u32>,
    max_retries: Option<u32>,
    wait_ms: Option<u64>,
    base_ms: Option<u64>,
    shape: Option<String>,
    #[serde(rename = "jitter")]
    _jitter: Option<bool>,
    /// "not X": that error is final.
    retryable: Option<String>,
    /// "contains 'X'": such a value asks for another attempt.
    retry_on_result: Option<String>,
}

impl Rules {
    fn config(&self) -> Config {
        let base = Duration::from_millis(self.wait_ms.or(self.base_ms).unwrap_or_default());
        let config = Config::default().without_budget();
        let config = match self.shape.as_deref() {
            Some("linear") => config.linear(base, base, base * 1_000),
            Some("exponential") => config.exponential(base, 2.0, base * 1_000),
            _ => config.fixed(base),
        };
        let config = config.jitter(Jitter::None);
        match (self.max_attempts, self.max_retries) {
            (Some(attempts), _) => config.max_attempts(attempts),
            (None, Some(retries)) => config.max_retries(retries),
            (None, None) => config,
        }
    }

    /// What a result such as `err:X` or `value:Y` asks for.
    fn judge(&self, result: &str) -> Verdict {
        let (kind, what) = result.split_once([':', ' ']).unwrap_or((result, ""));
        let final_error = self.retryable.as_deref().and_then(|it| it.strip_prefix("not "));
        let retried_value = self.retry_on_result.as_deref().and_then(|it| it.split('\'').nth(1));
        match kind {
            "err" if final_error == Some(what) => Verdict::is_final(),
            "err" | "handled" => Verdict::again(),
            "value" if retried_value.is_some_and(|it| what.contains(it)) => Verdict::again(),
            _ => Verdict::good(),
        }
    }
}

pub(super) fn run(vector: &Vector) -> Vec<Miss> {
    let read = Case::<Op>::read(vector).and_then(|case| Ok((case.config()?, case)));
    match read {
        Ok((rules, case)) => case.play(&mut Stage { rules, calls: 0, slept: Duration::ZERO, rescued: 0, out: None }),
        Err(why) => vec![Miss::before_all("config", why)],
    }
}

struct Stage {
    rules: Rules,
    calls: u32,
    slept: Duration,
    /// Calls of which a later attempt was good.
    rescued: u64,
    out: Option<String>,
}

impl Stage {
    /// Makes one call, which is dropped at `limit`. Attempts take no time.
    fn make(&mut self, rules: &Rules, outcomes: &[String], limit: Option<Duration>) -> Result<Seen, String> {
        let executor = Executor::new(1);
        let waits = Arc::new(Mutex::new(Vec::new()));
        let observer = {
            let waits = waits.clone();
            move |event: &Event| {
                if let Event::Again { wait, .. } = event {
                    waits.lock().expect("nobody panics").push(*wait);
                }
            }
        };
        let retry =
            Retry::with_clock(rules.config().observer(observer), executor.clock()).map_err(|e| e.to_string())?;
        let (made, missing) = (Cell::new(0), RefCell::new(None));
        let call = retry.run_judged(
            |attempt: Attempt| {
                made.set(attempt.number);
                let outcome =
                    outcomes.get(attempt.number as usize - 1).or(outcomes.last().filter(|_| outcomes.len() == 1));
                if outcome.is_none() {
                    *missing.borrow_mut() = Some(attempt.number);
                }
                let outcome = outcome.cloned().unwrap_or_default();
                async move { outcome }
            },
            |outcome: &String| rules.judge(outcome),
            None,
        );
        let ended = match limit {
            None => Some(executor.block_on(call).map_err(|error| error.to_string())?),
            Some(limit) => executor.block_on(async {
                let mut call = std::pin::pin!(call);
                let mut alarm = std::pin::pin!(executor.clock().sleep(limit));
                std::future::poll_fn(|cx| {
                    // Whoever cancels at the end of a wait cancels before the next attempt.
                    if alarm.as_mut().poll(cx).is_ready() {
                        return std::task::Poll::Ready(None);
                    }
                    call.as_mut().poll(cx).map(Result::ok)
                })
                .await
            }),
        };
        if let Some(number) = missing.into_inner() {
            return Err(format!("attempt {number}, for which the vector has no outcome"));
        }
        let waits = waits.lock().expect("nobody panics").clone();
        self.calls += made.get();
        self.rescued += retry.snapshot().total.later_good;
        let mut seen = Seen::new();
        if limit.is_none() {
            self.slept += waits.iter().sum::<Duration>();
        }
        seen.insert("on_retry_calls", json!(waits.len()));
        seen.insert("on_retry_attempts", json!((0..waits.len()).collect::<Vec<_>>()));
        let millis: Vec<f64> = waits.iter().map(|wait| wait.as_secs_f64() * 1e3).collect();
        seen.insert("on_retry_delays_ms", json!(millis));
        let result = match ended.as_deref() {
            None => "cancelled".to_owned(),
            Some(value) if value.starts_with("value") => format!("{value} (last value returned, no error)"),
            Some(error) if error.starts_with("err") && made.get() > 1 => "err (last error surfaced)".to_owned(),
            Some(error) if error.starts_with("err") || error == "handled error" => "err".to_owned(),
            Some(other) => other.to_owned(),
        };
        seen.insert("result", json!(result));
        Ok(seen)
    }
}

impl Play<Op> for Stage {
    fn take(&mut self, op: &Op) -> Result<Seen, String> {
        match op {
            Op::Run { attempt_outcomes, every_attempt, max_retries } => {
                let mut rules = self.rules.clone();
                rules.max_retries = max_retries.or(rules.max_retries);
                let outcomes = match (attempt_outcomes, every_attempt) {
                    (Some(outcomes), _) => outcomes.clone(),
                    (None, Some(every)) => vec![every.clone()],
                    (None, None) => return Err("no outcomes".into()),
                };
                if max_retries.is_some() {
                    // Each of these runs is a policy of its own.
                    self.calls = 0;
                }
                self.make(&rules, &outcomes, None)
            }
            Op::Start { every_attempt } => {
                self.out = Some(every_attempt.clone());
                Ok(Seen::new())
            }
            Op::CancelAtMs { ms } => {
                let every = self.out.take().ok_or("no call is out")?;
                self.make(&self.rules.clone(), &[every], Some(Duration::from_millis(*ms)))
            }
        }
    }

    fn look(&self, field: &str) -> Option<Value> {
        match field {
            "calls" => Some(json!(self.calls)),
            "slept_ms" => Some(json!(self.slept.as_secs_f64() * 1e3)),
            "successful_with_retry" => Some(json!(self.rescued)),
            _ => None,
        }
    }
}
