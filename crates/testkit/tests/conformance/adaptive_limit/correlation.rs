//! failsafe-go's adaptive limiter.

use seawall_bulkhead::limit::{Correlation, CorrelationLimit, LimitAlgorithm, Sample, Signal};
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
    Sample {
        rtt_ms: f64,
        inflight: u32,
        /// Passes before the call ends, beside the spacing.
        #[serde(default)]
        advance_ms: f64,
        #[serde(default)]
        dropped: bool,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    #[serde(rename = "algorithm")]
    _algorithm: String,
    limits: Limits,
    recent_window_ms: (f64, f64),
    recent_min_samples: u32,
    recent_quantile: f64,
    median_filter: u32,
    smoothing_age: u32,
    warmup_samples: u32,
    baseline_age: u32,
    #[serde(default)]
    baseline_preload_ms: Vec<f64>,
    correlation_window: u32,
    max_limit_factor: f64,
    #[serde(default)]
    max_limit_stabilization_ms: f64,
    sample_spacing_ms: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    min: u32,
    max: u32,
    initial: u32,
}

impl Rules {
    fn build(&self) -> Result<CorrelationLimit, String> {
        if self.warmup_samples != 10 {
            return Err("a warm-up of other than ten windows".into());
        }
        let Limits { min, max, initial } = self.limits;
        let mut limit = Correlation::default()
            .initial(initial)
            .min(min)
            .max(max)
            .window(millis(self.recent_window_ms.0)?)
            .longest(millis(self.recent_window_ms.1)?)
            .min_samples(self.recent_min_samples)
            .quantile(self.recent_quantile)
            .median(self.median_filter)
            .smoothing(self.smoothing_age)
            .baseline(self.baseline_age)
            .correlation(self.correlation_window)
            .max_factor(self.max_limit_factor)
            .stabilization(millis(self.max_limit_stabilization_ms)?)
            // There only the factor holds back a limit that is not used.
            .min_use(0.0)
            .build()
            .map_err(|error| error.to_string())?;
        for &rtt in &self.baseline_preload_ms {
            limit.teach(millis(rtt)?);
        }
        Ok(limit)
    }
}

pub(super) fn run(vector: &Vector) -> Vec<Miss> {
    let read = Case::<Op>::read(vector).and_then(|case| {
        let rules: Rules = case.config()?;
        let limit = rules.build()?;
        Ok((case, Stage { rules, limit, now: Timestamp::ZERO }))
    });
    match read {
        Ok((case, mut stage)) => case.play(&mut stage),
        Err(why) => vec![Miss::before_all("config", why)],
    }
}

struct Stage {
    rules: Rules,
    limit: CorrelationLimit,
    now: Timestamp,
}

impl Play<Op> for Stage {
    fn take(&mut self, op: &Op) -> Result<Seen, String> {
        let Op::Sample { rtt_ms, inflight, advance_ms, dropped } = *op;
        self.now = self.now + millis(self.rules.sample_spacing_ms)? + millis(advance_ms)?;
        let signal = if dropped { Signal::Dropped } else { Signal::Completed };
        self.limit.on_sample(&Sample::new(self.now, millis(rtt_ms)?, inflight, signal));
        Ok(Seen::new())
    }

    fn look(&self, field: &str) -> Option<Value> {
        match field {
            "limit" => Some(json!(self.limit.limit())),
            "median_ms" => Some(json!(self.limit.median_rtt().map(in_millis))),
            "smoothed_ms" => Some(json!(self.limit.recent_rtt().map(in_millis))),
            "baseline_ms" => Some(json!(self.limit.baseline_rtt().map(in_millis))),
            _ => None,
        }
    }
}
