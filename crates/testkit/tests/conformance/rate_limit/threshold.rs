//! Sentinel's warm-up, which is told what passes.

use seawall_core::time::Timestamp;
use seawall_rate_limit::limit::{WarmUpThreshold, WarmUpThresholdState};
use serde_json::json;

use super::ask::{Ask, Passed, Seen, Subject};

pub(super) struct Threshold {
    threshold: WarmUpThreshold,
    state: WarmUpThresholdState,
}

impl Threshold {
    pub(super) fn new(threshold: WarmUpThreshold) -> Self {
        Self { threshold, state: WarmUpThresholdState::default() }
    }
}

impl Subject for Threshold {
    fn ask(&mut self, now: Timestamp, ask: &Ask<'_>) -> Result<Seen, String> {
        let &Ask::Check { cells, passed: Some(Passed { now: passed, before }) } = ask else {
            return Err("nothing but calls, with what has passed before them".into());
        };
        let allowed = self.threshold.passes(&mut self.state, now, cells, passed, before);
        Ok(Seen::from([("allowed", json!(allowed))]))
    }
}
