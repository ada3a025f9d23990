//! What a circuit breaker is, said as plainly as possible: it keeps the list of all calls, and works everything out from the
//! list whenever it is asked.

mod hand;
mod list;
mod look;
mod trial;

use std::collections::BTreeSet;
use std::time::Duration;

use seawall_circuit_breaker::{Abandoned, Cause, State};

use crate::facts::{Durations, End, Figures, Grant, Granted, Judged, Nanos, Phase, Told, Totals};
use crate::plan::{Plan, Share, nanos};

pub(crate) struct Model {
    plan: Plan,
    now: Nanos,
    phase: Phase,
    since: Nanos,
    generation: u32,
    opened_before: u32,
    /// Everything judged since all was forgotten.
    calls: Vec<Judged>,
    /// Everything judged in this half-open generation, by the probes or in the stage.
    probes: Vec<Judged>,
    /// What those who asked in this stage were told: whether they got through.
    answers: Vec<bool>,
    /// The newest bucket that was ever seen, of the time window that now is.
    newest: u64,
    /// The figures that ended the last generation, and how many calls a rate of them takes.
    frozen: (Figures, u64),
    frozen_durations: Durations,
    /// The calls that are running.
    running: Vec<Grant>,
    told_rules: Vec<Cause>,
    refused_before: u64,
    total: Totals,
    pub(crate) told: Vec<Told>,
    /// What a run must have met before it proves anything.
    pub(crate) happened: BTreeSet<&'static str>,
}

impl Model {
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            plan,
            now: 0,
            phase: Phase::Closed,
            since: 0,
            generation: 0,
            opened_before: 0,
            calls: Vec::new(),
            probes: Vec::new(),
            answers: Vec::new(),
            newest: 0,
            frozen: (Figures::default(), 0),
            frozen_durations: [0; 2],
            running: Vec::new(),
            told_rules: Vec::new(),
            refused_before: 0,
            total: Totals::default(),
            told: Vec::new(),
            happened: BTreeSet::new(),
        }
    }

    pub(crate) const fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn into_plan(self) -> Plan {
        self.plan
    }

    pub(crate) const fn set_time(&mut self, now: Nanos) {
        self.now = now;
    }

    pub(crate) const fn running(&self) -> usize {
        self.running.len()
    }

    const fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Disabled => State::Disabled,
            Phase::ForcedOpen => State::ForcedOpen,
            Phase::MetricsOnly => State::MetricsOnly,
        }
    }

    const fn is_judging(&self) -> bool {
        matches!(self.phase, Phase::Closed | Phase::MetricsOnly)
    }

    // --- what happens ---

    /// What began before the clock stepped back goes on from there.
    fn follow_back(&mut self) {
        let back = self.since.saturating_sub(self.now);
        if back == 0 {
            return;
        }
        match &mut self.phase {
            Phase::Open { until, .. } => *until = until.saturating_sub(back),
            Phase::HalfOpen { awaited_since, stage, .. } => {
                *awaited_since = awaited_since.map(|since| since.saturating_sub(back));
                if let Some(stage) = stage {
                    stage.began = stage.began.saturating_sub(back);
                    self.happened.insert("the clock stepped back before a stage");
                }
            }
            _ => return,
        }
        self.since -= back;
    }

    fn tick(&mut self) {
        self.follow_back();
        self.tick_trial();
        if let Phase::Open { until, cause } = self.phase
            && self.now >= until
        {
            self.enter_half_open(cause, Cause::IntervalEnded, None);
        }
        if let Some(bucket) = self.plan.bucket() {
            self.newest = self.newest.max(self.now / bucket);
        }
    }

    /// The grant's place among the running ones, or state, cause and retry-after of the refusal.
    pub(crate) fn admit(&mut self) -> Result<(), (State, Cause, Option<Duration>)> {
        // Calls that pass are not a reason to look at the time, nor are refusals before their time is over.
        let ends = match self.phase {
            Phase::Open { until, .. } => Some(until),
            Phase::HalfOpen { .. } if self.probes_left() == Some(0) => Some(self.give_up().unwrap_or(Nanos::MAX)),
            Phase::ForcedOpen => Some(Nanos::MAX),
            _ => None,
        };
        let passes = self.is_judging() || matches!(self.phase, Phase::Disabled);
        let stepped_back = self.now < self.since && ends != Some(Nanos::MAX);
        if !passes && (stepped_back || ends.is_none_or(|ends| self.now >= ends)) {
            self.tick();
        }
        let lets_in = self.lets_in();
        let kind = match self.phase {
            Phase::Closed | Phase::MetricsOnly => Granted::Counted,
            Phase::Disabled => Granted::Uncounted,
            Phase::HalfOpen { .. } if lets_in => Granted::Probe,
            Phase::Open { cause, .. } | Phase::HalfOpen { cause, .. } => return self.refuse(cause),
            Phase::ForcedOpen => return self.refuse(Cause::Manual),
        };
        let started = (!passes || self.plan.slow.is_some() || self.plan.durations).then_some(self.now);
        self.running.push(Grant { generation: self.generation, kind, started });
        self.wait_for_it();
        Ok(())
    }

    fn refuse<T>(&mut self, cause: Cause) -> Result<T, (State, Cause, Option<Duration>)> {
        self.total.refused += 1;
        if self.stage().is_some() {
            self.happened.insert("a stage refused a call");
        }
        Err((self.state(), cause, self.ask_again()))
    }

    /// The call at this place among the running ones ended.
    pub(crate) fn end(&mut self, place: usize, end: End) {
        let grant = self.running[place];
        if grant.kind == Granted::Uncounted || matches!(end, End::Cancel) && grant.kind != Granted::Probe {
            self.running.remove(place);
            return;
        }
        self.tick();
        self.running.remove(place);
        if grant.generation == self.generation {
            self.wait_for_others(end);
            self.note(end);
            let took = grant.started.map(|started| self.now.saturating_sub(started));
            self.judge(end, took);
        } else if !matches!(end, End::Cancel) {
            if self.stage().is_some() {
                self.happened.insert("a call of an earlier generation ended in a stage");
            }
            self.total.stale += 1;
        }
    }

    /// The outcome of a call that the breaker did not admit.
    pub(crate) fn record(&mut self, end: End, took: Nanos) {
        self.tick();
        let joins = self.stage().is_some();
        if joins {
            self.happened.insert("an outcome was recorded in a stage");
        }
        let counts = self.is_judging() || joins || self.probes_left().is_some_and(|left| left > 0);
        if counts {
            self.wait_for_others(end);
            self.note(end);
            self.judge(end, Some(took));
        }
    }

    const fn note(&mut self, end: End) {
        match end {
            End::Success => self.total.successes += 1,
            End::Failure(_) | End::Panic => self.total.failures += 1,
            End::Ignored => self.total.ignored += 1,
            End::Drop => self.total.abandoned += 1,
            End::Cancel => {}
        }
    }

    fn judge(&mut self, end: End, took: Option<Nanos>) {
        let (failed, abandoned) = match (end, self.plan.abandoned) {
            (End::Ignored | End::Cancel, _) | (End::Drop, Abandoned::Ignore) => return,
            (End::Success, _) => (false, false),
            (End::Failure(_) | End::Panic, _) | (End::Drop, Abandoned::Failure) => (true, false),
            (End::Drop, _) => (false, true),
        };
        let slow = !abandoned && self.plan.slow.zip(took).is_some_and(|((after, _), took)| took > nanos(after));
        let took = took.filter(|_| self.plan.durations && !abandoned);
        let dated = failed && self.plan.failures_in_period.is_some();
        if dated && self.is_judging() {
            // Failures that seem to come, because the clock stepped back, are of now.
            for call in &mut self.calls {
                call.at = call.at.min(self.now);
            }
        }
        let at = self.now;
        let call =
            Judged { failed, slow, abandoned, took, at, bucket: self.newest, windowed: self.plan.has_window(), dated };
        let hint = if let End::Failure(hint) = end { hint } else { None };
        match self.phase {
            Phase::Closed | Phase::MetricsOnly => {
                self.calls.push(call);
                self.evaluate(failed, hint);
            }
            Phase::HalfOpen { .. } => {
                self.probes.push(call);
                self.conclude(hint);
            }
            _ => {}
        }
    }

    fn evaluate(&mut self, failed: bool, hint: Option<Duration>) {
        let met = self.met(failed);
        if matches!(self.phase, Phase::Closed) {
            if let Some(cause) = met.first() {
                self.open(self.now, *cause, hint);
            }
            return;
        }
        for cause in met {
            if !self.told_rules.contains(&cause) {
                self.told_rules.push(cause);
                self.tell(State::MetricsOnly, cause, self.figures(), self.now);
            }
        }
    }

    fn conclude(&mut self, hint: Option<Duration>) {
        match self.verdict(self.now) {
            Some(true) => self.step_up(self.now),
            Some(false) => {
                if self.stage().is_some() {
                    self.happened.insert("a stage failed");
                }
                self.open(self.now, Cause::ProbesFailed, hint);
            }
            None => {}
        }
    }

    fn open(&mut self, at: Nanos, cause: Cause, hint: Option<Duration>) {
        let stable = Duration::from_nanos(at.saturating_sub(self.since)) >= self.plan.open.stable_after;
        if self.is_judging() && stable {
            self.opened_before = 0;
        }
        if cause == Cause::FailuresInWindow {
            self.happened.insert("failures in the window opened the circuit");
        }
        let interval = self.plan.interval(cause, self.figures(), self.opened_before, hint);
        self.opened_before += 1;
        self.change(Phase::Open { until: at + nanos(interval), cause }, at, cause);
    }

    fn close(&mut self, at: Nanos, cause: Cause) {
        self.change(Phase::Closed, at, cause);
        self.calls.clear();
    }

    fn change(&mut self, phase: Phase, at: Nanos, cause: Cause) {
        let (from, was, figures) = (self.state(), self.stage().is_some(), self.figures());
        self.frozen = (figures, self.minimum_calls());
        self.frozen_durations = self.durations().unwrap_or_default();
        self.phase = phase;
        self.since = at;
        self.generation += 1;
        self.told_rules.clear();
        self.refused_before = self.total.refused;
        self.total.opened += u64::from(from != State::Open && self.state() == State::Open);
        // Changes into the same state are not told, but stages are.
        if from != self.state() || was || self.stage().is_some() {
            self.tell(from, cause, figures, at);
        }
    }

    fn tell(&mut self, from: State, cause: Cause, figures: Figures, at: Nanos) {
        self.told.push(Told { from, to: self.state(), cause, figures, at, share: self.share().map(Share::value) });
    }
}
