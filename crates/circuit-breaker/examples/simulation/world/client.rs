use std::sync::{Arc, Mutex};

use seawall_circuit_breaker::{Breaker, CircuitBreaker, Event, Snapshot, State};
use seawall_core::time::{Clock, Timestamp};
use seawall_core::{Outcome, Permit};

use super::circuit::{Circuit, Limits};
use super::protection::Protection;
use super::random::Draws;

/// One process: whether it has a breaker, and what that one tells.
pub(super) struct Client {
    guard: Option<(CircuitBreaker, Limits)>,
    news: Arc<Mutex<Vec<Event>>>,
}

impl Client {
    pub(super) fn new(protection: Option<&Protection>, draws: Draws, clock: &Clock) -> Self {
        let news = Arc::new(Mutex::new(Vec::new()));
        let told = news.clone();
        let tell = move |event: &Event| told.lock().expect("nobody panics with it").push(*event);
        let guard = protection.map(|protection| (protection.breaker(draws, clock, tell), Limits::of(protection)));
        Self { guard, news }
    }

    fn news(&self) -> Vec<Event> {
        std::mem::take(&mut *self.news.lock().expect("nobody panics with it"))
    }
}

/// How a call ended, as its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Success,
    Failure,
    Ignored,
    Abandoned,
}

/// What a client has done, counted by the client and not by its breaker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    pub(crate) asked: u64,
    pub(crate) admitted: u64,
    pub(crate) refused: u64,
    pub(crate) successes: u64,
    pub(crate) failures: u64,
    pub(crate) ignored: u64,
    pub(crate) abandoned: u64,
    /// What the breaker says, at the end.
    pub(crate) snapshot: Option<Snapshot>,
}

/// Leave for one call.
pub(super) struct Leave<'a> {
    permit: Option<Permit<&'a Breaker>>,
    generation: u32,
}

/// A client at work.
pub(super) struct Caller<'a> {
    client: &'a Client,
    circuit: Option<(&'a CircuitBreaker, Circuit)>,
    account: Account,
}

impl<'a> Caller<'a> {
    pub(super) fn new(client: &'a Client) -> Self {
        let circuit = client.guard.as_ref().map(|(breaker, limits)| (breaker, Circuit::new(*limits)));
        Self { client, circuit, account: Account::default() }
    }

    pub(super) fn state(&self) -> State {
        self.circuit.as_ref().map_or(State::Closed, |(_, circuit)| circuit.state)
    }

    /// Asks for one call. `hear` is told what that changed.
    pub(super) fn ask(&mut self, now: Timestamp, hear: impl FnMut(Event)) -> Option<Leave<'a>> {
        self.account.asked += 1;
        let answer = self.circuit.as_ref().map(|(breaker, _)| breaker.try_admit()).transpose();
        self.listen(hear);
        let mut generation = 0;
        if let Some((breaker, circuit)) = &mut self.circuit {
            circuit.asked(answer.is_ok(), now);
            circuit.audit(breaker, answer.is_err());
            generation = circuit.generation();
        }
        let leave = answer.ok().map(|permit| Leave { permit, generation });
        *if leave.is_some() { &mut self.account.admitted } else { &mut self.account.refused } += 1;
        leave
    }

    pub(super) fn end(&mut self, leave: Leave<'a>, end: End, now: Timestamp, hear: impl FnMut(Event)) {
        let Leave { permit, generation } = leave;
        match (permit, end) {
            (Some(permit), End::Success) => permit.finish(Outcome::Success),
            (Some(permit), End::Failure) => permit.finish(Outcome::Failure),
            (Some(permit), End::Ignored) => permit.finish(Outcome::Ignored),
            (permit, _) => drop(permit),
        }
        let account = &mut self.account;
        *match end {
            End::Success => &mut account.successes,
            End::Failure => &mut account.failures,
            End::Ignored => &mut account.ignored,
            End::Abandoned => &mut account.abandoned,
        } += 1;
        if let Some((_, circuit)) = &mut self.circuit {
            circuit.ended(generation, now);
        }
        self.listen(hear);
        if let Some((breaker, circuit)) = &self.circuit {
            circuit.audit(breaker, false);
        }
    }

    fn listen(&mut self, mut hear: impl FnMut(Event)) {
        let Some((_, circuit)) = &mut self.circuit else { return };
        for event in self.client.news() {
            circuit.change(&event);
            hear(event);
        }
    }

    /// Closes the books. Looking at the breaker lets time do its work.
    pub(super) fn conclude(mut self, hear: impl FnMut(Event)) -> Account {
        self.account.snapshot = self.circuit.as_ref().map(|(breaker, _)| breaker.snapshot());
        self.listen(hear);
        self.account
    }
}
