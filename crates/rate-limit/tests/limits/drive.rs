use std::fmt::Debug;

use seawall_core::time::Timestamp;
use seawall_rate_limit::limit::{Limit, Refused, Taken, Want};

use crate::schedule::{Schedule, Step};

pub(crate) fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

/// What was taken and not given back: by true time, which only goes forward.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// When it was asked for.
    pub(crate) asked: u64,
    /// When its turn was.
    pub(crate) acted: u64,
    pub(crate) cells: u32,
    taken: Taken,
    /// Whether the receipt is of no use any more.
    lost: bool,
}

/// What is special about an algorithm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    /// A call pays later: any number of cells passes, and what remains is told in single ones.
    pub(crate) pays_later: bool,
    /// For how long one cell is refused at most, after a clock's step was healed.
    pub(crate) lock_out: u64,
    /// A key that was never seen is refused more than one that was idle.
    pub(crate) stricter_when_new: bool,
    /// What is given back is told by time: not after the clock has stepped back.
    pub(crate) refunds_by_time: bool,
}

impl Traits {
    pub(crate) fn locks_out(lock_out: u64) -> Self {
        Self { pays_later: false, lock_out, stricter_when_new: false, refunds_by_time: false }
    }
}

/// One state, driven through a schedule and looked at from all sides after every step.
pub(crate) struct Drive<'a, L: Limit> {
    pub(crate) limit: &'a L,
    pub(crate) traits: Traits,
    pub(crate) state: L::State,
    pub(crate) clock: u64,
    pub(crate) true_time: u64,
    pub(crate) kept: Vec<Kept>,
    longest_wait: u64,
    /// Since the last refund or healed step nobody's turn has come before this.
    turn: u64,
    pub(crate) stepped_back: bool,
}

impl<'a, L: Limit<State: PartialEq>> Drive<'a, L> {
    pub(crate) fn new(limit: &'a L, traits: Traits, schedule: &Schedule) -> Self {
        let (clock, longest_wait) = (schedule.start, schedule.longest_wait);
        let (state, kept) = (L::State::default(), Vec::new());
        Self { limit, traits, state, clock, true_time: clock, kept, longest_wait, turn: 0, stepped_back: false }
    }

    pub(crate) fn run(&mut self, schedule: &Schedule) {
        for step in &schedule.steps {
            self.step(step);
        }
    }

    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::Take { cells, max_wait } => self.take(*cells, *max_wait),
            Step::GiveBack(index) => self.give_back(*index),
            Step::Forward(span) => {
                self.clock += span;
                self.true_time += span;
            }
            Step::Back(span) => {
                self.clock = self.clock.saturating_sub(*span);
                self.stepped_back = true;
                for kept in &mut self.kept {
                    kept.lost |= self.traits.refunds_by_time;
                }
            }
        }
        self.heal();
        self.look();
    }

    fn heal(&mut self) {
        let by = self.limit.ahead(&self.state, at(self.clock), self.longest_wait);
        assert!(by == 0 || self.stepped_back, "only a clock that stepped back leaves a state ahead");
        if by > 0 {
            self.limit.pull_back(&mut self.state, by);
            let ahead = self.limit.ahead(&self.state, at(self.clock), self.longest_wait);
            assert_eq!(ahead, 0, "it is healed at once");
            for kept in &mut self.kept {
                kept.lost = true;
            }
            self.turn = 0;
        }
    }

    fn take(&mut self, cells: u32, max_wait: u64) {
        let before = self.state.clone();
        let want = Want { now: at(self.clock), cells, max_wait };
        match self.limit.take(&mut self.state, want) {
            Ok(taken) => {
                assert_eq!((taken.at, taken.cells), (at(self.clock), cells));
                assert!(taken.act_at >= taken.at);
                let delay = taken.act_at.as_nanos() - self.clock;
                assert!(delay <= max_wait, "nobody waits longer than it would");
                if cells == 0 {
                    assert!(self.state == before, "a look changes nothing");
                    return;
                }
                let acted = self.true_time + delay;
                assert!(acted >= self.turn, "nobody has a turn before who came before");
                self.turn = acted;
                self.kept.push(Kept { asked: self.true_time, acted, cells, taken, lost: false });
            }
            Err(Refused::Later { retry_after }) => {
                assert!(self.state == before, "a refusal changes nothing");
                assert!(retry_after > max_wait);
                let retry = |after: u64| {
                    let mut state = self.state.clone();
                    self.limit.take(&mut state, Want::now(at(self.clock + after), cells))
                };
                assert!(retry(retry_after).is_ok(), "what waits for {retry_after} ns passes");
                assert!(retry(retry_after - 1).is_err(), "and no nanosecond earlier");
            }
            Err(Refused::Never) => assert!(self.state == before, "a refusal changes nothing"),
        }
    }

    fn give_back(&mut self, index: prop::sample::Index) {
        let open: Vec<usize> = (0..self.kept.len()).filter(|kept| !self.kept[*kept].lost).collect();
        if open.is_empty() {
            return;
        }
        let kept = self.kept.remove(*index.get(&open));
        let before = self.limit.remaining(&self.state, at(self.clock));
        self.limit.give_back(&mut self.state, kept.taken, at(self.clock));
        assert!(self.limit.remaining(&self.state, at(self.clock)) >= before, "giving back costs nothing");
        self.turn = 0;
    }

    fn look(&self) {
        let take = |state: &mut L::State, clock: u64, cells: u32| self.limit.take(state, Want::now(at(clock), cells));
        let remaining = self.limit.remaining(&self.state, at(self.clock));
        if self.traits.pays_later {
            let mut state = self.state.clone();
            for _ in 0..remaining {
                assert!(take(&mut state, self.clock, 1).is_ok(), "what remains can be taken one by one");
            }
            assert!(take(&mut state, self.clock, 1).is_err(), "and not one more");
        } else {
            assert!(take(&mut self.state.clone(), self.clock, remaining).is_ok(), "what remains can be taken");
            assert!(take(&mut self.state.clone(), self.clock, remaining + 1).is_err(), "and not one more");
        }
        if let Err(Refused::Later { retry_after }) = take(&mut self.state.clone(), self.clock, 1) {
            let most = self.traits.lock_out + self.longest_wait;
            assert!(retry_after <= most, "locked out for {retry_after} ns, {most} at most");
        }
        self.look_at_reset();
    }

    fn look_at_reset(&self) {
        let reset = self.limit.reset_at(&self.state).as_nanos().max(self.clock);
        let (mut idle, mut new) = (self.state.clone(), L::State::default());
        for (after, cells, max_wait) in
            [(0, 1, 0), (0, 2, 5_000), (137, 1, 0), (500, 1, 700), (900, 3, 0), (1_000, 1, 0)]
        {
            let want = Want { now: at(reset + after), cells, max_wait };
            if self.traits.stricter_when_new {
                let (idle, new) = (self.limit.take(&mut idle.clone(), want), self.limit.take(&mut new.clone(), want));
                assert!(idle.is_ok() && new.is_ok(), "what owes nothing gets a turn at once");
                continue;
            }
            let (idle, new) = (self.limit.take(&mut idle, want), self.limit.take(&mut new, want));
            let told = |result: &Result<Taken, Refused>| result.map(|taken| (taken.act_at, taken.cells));
            assert_eq!(told(&idle), told(&new), "a state is as new once it is reset");
        }
    }
}

use proptest::prelude::prop;

/// Two states that saw different calls at the same times, and what refuses whatever either refuses.
pub(crate) fn merged<L: Limit>(limit: &L, schedule: &Schedule, shares: &[u8], probes: &[(u64, u32)], takes: bool)
where
    L::State: Debug,
{
    let (mut a, mut b, mut clock) = (L::State::default(), L::State::default(), schedule.start);
    for (step, share) in schedule.steps.iter().zip(shares.iter().cycle()) {
        match step {
            Step::Take { cells, max_wait } => {
                let want = Want { now: at(clock), cells: *cells, max_wait: *max_wait };
                if share & 1 > 0 {
                    let _ = limit.take(&mut a, want);
                }
                if share & 2 > 0 {
                    let _ = limit.take(&mut b, want);
                }
            }
            Step::Forward(span) => clock += span,
            Step::GiveBack(_) | Step::Back(_) => {}
        }
    }
    let mut both = a.clone();
    limit.merge(&mut both, &b);
    let mut other = b.clone();
    limit.merge(&mut other, &a);
    for (after, cells) in probes {
        clock += after;
        let want = Want::now(at(clock), *cells);
        let (mut a_, mut b_, mut both_) = (a.clone(), b.clone(), both.clone());
        let passed = limit.take(&mut both_, want);
        assert_eq!(passed.is_ok(), limit.take(&mut other.clone(), want).is_ok(), "whichever is merged into the other");
        if passed.is_ok() {
            assert!(limit.take(&mut a_, want).is_ok(), "{a:?} refuses what {both:?} of {a:?} and {b:?} does not");
            assert!(limit.take(&mut b_, want).is_ok(), "{b:?} refuses what {both:?} of {a:?} and {b:?} does not");
            if takes {
                let _ = limit.take(&mut other, want);
                (a, b, both) = (a_, b_, both_);
            }
        }
    }
}
