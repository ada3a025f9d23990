//! What is done by hand: manual control and reconfiguration.

use std::time::Duration;

use seawall_circuit_breaker::{Cause, Window};

use super::Model;
use super::list::{count, took};
use crate::facts::{Durations, Figures, Phase};
use crate::plan::{Plan, nanos};

impl Model {
    pub(crate) fn trip(&mut self, interval: Option<Duration>) {
        self.tick();
        self.open(self.now, Cause::Manual, None);
        if let (Phase::Open { until, .. }, Some(interval)) = (&mut self.phase, interval) {
            *until = self.now + nanos(interval);
        }
    }

    /// Whether it was possible.
    pub(crate) fn half_open(&mut self) -> bool {
        self.tick();
        if let Phase::Open { cause, .. } = self.phase {
            self.enter_half_open(cause, Cause::Manual, Some(self.now));
        }
        matches!(self.phase, Phase::HalfOpen { .. })
    }

    pub(crate) fn force_closed(&mut self) {
        self.tick();
        self.close(self.now, Cause::Manual);
    }

    pub(crate) fn reset(&mut self) {
        self.tick();
        self.opened_before = 0;
        self.close(self.now, Cause::Manual);
    }

    pub(crate) fn force_open(&mut self) {
        self.tick();
        self.change(Phase::ForcedOpen, self.now, Cause::Manual);
    }

    pub(crate) fn disable(&mut self) {
        self.hold(Phase::Disabled);
    }

    pub(crate) fn metrics_only(&mut self) {
        self.hold(Phase::MetricsOnly);
    }

    fn hold(&mut self, phase: Phase) {
        self.tick();
        self.change(phase, self.now, Cause::Manual);
        self.calls.clear();
        self.frozen.0 = Figures::default();
        self.frozen_durations = [0; 2];
    }

    /// Takes over another plan. `Some` if the window's calls can only be taken over in proportion: their figures before.
    pub(crate) fn reconfigure(&mut self, plan: Plan) -> Option<(Figures, Durations)> {
        self.tick();
        let (held, figures, durations) = (self.held(), count(&self.window()), took(&self.window()));
        let old_share = self.share();
        let old = std::mem::replace(&mut self.plan, plan);
        if self.share() != old_share {
            // What was admitted of another share says nothing about this one.
            self.answers.clear();
        }
        if self.stage().is_some() {
            self.happened.insert("a stage was reconfigured");
        }
        let windowed = old.has_window() && self.plan.has_window();
        if !(windowed && self.plan.has_window_of(&old)) {
            self.newest = self.plan.bucket().map_or(0, |bucket| self.now / bucket);
            for (place, call) in self.calls.iter_mut().enumerate() {
                call.windowed = windowed && held.contains(&place);
                call.bucket = self.newest;
            }
        }
        if !self.plan.durations {
            self.calls.iter_mut().chain(&mut self.probes).for_each(|call| call.took = None);
            self.frozen_durations = [0; 2];
        }
        if windowed && old.durations != self.plan.durations {
            self.happened.insert("durations were turned on or off");
        }
        self.keep_failures(&old);
        if matches!(self.phase, Phase::HalfOpen { .. }) {
            self.conclude(None);
        } else if self.is_judging() {
            if windowed && matches!((old.window, self.plan.window), (Window::Time { .. }, Window::Count { .. })) {
                return Some((figures, durations));
            }
            self.evaluate(true, None);
        }
        None
    }

    /// The rule of failures in a period remembers no more of them than it takes.
    fn keep_failures(&mut self, old: &Plan) {
        let keeps = |plan: &Plan| plan.failures_in_period.map_or(0, |(failures, _)| failures);
        let mut left = keeps(old).min(keeps(&self.plan));
        for call in self.calls.iter_mut().rev().filter(|call| call.dated) {
            call.dated = left > 0;
            left = left.saturating_sub(1);
        }
    }
}
