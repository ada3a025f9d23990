//! failsafe-go's formulas.

use seawall_bulkhead::limit::{Correlation, rejection_rate};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::case::{Case, Play, Seen};
use crate::miss::Miss;
use crate::vector::Vector;

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Op {
    RejectionRate { queued: u64, threshold: u64, max: u64 },
    MaxLimit { factor: f64, decay: f64, min_factor: f64, inflight: u32 },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    /// In words.
    #[serde(rename = "formula")]
    _formula: Option<String>,
}

pub(super) fn run(vector: &Vector) -> Vec<Miss> {
    let read = Case::<Op>::read(vector).and_then(|case| case.config::<Rules>().map(|_| case));
    match read {
        Ok(case) => case.play(&mut Stage),
        Err(why) => vec![Miss::before_all("config", why)],
    }
}

struct Stage;

impl Play<Op> for Stage {
    fn take(&mut self, op: &Op) -> Result<Seen, String> {
        let value = match *op {
            Op::RejectionRate { queued, threshold, max } => rejection_rate(queued, threshold, max),
            Op::MaxLimit { factor, decay, min_factor, inflight } => {
                let rules = Correlation::default().max_factor(factor).factor_decay(decay).min_factor(min_factor);
                rules.build().map_err(|error| error.to_string())?;
                rules.highest_for(inflight)
            }
        };
        Ok(Seen::from([("value", json!(value))]))
    }

    fn look(&self, _field: &str) -> Option<Value> {
        None
    }
}
