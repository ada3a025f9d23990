//! `hedge.json`: when a call is made once more, and whose answer is given.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seawall_retry::{Attempt, Hedge, HedgeConfig, HedgeDelay, HedgeEvent, Verdict};
use seawall_testkit::exec::Executor;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::case::{Case, Play, Seen};
use crate::miss::Miss;
use crate::vector::Vector;

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Op {
    Run {
        primary: Act,
        #[serde(default)]
        hedges: Vec<Act>,
        hedge: Option<Act>,
    },
    RunMany {
        n: u32,
        latency_ms: u64,
    },
    /// The same by a policy that knows nothing yet.
    RunManyFresh {
        n: u32,
        latency_ms: u64,
    },
    /// A call that is out.
    Start {
        every_attempt: Act,
    },
    /// A call that took so long, by whose attempt was measured.
    Observe {
        r#type: Measured,
        duration_ms: u64,
    },
    Note {
        #[serde(rename = "text")]
        _text: String,
    },
}

/// What an attempt does: ends so after some time, or never.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Act {
    Timed { latency_ms: u64, outcome: String },
    AtOnce(String),
}

impl Act {
    fn parts(&self) -> (Option<Duration>, &str) {
        match self {
            Self::AtOnce(outcome) if outcome == "block" => (None, "block"),
            Self::AtOnce(outcome) => (Some(Duration::ZERO), outcome),
            Self::Timed { latency_ms, outcome } => (Some(Duration::from_millis(*latency_ms)), outcome),
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Measured {
    PrimarySuccess,
    PrimaryFailure,
    SecondarySuccess,
    SecondaryFailure,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    delay_ms: Option<u64>,
    max_hedges: Option<u32>,
    /// A function's result: below zero means no hedge.
    delay_func: Option<String>,
    delay_quantile: Option<f64>,
    window: Option<u32>,
    warmup: Option<u32>,
    /// Only these values are good.
    accept: Option<Vec<String>>,
    /// These errors, and values as `value:X`, ask for another attempt; other errors are final.
    handled: Option<Vec<String>>,
    #[serde(default)]
    first_completion_wins_including_errors: bool,
    as_percentage: Option<bool>,
    factor: Option<f64>,
    #[serde(rename = "measure_errors")]
    _measure_errors: Option<bool>,
    window_size: Option<u32>,
}

impl Rules {
    fn config(&self) -> Result<HedgeConfig, String> {
        let config = HedgeConfig::default().without_budget().max_hedges(self.max_hedges.unwrap_or(1));
        let delay = if let Some(ms) = self.delay_ms {
            HedgeDelay::from(Duration::from_millis(ms))
        } else if let Some(text) = &self.delay_func {
            match text.parse::<i64>().map_err(|error| error.to_string())?.try_into() {
                Ok(ms) => HedgeDelay::from(Duration::from_millis(ms)),
                Err(_) => HedgeDelay::Never,
            }
        } else if let Some(quantile) = self.delay_quantile {
            let delay = HedgeDelay::quantile(quantile).window(self.window.unwrap_or(200));
            delay.warm_up(self.warmup.unwrap_or(1))
        } else {
            let factor = self.factor.ok_or("no delay")?;
            let delay = if self.as_percentage == Some(true) {
                HedgeDelay::mean(factor / 100.0)
            } else {
                HedgeDelay::mean(1.0).plus(Duration::from_secs_f64(factor / 1e3))
            };
            delay.window(self.window_size.unwrap_or(100)).warm_up(1)
        };
        Ok(config.delay(delay))
    }

    fn judge(&self, outcome: &str) -> Verdict {
        if self.first_completion_wins_including_errors {
            return Verdict::good();
        }
        let (kind, what) = outcome.split_once(':').unwrap_or((outcome, ""));
        let handled = |name: &str| self.handled.as_ref().is_none_or(|handled| handled.iter().any(|it| it == name));
        match kind {
            "err" if handled(what) => Verdict::again(),
            "err" => Verdict::is_final(),
            "value" if self.handled.is_some() && handled(outcome) => Verdict::again(),
            _ if self.accept.as_ref().is_some_and(|accept| !accept.iter().any(|it| it == what)) => Verdict::again(),
            _ => Verdict::good(),
        }
    }
}

pub(crate) fn run(vector: &Vector) -> Vec<Miss> {
    let read = Case::<Op>::read(vector).and_then(|case| {
        let rules: Rules = case.config()?;
        Ok((Stage::new(rules)?, case))
    });
    match read {
        Ok((mut stage, case)) => case.play(&mut stage),
        Err(why) => vec![Miss::before_all("config", why)],
    }
}

struct Stage {
    rules: Rules,
    executor: Executor,
    hedge: Hedge,
    told: Arc<Mutex<Vec<HedgeEvent>>>,
}

impl Stage {
    fn new(rules: Rules) -> Result<Self, String> {
        let executor = Executor::new(1);
        let told = Arc::new(Mutex::new(Vec::new()));
        let observer = {
            let told = told.clone();
            move |event: &HedgeEvent| told.lock().expect("nobody panics").push(*event)
        };
        let hedge =
            Hedge::with_clock(rules.config()?.observer(observer), executor.clock()).map_err(|e| e.to_string())?;
        Ok(Self { rules, executor, hedge, told })
    }

    /// Makes one call whose attempts do these things; at `limit` at the latest it is looked at as it stands.
    fn make(&self, acts: &[Act], limit: Option<Duration>) -> Result<Seen, String> {
        let (began, out, missing) = (Cell::new(0_u32), Cell::new(0_u32), RefCell::new(None));
        let winner = Cell::new(0_u32);
        let before = self.hedge.snapshot().total.hedges;
        let clock = self.executor.clock();
        let attempt = |attempt: Attempt| {
            began.set(began.get() + 1);
            out.set(out.get() + 1);
            let guard = Out(&out);
            let act = acts.get(attempt.number as usize - 1).or(acts.last().filter(|_| limit.is_some())).cloned();
            if act.is_none() {
                *missing.borrow_mut() = Some(attempt.number);
            }
            let (clock, winner) = (clock.clone(), &winner);
            async move {
                let Some(act) = act else { return String::new() };
                let (takes, outcome) = act.parts();
                match takes {
                    Some(takes) => clock.sleep(takes).await,
                    None => std::future::pending().await,
                }
                winner.set(attempt.number);
                drop(guard);
                outcome.to_owned()
            }
        };
        let call = self.hedge.run_judged(attempt, |outcome: &String| self.rules.judge(outcome), None);
        let ended = match limit {
            None => Some(self.executor.block_on(call)),
            Some(limit) => self.executor.block_on(async {
                let mut call = std::pin::pin!(call);
                let mut alarm = std::pin::pin!(clock.sleep(limit));
                std::future::poll_fn(|cx| {
                    if let std::task::Poll::Ready(outcome) = call.as_mut().poll(cx) {
                        return std::task::Poll::Ready(Some(outcome));
                    }
                    alarm.as_mut().poll(cx).map(|()| None)
                })
                .await
            }),
        };
        if let Some(number) = missing.into_inner() {
            return Err(format!("attempt {number}, for which the vector has nothing to do"));
        }
        let hedges = self.hedge.snapshot().total.hedges - before;
        let mut seen = Seen::new();
        seen.insert("executions_started", json!(began.get()));
        seen.insert("hedges", json!(hedges));
        seen.insert("hedges_started", json!(hedges));
        seen.insert("additional_hedges", json!(hedges));
        seen.insert("hedge_started", json!(hedges > 0));
        seen.insert("losers_cancelled", json!(out.get() == 0));
        seen.insert("winner", json!(if winner.get() == 1 { "primary" } else { "hedge" }));
        seen.insert("on_hedging_attempts", json!((0..hedges).collect::<Vec<_>>()));
        if let Some(outcome) = ended {
            seen.insert("outcome", json!(outcome));
        }
        Ok(seen)
    }

    fn run_many(&self, n: u32, latency_ms: u64) -> Result<Seen, String> {
        let act = Act::Timed { latency_ms, outcome: "ok".into() };
        let before = self.hedge.snapshot().total.hedges;
        for _ in 0..n {
            self.make(std::slice::from_ref(&act), None)?;
        }
        Ok(Seen::from([("hedges", json!(self.hedge.snapshot().total.hedges - before))]))
    }
}

/// An attempt that is out.
struct Out<'a>(&'a Cell<u32>);

impl Drop for Out<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Play<Op> for Stage {
    fn take(&mut self, op: &Op) -> Result<Seen, String> {
        match op {
            Op::Note { .. } => Ok(Seen::new()),
            Op::Run { primary, hedges, hedge } => {
                let acts: Vec<Act> = std::iter::once(primary).chain(hedges).chain(hedge).cloned().collect();
                self.make(&acts, None)
            }
            Op::RunMany { n, latency_ms } => self.run_many(*n, *latency_ms),
            Op::RunManyFresh { n, latency_ms } => {
                *self = Self::new(self.rules.clone())?;
                self.run_many(*n, *latency_ms)
            }
            // Before any time has passed.
            Op::Start { every_attempt } => self.make(std::slice::from_ref(every_attempt), Some(Duration::ZERO)),
            Op::Observe { r#type, duration_ms } => {
                let outcome = match r#type {
                    Measured::PrimarySuccess => "ok",
                    Measured::PrimaryFailure => "err:measured",
                    Measured::SecondarySuccess | Measured::SecondaryFailure => {
                        return Err(
                            "hedges are not measured: their durations say nothing of how long calls take".into()
                        );
                    }
                };
                // A hedge that is due while this is measured hangs.
                let measured = Act::Timed { latency_ms: *duration_ms, outcome: outcome.into() };
                self.make(&[measured, Act::AtOnce("block".into())], Some(Duration::from_millis(*duration_ms)))?;
                Ok(Seen::new())
            }
        }
    }

    fn look(&self, field: &str) -> Option<Value> {
        match field {
            "delay_ms" => Some(json!(self.hedge.delay().map(|delay| delay.as_secs_f64() * 1e3))),
            "events" => Some(json!(self.told.lock().expect("nobody panics").len())),
            _ => None,
        }
    }
}
