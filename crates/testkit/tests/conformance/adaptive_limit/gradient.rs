//! Envoy's gradient controller, inside a bulkhead that it tells how many calls may be in flight.
//!
//! There is no check there whether a limit is used: the calls of a `window` use all of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use seawall_bulkhead::limit::{Gradient, GradientLimit, LimitAlgorithm, Sample, Signal};
use seawall_bulkhead::{Bulkhead, Compartment, Config};
use seawall_core::Permit;
use seawall_core::time::{Clock, ManualTime, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{in_millis, millis};
use crate::case::{Case, Play, Seen};
use crate::miss::Miss;
use crate::vector::Vector;

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Op {
    Observe {},
    TryAcquire {},
    /// A call that was admitted goes away.
    CancelSample {},
    /// So many of those that were admitted end.
    Samples {
        n: usize,
        latency_ms: f64,
    },
    /// So many calls one after the other.
    AcquireAndSample {
        n: u32,
        latency_ms: f64,
    },
    FinishMinRtt {
        latency_ms: f64,
    },
    Window {
        samples_ms: Vec<f64>,
        advance_ms: f64,
    },
    Advance {
        ms: f64,
    },
    RememberLimit {
        as_: String,
    },
    ScheduleNextMinRtt {
        random: u64,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    #[serde(rename = "algorithm")]
    _algorithm: String,
    sample_percentile: f64,
    update_interval_ms: f64,
    min_rtt: MinRtt,
    max_limit: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MinRtt {
    interval_ms: f64,
    request_count: u32,
    jitter_pct: f64,
    min_concurrency: u32,
    buffer_pct: f64,
}

impl Rules {
    fn gradient(&self) -> Result<Gradient, String> {
        let MinRtt { interval_ms, request_count, jitter_pct, min_concurrency, buffer_pct } = self.min_rtt;
        Ok(Gradient::default()
            .min(min_concurrency)
            .max(self.max_limit)
            .percentile(self.sample_percentile / 100.0)
            .window(millis(self.update_interval_ms)?)
            .probe_every(millis(interval_ms)?)
            .probe_calls(request_count)
            .jitter(jitter_pct / 100.0)
            .buffer(buffer_pct / 100.0))
    }
}

/// The algorithm, which the bulkhead and the stage both see.
#[derive(Clone, Debug)]
struct Seam(Arc<Mutex<GradientLimit>>);

impl Seam {
    fn lock(&self) -> MutexGuard<'_, GradientLimit> {
        self.0.lock().expect("nobody panics")
    }
}

impl LimitAlgorithm for Seam {
    fn limit(&self) -> u32 {
        self.lock().limit()
    }

    fn on_sample(&mut self, sample: &Sample) -> u32 {
        self.lock().on_sample(sample)
    }

    fn on_tick(&mut self, now: Timestamp) -> u32 {
        self.lock().on_tick(now)
    }
}

pub(super) fn run(vector: &Vector) -> Vec<Miss> {
    let vector = spelled_out(vector);
    let read = Case::<Op>::read(&vector).and_then(|case| {
        let rules: Rules = case.config()?;
        let gradient = rules.gradient()?;
        let algorithm = gradient.build().map_err(|error| error.to_string())?;
        Ok((case, rules, gradient, Seam(Arc::new(Mutex::new(algorithm)))))
    });
    let (case, rules, gradient, algorithm) = match read {
        Ok(read) => read,
        Err(why) => return vec![Miss::before_all("config", why)],
    };
    let (clock, time) = Clock::manual();
    let seam = algorithm.clone();
    let bulkhead = match Bulkhead::with_clock(Config::custom(move || seam.clone()), clock) {
        Ok(bulkhead) => bulkhead,
        Err(why) => return vec![Miss::before_all("config", why)],
    };
    let (held, remembered) = (Vec::new(), BTreeMap::new());
    let before = algorithm.limit();
    case.play(&mut Stage { rules, gradient, algorithm, bulkhead: &bulkhead, time, held, remembered, before })
}

/// The vector with expectations of its own words as fields: a limit that was remembered, a change that there was not.
fn spelled_out(vector: &Vector) -> Vector {
    let mut fields = vector.fields.clone();
    let expectations = fields.get_mut("expect").and_then(Value::as_array_mut);
    for expected in expectations.into_iter().flatten().filter_map(Value::as_object_mut) {
        if let Some(Value::String(name)) = expected.get("limit").cloned() {
            expected.remove("limit");
            expected.insert(format!("limit_is_{name}"), json!(true));
        }
        if expected.get("limit_change").and_then(Value::as_str).is_some_and(|change| change.starts_with("not ")) {
            let change = expected.remove("limit_change").unwrap_or_default();
            let change = change.as_str().unwrap_or_default().trim_start_matches("not ").to_owned();
            expected.insert(format!("limit_change_is_{change}"), json!(false));
        }
    }
    Vector { id: vector.id.clone(), fields }
}

struct Stage<'a> {
    rules: Rules,
    gradient: Gradient,
    algorithm: Seam,
    bulkhead: &'a Bulkhead,
    time: ManualTime,
    held: Vec<Permit<&'a Compartment>>,
    remembered: BTreeMap<String, u32>,
    /// The limit before the last step.
    before: u32,
}

impl Stage<'_> {
    fn advance(&mut self, ms: f64) -> Result<(), String> {
        self.time.advance(millis(ms)?);
        self.algorithm.on_tick(self.time.now());
        Ok(())
    }

    fn calls(&mut self, n: u32, latency_ms: f64) -> Result<(), String> {
        for _ in 0..n {
            let permit = self.bulkhead.try_admit().map_err(|full| full.to_string())?;
            self.time.advance(millis(latency_ms)?);
            permit.success();
        }
        Ok(())
    }

    fn change(&self) -> &'static str {
        match self.algorithm.limit().cmp(&self.before) {
            std::cmp::Ordering::Less => "decrease",
            std::cmp::Ordering::Equal => "none",
            std::cmp::Ordering::Greater => "increase",
        }
    }
}

impl Play<Op> for Stage<'_> {
    fn take(&mut self, op: &Op) -> Result<Seen, String> {
        let mut seen = Seen::new();
        self.before = self.algorithm.limit();
        match op {
            Op::Observe {} => {}
            Op::TryAcquire {} => {
                let permit = self.bulkhead.try_admit();
                seen.insert("permitted", json!(permit.is_ok()));
                self.held.extend(permit);
            }
            Op::CancelSample {} => drop(self.held.pop().ok_or("nothing is held")?),
            Op::Samples { n, latency_ms } => {
                self.time.advance(millis(*latency_ms)?);
                let kept = self.held.len().checked_sub(*n).ok_or("fewer calls are in flight")?;
                self.held.drain(kept..).for_each(Permit::success);
            }
            Op::AcquireAndSample { n, latency_ms } => self.calls(*n, *latency_ms)?,
            Op::FinishMinRtt { latency_ms } => self.calls(self.rules.min_rtt.request_count, *latency_ms)?,
            Op::Window { samples_ms, advance_ms } => {
                for &rtt in samples_ms {
                    self.advance(rtt)?;
                    let in_flight = self.algorithm.limit();
                    let sample = Sample::new(self.time.now(), millis(rtt)?, in_flight, Signal::Completed);
                    self.algorithm.on_sample(&sample);
                }
                self.advance(*advance_ms)?;
            }
            Op::Advance { ms } => self.advance(*ms)?,
            Op::RememberLimit { as_ } => drop(self.remembered.insert(as_.clone(), self.before)),
            Op::ScheduleNextMinRtt { random } => {
                seen.insert("delay_ms", json!(in_millis(self.gradient.probe_after(*random))));
            }
        }
        Ok(seen)
    }

    fn look(&self, field: &str) -> Option<Value> {
        let limit = self.algorithm.limit();
        match field {
            "limit" => Some(json!(limit)),
            "limit_change" => Some(json!(self.change())),
            "growth_factor" => Some(json!(f64::from(limit) / f64::from(self.before))),
            "measuring_min_rtt" => Some(json!(self.algorithm.lock().is_measuring())),
            "min_rtt_ms" => Some(json!(self.algorithm.lock().min_rtt().map(in_millis))),
            "sample_rtt_ms" => Some(json!(self.algorithm.lock().sample_rtt().map(in_millis))),
            _ => {
                if let Some(change) = field.strip_prefix("limit_change_is_") {
                    return Some(json!(self.change() == change));
                }
                let name = field.strip_prefix("limit_is_")?;
                Some(json!(*self.remembered.get(name)? == limit))
            }
        }
    }
}
