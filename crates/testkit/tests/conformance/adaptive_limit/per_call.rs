//! Netflix' algorithms, fed with each call. The vectors tell no times: each call begins when the one before has ended.

use seawall_bulkhead::limit::{Aimd, Decrease, Gradient2, LimitAlgorithm, Sample, Scale, Signal, Vegas};
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
    Sample {
        rtt_ms: f64,
        inflight: u32,
        #[serde(default)]
        dropped: bool,
    },
    Advance {
        ms: f64,
    },
    Observe {},
}

#[derive(Debug, Deserialize)]
#[serde(tag = "algorithm", rename_all = "snake_case", deny_unknown_fields)]
enum Rules {
    Aimd {
        initial: u32,
        min: u32,
        max: u32,
        backoff: f64,
        timeout_ms: f64,
    },
    Vegas {
        initial: u32,
        max: u32,
        smoothing: f64,
        alpha: Option<u32>,
        beta: Option<u32>,
        threshold: Option<u32>,
        decrease: Option<String>,
    },
    Gradient2 {
        initial: u32,
        min: u32,
        max: u32,
        smoothing: f64,
        queue_size: u32,
        long_window: u32,
        warmup: u32,
        tolerance: f64,
    },
}

impl Rules {
    fn build(&self) -> Result<Box<dyn LimitAlgorithm>, String> {
        let built: Result<Box<dyn LimitAlgorithm>, _> = match *self {
            Self::Aimd { initial, min, max, backoff, timeout_ms } => {
                // A limit of nothing would end all calls for good.
                let aimd = Aimd::default().initial(initial).min(min.max(1)).max(max);
                aimd.backoff(backoff).timeout(millis(timeout_ms)?).build().map(|limit| Box::new(limit) as _)
            }
            Self::Vegas { initial, max, smoothing, alpha, beta, threshold, ref decrease } => {
                let mut vegas = Vegas::default().initial(initial).max(max).smoothing(smoothing);
                vegas.alpha = alpha.map_or(vegas.alpha, Scale::Fixed);
                vegas.beta = beta.map_or(vegas.beta, Scale::Fixed);
                vegas.threshold = threshold.map_or(vegas.threshold, Scale::Fixed);
                vegas.decrease = match decrease.as_deref() {
                    None => vegas.decrease,
                    Some("limit/2") => Decrease::To(0.5),
                    Some(other) => return Err(format!("lowering by {other}")),
                };
                vegas.build().map(|limit| Box::new(limit) as _)
            }
            Self::Gradient2 { initial, min, max, smoothing, queue_size, long_window, warmup, tolerance } => {
                if warmup != 10 {
                    return Err("a warm-up of other than ten calls".into());
                }
                let gradient = Gradient2::default().initial(initial).min(min).max(max).smoothing(smoothing);
                let gradient = gradient.queue(queue_size).long_window(long_window).tolerance(tolerance);
                gradient.build().map(|limit| Box::new(limit) as _)
            }
        };
        built.map_err(|error| error.to_string())
    }
}

pub(super) fn run(vector: &Vector) -> Vec<Miss> {
    let read = Case::<Op>::read(vector).and_then(|case| {
        let algorithm = case.config::<Rules>()?.build()?;
        Ok((case, algorithm))
    });
    match read {
        Ok((case, algorithm)) => case.play(&mut Stage { algorithm, now: Timestamp::ZERO }),
        Err(why) => vec![Miss::before_all("config", why)],
    }
}

struct Stage {
    algorithm: Box<dyn LimitAlgorithm>,
    now: Timestamp,
}

impl Play<Op> for Stage {
    fn take(&mut self, op: &Op) -> Result<Seen, String> {
        match *op {
            Op::Sample { rtt_ms, inflight, dropped } => {
                let rtt = millis(rtt_ms)?;
                self.now = self.now + rtt;
                let signal = if dropped { Signal::Dropped } else { Signal::Completed };
                self.algorithm.on_sample(&Sample::new(self.now, rtt, inflight, signal));
            }
            Op::Advance { ms } => {
                self.now = self.now + millis(ms)?;
                self.algorithm.on_tick(self.now);
            }
            Op::Observe {} => {}
        }
        Ok(Seen::new())
    }

    fn look(&self, field: &str) -> Option<Value> {
        (field == "limit").then(|| json!(self.algorithm.limit()))
    }
}
