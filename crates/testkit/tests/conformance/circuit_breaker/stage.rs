use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use seawall_circuit_breaker::{Breaker, CircuitBreaker, Open, Snapshot, State};
use seawall_core::Permit;
use seawall_core::time::{ManualTime, Timestamp};
use serde_json::{Value, json};

use super::case::{Case, Seen};
use super::counts::Counts;
use super::foresee::{self, Recorded};
use super::millis;
use super::op::{Ended, Op, Target};
use super::profile::{Setup, Start};

/// The breaker of one vector, its time, and the calls that are running.
pub(crate) struct Stage<'a> {
    pub(crate) breaker: &'a CircuitBreaker,
    pub(crate) setup: Setup,
    pub(crate) counts: Counts,
    /// What was recorded without a permit, for the questions that are asked of a circuit apart.
    pub(crate) history: Vec<Recorded>,
    /// How many transitions had been told when the last one by hand was made.
    pub(crate) told_at_entry: usize,
    pub(crate) time: ManualTime,
    /// When the counts of a closed circuit are cleared next, if time does that.
    clears_at: Option<Timestamp>,
    /// Permits without a name, and the generations that they are of.
    held: Vec<(u32, Permit<&'a Breaker>)>,
    named: BTreeMap<String, (u32, Permit<&'a Breaker>)>,
    /// When the circuit was opened in order to see what closes it.
    opened: Option<i64>,
    /// Calls that were running then and end later.
    stragglers: VecDeque<Permit<&'a Breaker>>,
    /// How many of those the vector has.
    straggling: usize,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(breaker: &'a CircuitBreaker, time: ManualTime, setup: Setup, case: &Case) -> Self {
        time.advance(setup.start_at);
        match setup.start {
            Start::Closed => {}
            Start::ForcedOpen => breaker.force_open(),
            Start::MetricsOnly => breaker.metrics_only(),
        }
        let clears_at = setup.clears_every.map(|interval| time.now() + interval);
        Self {
            counts: Counts::new(&setup, breaker, time.now()),
            breaker,
            setup,
            history: Vec::new(),
            told_at_entry: 0,
            clears_at,
            time,
            held: Vec::new(),
            named: BTreeMap::new(),
            opened: None,
            stragglers: VecDeque::new(),
            straggling: stragglers(case),
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.breaker.snapshot()
    }

    /// The calls that run, of those that the circuit's present state admitted.
    pub(crate) fn in_flight(&self) -> usize {
        let generation = self.snapshot().generation;
        self.held.iter().chain(self.named.values()).filter(|(of, _)| *of == generation).count()
    }

    pub(crate) fn take(&mut self, op: &Op) -> Result<Seen, String> {
        let mut seen = Seen::new();
        if !matches!(op, Op::NotPermitted {}) {
            self.judge_again()?;
        }
        match op {
            Op::Advance { ms, ns } => self.time.advance(Duration::from_millis(*ms) + Duration::from_nanos(*ns)),
            Op::Settle { ms } => self.time.advance(Duration::from_millis(*ms)),
            Op::SetTime { t_ms } => self.set_time(*t_ms),
            Op::TryAcquire {} | Op::Attempt {} => {
                if let Some(permit) = self.admit(&mut seen) {
                    self.held.push((self.snapshot().generation, permit));
                }
            }
            Op::Release {} => self.newest_permit().ok_or("no permit is held")?.cancel(),
            Op::Record { outcome, duration_ms, slow, t_ms } => {
                if let Some(t_ms) = t_ms {
                    self.set_time(*t_ms);
                }
                let took = match (duration_ms, slow) {
                    (Some(ms), _) => Duration::from_millis(*ms),
                    (None, Some(true)) => self.setup.slow_call,
                    (None, _) => Duration::ZERO,
                };
                self.record(*outcome, took);
            }
            Op::Result { outcome, kind, t_s, duration_s } => {
                let outcome = outcome.or(*kind).ok_or("a result without an outcome")?;
                self.result(outcome, *t_s, duration_s.unwrap_or(0))?;
            }
            Op::Success {} => self.record(Ended::Success, Duration::ZERO),
            Op::Failure {} => self.accrue(&mut seen)?,
            Op::Add { n } => {
                let outcome = if *n < 0 { Ended::Failure } else { Ended::Success };
                (0..n.unsigned_abs()).for_each(|_| self.record(outcome, Duration::ZERO));
            }
            Op::Call { outcome, ms } => self.call(*outcome, Duration::from_millis(*ms), &mut seen),
            Op::CallOkTaking { ms } => self.call(Ended::Success, Duration::from_millis(*ms), &mut seen),
            Op::Begin { who } => {
                if let Some(permit) = self.admit(&mut seen) {
                    self.named.insert(who.clone(), (self.snapshot().generation, permit));
                }
            }
            Op::End { who, outcome } => finish(self.named_permit(who)?, *outcome),
            Op::Cancel { who } => drop(self.named_permit(who)?),
            Op::Transition { to, for_ms, until_ms } => self.transition(*to, *for_ms, *until_ms, &mut seen),
            Op::Force { to } => self.force(*to)?,
            Op::Reset { t_ms } => {
                if let Some(t_ms) = t_ms {
                    self.set_time(*t_ms);
                }
                self.breaker.reset();
                self.history.clear();
            }
            Op::Revived {} => self.breaker.reset(),
            Op::Opened { t_s } => self.open_at(*t_s)?,
            Op::Observe { t_s } => self.time.advance_to(seconds(t_s.unwrap_or(0))),
            Op::ShouldBreak { throughput, minimum_throughput, failure_ratio, threshold } => {
                let opens = foresee::opens_at(*throughput, *minimum_throughput, *failure_ratio, *threshold)?;
                seen.insert("result", json!(opens));
            }
            Op::ShouldTrip { min_requests, threshold } => {
                let opens = self.setup.would_trip(&self.history, *min_requests, *threshold)?;
                seen.insert("result", json!(opens));
            }
            Op::Ratio {} => {
                let figures = self.snapshot().figures;
                seen.insert("value", self.setup.style.rate_of(figures.succeeded(), figures.calls));
            }
            Op::NotPermitted {} => self.refuse()?,
        }
        self.clear_in_time();
        self.counts.note(&self.snapshot(), self.time.now());
        Ok(seen)
    }

    /// A closed circuit whose counts live for an interval is one that a timer closes anew.
    fn clear_in_time(&mut self) {
        let Some(interval) = self.setup.clears_every else { return };
        let now = self.time.now();
        if self.breaker.state() != State::Closed {
            self.clears_at = None;
        } else if self.clears_at.is_none_or(|at| now > at) {
            if self.clears_at.is_some() {
                self.breaker.force_closed();
            }
            self.clears_at = Some(now + interval);
        }
    }

    fn set_time(&self, t_ms: u64) {
        let at = Timestamp::ZERO + Duration::from_millis(t_ms);
        self.time.step_back(self.time.now().saturating_duration_since(at));
        self.time.advance_to(at);
    }

    fn admit(&self, seen: &mut Seen) -> Option<Permit<&'a Breaker>> {
        let admitted = self.breaker.try_admit();
        seen.insert("permitted", json!(admitted.is_ok()));
        seen.insert("rejected", json!(admitted.is_err()));
        admitted.map_err(|refusal| tell_refusal(refusal, seen)).ok()
    }

    /// The newest permit of the present generation: an outcome without a name is of the state in which it arrives.
    fn newest_permit(&mut self) -> Option<Permit<&'a Breaker>> {
        let generation = self.snapshot().generation;
        self.held.pop_if(|(of, _)| *of == generation).map(|(_, permit)| permit)
    }

    fn named_permit(&mut self, who: &str) -> Result<Permit<&'a Breaker>, String> {
        self.named.remove(who).map(|(_, permit)| permit).ok_or_else(|| format!("no call {who} runs"))
    }

    fn record(&mut self, outcome: Ended, took: Duration) {
        match self.newest_permit() {
            Some(permit) if took.is_zero() => return finish(permit, outcome),
            // Its time is not the clock's: the call gives its permit to one that never asked.
            Some(permit) => permit.cancel(),
            None => {}
        }
        self.history.push(Recorded { at: self.time.now(), outcome: outcome.outcome(), took });
        self.breaker.record(outcome.outcome(), took);
    }

    /// Metrics without a circuit are told of a refusal. Here a circuit counts its own: the hand holds it open for one.
    fn refuse(&self) -> Result<(), String> {
        if self.setup.start != Start::MetricsOnly {
            return Err("a refusal is made by a circuit, not told to it".into());
        }
        if self.breaker.state() == State::MetricsOnly {
            self.breaker.force_open();
        }
        match self.breaker.try_admit() {
            Ok(_) => Err("a circuit that is held open admitted a call".into()),
            Err(_) => Ok(()),
        }
    }

    /// Metrics that were told of refusals go on judging. What the hand does makes the window forget, so what had been recorded
    /// is recorded anew.
    fn judge_again(&self) -> Result<(), String> {
        let before = self.snapshot();
        if self.setup.start != Start::MetricsOnly || before.state != State::ForcedOpen {
            return Ok(());
        }
        self.breaker.metrics_only();
        self.history.iter().for_each(|call| self.breaker.record(call.outcome, call.took));
        if self.snapshot().figures == before.figures {
            Ok(())
        } else {
            Err("what was counted before the refusals cannot be recorded anew".into())
        }
    }

    fn call(&self, outcome: Ended, takes: Duration, seen: &mut Seen) {
        if outcome == Ended::Panic {
            let call = || -> Result<(), ()> { resume_unwind(Box::new("the call panicked")) };
            let ended = catch_unwind(AssertUnwindSafe(|| self.breaker.run_sync(call)));
            seen.insert("propagates_panic", json!(ended.is_err()));
        } else if let Some(permit) = self.admit(seen) {
            self.time.advance(takes);
            finish(permit, outcome);
        }
    }

    fn transition(&mut self, to: Target, for_ms: Option<u64>, until_ms: Option<u64>, seen: &mut Seen) {
        let until = until_ms.map(|until| Timestamp::ZERO + Duration::from_millis(until));
        let interval = until.map(|until| until.saturating_duration_since(self.time.now()));
        match (to, for_ms.map(Duration::from_millis).or(interval)) {
            (Target::Open, Some(interval)) => self.breaker.isolate(interval),
            (Target::Open, None) => self.breaker.trip(),
            (Target::HalfOpen, _) => {
                if self.breaker.half_open().is_err() {
                    seen.insert("error", json!("illegal_transition"));
                }
            }
            (Target::Closed, _) => self.breaker.force_closed(),
            (Target::Disabled, _) => self.breaker.disable(),
            (Target::ForcedOpen, _) => self.breaker.force_open(),
            (Target::MetricsOnly, _) => self.breaker.metrics_only(),
        }
        self.told_at_entry = self.setup.transitions();
    }

    fn force(&mut self, to: Target) -> Result<(), String> {
        if to == Target::HalfOpen && !matches!(self.breaker.state(), State::Open | State::HalfOpen) {
            self.breaker.trip();
        }
        let mut seen = Seen::new();
        self.transition(to, None, None, &mut seen);
        seen.remove("error").map_or(Ok(()), |error| Err(error.to_string()))
    }

    /// A failure, and for how long it takes the node out of use. While a node is out of use, only a probe can fail.
    fn accrue(&mut self, seen: &mut Seen) -> Result<(), String> {
        self.end_interval()?;
        self.record(Ended::Failure, Duration::ZERO);
        let snapshot = self.snapshot();
        let dead = if snapshot.state == State::Open { snapshot.retry_after.map(millis) } else { None };
        seen.insert("mark_dead_ms", dead.unwrap_or(Value::Null));
        Ok(())
    }

    fn end_interval(&self) -> Result<(), String> {
        if self.breaker.state() == State::Open {
            self.breaker.half_open().map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn open_at(&mut self, t_s: u64) -> Result<(), String> {
        self.time.advance_to(seconds(t_s));
        for _ in 0..self.straggling {
            self.stragglers.push_back(self.breaker.try_admit().map_err(|refusal| refusal.to_string())?);
        }
        self.breaker.trip();
        self.opened = Some(signed(t_s)?);
        Ok(())
    }

    /// The result of a call that began `duration_s` earlier.
    fn result(&mut self, outcome: Ended, t_s: Option<u64>, duration_s: u64) -> Result<(), String> {
        if let Some(t_s) = t_s {
            self.time.advance_to(seconds(t_s));
        }
        if let (Some(opened), Some(t_s)) = (self.opened, t_s) {
            if signed(t_s)? - signed(duration_s)? < opened {
                finish(self.stragglers.pop_front().ok_or("no call runs since before")?, outcome);
                return Ok(());
            }
            // The question is what closes the circuit, not when it may be tried.
            self.end_interval()?;
        }
        self.record(outcome, Duration::from_secs(duration_s));
        Ok(())
    }
}

/// How many results are of calls that began before the circuit was opened.
fn stragglers(case: &Case) -> usize {
    let opened = case.steps.iter().find_map(|step| if let Op::Opened { t_s } = step.op { Some(t_s) } else { None });
    let began_before = |step: &&crate::case::Step<Op>| match (&step.op, opened) {
        (Op::Result { t_s: Some(t_s), duration_s: Some(duration), .. }, Some(opened)) => *t_s < opened + duration,
        _ => false,
    };
    case.steps.iter().filter(began_before).count()
}

fn finish(permit: Permit<&Breaker>, outcome: Ended) {
    permit.finish(outcome.outcome());
}

fn tell_refusal(refusal: Open, seen: &mut Seen) {
    seen.insert("retry_after_present", json!(refusal.retry_after().is_some()));
    seen.insert("retry_after_ms", refusal.retry_after().map_or(Value::Null, millis));
}

fn seconds(t_s: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(t_s)
}

fn signed(seconds: u64) -> Result<i64, String> {
    i64::try_from(seconds).map_err(|error| error.to_string())
}
