use std::time::Duration;

use seawall_circuit_breaker::{Breaker, Cause, Event, State};
use seawall_core::time::Timestamp;

use super::protection::Protection;

/// A circuit as its events tell of it, held against what the breaker does at every call.
pub(super) struct Circuit {
    limits: Limits,
    pub(super) state: State,
    generation: u32,
    since: Timestamp,
    /// The stage of a recovery: its share, and how many calls asked and were admitted in it.
    share: Option<f64>,
    asked: u32,
    admitted: u32,
    /// Calls of this generation that have not ended.
    out: u64,
    /// Since when a half-open circuit waits for one of them, and in a stage for the next one.
    awaited_since: Option<Timestamp>,
}

/// What the configuration promises.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    probes: u64,
    shortest_open: Duration,
    longest_open: Duration,
    longest_wait: Option<Duration>,
    minimum_calls: u64,
    /// When a stage of the recovery is passed: after so long, and so many calls.
    stage: Option<(Duration, u64)>,
}

impl Limits {
    pub(super) fn of(protection: &Protection) -> Self {
        Self {
            probes: protection.half_open.probes.into(),
            shortest_open: protection.shortest_open(0),
            longest_open: protection.longest_open(),
            longest_wait: protection.half_open.max,
            minimum_calls: protection.minimum_calls().into(),
            stage: protection.recovery.as_ref().map(|recovery| (recovery.each, recovery.calls.into())),
        }
    }
}

impl Circuit {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Closed,
            generation: 0,
            since: Timestamp::ZERO,
            share: None,
            asked: 0,
            admitted: 0,
            out: 0,
            awaited_since: None,
        }
    }

    pub(super) const fn generation(&self) -> u32 {
        self.generation
    }

    pub(super) fn change(&mut self, event: &Event) {
        assert_eq!(event.from, self.state, "a transition from a state in which the circuit was not: {event:?}");
        assert!(event.generation > self.generation, "a transition without a generation of its own: {event:?}");
        let counted = event.figures.calls + event.figures.abandoned;
        let fresh = self.state == State::Open || counted <= self.admitted.into();
        assert!(fresh, "of {} calls since the last transition {counted} were judged: {event:?}", self.admitted);
        if event.from == State::Closed && matches!(event.cause, Cause::FailureRate | Cause::SlowCallRate) {
            assert!(event.figures.calls >= self.limits.minimum_calls, "a rate of too few calls: {event:?}");
        }
        if event.cause == Cause::IntervalEnded {
            let lasted = event.at.saturating_duration_since(self.since);
            assert!(lasted >= self.limits.shortest_open, "the circuit was open for {lasted:?} only: {event:?}");
        }
        (self.state, self.generation, self.since, self.share) = (event.to, event.generation, event.at, event.share);
        (self.asked, self.admitted, self.out, self.awaited_since) = (0, 0, 0, None);
    }

    pub(super) fn asked(&mut self, admitted: bool, now: Timestamp) {
        self.asked += 1;
        self.admitted += u32::from(admitted);
        self.out += u64::from(admitted);
        match self.state {
            State::Closed => assert!(admitted, "a closed circuit refused a call"),
            State::Open => {
                assert!(!admitted, "an open circuit admitted a call");
                let lasted = now.saturating_duration_since(self.since);
                let longest = self.limits.longest_open;
                assert!(lasted < longest, "a circuit that was to be open for {longest:?} refused after {lasted:?}");
            }
            _ => {
                let waited = self.awaited_since.map(|since| now.saturating_duration_since(since));
                let too_long = waited.zip(self.limits.longest_wait).is_some_and(|(waited, longest)| waited >= longest);
                assert!(!too_long, "half-open still, after it has waited for {waited:?}");
            }
        }
        if admitted {
            self.awaited_since.get_or_insert(now);
        }
        if let Some(share) = self.share {
            let (whole, part) = (f64::from(self.asked) * share, f64::from(self.admitted));
            let exact = part >= whole - 1e-6 && part < whole + 1.0;
            assert!(exact, "{part} of {} is not a share of {share}", self.asked);
        }
    }

    pub(super) fn ended(&mut self, generation: u32, now: Timestamp) {
        if generation == self.generation {
            self.out -= 1;
            let since = if self.share.is_some() { Some(now) } else { self.awaited_since };
            self.awaited_since = since.filter(|_| self.out > 0);
        }
    }

    /// While half-open, every permit is free, out, or used up by a call that was judged: none is lost, and none is
    /// free when a call has just been refused. A stage does not outlast what it waits for.
    pub(super) fn audit(&self, breaker: &Breaker, refused: bool) {
        if self.state != State::HalfOpen {
            return;
        }
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.generation), (self.state, self.generation), "a change that was not told");
        assert_eq!(snapshot.share, self.share, "a stage that was not told");
        if let Some((share, (each, calls))) = self.share.zip(self.limits.stage) {
            let (lasted, ended) = (snapshot.in_state, snapshot.figures.calls);
            assert!(lasted < each || ended < calls, "in the stage of {share} after {lasted:?} and {ended} calls");
        }
        if let Some(left) = snapshot.probes_left {
            let (out, used) = (self.out, snapshot.figures.calls);
            assert_eq!(left + out + used, self.limits.probes, "{left} probes left, {out} out, {used} used");
            assert!(left == 0 || !refused, "a call was refused with {left} probes left");
        }
    }
}
