//! What the list of all calls says while calls are judged by it.

use seawall_circuit_breaker::{Cause, Window};

use super::Model;
use crate::facts::{Durations, Figures, Judged, Nanos, Phase};
use crate::plan::{Share, nanos};

impl Model {
    /// The places of the calls that the window holds.
    pub(super) fn held(&self) -> Vec<usize> {
        let known: Vec<usize> = (0..self.calls.len()).filter(|place| self.calls[*place].windowed).collect();
        match self.plan.window {
            Window::Count { size, .. } => known[known.len().saturating_sub(size as usize)..].to_vec(),
            Window::Time { buckets, .. } => {
                known.into_iter().filter(|place| self.calls[*place].bucket + u64::from(buckets) > self.newest).collect()
            }
            _ => unreachable!("there are two kinds of windows"),
        }
    }

    pub(super) fn window(&self) -> Vec<Judged> {
        self.held().into_iter().map(|place| self.calls[place]).collect()
    }

    pub(super) fn figures(&self) -> Figures {
        match self.phase {
            Phase::Closed | Phase::MetricsOnly => count(&self.window()),
            Phase::HalfOpen { .. } => count(&self.probes),
            _ => self.frozen.0,
        }
    }

    /// How long the calls of the figures took.
    pub(super) fn durations(&self) -> Option<Durations> {
        let durations = match self.phase {
            Phase::Closed | Phase::MetricsOnly => took(&self.window()),
            Phase::HalfOpen { .. } => took(&self.probes),
            _ => self.frozen_durations,
        };
        self.plan.durations.then_some(durations)
    }

    /// How many calls a rate takes.
    pub(super) fn minimum_calls(&self) -> u64 {
        match self.phase {
            Phase::Closed | Phase::MetricsOnly => self.plan.minimum_calls(),
            Phase::HalfOpen { .. } => self.plan.minimum_calls().min(self.trial_size()),
            _ => self.frozen.1,
        }
    }

    pub(super) fn failures_in_a_row(&self) -> u64 {
        let judged = self.calls.iter().rev().filter(|call| !call.abandoned);
        judged.take_while(|call| call.failed).count() as u64
    }

    fn is_period_full(&self) -> bool {
        let Some((most, period)) = self.plan.failures_in_period else { return false };
        let failures: Vec<Nanos> = self.calls.iter().filter(|call| call.dated).map(|call| call.at).collect();
        let (Some(first), Some(last)) = (failures.len().checked_sub(most as usize), failures.last()) else {
            return false;
        };
        self.now.max(*last) - failures[first] < nanos(period)
    }

    /// The rules that are met, after a failure or after something else.
    pub(super) fn met(&self, failed: bool) -> Vec<Cause> {
        let mut met = Vec::new();
        if let Some(limit) = self.plan.consecutive_failures {
            let abandoned_in_a_row = self.calls.iter().rev().take_while(|call| call.abandoned).count() as u64;
            if self.failures_in_a_row() >= u64::from(limit) {
                met.push(Cause::ConsecutiveFailures);
            }
            if !self.plan.is_windowed() && abandoned_in_a_row >= u64::from(limit) {
                met.push(Cause::AbandonedRate);
            }
        }
        if failed && self.is_period_full() {
            met.push(Cause::FailuresInPeriod);
        }
        if self.plan.is_windowed() {
            let [calls, failed, slow, _, abandoned] = count(&self.window());
            if self.plan.failures_in_window.is_some_and(|limit| failed >= u64::from(limit)) {
                met.push(Cause::FailuresInWindow);
            }
            let minimum = self.plan.minimum_calls();
            let mut rule = |share: Option<Share>, cause, part, whole| {
                if share.is_some_and(|share| whole >= minimum && share.is_reached(part, whole)) {
                    met.push(cause);
                }
            };
            rule(self.plan.failure_rate, Cause::FailureRate, failed, calls);
            rule(self.plan.slow.map(|slow| slow.1), Cause::SlowCallRate, slow, calls);
            rule(self.plan.abandoned_share(), Cause::AbandonedRate, abandoned, calls + abandoned);
        }
        met
    }
}

pub(super) fn took(calls: &[Judged]) -> Durations {
    let known: Vec<Nanos> = calls.iter().filter_map(|call| call.took).collect();
    [known.len() as u64, known.iter().sum()]
}

pub(super) fn count(calls: &[Judged]) -> Figures {
    let count = |which: fn(&Judged) -> bool| calls.iter().filter(|call| which(call)).count() as u64;
    [
        count(|call| !call.abandoned),
        count(|call| call.failed),
        count(|call| call.slow),
        count(|call| call.failed && call.slow),
        count(|call| call.abandoned),
    ]
}
