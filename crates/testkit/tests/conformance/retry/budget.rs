//! Budgets: what calls pay in, what further attempts take out.

use std::cell::Cell;
use std::time::Duration;

use seawall_core::Outcome;
use seawall_retry::{
    Attempt, Budget, BudgetConfig, Config, Deposits, Extra, Hedge, HedgeConfig, InFlight, Retry, Tokens,
};
use seawall_testkit::exec::Executor;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::case::{Case, Play, Seen};
use crate::miss::Miss;
use crate::vector::Vector;

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Op {
    Advance {
        ms: u64,
    },
    Observe {},
    /// Another bucket, as empty as this one was.
    Fresh {},
    /// So many attempts run, so many of them further ones.
    Preset {
        executions: u32,
        inflight: u32,
    },
    /// Leave for a further attempt, which runs until it is released.
    TryAcquire {},
    Release {},
    /// A call pays.
    Deposit {},
    /// Leave for a further attempt.
    TryWithdraw {},
    Loop {
        times: u32,
        r#do: Vec<Do>,
    },
    /// So many calls pay; so many further attempts at once, or none.
    Put {
        n: u32,
    },
    TryGet {
        n: u32,
    },
    RunWithHedge {
        primary: Primary,
    },
    RunWithRetry {
        every_attempt: String,
    },
    /// An attempt's result.
    Failure {},
    Success {},
    /// A whole call.
    Call {},
    /// A configuration that is to be refused.
    Build {
        ttl_ms: u64,
        min_retries_per_s: f64,
        percent: f64,
    },
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Do {
    Deposit,
    TryWithdraw,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Primary {
    latency_ms: u64,
    outcome: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    ttl_ms: Option<u64>,
    min_retries_per_s: Option<f64>,
    percent: Option<f64>,
    /// Further attempts that are free in each `ttl`.
    reserve: Option<f64>,
    max_rate: Option<f64>,
    min_concurrency: Option<u32>,
    hedge_delay_ms: Option<u64>,
    max_tokens: Option<u32>,
    token_ratio: Option<f64>,
    max_attempts: Option<u32>,
    server_ok_at: Option<Vec<u64>>,
    /// A bucket that holds so many, for as long as it takes.
    limit: Option<u32>,
    /// In words.
    #[serde(rename = "threshold")]
    _threshold: Option<String>,
}

impl Rules {
    fn config(&self) -> Result<BudgetConfig, String> {
        if self.limit.is_some() {
            return Err("a bucket that nothing leaves but what is taken out".into());
        }
        if let Some(max) = self.max_tokens {
            let tokens = Tokens::default().max(max);
            return Ok(self.token_ratio.map_or(tokens.clone(), |ratio| tokens.ratio(ratio)).into());
        }
        if let Some(share) = self.max_rate {
            return Ok(InFlight::default().share(share).floor(self.min_concurrency.unwrap_or(3)).into());
        }
        let ttl = Duration::from_millis(self.ttl_ms.unwrap_or(10_000));
        let reserve = self.reserve.map(|reserve| reserve / ttl.as_secs_f64());
        // What is put into a token bucket can be taken out whole.
        let ratio = self.percent.unwrap_or(if self.reserve.is_some() { 1.0 } else { 0.2 });
        let free = self.min_retries_per_s.or(reserve).unwrap_or(10.0);
        Ok(Deposits::default().ttl(ttl).ratio(ratio).per_second(free).into())
    }
}

pub(super) fn run(vector: &Vector) -> Vec<Miss> {
    let executor = Executor::new(1);
    let read = Case::<Op>::read(vector).and_then(|case| {
        let rules: Rules = case.config()?;
        let budget = Budget::with_clock(rules.config()?, executor.clock()).map_err(|error| error.to_string())?;
        Ok((case, rules, budget))
    });
    match read {
        Ok((case, rules, budget)) => {
            case.play(&mut Stage { executor: &executor, rules, budget: &budget, held: Vec::new(), answered: 0 })
        }
        Err(why) => vec![Miss::before_all("config", why)],
    }
}

struct Stage<'a> {
    executor: &'a Executor,
    rules: Rules,
    budget: &'a Budget,
    /// Further attempts that run.
    held: Vec<Extra<'a>>,
    /// How many attempts the server has seen.
    answered: u64,
}

impl Stage<'_> {
    fn spend(&self, n: u32) -> bool {
        let may = self.budget.snapshot().balance >= f64::from(n) && n > 0;
        may && (0..n).all(|_| self.budget.spend().is_some())
    }
}

impl Play<Op> for Stage<'_> {
    fn take(&mut self, op: &Op) -> Result<Seen, String> {
        let mut seen = Seen::new();
        let permitted = |seen: &mut Seen, may: bool| drop(seen.insert("permitted", json!(may)));
        match op {
            Op::Advance { ms } => self.executor.block_on(self.executor.clock().sleep(Duration::from_millis(*ms))),
            Op::Observe {} => {}
            Op::Fresh {} => return Err("one bucket is as good as another".into()),
            Op::Preset { executions, inflight } => {
                // Among enough other calls, which end then, any number of further attempts may begin.
                let calls: Vec<_> = (0..100).map(|_| self.budget.begin()).collect();
                for _ in 0..*inflight {
                    self.held.push(self.budget.spend().ok_or("no leave for what is to run already")?);
                }
                let original = executions.checked_sub(*inflight).ok_or("fewer attempts than further ones")?;
                for call in calls.into_iter().take(original as usize) {
                    std::mem::forget(call);
                }
            }
            Op::TryAcquire {} => {
                let extra = self.budget.spend();
                permitted(&mut seen, extra.is_some());
                self.held.extend(extra);
            }
            Op::Release {} => drop(self.held.pop().ok_or("nothing is held")?),
            Op::Deposit {} => drop(self.budget.begin()),
            Op::TryWithdraw {} => permitted(&mut seen, self.budget.spend().is_some()),
            Op::Loop { times, r#do } => {
                let mut retries = 0;
                for todo in (0..*times).flat_map(|_| r#do) {
                    match todo {
                        Do::Deposit => drop(self.budget.begin()),
                        Do::TryWithdraw => retries += u32::from(self.budget.spend().is_some()),
                    }
                }
                seen.insert("retries", json!(retries));
            }
            Op::Put { n } => (0..*n).for_each(|_| drop(self.budget.begin())),
            Op::TryGet { n } => permitted(&mut seen, self.spend(*n)),
            Op::RunWithHedge { primary } => {
                let delay = Duration::from_millis(self.rules.hedge_delay_ms.unwrap_or_default());
                let config = HedgeConfig::default().delay(delay).budget(self.budget.clone());
                let hedge = Hedge::with_clock(config, self.executor.clock()).map_err(|error| error.to_string())?;
                let result = self.executor.block_on(hedge.run(|_| async {
                    self.executor.clock().sleep(Duration::from_millis(primary.latency_ms)).await;
                    if primary.outcome == "ok" { Ok(()) } else { Err(()) }
                }));
                let total = hedge.snapshot().total;
                seen.insert("hedges", json!(total.hedges));
                seen.insert("budget_exceeded_events", json!(total.out_of_budget));
                seen.insert("result", json!(if result.is_ok() { "ok" } else { "err" }));
            }
            Op::RunWithRetry { every_attempt } => {
                let config = Config::default().fixed(Duration::ZERO).budget(self.budget.clone());
                let retry = Retry::with_clock(config, self.executor.clock()).map_err(|error| error.to_string())?;
                let made = Cell::new(0);
                let fails = every_attempt != "ok";
                let _ = self.executor.block_on(retry.run(|attempt: Attempt| {
                    made.set(attempt.number);
                    async move { if fails { Err(()) } else { Ok(()) } }
                }));
                let out_of_budget = retry.snapshot().total.out_of_budget;
                seen.insert("executions_run", json!(made.get()));
                seen.insert("budget_exceeded_events", json!(out_of_budget));
                seen.insert("result", json!(if out_of_budget > 0 { "budget exceeded" } else { "err" }));
            }
            Op::Failure {} => self.budget.record(Outcome::Failure),
            Op::Success {} => self.budget.record(Outcome::Success),
            Op::Call {} => {
                let attempts = self.rules.max_attempts.ok_or("how many attempts?")?;
                let good = self.rules.server_ok_at.as_ref().ok_or("which attempts are good?")?;
                let config = Config::default().max_attempts(attempts).fixed(Duration::ZERO).budget(self.budget.clone());
                let retry = Retry::with_clock(config, self.executor.clock()).map_err(|error| error.to_string())?;
                let answered = Cell::new(self.answered);
                let result = self.executor.block_on(retry.run(|_| {
                    let index = answered.replace(answered.get() + 1);
                    async move { if good.contains(&index) { Ok(index) } else { Err(index) } }
                }));
                self.answered = answered.get();
                let ended = result.map_err(|error| error.to_string())?;
                seen.insert("code", json!(if ended.is_ok() { "OK" } else { "UNAVAILABLE" }));
                seen.insert("last_server_index", json!(ended.unwrap_or_else(|index| index)));
            }
            Op::Build { ttl_ms, min_retries_per_s, percent } => {
                let ttl = Duration::from_millis(*ttl_ms);
                let built = Budget::new(Deposits::default().ttl(ttl).per_second(*min_retries_per_s).ratio(*percent));
                seen.insert("error", built.map_or_else(|_| json!("invalid_argument"), |_| Value::Null));
            }
        }
        Ok(seen)
    }

    fn look(&self, field: &str) -> Option<Value> {
        match field {
            "balance" | "count" => Some(json!(self.budget.snapshot().balance.floor())),
            "above" => Some(json!(self.budget.can_spend())),
            _ => None,
        }
    }
}
