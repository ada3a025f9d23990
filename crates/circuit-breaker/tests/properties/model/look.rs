//! What can be seen from outside.

use std::time::Duration;

use seawall_circuit_breaker::Cause;

use super::Model;
use crate::facts::{Nanos, Phase, Seen};

impl Model {
    /// What a snapshot shows now.
    pub(crate) fn look(&mut self) -> Seen {
        self.tick();
        let figures = self.figures();
        let minimum = self.minimum_calls();
        #[expect(clippy::cast_precision_loss, reason = "the counts are small")]
        let rate = |part: u64| (figures[0] > 0 && figures[0] >= minimum).then(|| part as f64 / figures[0] as f64);
        let cause = match self.phase {
            Phase::Open { cause, .. } | Phase::HalfOpen { cause, .. } => Some(cause),
            Phase::ForcedOpen => Some(Cause::Manual),
            _ => None,
        };
        Seen {
            state: self.state().as_str(),
            cause,
            in_state: Duration::from_nanos(self.now.saturating_sub(self.since)),
            retry_after: self.retry_after(),
            generation: self.generation,
            figures,
            failure_rate: rate(figures[1]),
            slow_rate: rate(figures[2]),
            durations: self.durations(),
            mean_duration: self.durations().and_then(|[n, took]| took.checked_div(n)).map(Duration::from_nanos),
            consecutive_failures: self.failures_in_a_row(),
            probes_left: self.probes_left(),
            share: self.share().map(crate::plan::Share::value),
            opened_before: self.opened_before,
            refused_in_state: self.total.refused - self.refused_before,
            total: self.total.clone(),
        }
    }

    /// How long every call is refused.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let until = match self.phase {
            Phase::Open { until, .. } => Some(until),
            Phase::HalfOpen { stage: None, .. } if self.probes_left() == Some(0) => self.give_up(),
            _ => None,
        };
        until.map(|until| Duration::from_nanos(until.saturating_sub(self.now)))
    }

    /// When whoever was refused may ask again: in a stage once it can end, if that is still to come.
    pub(super) fn ask_again(&self) -> Option<Duration> {
        let Some(until) = self.lasts_until() else { return self.retry_after() };
        (self.now < until).then(|| Duration::from_nanos(until - self.now))
    }

    /// The next moment at which something changes by itself.
    pub(crate) fn edge(&self) -> Option<Nanos> {
        let edges = match self.phase {
            Phase::Open { until, .. } => [Some(until), None],
            Phase::HalfOpen { .. } => [self.give_up(), self.lasts_until()],
            _ => [self.plan.bucket().map(|bucket| (self.newest + 1) * bucket), None],
        };
        edges.into_iter().flatten().filter(|edge| *edge > self.now).min()
    }
}
