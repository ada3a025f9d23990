//! aegis' BBR. Counts and times of a bucket are told apart there, and come from the same calls here.

use std::time::Duration;

use seawall_bulkhead::limit::{Bbr, BbrGate, Sample, Signal};
use seawall_core::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{in_millis, millis};
use crate::case::{Case, Play, Seen};
use crate::miss::Miss;
use crate::vector::Vector;

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Op {
    /// Passes and times of buckets one after the other; the last is over only if all are.
    Buckets {
        #[serde(default, rename = "pass_")]
        passes: Vec<usize>,
        #[serde(default, rename = "rt")]
        times: Vec<Vec<f64>>,
        all_complete: bool,
    },
    Fresh {},
    ShouldDrop {
        cpu: f64,
        inflight: u32,
    },
    Advance {
        ms: f64,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    #[serde(rename = "algorithm")]
    _algorithm: String,
    window_ms: f64,
    buckets: u32,
    /// In thousandths.
    cpu_threshold: f64,
    #[serde(default = "second")]
    cooldown_after_drop_ms: f64,
}

const fn second() -> f64 {
    1_000.0
}

impl Rules {
    fn build(&self) -> Result<BbrGate, String> {
        let bbr = Bbr::default().window(millis(self.window_ms)?).buckets(self.buckets).cpu(self.cpu_threshold / 1e3);
        bbr.cooldown(millis(self.cooldown_after_drop_ms)?).build().map_err(|error| error.to_string())
    }

    fn bucket(&self) -> Result<Duration, String> {
        millis(self.window_ms / f64::from(self.buckets))
    }
}

pub(super) fn run(vector: &Vector) -> Vec<Miss> {
    let read = Case::<Op>::read(vector).and_then(|case| {
        let rules: Rules = case.config()?;
        let gate = rules.build()?;
        Ok((case, Stage { rules, gate, now: Timestamp::ZERO + Duration::from_secs(100) }))
    });
    match read {
        Ok((case, mut stage)) => case.play(&mut stage),
        Err(why) => vec![Miss::before_all("config", why)],
    }
}

struct Stage {
    rules: Rules,
    gate: BbrGate,
    now: Timestamp,
}

impl Stage {
    fn fill(&mut self, passes: Option<usize>, times: Option<&Vec<f64>>) -> Result<(), String> {
        let any = vec![1.0];
        let times = times.unwrap_or(&any);
        let passes = passes.unwrap_or(times.len());
        if times.is_empty() || !passes.is_multiple_of(times.len()) {
            return Err(format!("{passes} calls that took {times:?}"));
        }
        for rtt in times.iter().cycle().take(passes) {
            self.gate.on_sample(&Sample::new(self.now, millis(*rtt)?, 1, Signal::Completed));
        }
        Ok(())
    }
}

impl Play<Op> for Stage {
    fn take(&mut self, op: &Op) -> Result<Seen, String> {
        let mut seen = Seen::new();
        match op {
            Op::Buckets { passes, times, all_complete } => {
                let count = passes.len().max(times.len());
                for i in 0..count {
                    self.now = self.now + self.rules.bucket()?;
                    self.fill(passes.get(i).copied(), times.get(i))?;
                }
                if *all_complete {
                    self.now = self.now + self.rules.bucket()?;
                }
            }
            Op::Fresh {} => self.gate = self.rules.build()?,
            Op::ShouldDrop { cpu, inflight } => {
                let drop = self.gate.should_drop(self.now, *inflight, cpu / 1e3);
                seen.insert("drop", json!(drop));
            }
            Op::Advance { ms } => self.now = self.now + millis(*ms)?,
        }
        Ok(seen)
    }

    fn look(&self, field: &str) -> Option<Value> {
        let mut gate = self.gate.clone();
        match field {
            "max_pass" => Some(json!(gate.max_passes(self.now))),
            "min_rt" => Some(json!(in_millis(gate.min_rtt(self.now)))),
            "max_inflight" => Some(json!(gate.max_in_flight(self.now))),
            _ => None,
        }
    }
}
