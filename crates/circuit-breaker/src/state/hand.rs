//! What is done to a circuit by hand.

use std::sync::Arc;
use std::time::Duration;

use seawall_core::time::Timestamp;

use super::beside::Beside;
use super::{Events, Machine, Phase, Worth};
use crate::durations::Durations;
use crate::event::{Cause, State};
use crate::figures::Figures;
use crate::period::RecentFailures;
use crate::settings::Settings;
use crate::window::RateWindow;

impl Machine {
    /// Opens as if a rule were met; for `interval`, or as configured.
    pub(crate) fn trip(&mut self, interval: Option<Duration>, now: Timestamp, events: &mut Events) {
        self.tick(now, events);
        self.open_for(interval, now, Cause::Manual, None, events);
    }

    /// Ends the open interval. Tells the state if there is none.
    pub(crate) fn half_open(&mut self, now: Timestamp, events: &mut Events) -> Result<(), State> {
        self.tick(now, events);
        match self.phase {
            Phase::Open { cause, .. } => {
                self.enter_half_open(now, cause, Cause::Manual, events);
                Ok(())
            }
            Phase::HalfOpen { .. } => Ok(()),
            _ => Err(self.state()),
        }
    }

    /// Closes and forgets the window, in whatever state.
    pub(crate) fn force_closed(&mut self, now: Timestamp, events: &mut Events) {
        self.tick(now, events);
        self.close(now, Cause::Manual, events);
    }

    /// Closes and forgets all that was counted, in whatever state.
    pub(crate) fn reset(&mut self, now: Timestamp, events: &mut Events) {
        self.tick(now, events);
        self.opened_before = 0;
        self.close(now, Cause::Manual, events);
    }

    /// Begins anew for another dependency: closed, with nothing counted. The generation moves on, so what the last one's calls
    /// bring counts nowhere.
    pub(crate) fn start_over(&mut self, now: Timestamp) {
        self.opened_before = 0;
        self.forget(now);
        self.change(Phase::Closed, Figures::default(), now, Cause::Manual, &mut Events::new());
    }

    /// What would be lost if this circuit were forgotten now. Changes no state and tells nothing.
    pub(crate) fn worth(&mut self, now: Timestamp) -> Worth {
        match &self.phase {
            Phase::Closed => {}
            Phase::Open { until, .. } => return Worth::Broken { until: *until },
            Phase::HalfOpen { .. } => {
                let due = self.next_change();
                return Worth::Broken { until: if due == Timestamp::NEVER { self.since } else { due } };
            }
            Phase::Disabled | Phase::ForcedOpen | Phase::MetricsOnly => return Worth::Held,
        }
        if let Some(window) = &mut self.window {
            window.advance(now);
        }
        let Figures { failed, slow, abandoned, .. } = self.figures();
        let recent = self.recent.as_ref().is_some_and(|recent| recent.holds_any(now));
        let in_a_row =
            self.settings.consecutive_failures.map_or(0, |_| self.failures_in_a_row + self.abandoned_in_a_row);
        let stable = now.saturating_duration_since(self.since) >= self.settings.open.stable_after;
        let averaged = self.beside.as_ref().is_some_and(|beside| beside.holds_any(now));
        let unstable = self.opened_before > 0 && !stable;
        if recent || averaged || unstable || failed + slow + abandoned + in_a_row > 0 {
            Worth::Counts
        } else {
            Worth::Nothing
        }
    }

    /// Goes into one of the states that only a hand can end.
    pub(crate) fn hold(&mut self, state: State, now: Timestamp, events: &mut Events) {
        self.tick(now, events);
        let figures = self.figures();
        let phase = match state {
            State::Disabled => Phase::Disabled,
            State::ForcedOpen => Phase::ForcedOpen,
            _ => Phase::MetricsOnly,
        };
        let forgets = !matches!(phase, Phase::ForcedOpen);
        self.change(phase, figures, now, Cause::Manual, events);
        if forgets {
            self.forget(now);
            self.frozen = Figures::default();
            if let Some(beside) = &mut self.beside {
                beside.freeze_as(Durations::default());
            }
        }
    }

    /// Takes over new settings and keeps the state, what was counted, and the probes that are out. The new rules are applied
    /// at once.
    pub(crate) fn reconfigure(&mut self, settings: Arc<Settings>, now: Timestamp, events: &mut Events) {
        self.tick(now, events);
        if let Some(beside) = &mut self.beside {
            beside.keep_up_with(self.window.as_ref());
        }
        let before = self.window.as_ref().map(RateWindow::figures).unwrap_or_default();
        let same = self.settings.window.zip(settings.window).is_some_and(|(old, new)| old.has_shape_of(new));
        self.window = match (self.window.take(), settings.window) {
            (Some(old), Some(_)) if same => Some(old),
            (Some(old), Some(new)) if before != Figures::default() => Some(old.resized(new, now)),
            (_, new) => new.map(|new| RateWindow::new(new, now)),
        };
        let window = self.window.as_ref();
        self.beside = match self.beside.take() {
            Some(old) => old.reconfigured(&settings, (&before, same), window, now),
            None => Beside::new(&settings, window, now),
        };
        self.recent = settings.failures_in_period.map(|(failures, period)| match self.recent.take() {
            Some(old) => old.resized(failures, period),
            None => RecentFailures::new(failures, period),
        });
        self.settings = settings;
        if let Phase::HalfOpen { trial, .. } = &mut self.phase {
            let verdict = trial.resize(now, &self.settings);
            self.conclude(verdict, now, None, events);
        } else if self.is_judging() {
            // What was counted may meet a rule that is stricter now.
            self.evaluate(true, now, None, events);
        }
    }
}
