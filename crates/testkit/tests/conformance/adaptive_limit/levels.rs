//! failsafe-go's levels of priority: which one a share of the latest calls lies below.

use seawall_bulkhead::limit::Levels;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::case::{Case, Play, Seen};
use crate::miss::Miss;
use crate::vector::Vector;

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Op {
    RecordLevel { level: u16 },
    Level { q: f64 },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    window: u32,
    /// In words.
    #[serde(rename = "levels")]
    _levels: Option<String>,
}

pub(super) fn run(vector: &Vector) -> Vec<Miss> {
    let read = Case::<Op>::read(vector).and_then(|case| {
        let rules: Rules = case.config()?;
        Ok((case, Stage(Levels::new(rules.window))))
    });
    match read {
        Ok((case, mut stage)) => case.play(&mut stage),
        Err(why) => vec![Miss::before_all("config", why)],
    }
}

struct Stage(Levels);

impl Play<Op> for Stage {
    fn take(&mut self, op: &Op) -> Result<Seen, String> {
        let mut seen = Seen::new();
        match *op {
            Op::RecordLevel { level } => self.0.record(level),
            Op::Level { q } => drop(seen.insert("value", json!(self.0.level(q)))),
        }
        Ok(seen)
    }

    fn look(&self, _field: &str) -> Option<Value> {
        None
    }
}
