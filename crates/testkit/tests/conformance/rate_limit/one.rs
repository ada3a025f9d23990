//! One limit.

use std::collections::BTreeMap;
use std::time::Duration;

use seawall_core::time::Timestamp;
use seawall_rate_limit::{Grant, Quota, Throttled};
use serde_json::{Value, json};

use super::ask::{Ask, Seen, Subject, maybe_ms, ms};
use super::door::{Door, Turn};
use super::limits::{Bucket, Shape, Spec};

pub(super) struct One<'a> {
    spec: Spec,
    limiter: Door<'a>,
    /// What was taken and can be given back, the oldest first.
    receipts: Vec<Grant>,
    /// What can be cancelled, by its name; nothing, if it was refused.
    named: BTreeMap<String, Option<Turn<'a>>>,
    /// Turns that were promised: when, and how many cells.
    promised: Vec<(Timestamp, u32)>,
}

impl<'a> One<'a> {
    pub(super) fn new(spec: &Spec, limiter: Door<'a>) -> Result<Self, String> {
        let mut receipts = Vec::new();
        if spec.lacking > 0 {
            receipts.push(limiter.check_n(spec.lacking).map_err(|error| error.to_string())?);
        }
        Ok(Self { spec: spec.clone(), limiter, receipts, named: BTreeMap::new(), promised: Vec::new() })
    }

    pub(super) fn name(&self) -> &str {
        &self.spec.name
    }

    fn check(&mut self, cells: u32) -> Seen {
        if !self.spec.check_wait.is_zero() {
            return self.reserve(cells, self.spec.check_wait, None);
        }
        match self.limiter.check_n(cells) {
            Ok(grant) => self.keep(grant),
            Err(throttled) if self.spec.drains => {
                let rest = self.limiter.take_up_to(cells);
                let mut seen = refused(&throttled);
                seen.insert("remaining", json!(rest.remaining()));
                self.receipts.push(rest);
                seen
            }
            Err(throttled) => refused(&throttled),
        }
    }

    /// What a check would be told: one that passes is undone at once by its receipt.
    pub(super) fn peek(&self, cells: u32) -> Seen {
        match self.limiter.check_n(cells) {
            Ok(grant) if cells > 0 => {
                self.limiter.refund(grant);
                granted(&self.limiter.peek())
            }
            Ok(grant) => granted(&grant),
            Err(throttled) => refused(&throttled),
        }
    }

    fn take_up_to(&mut self, cells: u32) -> Seen {
        let grant = self.limiter.take_up_to(cells);
        if grant.cells() == 0 && cells > 0 {
            // Nothing was left; when there will be is what a refusal of one cell tells.
            let mut seen = self.peek(1);
            seen.insert("taken", json!(0));
            return seen;
        }
        self.keep(grant)
    }

    fn reserve(&mut self, cells: u32, max_wait: Duration, name: Option<&str>) -> Seen {
        match self.limiter.reserve(cells, max_wait) {
            Ok(reservation) => {
                self.promised.push((reservation.act_at(), cells));
                if let Some(name) = name {
                    let mut seen = granted(&self.limiter.peek());
                    seen.insert("delay_ms", ms(reservation.wait()));
                    seen.insert("act_at_ns", json!(reservation.act_at().as_nanos()));
                    self.named.insert(name.to_owned(), Some(reservation));
                    seen
                } else {
                    self.keep(reservation.keep())
                }
            }
            Err(throttled) => {
                if let Some(name) = name {
                    self.named.insert(name.to_owned(), None);
                }
                let mut seen = refused(&throttled);
                if !throttled.is_never() {
                    seen.insert("error", json!("would_exceed_deadline"));
                }
                seen
            }
        }
    }

    fn keep(&mut self, grant: Grant) -> Seen {
        let seen = granted(&grant);
        self.receipts.push(grant);
        seen
    }

    /// By receipt, the newest first, and as much as these give back. A receipt is given back whole: what is too much is taken
    /// again.
    fn refund(&mut self, cells: u32) -> Seen {
        let wanted = self.limiter.peek().remaining().saturating_add(cells);
        let mut given = 0;
        while given < cells
            && self.limiter.peek().remaining() < wanted
            && let Some(grant) = self.receipts.pop()
        {
            given += grant.cells();
            self.limiter.refund(grant);
        }
        let surplus = self.limiter.peek().remaining().saturating_sub(wanted);
        if surplus > 0 {
            self.receipts.push(self.limiter.take_up_to(surplus));
        }
        granted(&self.limiter.peek())
    }

    fn answer(&mut self, ask: &Ask<'_>) -> Result<Seen, String> {
        Ok(match *ask {
            Ask::Check { cells, passed: None } => self.check(cells),
            Ask::Check { passed: Some(_), .. } => return Err("a limiter counts for itself what has passed".into()),
            Ask::Peek { cells } => self.peek(cells),
            Ask::TakeUpTo { cells } => self.take_up_to(cells),
            Ask::Refund { cells } => self.refund(cells),
            Ask::Reset => {
                self.limiter.reset();
                self.receipts.clear();
                granted(&self.limiter.peek())
            }
            Ask::Reserve { cells, max_wait, name } => {
                self.reserve(cells, max_wait.unwrap_or(self.spec.reserve_wait).min(Quota::LONGEST), name)
            }
            Ask::Cancel { name } => {
                let reservation = self.named.remove(name).ok_or_else(|| format!("nothing is called {name}"))?;
                drop(reservation);
                granted(&self.limiter.peek())
            }
            Ask::SetRate(rate) => {
                self.spec.set_rate(rate)?;
                self.limiter.reconfigure(&self.spec)?;
                Seen::new()
            }
            Ask::SetLimit(limit) => {
                self.spec.set_limit(limit)?;
                self.limiter.reconfigure(&self.spec)?;
                Seen::new()
            }
        })
    }

    /// What is left, less what is promised.
    fn less_promised(&self, remaining: &Value, now: Timestamp) -> Value {
        let promised = self.promised.iter().filter(|(turn, _)| *turn > now).map(|(_, cells)| i64::from(*cells));
        json!(remaining.as_i64().unwrap_or(0) - promised.sum::<i64>())
    }
}

impl Subject for One<'_> {
    fn ask(&mut self, now: Timestamp, ask: &Ask<'_>) -> Result<Seen, String> {
        let before = self.limiter.peek();
        let mut seen = self.answer(ask)?;
        if let Shape::Bucket(bucket) = self.spec.shape {
            seen.insert("tokens_before", json!(tokens(&bucket, &before)));
            seen.insert("fraction", json!(tokens(&bucket, &self.limiter.peek()).rem_euclid(1.0)));
        }
        if self.spec.tells_promised
            && let Some(remaining) = seen.get("remaining")
        {
            let remaining = self.less_promised(remaining, now);
            seen.insert("remaining", remaining);
        }
        Ok(seen)
    }
}

/// What a bucket has: as much as it is short of being full by what comes until it is. One that is refilled in steps has whole
/// cells only.
fn tokens(bucket: &Bucket, grant: &Grant) -> f64 {
    if bucket.in_steps {
        return f64::from(grant.remaining());
    }
    let short = grant.reset_after().as_secs_f64() * f64::from(bucket.refill) / bucket.period.as_secs_f64();
    f64::from(bucket.capacity) - short
}

fn granted(grant: &Grant) -> Seen {
    Seen::from([
        ("allowed", json!(true)),
        ("taken", json!(grant.cells())),
        ("remaining", json!(grant.remaining())),
        ("reset_after_ms", ms(grant.reset_after())),
        ("retry_after_ms", Value::Null),
        ("delay_ms", ms(grant.wait())),
        ("act_at_ns", json!(grant.act_at().as_nanos())),
        ("error", Value::Null),
    ])
}

fn refused(throttled: &Throttled) -> Seen {
    let mut seen = Seen::from([
        ("allowed", json!(false)),
        ("taken", json!(0)),
        ("remaining", json!(throttled.remaining())),
        ("reset_after_ms", ms(throttled.reset_after())),
        ("retry_after_ms", maybe_ms(throttled.retry_after())),
        ("capacity", json!(throttled.quota().burst_size())),
        ("error", Value::Null),
    ]);
    if throttled.is_never() {
        seen.insert("retry", json!("never"));
        seen.insert("error", json!("insufficient_capacity"));
    }
    seen
}
