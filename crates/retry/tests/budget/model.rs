//! What a budget of deposits does, said by a list of all that ever happened.

use std::time::Duration;

use super::step::Plan;

/// Everything is kept, nothing is added up in advance, and all numbers are exact: balances in ten thousandths.
pub(crate) struct Model {
    plan: Plan,
    /// Which bucket each call began in.
    calls: Vec<i128>,
    extra: Vec<Extra>,
    newest: i128,
}

struct Extra {
    bucket: i128,
    at: u128,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    GivenBack,
}

const ONE: i128 = 10_000;

impl Model {
    pub(crate) const fn new(plan: Plan) -> Self {
        Self { plan, calls: Vec::new(), extra: Vec::new(), newest: 0 }
    }

    fn bucket(&self, now: Duration) -> i128 {
        (now.as_nanos() / (self.plan.ttl.as_nanos() / 10)).try_into().expect("small")
    }

    /// A step back by more than a bucket makes everything as much earlier.
    fn look(&mut self, now: Duration) {
        let current = self.bucket(now);
        if current + 1 < self.newest {
            let by = self.newest - current;
            self.calls.iter_mut().for_each(|bucket| *bucket -= by);
            self.extra.iter_mut().for_each(|extra| extra.bucket -= by);
            self.newest = current;
        }
        self.newest = self.newest.max(current);
    }

    pub(crate) fn call(&mut self, now: Duration) {
        self.look(now);
        self.calls.push(self.newest);
    }

    pub(crate) fn spend(&mut self, now: Duration) -> bool {
        self.look(now);
        let may = self.balance(now) >= ONE;
        if may {
            self.extra.push(Extra { bucket: self.newest, at: now.as_nanos(), state: State::Open });
        }
        may
    }

    /// In ten thousandths.
    pub(crate) fn balance(&self, now: Duration) -> i128 {
        let newest = self.newest.max(self.bucket(now));
        let calls = self.calls.iter().filter(|bucket| newest - **bucket < 10).count();
        let extra = self.extra.iter().filter(|extra| {
            let age = newest - extra.bucket;
            extra.state != State::GivenBack && (age < 10 || age == 10 && self.last_is_young(extra.bucket, now))
        });
        let free = u128::from(self.plan.per_second) * self.plan.ttl.as_millis();
        i128::try_from(calls).expect("small") * i128::from(self.plan.ratio) * 10 + i128::try_from(free).expect("small")
            - i128::try_from(extra.count()).expect("small") * ONE
    }

    fn last_is_young(&self, bucket: i128, now: Duration) -> bool {
        let last = self.extra.iter().filter(|extra| extra.bucket == bucket).map(|extra| extra.at).max();
        last.is_some_and(|last| now.as_nanos().saturating_sub(last) < self.plan.ttl.as_nanos())
    }

    /// One has ended: the one that was paid for last.
    pub(crate) fn end(&mut self) {
        if let Some(last) = self.extra.iter_mut().rev().find(|extra| extra.state == State::Open) {
            last.state = State::Ended;
        }
    }

    /// One was never begun: the one that was paid for first.
    pub(crate) fn give_back(&mut self) {
        if let Some(first) = self.extra.iter_mut().find(|extra| extra.state == State::Open) {
            first.state = State::GivenBack;
        }
    }
}
