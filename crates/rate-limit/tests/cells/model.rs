//! A limiter as it is meant to be: the pure algorithm, its state, and the rules of waiting, steps of the clock and receipts.

use seawall_core::ConfigError;
use seawall_core::time::Timestamp;
use seawall_rate_limit::Quota;
use seawall_rate_limit::limit::{self, Carry, Gcra, Limit, Refused, Taken, Want};

/// What differs between the cells beside the algorithm.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One word, which is brought back only where it would refuse or make somebody wait.
    Word,
    /// Whose buckets move on with every question, and not only with what is taken.
    Window,
    Locked,
}

pub(crate) struct Model<L: Limit> {
    pub(crate) make: fn(Quota) -> Result<L, ConfigError>,
    pub(crate) kind: Kind,
    back: Back<L>,
    limit: L,
    state: L::State,
    longest_wait: u64,
    turns: Turns,
    epoch: u32,
}

/// What is known of the turns that were given.
#[derive(Clone, Copy, Default)]
pub(crate) struct Turns {
    pub(crate) last: Timestamp,
    pub(crate) moved: u64,
}

/// Gives back what was taken.
pub(crate) type Back<L> = fn(&L, &mut <L as Limit>::State, Taken, Timestamp, &mut Turns);

/// As every algorithm by itself does.
pub(crate) fn by_itself<L: Limit>(limit: &L, state: &mut L::State, taken: Taken, now: Timestamp, _: &mut Turns) {
    limit.give_back(state, taken, now);
}

/// As a token bucket does that knows which turns are to come.
pub(crate) fn by_turns(gcra: &Gcra, tat: &mut u64, taken: Taken, now: Timestamp, turns: &mut Turns) {
    let known = limit::Turns { last: gcra.ticks(turns.last), moved: turns.moved };
    let (refund, after) = gcra.refundable_by_turns(*tat, &taken, gcra.ticks(now), known);
    *tat -= refund;
    turns.moved = after.moved;
}

/// Cells that were granted, and in which epoch they were asked for.
#[derive(Clone, Copy)]
pub(crate) struct Receipt {
    pub(crate) taken: Taken,
    epoch: u32,
}

impl<L: Limit> Model<L> {
    pub(crate) fn new(quota: Quota, kind: Kind, make: fn(Quota) -> Result<L, ConfigError>, back: Back<L>) -> Self {
        let limit = make(quota).expect("a valid quota");
        Self { make, kind, back, limit, state: L::State::default(), longest_wait: 0, turns: Turns::default(), epoch: 0 }
    }

    pub(crate) fn take(&mut self, want: Want) -> Result<Receipt, Refused> {
        let epoch = self.epoch;
        if self.kind == Kind::Word {
            let tried = self.limit.take(&mut self.state.clone(), want);
            match tried {
                Ok(taken) if taken.act_at == want.now => {}
                Err(Refused::Never) => {}
                _ => self.heal(want.now),
            }
        } else {
            self.heal(want.now);
        }
        if self.kind == Kind::Window {
            self.roll(want.now);
        }
        let taken = self.limit.take(&mut self.state, want)?;
        let waits = taken.act_at.as_nanos() - want.now.as_nanos();
        self.longest_wait = self.longest_wait.max(waits);
        if waits > 0 {
            self.turns.last = self.turns.last.max(taken.act_at);
        }
        Ok(Receipt { taken, epoch })
    }

    fn heal(&mut self, now: Timestamp) {
        let by = self.limit.ahead(&self.state, now, self.longest_wait);
        if by > 0 {
            self.epoch += 1;
            self.limit.pull_back(&mut self.state, by);
        }
    }

    /// Lets time pass: merges a state of this moment in which nothing counts.
    fn roll(&mut self, now: Timestamp) {
        let mut nothing = L::State::default();
        let taken = self.limit.take(&mut nothing, Want::one(now)).expect("nothing counts");
        self.limit.give_back(&mut nothing, taken, now);
        self.limit.merge(&mut self.state, &nothing);
    }

    pub(crate) fn give_back(&mut self, receipt: Receipt, now: Timestamp) -> bool {
        let taken = receipt.taken;
        let accepted = taken.cells > 0 && receipt.epoch == self.epoch && now >= taken.at;
        if accepted {
            (self.back)(&self.limit, &mut self.state, taken, now, &mut self.turns);
        }
        accepted
    }

    pub(crate) fn carry(&mut self, quota: Quota, carry: Carry, now: Timestamp) {
        let limit = (self.make)(quota).expect("a valid quota");
        self.state = limit.carry(&self.limit, self.state.clone(), carry, now);
        self.limit = limit;
        self.epoch += 1;
        if self.kind != Kind::Window {
            let beyond = self.limit.ahead(&self.state, now, self.longest_wait);
            self.longest_wait += beyond;
        }
    }

    pub(crate) fn reset(&mut self) {
        self.epoch += 1;
        self.state = L::State::default();
    }

    /// What remains, and after how many nanoseconds everything is forgotten.
    pub(crate) fn standing(&self, now: Timestamp) -> (u32, u64) {
        let reset_at = self.limit.reset_at(&self.state).as_nanos();
        (self.limit.remaining(&self.state, now), reset_at.saturating_sub(now.as_nanos()))
    }
}
