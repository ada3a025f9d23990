use std::collections::BTreeMap;

use seawall_core::time::Timestamp;
use serde_json::{Value, json};

use super::{at, ms, seen};
use crate::rate_limit::ask::{Ask, Seen, Subject};
use crate::rate_limit::limits;

/// A token bucket, in parts of a token of which one comes (or `refill` come) in a nanosecond.
pub(super) struct Bucket {
    rule: limits::Bucket,
    level: i128,
    /// Up to when the refill has come.
    filled: i128,
    receipts: Vec<Receipt>,
    named: BTreeMap<String, Option<Receipt>>,
    /// The parts of all that was taken, less what was given back.
    spent: i128,
}

#[derive(Clone, Copy)]
struct Receipt {
    parts: i128,
    asked_at: i128,
    act_at: i128,
    spent: i128,
}

impl Bucket {
    pub(super) fn new(rule: limits::Bucket, lacking: u32) -> Self {
        let mut new = Self { rule, level: 0, filled: 0, receipts: Vec::new(), named: BTreeMap::new(), spent: 0 };
        new.level = new.full();
        if lacking > 0 {
            let receipt = new.take(0, new.parts(lacking), 0);
            new.receipts.push(receipt);
        }
        new
    }

    /// The parts of a token.
    fn period(&self) -> i128 {
        self.rule.period.as_nanos().cast_signed()
    }

    fn parts(&self, cells: u32) -> i128 {
        i128::from(cells) * self.period()
    }

    fn full(&self) -> i128 {
        self.parts(self.rule.capacity)
    }

    fn fill(&mut self, now: i128) {
        let until = if self.rule.in_steps { now / self.period() * self.period() } else { now };
        let came = (until - self.filled).max(0) * i128::from(self.rule.refill);
        self.level = (self.level + came).min(self.full());
        self.filled = self.filled.max(until);
    }

    /// How long until the bucket has so many parts.
    fn wait(&self, now: i128, parts: i128) -> i128 {
        let missing = (parts - self.level).max(0);
        let refill = i128::from(self.rule.refill.max(1));
        if missing == 0 {
            0
        } else if self.rule.in_steps {
            let steps = div_up(missing, self.period() * refill);
            self.filled + steps * self.period() - now
        } else {
            div_up(missing, refill)
        }
    }

    fn take(&mut self, now: i128, parts: i128, wait: i128) -> Receipt {
        self.level -= parts;
        self.spent += parts;
        Receipt { parts, asked_at: now, act_at: now + wait, spent: self.spent }
    }

    /// Of what was there at once, all but what has been refilled since; of what was waited for, all that nobody has built upon.
    fn give_back(&mut self, receipt: Receipt, now: i128) {
        let refilled = (now - receipt.act_at).max(0) * i128::from(self.rule.refill);
        let mut given = receipt.parts - refilled;
        if self.level < 0 || receipt.act_at > receipt.asked_at {
            given = given.min(receipt.parts - (self.spent - receipt.spent));
        }
        let given = given.min(self.full() - self.level).max(0);
        self.level += given;
        self.spent -= given;
    }

    fn show(&self, now: i128, allowed: bool) -> Seen {
        let mut seen = seen(allowed, self.remaining());
        seen.insert("reset_after_ms", ms(self.wait(now, self.full())));
        seen
    }

    fn refuse(&self, now: i128, cells: u32) -> Seen {
        let mut seen = self.show(now, false);
        let never = cells > self.rule.capacity;
        let wait = if never { Value::Null } else { ms(self.wait(now, self.parts(cells))) };
        seen.insert("retry_after_ms", wait);
        if never {
            seen.insert("error", json!("insufficient_capacity"));
        }
        seen
    }

    fn check(&mut self, now: i128, cells: u32) -> Seen {
        let parts = self.parts(cells);
        if cells > 0 && parts > self.level {
            return self.refuse(now, cells);
        }
        let receipt = self.take(now, parts, 0);
        self.receipts.push(receipt);
        self.show(now, true)
    }

    fn take_up_to(&mut self, now: i128, cells: u32) -> Seen {
        let taken = self.remaining().min(i128::from(cells));
        let receipt = self.take(now, taken * self.period(), 0);
        self.receipts.push(receipt);
        let mut seen = self.show(now, cells == 0 || taken > 0);
        seen.insert("taken", json!(i64::try_from(taken).unwrap_or(i64::MAX)));
        seen
    }

    fn remaining(&self) -> i128 {
        self.level.max(0) / self.period()
    }

    /// Whole receipts, the newest first; what is too much is taken again.
    fn refund(&mut self, now: i128, cells: u32) -> Seen {
        let wanted = (self.remaining() + i128::from(cells)).min(i128::from(self.rule.capacity));
        let mut given = 0;
        while given < self.parts(cells)
            && self.remaining() < wanted
            && let Some(receipt) = self.receipts.pop()
        {
            given += receipt.parts;
            self.give_back(receipt, now);
        }
        let surplus = (self.remaining() - wanted).max(0);
        if surplus > 0 {
            let receipt = self.take(now, surplus * self.period(), 0);
            self.receipts.push(receipt);
        }
        self.show(now, true)
    }

    fn reserve(&mut self, now: i128, cells: u32, max_wait: Option<i128>, name: Option<&str>) -> Seen {
        let wait = self.wait(now, self.parts(cells));
        if cells > self.rule.capacity || max_wait.is_some_and(|most| wait > most) {
            if let Some(name) = name {
                self.named.insert(name.to_owned(), None);
            }
            return self.refuse(now, cells);
        }
        let receipt = self.take(now, self.parts(cells), wait);
        match name {
            Some(name) => {
                self.named.insert(name.to_owned(), Some(receipt));
            }
            None => self.receipts.push(receipt),
        }
        let mut seen = self.show(now, true);
        seen.insert("delay_ms", ms(wait));
        seen.insert("act_at_ns", json!(u64::try_from(now + wait).unwrap_or(u64::MAX)));
        seen
    }
}

impl Subject for Bucket {
    fn ask(&mut self, now: Timestamp, ask: &Ask<'_>) -> Result<Seen, String> {
        let now = at(now);
        self.fill(now);
        #[expect(clippy::cast_precision_loss, reason = "vectors' buckets are small")]
        let before = self.level as f64 / self.period() as f64;
        let mut seen = match *ask {
            Ask::Check { cells, .. } => self.check(now, cells),
            Ask::Peek { cells } if cells > 0 && self.parts(cells) > self.level => self.refuse(now, cells),
            Ask::Peek { .. } => self.show(now, true),
            Ask::TakeUpTo { cells } => self.take_up_to(now, cells),
            Ask::Refund { cells } => self.refund(now, cells),
            Ask::Reset => {
                self.level = self.full();
                self.receipts.clear();
                self.show(now, true)
            }
            Ask::Reserve { cells, max_wait, name } => {
                let most = max_wait.map(|most| i128::try_from(most.as_nanos()).unwrap_or(i128::MAX));
                self.reserve(now, cells, most, name)
            }
            Ask::Cancel { name } => {
                let receipt = self.named.remove(name).ok_or("unknown")?;
                if let Some(receipt) = receipt.filter(|receipt| now <= receipt.act_at) {
                    self.give_back(receipt, now);
                }
                self.show(now, true)
            }
            Ask::SetRate(_) | Ask::SetLimit(_) => return ask.unknown(),
        };
        if !self.rule.in_steps {
            seen.insert("tokens_before", json!(before));
        }
        Ok(seen)
    }
}

fn div_up(a: i128, b: i128) -> i128 {
    (a + b - 1) / b
}
