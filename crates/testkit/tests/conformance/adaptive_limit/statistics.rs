//! What algorithms count.

use std::time::Duration;

use seawall_bulkhead::limit::stats::{
    CorrelationWindow, Ema, Ewma, MovingMedian, RollingMax, SampleWindow, Summary, VariationWindow, log10_int, sqrt_int,
};
use seawall_bulkhead::limit::{Sample, Signal};
use seawall_core::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::millis;
use crate::case::{Case, Play, Seen};
use crate::miss::Miss;
use crate::vector::Vector;

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Op {
    /// To what the configuration describes.
    Add {
        value: f64,
        t_s: Option<f64>,
        t_ms: Option<f64>,
    },
    AddPeak {
        value: f64,
        t_ms: f64,
    },
    Fresh {},
    /// The others are of values of their own.
    Ema {
        age: u32,
        warmup: u32,
        values: Vec<f64>,
    },
    Corr {
        x: Vec<f64>,
        y: Vec<f64>,
    },
    Cv {
        values: Vec<f64>,
    },
    Median {
        window: u32,
        values: Vec<f64>,
    },
    Window {
        kind_: Kind,
        q: Option<f64>,
        samples: Vec<Call>,
    },
    Log10Int {
        x: u32,
        baseline: u32,
    },
    SqrtInt {
        x: u32,
        baseline: u32,
    },
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Average,
    Percentile,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    rtt: u64,
    dropped: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    window: Option<u32>,
    warmup: Option<u32>,
    window_s: Option<f64>,
    decay_ms: Option<f64>,
    capacity: Option<u32>,
    /// In words.
    #[serde(rename = "note")]
    _note: Option<String>,
    #[serde(rename = "formula")]
    _formula: Option<String>,
}

/// What values are added to.
enum Added {
    Nothing,
    Ema(Ema),
    Ewma(Ewma),
    Max(RollingMax),
}

impl Rules {
    fn added(&self) -> Result<Added, String> {
        Ok(match *self {
            Self { window: Some(age), warmup: Some(warmup), .. } => Added::Ema(ema(age, warmup)),
            Self { window_s: Some(seconds), .. } => Added::Max(RollingMax::new(millis(seconds * 1e3)?)),
            Self { decay_ms: Some(decay), .. } => Added::Ewma(Ewma::new(millis(decay)?)),
            _ => Added::Nothing,
        })
    }
}

/// failsafe-go's average begins at nothing where it has no warm-up.
fn ema(age: u32, warmup: u32) -> Ema {
    if warmup == 0 { Ema::starting_at(age, 0.0) } else { Ema::new(age, warmup) }
}

pub(super) fn run(vector: &Vector) -> Vec<Miss> {
    let read = Case::<Op>::read(vector).and_then(|case| {
        let rules: Rules = case.config()?;
        let added = rules.added()?;
        Ok((case, Stage { rules, added }))
    });
    match read {
        Ok((case, mut stage)) => case.play(&mut stage),
        Err(why) => vec![Miss::before_all("config", why)],
    }
}

struct Stage {
    rules: Rules,
    added: Added,
}

impl Stage {
    fn add(&mut self, value: f64, seconds: Option<f64>, since: Option<f64>) -> Result<Seen, String> {
        let at = since.or(seconds.map(|seconds| seconds * 1e3)).map(millis).transpose()?;
        let at = at.map(|since| Timestamp::ZERO + since);
        match (&mut self.added, at) {
            (Added::Ema(ema), None) => Ok(Seen::from([("value", json!(ema.add(value)))])),
            (Added::Max(max), Some(at)) => Ok(Seen::from([("max", json!(max.add(at, value)))])),
            (Added::Ewma(ewma), Some(at)) => {
                ewma.add(at, value);
                Ok(Seen::from([("value", json!(ewma.get()))]))
            }
            _ => Err("nothing to which this is added".into()),
        }
    }
}

impl Play<Op> for Stage {
    fn take(&mut self, op: &Op) -> Result<Seen, String> {
        let capacity = || self.rules.capacity.ok_or("of how many values?");
        let value = match op {
            Op::Add { value, t_s, t_ms } => return self.add(*value, *t_s, *t_ms),
            Op::AddPeak { value, t_ms } => {
                let Added::Ewma(ewma) = &mut self.added else { return Err("no average over time".into()) };
                ewma.add_peak(Timestamp::ZERO + millis(*t_ms)?, *value);
                json!(ewma.get())
            }
            Op::Fresh {} => {
                self.added = self.rules.added()?;
                return Ok(Seen::new());
            }
            Op::Ema { age, warmup, values } => {
                let mut ema = ema(*age, *warmup);
                let average = values.iter().map(|value| ema.add(*value)).last().ok_or("no values")?;
                return Ok(Seen::from([("rounded", json!(average.round())), ("value", json!(average))]));
            }
            Op::Corr { x, y } => {
                let mut correlation = CorrelationWindow::new(capacity()?);
                for (x, y) in x.iter().zip(y) {
                    correlation.add(*x, *y);
                }
                json!(correlation.get())
            }
            Op::Cv { values } => {
                let mut variation = VariationWindow::new(capacity()?);
                for value in values {
                    variation.add(*value);
                }
                variation.get().map_or_else(|| json!("NaN"), |variation| json!(variation))
            }
            Op::Median { window, values } => {
                let mut median = MovingMedian::new(*window);
                json!(values.iter().map(|value| median.add(*value)).last())
            }
            Op::Window { kind_, q, samples } => {
                let summary = match (kind_, q) {
                    (Kind::Average, None) => Summary::Average,
                    (Kind::Percentile, Some(q)) => Summary::Percentile(*q),
                    _ => return Err("a percentile, or none".into()),
                };
                let mut window = SampleWindow::new(summary);
                for call in samples {
                    let signal = if call.dropped { Signal::Dropped } else { Signal::Completed };
                    let rtt = Duration::from_nanos(call.rtt);
                    window.add(&Sample::new(Timestamp::ZERO, rtt, 1, signal));
                }
                let tracked = window.summary().map(|(nanos, _)| nanos);
                return Ok(Seen::from([("tracked_rtt", json!(tracked)), ("did_drop", json!(window.dropped()))]));
            }
            Op::Log10Int { x, baseline } => json!(log10_int(*x) + baseline),
            Op::SqrtInt { x, baseline } => json!(sqrt_int(*x).max(*baseline)),
        };
        Ok(Seen::from([("value", value)]))
    }

    fn look(&self, _field: &str) -> Option<Value> {
        None
    }
}
