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
//! With a recovery, the last arrow goes through its stages, which are half-open too.
//!
//! Every change of state, and every stage, begins a generation. What ends in a later generation than it was admitted in counts nowhere.

mod beside;
mod hand;
mod judge;
mod restore;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use seawall_core::random::Random;
use seawall_core::time::Timestamp;
use seawall_core::{Ending, Ratio};

use crate::config::Undecided;
use crate::event::{Cause, Event, State, Trip};
use crate::figures::Figures;
use crate::period::RecentFailures;
use crate::settings::Settings;
use crate::trial::{Probes, Stage, Trial, Verdict};
use crate::window::RateWindow;
use beside::Beside;

pub(crate) struct Machine {
    settings: Arc<Settings>,
    phase: Phase,
    since: Timestamp,
    generation: u32,
    window: Option<RateWindow>,
    recent: Option<RecentFailures>,
    beside: Option<Box<Beside>>,
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
    HalfOpen { trial: Trial, cause: Cause },
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
    pub(crate) fn new(settings: Arc<Settings>, random: Random, now: Timestamp) -> Self {
        let window = settings.window.map(|window| RateWindow::new(window, now));
        Self {
            phase: Phase::Closed,
            since: now,
            generation: 0,
            beside: Beside::new(&settings, window.as_ref(), now),
            window,
            recent: settings.failures_in_period.map(|(failures, period)| RecentFailures::new(failures, period)),
            failures_in_a_row: 0,
            abandoned_in_a_row: 0,
            opened_before: 0,
            frozen: Figures::default(),
            frozen_minimum: 0,
            told: Vec::new(),
            random,
            panic: None,
            settings,
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
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

    /// How many failures lie in the period, where that is a rule.
    pub(crate) fn recent_failures(&self, now: Timestamp) -> Option<u64> {
        self.recent.as_ref().map(|recent| recent.within(now))
    }

    pub(crate) const fn failures_in_a_row(&self) -> u64 {
        self.failures_in_a_row
    }

    /// The window while calls are judged by it, the probes while half-open, and what led here otherwise.
    pub(crate) fn figures(&self) -> Figures {
        match &self.phase {
            Phase::Closed | Phase::MetricsOnly => self.window.as_ref().map(RateWindow::figures).unwrap_or_default(),
            Phase::HalfOpen { trial, .. } => trial.figures(),
            _ => self.frozen,
        }
    }

    /// How many calls there must be among the figures before a rate counts.
    pub(crate) fn minimum_calls(&self) -> u64 {
        match &self.phase {
            Phase::Closed | Phase::MetricsOnly => self.settings.minimum_calls,
            Phase::HalfOpen { trial, .. } => self.settings.minimum_calls.min(trial.size()),
            _ => self.frozen_minimum,
        }
    }

    /// How many probes may still start.
    pub(crate) const fn probes_left(&self) -> Option<u64> {
        match &self.phase {
            Phase::HalfOpen { trial: Trial::Probes(probes), .. } => Some(probes.left()),
            _ => None,
        }
    }

    /// The share of calls that pass, in a stage of a recovery.
    pub(crate) const fn share(&self) -> Option<Ratio> {
        match &self.phase {
            Phase::HalfOpen { trial: Trial::Stage(stage), .. } => Some(stage.share()),
            _ => None,
        }
    }

    /// When it makes sense for whoever is refused `now` to ask again: `NEVER` if nobody knows.
    pub(crate) fn retry_at(&self, now: Timestamp) -> Timestamp {
        match &self.phase {
            Phase::HalfOpen { trial: Trial::Stage(stage), .. } if now < stage.until() => stage.until(),
            Phase::HalfOpen { trial: Trial::Stage(_), .. } => Timestamp::NEVER,
            _ => self.view().refuse_until,
        }
    }

    /// When time alone changes the state next.
    pub(crate) fn next_change(&self) -> Timestamp {
        match &self.phase {
            Phase::Open { until, .. } => *until,
            Phase::HalfOpen { trial: Trial::Probes(probes), .. } => probes.give_up(),
            Phase::HalfOpen { trial: Trial::Stage(stage), .. } => {
                let passed = stage.figures().calls >= stage.calls();
                if passed { stage.until().min(stage.give_up()) } else { stage.give_up() }
            }
            _ => Timestamp::NEVER,
        }
    }

    pub(crate) fn view(&self) -> View {
        let (cause, refuse_until) = match &self.phase {
            Phase::Open { until, cause } => (*cause, *until),
            Phase::HalfOpen { trial: Trial::Probes(probes), cause } if probes.left() == 0 => (*cause, probes.give_up()),
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
            watched: judging && (self.settings.needs.every_success || self.can_open_by_successes()),
            timed: self.settings.needs.times,
            refuse_until,
            dated: bucket_end != Timestamp::NEVER,
            bucket_end,
        }
    }

    fn can_open_by_successes(&self) -> bool {
        self.rules().any(|(cause, rule)| rule.can_be_met_by_successes() && !self.told.contains(&cause))
    }

    const fn is_judging(&self) -> bool {
        matches!(self.phase, Phase::Closed | Phase::MetricsOnly)
    }

    /// `n` calls of this generation succeeded and were not slow, in the newest bucket, since the machine was last told.
    pub(crate) fn absorb(&mut self, n: u64) {
        if n > 0 && self.is_judging() {
            self.succeed(n);
            if let Some(beside) = &mut self.beside {
                beside.absorb(n);
            }
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
            Phase::HalfOpen { trial, .. } => trial.follow_back(back),
            _ => return,
        }
        self.since = now;
    }

    /// Lets time do what it does.
    pub(crate) fn tick(&mut self, now: Timestamp, events: &mut Events) {
        self.follow_back(now);
        if let Phase::HalfOpen { trial: Trial::Stage(stage), .. } = &self.phase
            && stage.verdict(now.min(stage.give_up()), &self.settings) == Verdict::Works
        {
            let at = stage.until();
            self.step_up(at, events);
        }
        if let Phase::HalfOpen { trial, .. } = &self.phase
            && now >= trial.give_up()
        {
            // The circuit changed when the time was over, whenever it is looked at.
            let at = trial.give_up();
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
            Phase::HalfOpen { trial, .. } => trial.take(now).then_some(Grant::Probe),
            Phase::Open { .. } | Phase::ForcedOpen => None,
        }
    }

    /// A call of this generation ended, and time has done what it does.
    pub(crate) fn settle(&mut self, ending: &Ending<'_>, ran: Ran, now: Timestamp, events: &mut Events) {
        let call = self.judge(ending, ran, now);
        if let Some(beside) = &mut self.beside {
            beside.keep_up_with(self.window.as_ref());
            beside.hear(&self.phase, call, ran.until(now), now);
        }
        match &mut self.phase {
            Phase::Closed | Phase::MetricsOnly if matches!(call, Call::Void) => {}
            Phase::Closed | Phase::MetricsOnly => {
                self.count(call, now);
                let failed = matches!(call, Call::Judged { failed: true, .. });
                self.evaluate(failed, now, hint(ending), events);
            }
            Phase::HalfOpen { trial, .. } => {
                let verdict = trial.settle(call, now, &self.settings);
                self.conclude(verdict, now, hint(ending), events);
            }
            Phase::Open { .. } | Phase::Disabled | Phase::ForcedOpen => {}
        }
    }

    /// The outcome of a call that this breaker did not admit.
    /// Tells whether it counts.
    pub(crate) fn record(&mut self, ending: &Ending<'_>, took: Duration, now: Timestamp, events: &mut Events) -> bool {
        self.tick(now, events);
        if let Phase::HalfOpen { trial, .. } = &mut self.phase
            && !trial.join(now)
        {
            return false;
        }
        let counts = self.is_judging() || matches!(self.phase, Phase::HalfOpen { .. });
        self.settle(ending, Ran::For(took), now, events);
        counts
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
            Verdict::Works => self.step_up(now, events),
            Verdict::Fails => self.open(now, Cause::ProbesFailed, hint, events),
        }
    }

    /// The trial has succeeded: the next stage begins, or the circuit closes.
    fn step_up(&mut self, now: Timestamp, events: &mut Events) {
        let next = match &self.phase {
            Phase::HalfOpen { trial: Trial::Stage(stage), .. } => stage.place() + 1,
            _ => 0,
        };
        match (&self.phase, Stage::new(next, &self.settings, now)) {
            (Phase::HalfOpen { cause, .. }, Some(stage)) => {
                let (figures, trial, cause) = (self.figures(), Trial::Stage(stage), *cause);
                self.change(Phase::HalfOpen { trial, cause }, figures, now, Cause::ProbesSucceeded, events);
            }
            _ => self.close(now, Cause::ProbesSucceeded, events),
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
        let trip = Trip { cause, figures, success_rate_ema: self.success_rate_ema(), opened_before, hint };
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
        let trial = Trial::Probes(probes);
        self.change(Phase::HalfOpen { trial, cause: opened_by }, figures, now, cause, events);
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
        if let Some(beside) = &mut self.beside {
            beside.clear(now);
        }
    }

    /// Begins a generation. A change into the same state begins one too, but is not told.
    fn change(&mut self, phase: Phase, figures: Figures, now: Timestamp, cause: Cause, events: &mut Events) {
        let (from, share) = (self.state(), self.share());
        self.frozen_minimum = self.minimum_calls();
        if let Some(beside) = &mut self.beside {
            beside.keep_up_with(self.window.as_ref());
            beside.freeze(&self.phase);
        }
        self.phase = phase;
        self.since = now;
        self.frozen = figures;
        self.told.clear();
        self.generation = self.generation.wrapping_add(1);
        if from != self.state() || share != self.share() {
            events.push(self.event(from, cause, figures, now));
        }
    }

    fn event(&self, from: State, cause: Cause, figures: Figures, at: Timestamp) -> Event {
        let (name, generation, to) = (self.settings.name, self.generation, self.state());
        let share = self.share().map(Ratio::get);
        Event { name, at, generation, from, to, cause, figures, share }
    }
}

/// What would be lost if a circuit were forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// It is closed, and counts nothing but successes.
    Nothing,
    /// It is closed, and counts failures, slow or abandoned calls, or that it was open a short time ago.
    Counts,
    /// It is open or half-open. After that time, a call would have changed that.
    Broken { until: Timestamp },
    /// It is in a state that only a hand can end.
    Held,
}

/// How long a call ran, worked out where it matters.
#[derive(Clone, Copy)]
pub(crate) enum Ran {
    /// Since then: `NEVER` if nobody knows.
    Since(Timestamp),
    For(Duration),
}

impl Ran {
    fn until(self, now: Timestamp) -> Option<Duration> {
        match self {
            Self::Since(Timestamp::NEVER) => None,
            Self::Since(started) => Some(now.saturating_duration_since(started)),
            Self::For(took) => Some(took),
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
