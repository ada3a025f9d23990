use std::time::Duration;

use seawall_circuit_breaker::{CircuitBreaker, Snapshot, State, Total};
use seawall_core::time::Timestamp;
use serde_json::{Value, json};

use super::profile::Setup;

/// The counts of gobreaker, which begin anew with every state and leave with the window: one structure where a breaker here has
/// its window's figures, its run of failures and its totals.
///
/// They are worked out as one does who reads the snapshot after every call.
pub(crate) struct Counts {
    /// Bucket and number of buckets of the window over which they are taken.
    window: Option<(Duration, u32)>,
    /// Whether the breaker keeps a window of its own.
    by_window: bool,
    generation: u32,
    /// What had been counted when, since the state began.
    samples: Vec<(Timestamp, Total)>,
    /// The successes before the present run of them.
    before_run: u64,
}

impl Counts {
    pub(crate) fn new(setup: &Setup, breaker: &CircuitBreaker, now: Timestamp) -> Self {
        let mut counts = Self {
            window: setup.counted_over,
            by_window: setup.is_judged_by_rate,
            generation: u32::MAX,
            samples: Vec::new(),
            before_run: 0,
        };
        counts.note(&breaker.snapshot(), now);
        counts
    }

    pub(crate) fn note(&mut self, snapshot: &Snapshot, now: Timestamp) {
        let total = snapshot.total;
        let failed = self.samples.last().is_some_and(|(_, last)| total.failures > last.failures);
        if self.generation != snapshot.generation {
            self.generation = snapshot.generation;
            self.samples.clear();
            self.before_run = total.successes;
        } else if failed {
            self.before_run = total.successes;
        }
        self.samples.push((now, total));
    }

    pub(crate) fn look(&self, snapshot: &Snapshot, in_flight: usize, now: Timestamp) -> Value {
        let (total, before) = (snapshot.total, self.before_window(now));
        let mut successes = total.successes - before.successes;
        let mut failures = total.failures - before.failures;
        let exclusions = total.ignored - before.ignored;
        if snapshot.state == State::HalfOpen || (snapshot.state == State::Closed && self.by_window) {
            (successes, failures) = (snapshot.figures.succeeded(), snapshot.figures.failed);
        }
        let failures_in_a_row = if snapshot.state == State::Closed { snapshot.consecutive_failures } else { 0 };
        json!({
            "requests": successes + failures + exclusions + in_flight as u64,
            "successes": successes,
            "failures": failures,
            "exclusions": exclusions,
            "consecutive_successes": total.successes - self.before_run,
            "consecutive_failures": failures_in_a_row,
        })
    }

    /// What was counted before the window's oldest bucket, or before the state.
    fn before_window(&self, now: Timestamp) -> Total {
        let (_, mut before) = self.samples[0];
        if let Some((bucket, buckets)) = self.window {
            let bucket = u64::try_from(bucket.as_nanos()).unwrap_or(u64::MAX);
            let oldest = (now.as_nanos() / bucket + 1).saturating_sub(u64::from(buckets)) * bucket;
            if let Some((_, total)) = self.samples.iter().rev().find(|(at, _)| at.as_nanos() < oldest) {
                before = *total;
            }
        }
        before
    }
}
