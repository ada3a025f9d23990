//! The breaker as a pure state machine: it takes the time and what happened, and tells what changed.
//!
//! ```text
//!              a rule is met                    the interval is over
//!   Closed ---------------------> Open ------------------------------> HalfOpen
//!     ^                            ^                                     |   |
//!     |                            +---- probes failed, or undecided ----+   |
//!     +------------------------------- probes succeeded ---------------------+
//! ```
//!
//! Every change of state begins a generation. What ends in a later generation than it was admitted in counts nowhere.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use seawall_core::Ending;
use seawall_core::Outcome;
use seawall_core::time::Timestamp;

use crate::config::Undecided;
use crate::event::{Cause, Event, State, Trip};
use crate::figures::{Figures, RateRule};
use crate::period::RecentFailures;
use crate::probes::{Probes, Verdict};
use crate::random::Random;
use crate::settings::{AbandonedAs, Settings};
use crate::window::{Mark, RateWindow};

pub(crate) struct Machine {
    settings: Settings,
    phase: Phase,
    since: Timestamp,
    generation: u32,
    window: Option<RateWindow>,
    recent: Option<RecentFailures>,
    /// Failures since the last success.
    failures_in_a_row: u64,
    /// Abandoned calls since one that was not.
    abandoned_in_a_row: u64,
    /// How many times the circuit has opened without a stable period between.
    opened_before: u32,
    /// What the window, or the probes, had counted when the last generation ended.
    frozen: Figures,
    /// How many calls a rate of those needed.
    frozen_minimum: u64,
    /// The rules whose being met was told in this generation of metrics-only.
    told: Vec<Cause>,
    random: Random,
    panic: Option<Box<dyn Any + Send>>,
}

enum Phase {
    Closed,
    Open { until: Timestamp, cause: Cause },
    HalfOpen { probes: Probes, cause: Cause },
    Disabled,
    ForcedOpen,
    MetricsOnly,
}

/// Leave for one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// To be judged with the window.
    Counted,
    /// One of the half-open circuit's.
    Probe,
    /// Not to be judged.
    Uncounted,
}

/// What happened while the lock was held; told when it is released.
pub(crate) type Events = Vec<Event>;

/// What callers need to know without the lock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) generation: u32,
    pub(crate) state: State,
    pub(crate) cause: Cause,
    /// Successes must come through the lock, because one of them could meet a rule.
    pub(crate) watched: bool,
    /// The durations of calls matter.
    pub(crate) timed: bool,
    /// The times of successes matter.
    pub(crate) dated: bool,
    /// Until then every call is refused: `ZERO` if none is, `NEVER` if all are.
    pub(crate) refuse_until: Timestamp,
    /// From then on the next success must come through the lock.
    pub(crate) bucket_end: Timestamp,
}

impl Machine {
    pub(crate) fn new(settings: Settings, seed: u64, now: Timestamp) -> Self {
        Self {
            phase: Phase::Closed,
            since: now,
            generation: 0,
            window: settings.window.map(|window| RateWindow::new(window, now)),
            recent: settings.failures_in_period.map(|(failures, period)| RecentFailures::new(failures, period)),
            failures_in_a_row: 0,
            abandoned_in_a_row: 0,
            opened_before: 0,
            frozen: Figures::default(),
            frozen_minimum: 0,
            told: Vec::new(),
            random: Random::new(seed),
            panic: None,
            settings,
        }
    }

    pub(crate) const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) const fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Disabled => State::Disabled,
            Phase::ForcedOpen => State::ForcedOpen,
            Phase::MetricsOnly => State::MetricsOnly,
        }
    }

    pub(crate) const fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) const fn since(&self) -> Timestamp {
        self.since
    }

    pub(crate) const fn opened_before(&self) -> u32 {
        self.opened_before
    }

    pub(crate) const fn failures_in_a_row(&self) -> u64 {
        self.failures_in_a_row
    }

    /// The window while calls are judged by it, the probes while half-open, and what led here otherwise.
    pub(crate) fn figures(&self) -> Figures {
        match &self.phase {
            Phase::Closed | Phase::MetricsOnly => self.window.as_ref().map(RateWindow::figures).unwrap_or_default(),
            Phase::HalfOpen { probes, .. } => probes.figures(),
            _ => self.frozen,
        }
    }

    /// How many calls there must be among the figures before a rate counts.
    pub(crate) fn minimum_calls(&self) -> u64 {
        match &self.phase {
            Phase::Closed | Phase::MetricsOnly => self.settings.minimum_calls,
            Phase::HalfOpen { .. } => self.settings.minimum_calls.min(self.settings.half_open.probes),
            _ => self.frozen_minimum,
        }
    }

    /// How many probes may still start.
    pub(crate) const fn probes_left(&self) -> Option<u64> {
        match &self.phase {
            Phase::HalfOpen { probes, .. } => Some(probes.left()),
            _ => None,
        }
    }

    pub(crate) fn view(&self) -> View {
        let (cause, refuse_until) = match &self.phase {
            Phase::Open { until, cause } => (*cause, *until),
            Phase::HalfOpen { probes, cause } if probes.left() == 0 => (*cause, probes.give_up()),
            Phase::HalfOpen { cause, .. } => (*cause, Timestamp::ZERO),
            Phase::ForcedOpen => (Cause::Manual, Timestamp::NEVER),
            Phase::Closed | Phase::MetricsOnly | Phase::Disabled => (Cause::Manual, Timestamp::ZERO),
        };
        let judging = self.is_judging();
        let bucket_end = match &self.window {
            Some(window) if judging => window.bucket_end(),
            _ => Timestamp::NEVER,
        };
        View {
            generation: self.generation,
            state: self.state(),
            cause,
            watched: judging
                && self.rules().any(|(cause, rule)| rule.can_be_met_by_successes() && !self.told.contains(&cause)),
            timed: self.settings.slow.is_some(),
            refuse_until,
            dated: bucket_end != Timestamp::NEVER,
            bucket_end,
        }
    }

    const fn is_judging(&self) -> bool {
        matches!(self.phase, Phase::Closed | Phase::MetricsOnly)
    }

    /// `n` calls of this generation succeeded and were not slow, in the newest bucket, since the machine was last told.
    pub(crate) fn absorb(&mut self, n: u64) {
        if n > 0 && self.is_judging() {
            self.succeed(n);
        }
    }

    fn succeed(&mut self, n: u64) {
        self.failures_in_a_row = 0;
        self.abandoned_in_a_row = 0;
        if let Some(window) = &mut self.window {
            window.succeed(n);
        }
    }

    /// After a step back of the clock, an open interval and the wait for probes last as long as they would have from there.
    fn follow_back(&mut self, now: Timestamp) {
        let back = self.since.saturating_duration_since(now);
        if back.is_zero() {
            return;
        }
        match &mut self.phase {
            Phase::Open { until, .. } => *until = *until - back,
            Phase::HalfOpen { probes, .. } => probes.follow_back(back),
            _ => return,
        }
        self.since = now;
    }

    /// Lets time do what it does.
    pub(crate) fn tick(&mut self, now: Timestamp, events: &mut Events) {
        self.follow_back(now);
        if let Phase::HalfOpen { probes, .. } = &self.phase
            && now >= probes.give_up()
        {
            // The circuit changed when the time was over, whenever it is looked at.
            let at = probes.give_up();
            match self.settings.half_open.after_max {
                Undecided::Open => self.open(at, Cause::ProbesUndecided, None, events),
                Undecided::Close => self.close(at, Cause::ProbesUndecided, events),
            }
        }
        if let Phase::Open { until, cause } = self.phase
            && now >= until
        {
            self.enter_half_open(now, cause, Cause::IntervalEnded, events);
        }
        if let Some(window) = &mut self.window {
            window.advance(now);
        }
    }

    pub(crate) fn admit(&mut self, now: Timestamp, events: &mut Events) -> Option<Grant> {
        self.tick(now, events);
        match &mut self.phase {
            Phase::Closed | Phase::MetricsOnly => Some(Grant::Counted),
            Phase::Disabled => Some(Grant::Uncounted),
            Phase::HalfOpen { probes, .. } => probes.take(now).then_some(Grant::Probe),
            Phase::Open { .. } | Phase::ForcedOpen => None,
        }
    }

    /// A call of this generation ended. `took` is how long it ran, where that is known.
    pub(crate) fn settle(&mut self, ending: &Ending<'_>, took: Duration, now: Timestamp, events: &mut Events) {
        self.tick(now, events);
        let call = self.judge(ending, took);
        match &mut self.phase {
            Phase::Closed | Phase::MetricsOnly if matches!(call, Call::Void) => {}
            Phase::Closed | Phase::MetricsOnly => {
                self.count(call, now);
                let failed = matches!(call, Call::Judged { failed: true, .. });
                self.evaluate(failed, now, hint(ending), events);
            }
            Phase::HalfOpen { probes, .. } => {
                let verdict = probes.settle(call, &self.settings);
                self.conclude(verdict, now, hint(ending), events);
            }
            Phase::Open { .. } | Phase::Disabled | Phase::ForcedOpen => {}
        }
    }

    /// The outcome of a call that this breaker did not admit.
    /// Tells whether it counts.
    pub(crate) fn record(&mut self, ending: &Ending<'_>, took: Duration, now: Timestamp, events: &mut Events) -> bool {
        self.tick(now, events);
        if let Phase::HalfOpen { probes, .. } = &mut self.phase
            && !probes.take(now)
        {
            return false;
        }
        let counts = self.is_judging() || matches!(self.phase, Phase::HalfOpen { .. });
        self.settle(ending, took, now, events);
        counts
    }

    fn judge(&self, ending: &Ending<'_>, took: Duration) -> Call {
        let slow = self.settings.slow.is_some_and(|slow| took > slow.after);
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

    fn count(&mut self, call: Call, now: Timestamp) {
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
    fn rules(&self) -> impl Iterator<Item = (Cause, RateRule)> {
        let figures = self.window.as_ref().map(RateWindow::figures).unwrap_or_default();
        let minimum = self.settings.minimum_calls;
        let rule = move |threshold, part, whole| RateRule { threshold, part, whole, minimum };
        let failures =
            self.settings.failure_rate.map(|rate| (Cause::FailureRate, rule(rate, figures.failed, figures.calls)));
        let slow = self.settings.slow.map(|slow| (Cause::SlowCallRate, rule(slow.rate, figures.slow, figures.calls)));
        let abandoned = match self.settings.abandoned {
            AbandonedAs::Rate(rate) if self.window.is_some() => {
                Some((Cause::AbandonedRate, rule(rate, figures.abandoned, figures.calls + figures.abandoned)))
            }
            _ => None,
        };
        [failures, slow, abandoned].into_iter().flatten()
    }

    /// The first rule that is met and was not told of yet. Whether failures lie in a period is asked when one has been
    /// added: a clock that steps back must not make a success the last straw.
    fn met(&self, failed: bool, now: Timestamp) -> Option<Cause> {
        let consecutive = self.settings.consecutive_failures.is_some_and(|limit| self.failures_in_a_row >= limit);
        // Without a window, a run in which nothing but abandoned calls was seen is the abandoned rate of one.
        let abandoned = self.window.is_none()
            && self.settings.consecutive_failures.is_some_and(|limit| self.abandoned_in_a_row >= limit);
        let in_period = failed && self.recent.as_ref().is_some_and(|recent| recent.is_full(now));
        let by_number = [
            (Cause::ConsecutiveFailures, consecutive),
            (Cause::AbandonedRate, abandoned),
            (Cause::FailuresInPeriod, in_period),
        ];
        let by_rate = self.rules().map(|(cause, rule)| (cause, rule.is_met()));
        let mut met = by_number.into_iter().chain(by_rate).filter(|(cause, met)| *met && !self.told.contains(cause));
        met.next().map(|(cause, _)| cause)
    }

    fn evaluate(&mut self, failed: bool, now: Timestamp, hint: Option<Duration>, events: &mut Events) {
        while let Some(cause) = self.met(failed, now) {
            if matches!(self.phase, Phase::Closed) {
                return self.open(now, cause, hint, events);
            }
            self.told.push(cause);
            events.push(self.event(State::MetricsOnly, cause, self.figures(), now));
        }
    }

    fn conclude(&mut self, verdict: Verdict, now: Timestamp, hint: Option<Duration>, events: &mut Events) {
        match verdict {
            Verdict::Undecided => {}
            Verdict::Works => self.close(now, Cause::ProbesSucceeded, events),
            Verdict::Fails => self.open(now, Cause::ProbesFailed, hint, events),
        }
    }

    fn open(&mut self, now: Timestamp, cause: Cause, hint: Option<Duration>, events: &mut Events) {
        self.open_for(None, now, cause, hint, events);
    }

    /// Opens for `interval`, or as configured.
    fn open_for(
        &mut self,
        interval: Option<Duration>,
        now: Timestamp,
        cause: Cause,
        hint: Option<Duration>,
        events: &mut Events,
    ) {
        let figures = self.figures();
        let stable = now.saturating_duration_since(self.since) >= self.settings.open.stable_after;
        let opened_before = if self.is_judging() && stable { 0 } else { self.opened_before };
        let trip = Trip { cause, figures, opened_before, hint };
        let interval = interval.unwrap_or_else(|| self.interval(&trip));
        self.opened_before = opened_before.saturating_add(1);
        self.change(Phase::Open { until: now + interval, cause }, figures, now, cause, events);
    }

    fn interval(&mut self, trip: &Trip) -> Duration {
        let open = &self.settings.open;
        if let Some(by) = &open.by {
            match catch_unwind(AssertUnwindSafe(|| by(trip))) {
                Ok(interval) => return interval,
                Err(panic) => self.panic = Some(panic),
            }
        }
        match trip.hint.filter(|hint| open.honour_hint && !hint.is_zero()) {
            Some(hint) => hint.min(open.backoff.max()),
            None => open.backoff.delay(trip.opened_before, self.random.next()),
        }
    }

    /// What the user's rule for the interval panicked with: to be raised again once the lock is released.
    pub(crate) const fn take_panic(&mut self) -> Option<Box<dyn Any + Send>> {
        self.panic.take()
    }

    fn enter_half_open(&mut self, now: Timestamp, opened_by: Cause, cause: Cause, events: &mut Events) {
        let figures = self.figures();
        let probes = Probes::new(&self.settings.half_open, (cause == Cause::Manual).then_some(now));
        self.change(Phase::HalfOpen { probes, cause: opened_by }, figures, now, cause, events);
    }

    fn close(&mut self, now: Timestamp, cause: Cause, events: &mut Events) {
        let figures = self.figures();
        self.forget(now);
        self.change(Phase::Closed, figures, now, cause, events);
    }

    /// Empties everything that was counted about calls.
    fn forget(&mut self, now: Timestamp) {
        self.failures_in_a_row = 0;
        self.abandoned_in_a_row = 0;
        if let Some(window) = &mut self.window {
            window.clear(now);
        }
        if let Some(recent) = &mut self.recent {
            recent.clear();
        }
    }

    /// Begins a generation. A change into the same state begins one too, but is not told.
    fn change(&mut self, phase: Phase, figures: Figures, now: Timestamp, cause: Cause, events: &mut Events) {
        let from = self.state();
        self.frozen_minimum = self.minimum_calls();
        self.phase = phase;
        self.since = now;
        self.frozen = figures;
        self.told.clear();
        self.generation = self.generation.wrapping_add(1);
        if from != self.state() {
            events.push(self.event(from, cause, figures, now));
        }
    }

    fn event(&self, from: State, cause: Cause, figures: Figures, at: Timestamp) -> Event {
        Event { name: self.settings.name, at, generation: self.generation, from, to: self.state(), cause, figures }
    }

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
        }
    }

    /// Takes over new settings and keeps the state, what was counted, and the probes that are out. The new rules are applied
    /// at once.
    pub(crate) fn reconfigure(&mut self, settings: Settings, now: Timestamp, events: &mut Events) {
        self.tick(now, events);
        self.window = match (self.window.take(), settings.window) {
            (Some(old), Some(new)) if self.settings.window.is_some_and(|window| window.has_shape_of(new)) => Some(old),
            (Some(old), Some(new)) if old.figures() != Figures::default() => Some(old.resized(new, now)),
            (_, new) => new.map(|new| RateWindow::new(new, now)),
        };
        self.recent = settings.failures_in_period.map(|(failures, period)| match self.recent.take() {
            Some(old) => old.resized(failures, period),
            None => RecentFailures::new(failures, period),
        });
        self.settings = settings;
        if let Phase::HalfOpen { probes, .. } = &mut self.phase {
            let verdict = probes.resize(&self.settings);
            self.conclude(verdict, now, None, events);
        } else if self.is_judging() {
            // What was counted may meet a rule that is stricter now.
            self.evaluate(true, now, None, events);
        }
    }
}

/// How a call is judged.
#[derive(Clone, Copy)]
pub(crate) enum Call {
    /// It succeeded or failed.
    Judged { failed: bool, slow: bool },
    /// It was dropped, and that is counted by rate.
    Abandoned,
    /// It says nothing.
    Void,
}

const fn hint(ending: &Ending<'_>) -> Option<Duration> {
    match ending {
        Ending::Finished(report) => report.hint(),
        _ => None,
    }
}
