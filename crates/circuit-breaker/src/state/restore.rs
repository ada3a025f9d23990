//! Taking over what another breaker, or this one in an earlier process, knew.

use std::time::Duration;

use seawall_core::time::Timestamp;

use super::{Events, Machine, Phase};
use crate::config::Window;
use crate::event::{Cause, State};
use crate::figures::Figures;
use crate::snapshot::Snapshot;
use crate::trial::{Probes, Stage, Trial};

impl Machine {
    /// Goes where `snapshot` was, `elapsed` later. Its figures were checked.
    pub(crate) fn restore(&mut self, snapshot: &Snapshot, elapsed: Duration, now: Timestamp, events: &mut Events) {
        self.tick(now, events);
        let figures = self.figures();
        self.forget(now);
        self.opened_before = snapshot.opened_before;
        let cause = snapshot.cause.unwrap_or(Cause::Restored);
        let phase = match snapshot.state {
            State::Closed => Phase::Closed,
            State::Open => {
                let left = snapshot.retry_after.unwrap_or_default().saturating_sub(elapsed);
                Phase::Open { until: now + left, cause }
            }
            State::HalfOpen => Phase::HalfOpen { trial: self.trial_at(snapshot.share, now), cause },
            State::Disabled => Phase::Disabled,
            State::ForcedOpen => Phase::ForcedOpen,
            State::MetricsOnly => Phase::MetricsOnly,
        };
        self.change(phase, figures, now, Cause::Restored, events);
        self.frozen = snapshot.figures;
        if let Some(beside) = &mut self.beside {
            beside.freeze_as(snapshot.durations.unwrap_or_default());
        }
        self.frozen_minimum = self.settings.minimum_calls;
        if self.is_judging() {
            self.frozen = Figures::default();
            self.recount(snapshot, elapsed, now);
            self.evaluate(true, now, None, events);
        }
        self.tick(now, events);
    }

    /// The stage with this share, or the probes.
    fn trial_at(&self, share: Option<f64>, now: Timestamp) -> Trial {
        let shares = self.settings.recovery.as_ref().map(|recovery| recovery.shares.as_slice()).unwrap_or_default();
        let place = share.and_then(|share| shares.iter().rposition(|stage| stage.get() <= share));
        match place.and_then(|place| Stage::new(place, &self.settings, now)) {
            Some(stage) => Trial::Stage(stage),
            None => Trial::Probes(Probes::new(&self.settings.half_open, None)),
        }
    }

    /// Counts what the snapshot had counted as if it were of now, except what is certainly too old.
    fn recount(&mut self, snapshot: &Snapshot, elapsed: Duration, now: Timestamp) {
        // A count from outside must leave room to be counted on.
        self.failures_in_a_row = snapshot.consecutive_failures.min(u64::from(u32::MAX));
        if let Some(window) = &mut self.window {
            match self.settings.window {
                Some(Window::Time { length, .. }) if elapsed >= length => {}
                _ => {
                    window.fill_with(&snapshot.figures);
                    if let Some(beside) = &mut self.beside {
                        beside.restore_window(snapshot, window);
                    }
                }
            }
        }
        if let Some(beside) = &mut self.beside {
            beside.restore_average(snapshot, elapsed);
        }
        if let Some((failures, period)) = self.settings.failures_in_period
            && let Some(recent) = &mut self.recent
            && elapsed < period
        {
            let kept = snapshot.recent_failures.unwrap_or_default().min(failures as u64);
            (0..kept).for_each(|_| recent.push(now));
        }
    }
}
