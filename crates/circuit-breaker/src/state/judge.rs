//! How calls are judged, and which rules they meet.

use seawall_core::time::Timestamp;
use seawall_core::{Ending, Outcome};

use super::{Call, Machine, Ran};
use crate::event::Cause;
use crate::figures::RateRule;
use crate::settings::AbandonedAs;
use crate::window::{Mark, RateWindow};

impl Machine {
    pub(super) fn judge(&self, ending: &Ending<'_>, ran: Ran, now: Timestamp) -> Call {
        // A call whose start nobody knew is never slow.
        let slow = self.settings.slow.is_some_and(|slow| ran.until(now).is_some_and(|took| took > slow.after));
        let failed = Call::Judged { failed: true, slow };
        match ending {
            Ending::Finished(report) => match report.outcome() {
                Outcome::Success => Call::Judged { failed: false, slow },
                Outcome::Failure => failed,
                _ => Call::Void,
            },
            Ending::Panicked => failed,
            Ending::Abandoned => match self.settings.abandoned {
                AbandonedAs::Nothing => Call::Void,
                AbandonedAs::Failure => failed,
                AbandonedAs::Rate(_) => Call::Abandoned,
            },
            _ => Call::Void,
        }
    }

    pub(super) fn count(&mut self, call: Call, now: Timestamp) {
        let mark = match call {
            Call::Void => return,
            Call::Judged { failed: false, slow: false } => return self.succeed(1),
            Call::Judged { failed, slow } => Mark { failed, slow, abandoned: false },
            Call::Abandoned => Mark { abandoned: true, ..Mark::default() },
        };
        if let Some(window) = &mut self.window {
            window.mark(mark);
        }
        if mark.abandoned {
            self.abandoned_in_a_row += 1;
            return;
        }
        self.abandoned_in_a_row = 0;
        if mark.failed {
            self.failures_in_a_row += 1;
            if let Some(recent) = &mut self.recent {
                recent.push(now);
            }
        } else {
            self.failures_in_a_row = 0;
        }
    }

    /// The rate rules, as they stand.
    pub(super) fn rules(&self) -> impl Iterator<Item = (Cause, RateRule)> {
        let figures = self.window.as_ref().map(RateWindow::figures).unwrap_or_default();
        let minimum = self.settings.minimum_calls;
        let rule = move |threshold, part, whole| RateRule { threshold, part, whole, minimum };
        let failures =
            self.settings.failure_rate.map(|rate| (Cause::FailureRate, rule(rate, figures.failed, figures.calls)));
        let slow = self.settings.slow.map(|slow| (Cause::SlowCallRate, rule(slow.rate, figures.slow, figures.calls)));
        let abandoned = match self.settings.abandoned {
            AbandonedAs::Rate(rate) if self.settings.needs.window => {
                Some((Cause::AbandonedRate, rule(rate, figures.abandoned, figures.calls + figures.abandoned)))
            }
            _ => None,
        };
        [failures, slow, abandoned].into_iter().flatten()
    }

    fn window_failures(&self) -> u64 {
        self.window.as_ref().map_or(0, |window| window.figures().failed)
    }

    /// The first rule that is met and was not told of yet. Whether failures lie in a period is asked when one has been
    /// added: a clock that steps back must not make a success the last straw.
    pub(super) fn met(&self, failed: bool, now: Timestamp) -> Option<Cause> {
        let consecutive = self.settings.consecutive_failures.is_some_and(|limit| self.failures_in_a_row >= limit);
        // Where no rule asks for a window, a run in which nothing but abandoned calls was seen is the abandoned rate of one.
        let abandoned = !self.settings.needs.window
            && self.settings.consecutive_failures.is_some_and(|limit| self.abandoned_in_a_row >= limit);
        let in_period = failed && self.recent.as_ref().is_some_and(|recent| recent.is_full(now));
        let in_window = self.settings.failures_in_window.is_some_and(|limit| self.window_failures() >= limit);
        let by_number = [
            (Cause::ConsecutiveFailures, consecutive),
            (Cause::AbandonedRate, abandoned),
            (Cause::FailuresInPeriod, in_period),
            (Cause::FailuresInWindow, in_window),
        ];
        let by_rate = self.rules().map(|(cause, rule)| (cause, rule.is_met()));
        let mut met = by_number.into_iter().chain(by_rate).filter(|(cause, met)| *met && !self.told.contains(cause));
        met.next().map(|(cause, _)| cause).or_else(|| self.average_met())
    }

    /// A success is never the last straw: the last call must have failed.
    fn average_met(&self) -> Option<Cause> {
        let beside = self.beside.as_ref().filter(|_| self.failures_in_a_row > 0)?;
        let cause = Cause::SuccessRateEma;
        (beside.is_met() && !self.told.contains(&cause)).then_some(cause)
    }
}
