//! What a circuit breaker is, said as plainly as possible: it keeps the list of all calls, and works everything out from the
//! list whenever it is asked.

mod hand;

use std::time::Duration;

use seawall_circuit_breaker::{Abandoned, Cause, State, Undecided, Window};

use crate::facts::{End, Figures, Grant, Granted, Judged, Nanos, Phase, Seen, Told, Totals};
use crate::plan::{Plan, Share};

pub(crate) struct Model {
    plan: Plan,
    now: Nanos,
    phase: Phase,
    since: Nanos,
    generation: u32,
    opened_before: u32,
    /// Everything judged since all was forgotten.
    calls: Vec<Judged>,
    /// Everything judged in this half-open generation.
    probes: Vec<Judged>,
    /// The newest bucket that was ever seen, of the time window that now is.
    newest: u64,
    /// The figures that ended the last generation, and how many calls a rate of them takes.
    frozen: (Figures, u64),
    /// The calls that are running.
    running: Vec<Grant>,
    told_rules: Vec<Cause>,
    refused_before: u64,
    total: Totals,
    pub(crate) told: Vec<Told>,
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
            newest: 0,
            frozen: (Figures::default(), 0),
            running: Vec::new(),
            told_rules: Vec::new(),
            refused_before: 0,
            total: Totals::default(),
            told: Vec::new(),
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

    // --- what the list says ---

    /// The places of the calls that the window holds.
    fn held(&self) -> Vec<usize> {
        let known: Vec<usize> = (0..self.calls.len()).filter(|place| self.calls[*place].windowed).collect();
        match self.plan.window {
            Window::Count { size, .. } => known[known.len().saturating_sub(size as usize)..].to_vec(),
            Window::Time { buckets, .. } => {
                known.into_iter().filter(|place| self.calls[*place].bucket + u64::from(buckets) > self.newest).collect()
            }
            _ => unreachable!("there are two kinds of windows"),
        }
    }

    fn window(&self) -> Vec<Judged> {
        self.held().into_iter().map(|place| self.calls[place]).collect()
    }

    fn figures(&self) -> Figures {
        match self.phase {
            Phase::Closed | Phase::MetricsOnly => count(&self.window()),
            Phase::HalfOpen { .. } => count(&self.probes),
            _ => self.frozen.0,
        }
    }

    /// How many calls a rate takes.
    fn minimum_calls(&self) -> u64 {
        match self.phase {
            Phase::Closed | Phase::MetricsOnly => self.plan.minimum_calls(),
            Phase::HalfOpen { .. } => self.plan.minimum_calls().min(self.plan.half_open.probes.into()),
            _ => self.frozen.1,
        }
    }

    fn failures_in_a_row(&self) -> u64 {
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
    fn met(&self, failed: bool) -> Vec<Cause> {
        let mut met = Vec::new();
        if let Some(limit) = self.plan.consecutive_failures {
            let abandoned_in_a_row = self.calls.iter().rev().take_while(|call| call.abandoned).count() as u64;
            if self.failures_in_a_row() >= u64::from(limit) {
                met.push(Cause::ConsecutiveFailures);
            }
            if !self.plan.is_rated() && abandoned_in_a_row >= u64::from(limit) {
                met.push(Cause::AbandonedRate);
            }
        }
        if failed && self.is_period_full() {
            met.push(Cause::FailuresInPeriod);
        }
        if self.plan.is_rated() {
            let [calls, failed, slow, _, abandoned] = count(&self.window());
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

    fn probes_left(&self) -> Option<u64> {
        matches!(self.phase, Phase::HalfOpen { .. }).then(|| {
            let out =
                self.running.iter().filter(|grant| grant.kind == Granted::Probe && grant.generation == self.generation);
            let used = count(&self.probes)[0] + out.count() as u64;
            u64::from(self.plan.half_open.probes).saturating_sub(used)
        })
    }

    /// Whether the probes have settled it: `Some(true)` closes. It is settled when it makes no difference any more whether all
    /// the others succeed or fail, if that is enough.
    fn verdict(&self) -> Option<bool> {
        let all = u64::from(self.plan.half_open.probes);
        let [calls, failed, slow, _, abandoned] = count(&self.probes);
        if self
            .plan
            .abandoned_share()
            .is_some_and(|share| abandoned >= all && share.is_reached(abandoned, abandoned + calls))
        {
            return Some(false);
        }
        let good = self.probes.iter().filter(|probe| !probe.failed && !probe.slow && !probe.abandoned).count() as u64;
        let rest = all.saturating_sub(calls);
        if self.plan.half_open.wait_for_all && rest > 0 {
            return None;
        }
        let closes = |succeed: u64, fail: u64| match self.plan.half_open.successes {
            Some(needed) => good + succeed >= u64::from(needed),
            None if self.plan.is_rated() => {
                let reached =
                    |share: Option<Share>, part| share.is_some_and(|share| share.is_reached(part + fail, all));
                !reached(self.plan.failure_rate, failed) && !reached(self.plan.slow.map(|slow| slow.1), slow)
            }
            None => good + succeed >= all,
        };
        let (at_best, at_worst) = (closes(rest, 0), closes(0, rest));
        (at_best == at_worst).then_some(at_best)
    }

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
            consecutive_failures: self.failures_in_a_row(),
            probes_left: self.probes_left(),
            opened_before: self.opened_before,
            refused_in_state: self.total.refused - self.refused_before,
            total: self.total.clone(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        let until = match self.phase {
            Phase::Open { until, .. } => Some(until),
            Phase::HalfOpen { .. } if self.probes_left() == Some(0) => self.give_up(),
            _ => None,
        };
        until.map(|until| Duration::from_nanos(until.saturating_sub(self.now)))
    }

    /// The next moment at which something changes by itself.
    pub(crate) fn edge(&self) -> Option<Nanos> {
        match self.phase {
            Phase::Open { until, .. } => Some(until),
            Phase::HalfOpen { .. } => self.give_up(),
            _ => self.plan.bucket().map(|bucket| (self.newest + 1) * bucket),
        }
    }

    // --- what happens ---

    /// When the circuit stops waiting for its probes.
    fn give_up(&self) -> Option<Nanos> {
        match (self.phase, self.plan.half_open.max) {
            (Phase::HalfOpen { awaited_since: Some(since), .. }, Some(max)) => Some(since + nanos(max)),
            _ => None,
        }
    }

    /// What began before the clock stepped back goes on from there.
    fn follow_back(&mut self) {
        let back = self.since.saturating_sub(self.now);
        match &mut self.phase {
            Phase::Open { until, .. } => *until = until.saturating_sub(back),
            Phase::HalfOpen { awaited_since, .. } => {
                *awaited_since = awaited_since.map(|since| since.saturating_sub(back));
            }
            _ => return,
        }
        self.since -= back;
    }

    fn tick(&mut self) {
        self.follow_back();
        if let Some(at) = self.give_up()
            && self.now >= at
        {
            match self.plan.half_open.after_max {
                Undecided::Close => self.close(at, Cause::ProbesUndecided),
                _ => self.open(at, Cause::ProbesUndecided, None),
            }
        }
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
        let kind = match self.phase {
            Phase::Closed | Phase::MetricsOnly => Granted::Counted,
            Phase::Disabled => Granted::Uncounted,
            Phase::HalfOpen { .. } if self.probes_left() != Some(0) => Granted::Probe,
            Phase::Open { cause, .. } | Phase::HalfOpen { cause, .. } => return self.refuse(cause),
            Phase::ForcedOpen => return self.refuse(Cause::Manual),
        };
        let started = (!passes || self.plan.slow.is_some()).then_some(self.now);
        self.running.push(Grant { generation: self.generation, kind, started });
        let now = self.now;
        if let Phase::HalfOpen { awaited_since, .. } = &mut self.phase {
            awaited_since.get_or_insert(now);
        }
        Ok(())
    }

    fn refuse<T>(&mut self, cause: Cause) -> Result<T, (State, Cause, Option<Duration>)> {
        self.total.refused += 1;
        Err((self.state(), cause, self.retry_after()))
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
            self.nobody_out();
            self.note(end);
            let took = grant.started.map_or(0, |started| self.now.saturating_sub(started));
            self.judge(end, took);
        } else if !matches!(end, End::Cancel) {
            self.total.stale += 1;
        }
    }

    /// The outcome of a call that the breaker did not admit.
    pub(crate) fn record(&mut self, end: End, took: Nanos) {
        self.tick();
        let counts = self.is_judging() || self.probes_left().is_some_and(|left| left > 0);
        if counts {
            self.nobody_out();
            self.note(end);
            self.judge(end, took);
        }
    }

    /// Nobody is waited for once no probe is running.
    fn nobody_out(&mut self) {
        let generation = self.generation;
        let out = self.running.iter().any(|grant| grant.kind == Granted::Probe && grant.generation == generation);
        if let Phase::HalfOpen { awaited_since, .. } = &mut self.phase
            && !out
        {
            *awaited_since = None;
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

    fn judge(&mut self, end: End, took: Nanos) {
        let (failed, abandoned) = match (end, self.plan.abandoned) {
            (End::Ignored | End::Cancel, _) | (End::Drop, Abandoned::Ignore) => return,
            (End::Success, _) => (false, false),
            (End::Failure(_) | End::Panic, _) | (End::Drop, Abandoned::Failure) => (true, false),
            (End::Drop, _) => (false, true),
        };
        let slow = !abandoned && self.plan.slow.is_some_and(|(after, _)| took > nanos(after));
        let dated = failed && self.plan.failures_in_period.is_some();
        if dated && self.is_judging() {
            // Failures that seem to come, because the clock stepped back, are of now.
            for call in &mut self.calls {
                call.at = call.at.min(self.now);
            }
        }
        let at = self.now;
        let call = Judged { failed, slow, abandoned, at, bucket: self.newest, windowed: self.plan.is_rated(), dated };
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
        match self.verdict() {
            Some(true) => self.close(self.now, Cause::ProbesSucceeded),
            Some(false) => self.open(self.now, Cause::ProbesFailed, hint),
            None => {}
        }
    }

    fn open(&mut self, at: Nanos, cause: Cause, hint: Option<Duration>) {
        let stable = Duration::from_nanos(at.saturating_sub(self.since)) >= self.plan.open.stable_after;
        if self.is_judging() && stable {
            self.opened_before = 0;
        }
        let interval = self.plan.interval(cause, self.figures(), self.opened_before, hint);
        self.opened_before += 1;
        self.change(Phase::Open { until: at + nanos(interval), cause }, at, cause);
    }

    fn enter_half_open(&mut self, opened_by: Cause, cause: Cause, awaited_since: Option<Nanos>) {
        self.change(Phase::HalfOpen { awaited_since, cause: opened_by }, self.now, cause);
        self.probes.clear();
    }

    fn close(&mut self, at: Nanos, cause: Cause) {
        self.change(Phase::Closed, at, cause);
        self.calls.clear();
    }

    fn change(&mut self, phase: Phase, at: Nanos, cause: Cause) {
        let (from, figures) = (self.state(), self.figures());
        self.frozen = (figures, self.minimum_calls());
        self.phase = phase;
        self.since = at;
        self.generation += 1;
        self.told_rules.clear();
        self.refused_before = self.total.refused;
        if from != self.state() {
            self.total.opened += u64::from(self.state() == State::Open);
            self.tell(from, cause, figures, at);
        }
    }

    fn tell(&mut self, from: State, cause: Cause, figures: Figures, at: Nanos) {
        self.told.push(Told { from, to: self.state(), cause, figures, at });
    }
}

fn count(calls: &[Judged]) -> Figures {
    let count = |which: fn(&Judged) -> bool| calls.iter().filter(|call| which(call)).count() as u64;
    [
        count(|call| !call.abandoned),
        count(|call| call.failed),
        count(|call| call.slow),
        count(|call| call.failed && call.slow),
        count(|call| call.abandoned),
    ]
}

pub(crate) fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).expect("the test's durations are short")
}
