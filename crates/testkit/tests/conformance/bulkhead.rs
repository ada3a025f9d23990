//! `bulkhead.json`: how many are let in at once, and who waits; shares of one limit.

use std::collections::BTreeMap;
use std::time::Duration;

use seawall_bulkhead::partitions::{self, Overrun, Partition, Partitions};
use seawall_bulkhead::{Bulkhead, Compartment, PartitionedBulkhead};
use seawall_core::time::Clock;
use seawall_core::{Admit, Permit};
use seawall_testkit::drive;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::case::{Case, Play, Seen};
use crate::miss::Miss;
use crate::vector::Vector;

pub(crate) fn run(vector: &Vector) -> Vec<Miss> {
    match vector.text("pattern") {
        Some("partitioned-limit") => play::<PartOp, PartRules>(vector, |case, rules| {
            let names: Vec<String> = rules.partitions.keys().chain(&rules.bypass).cloned().collect();
            let bulkhead = rules.build()?;
            let known = names.into_iter().filter_map(|name| bulkhead.partition(&name).map(|found| (name, found)));
            let known: BTreeMap<String, Partition> = known.collect();
            Ok(case.play(&mut Divided { bulkhead: &bulkhead, known: &known, held: Vec::new(), last: None }))
        }),
        _ => play::<Op, Rules>(vector, |case, rules| {
            let bulkhead = Bulkhead::with_clock(rules.config(), Clock::manual().0).map_err(|e| e.to_string())?;
            Ok(case.play(&mut Whole {
                bulkhead: &bulkhead,
                rules,
                held: Vec::new(),
                waiting: Vec::new(),
                events: Vec::new(),
            }))
        }),
    }
}

fn play<O: for<'de> Deserialize<'de>, R: for<'de> Deserialize<'de>>(
    vector: &Vector,
    play: impl FnOnce(&Case<O>, R) -> Result<Vec<Miss>, String>,
) -> Vec<Miss> {
    let played = Case::<O>::read(vector).and_then(|case| play(&case, case.config()?));
    played.unwrap_or_else(|why| vec![Miss::before_all("config", why)])
}

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Op {
    /// Takes a permit, or waits for it.
    #[serde(alias = "acquire_wait")]
    Acquire {
        who: String,
    },
    /// Takes a permit, or is refused.
    TryAcquire {
        who: Option<String>,
    },
    /// A call ends: that of one, or the oldest.
    #[serde(alias = "release")]
    Complete {
        who: Option<String>,
    },
    /// What is above the new limit goes as calls end.
    #[serde(alias = "resize_begin")]
    Resize {
        max_concurrent: u32,
    },
    SetMaxWait {
        max_wait_ms: u64,
    },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    #[serde(alias = "limit")]
    max_concurrent: u32,
    #[serde(default)]
    max_wait_ms: u64,
}

impl Rules {
    /// Who may wait at all, may do so in a queue without an end.
    fn config(&self) -> seawall_bulkhead::Config {
        let queue = if self.max_wait_ms > 0 { usize::MAX } else { 0 };
        seawall_bulkhead::Config::new(self.max_concurrent)
            .queue(queue)
            .max_wait(Duration::from_millis(self.max_wait_ms))
    }
}

/// One bulkhead, and those who hold and wait for its permits, by name.
struct Whole<'a> {
    bulkhead: &'a Bulkhead,
    rules: Rules,
    held: Vec<(String, Permit<&'a Compartment>)>,
    waiting: Vec<(String, std::pin::Pin<Box<Admit<'a, 'static, Compartment>>>)>,
    events: Vec<&'static str>,
}

impl Whole<'_> {
    /// Those whose turn has come hold a permit.
    fn settle(&mut self) {
        for (who, mut admit) in std::mem::take(&mut self.waiting) {
            match drive::poll(admit.as_mut()) {
                std::task::Poll::Pending => self.waiting.push((who, admit)),
                std::task::Poll::Ready(Ok(permit)) => {
                    self.events.push("PERMITTED");
                    self.held.push((who, permit));
                }
                std::task::Poll::Ready(Err(_)) => self.events.push("REJECTED"),
            }
        }
    }
}

impl Play<Op> for Whole<'_> {
    fn take(&mut self, op: &Op) -> Result<Seen, String> {
        let mut seen = Seen::new();
        match op {
            Op::Acquire { who } => self.waiting.push((who.clone(), Box::pin(self.bulkhead.admit()))),
            Op::TryAcquire { who } => {
                let permit = self.bulkhead.try_admit();
                seen.insert("permitted", json!(permit.is_ok()));
                self.events.push(if permit.is_ok() { "PERMITTED" } else { "REJECTED" });
                self.held.extend(permit.ok().map(|permit| (who.clone().unwrap_or_default(), permit)));
            }
            Op::Complete { who } => {
                let at = self.held.iter().position(|(held, _)| who.as_ref().is_none_or(|who| who == held));
                let (_, permit) = self.held.remove(at.ok_or("nobody holds a permit")?);
                permit.success();
                self.events.push("FINISHED");
            }
            Op::Resize { max_concurrent } => {
                self.bulkhead.resize(*max_concurrent).map_err(|error| error.to_string())?;
                self.rules.max_concurrent = *max_concurrent;
            }
            Op::SetMaxWait { max_wait_ms } => {
                self.rules.max_wait_ms = *max_wait_ms;
                self.bulkhead.reconfigure(self.rules.config()).map_err(|error| error.to_string())?;
            }
        }
        self.settle();
        Ok(seen)
    }

    fn look(&self, field: &str) -> Option<Value> {
        let names = |who: Vec<&String>| Some(json!(who));
        match field {
            "available" => Some(json!(self.bulkhead.available())),
            "inflight" => Some(json!(self.bulkhead.in_flight())),
            "max_concurrent" => Some(json!(self.bulkhead.limit())),
            "granted" => names(self.held.iter().map(|(who, _)| who).collect()),
            "waiting" => names(self.waiting.iter().map(|(who, _)| who).collect()),
            "event_sequence" => Some(json!(self.events)),
            _ => None,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum PartOp {
    Observe,
    Acquire { partition: String },
    Release { partition: String },
    SetLimit { limit: u32 },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartRules {
    limit: u32,
    partitions: BTreeMap<String, f64>,
    bypass: Option<String>,
}

impl PartRules {
    fn build(self) -> Result<PartitionedBulkhead, String> {
        let config = partitions::Config::new(self.limit).overrun(Overrun::Allowed);
        let config = self.partitions.into_iter().fold(config, |config, (name, share)| config.partition(name, share));
        let config = self.bypass.into_iter().fold(config, partitions::Config::bypass);
        PartitionedBulkhead::with_clock(config, Clock::manual().0).map_err(|error| error.to_string())
    }
}

/// One limit and its shares.
struct Divided<'a> {
    bulkhead: &'a PartitionedBulkhead,
    known: &'a BTreeMap<String, Partition>,
    held: Vec<(String, Permit<&'a Partitions>)>,
    /// The partition of the last step that named one.
    last: Option<String>,
}

impl Divided<'_> {
    fn part(&self, name: &str) -> Option<partitions::PartitionSnapshot> {
        self.bulkhead.snapshot().partitions.into_iter().find(|part| part.name.as_str() == name)
    }
}

impl Play<PartOp> for Divided<'_> {
    fn take(&mut self, op: &PartOp) -> Result<Seen, String> {
        let mut seen = Seen::new();
        match op {
            PartOp::Observe => {}
            PartOp::Acquire { partition } => {
                let found = self.known.get(partition).ok_or("no such partition")?;
                let permit = self.bulkhead.with(found).try_admit().ok();
                seen.insert("permitted", json!(permit.is_some()));
                self.held.extend(permit.map(|permit| (partition.clone(), permit)));
                self.last = Some(partition.clone());
            }
            PartOp::Release { partition } => {
                let at =
                    self.held.iter().position(|(held, _)| held == partition).ok_or("nobody of it holds a permit")?;
                self.held.remove(at).1.success();
                self.last = Some(partition.clone());
            }
            PartOp::SetLimit { limit } => self.bulkhead.resize(*limit).map_err(|error| error.to_string())?,
        }
        Ok(seen)
    }

    fn look(&self, field: &str) -> Option<Value> {
        match field {
            "inflight_total" => Some(json!(self.bulkhead.in_flight())),
            "inflight_partition" => Some(json!(self.part(self.last.as_deref()?)?.in_flight)),
            "partition_limits" => {
                let parts = self.bulkhead.snapshot().partitions;
                Some(parts.iter().map(|part| (part.name.to_string(), json!(part.share))).collect())
            }
            _ => None,
        }
    }
}
