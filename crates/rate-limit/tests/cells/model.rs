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
    /// The latest time by which anything was asked since the clock was seen to step back.
    latest: Timestamp,
    history: History<L>,
    /// What is carried at most, where a quota permits all that was granted under those before.
    pub(crate) ceiling: Option<Ceiling<L>>,
    quota: Quota,
    /// The largest burst and the shortest interval of the quotas since nothing was owed.
    law: (u32, f64),
}

/// Brings a state to what an empty one is at this time, or once the last turn has come, if it is less.
pub(crate) type Ceiling<L> = fn(&L, &mut <L as Limit>::State, Timestamp, Timestamp);

/// An empty bucket.
pub(crate) fn empty(gcra: &Gcra, tat: &mut u64, now: Timestamp, last: Timestamp) {
    *tat = (*tat).min(gcra.ticks(now.max(last)) + gcra.capacity());
}

fn law(quota: Quota) -> (u32, f64) {
    (quota.burst_size(), quota.period().as_secs_f64() / f64::from(quota.limit()))
}

/// What was done in this epoch, and which turns are to come.
struct History<L: Limit> {
    began: (L::State, Turns),
    steps: Vec<Step>,
    /// The turns that stand one behind the other: those that act at one instant together, and which of them were not given up.
    line: Vec<(Timestamp, Vec<usize>, usize)>,
    /// What acts at this instant or before it does not stand in the line.
    unknown: Timestamp,
}

#[derive(Clone, Copy)]
enum Step {
    Take {
        number: usize,
        want: Want,
        taken: Taken,
    },
    GiveBack {
        number: usize,
        taken: Taken,
        now: Timestamp,
    },
    Roll(Timestamp),
    /// It is as if it had never been done.
    Never,
}

impl<L: Limit> History<L> {
    fn begins(state: L::State, turns: Turns) -> Self {
        Self { began: (state, turns), steps: Vec::new(), line: Vec::new(), unknown: Timestamp::ZERO }
    }

    /// Nobody who stands in the line now makes room by giving up.
    fn settle(&mut self) {
        self.unknown = self.line.last().map_or(self.unknown, |last| last.0.max(self.unknown));
        self.line.clear();
    }

    fn granted(&mut self, number: usize, taken: &Taken) {
        if taken.act_at == taken.at {
            return self.settle();
        }
        let come = self.line.iter().take_while(|turn| turn.0 <= taken.at).count();
        self.unknown = self.line.drain(..come).map(|turn| turn.0).fold(self.unknown, Timestamp::max);
        match self.line.last_mut() {
            Some(last) if last.0 == taken.act_at => {
                last.1.push(number);
                last.2 += 1;
            }
            Some(last) if last.0 > taken.act_at => self.settle(),
            None if self.unknown >= taken.act_at => {}
            _ => self.line.push((taken.act_at, vec![number], 1)),
        }
    }

    /// Gives a turn up: whose turns nobody stands behind any more.
    fn give_up(&mut self, number: usize) -> Vec<usize> {
        if let Some(turn) = self.line.iter_mut().find(|turn| turn.1.contains(&number)) {
            turn.2 -= 1;
        }
        let held = self.line.iter().rposition(|turn| turn.2 > 0).map_or(0, |last| last + 1);
        self.line.drain(held..).flat_map(|turn| turn.1).collect()
    }
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
    number: usize,
}

impl<L: Limit> Model<L> {
    pub(crate) fn new(quota: Quota, kind: Kind, make: fn(Quota) -> Result<L, ConfigError>, back: Back<L>) -> Self {
        let limit = make(quota).expect("a valid quota");
        let (state, turns) = (L::State::default(), Turns::default());
        let history = History::begins(state.clone(), turns);
        Self {
            make,
            kind,
            back,
            limit,
            state,
            longest_wait: 0,
            turns,
            epoch: 0,
            latest: Timestamp::ZERO,
            history,
            ceiling: None,
            quota,
            law: law(quota),
        }
    }

    pub(crate) fn take(&mut self, want: Want) -> Result<Receipt, Refused> {
        let epoch = self.epoch;
        self.latest = self.latest.max(want.now);
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
        let number = self.history.steps.len();
        if taken.cells > 0 {
            self.history.steps.push(Step::Take { number, want, taken });
            self.history.granted(number, &taken);
        }
        Ok(Receipt { taken, epoch, number })
    }

    fn begin_epoch(&mut self) {
        self.epoch += 1;
        self.history = History::begins(self.state.clone(), self.turns);
    }

    /// What would be, had nobody ever asked for these.
    fn without(&mut self, numbers: &[usize]) {
        let first = numbers.iter().copied().min().unwrap_or_default();
        // A step that is left out keeps its place, so that numbers stay what they are.
        for (place, step) in self.history.steps.iter_mut().enumerate() {
            match step {
                Step::Take { number, .. } | Step::GiveBack { number, .. } if numbers.contains(number) => {
                    *step = Step::Never;
                }
                // Later times are not seen yet: the clock may have stepped back behind them.
                Step::Roll(_) if place >= first => *step = Step::Never,
                _ => {}
            }
        }
        (self.state, self.turns) = self.history.began.clone();
        for step in self.history.steps.clone() {
            match step {
                Step::Take { want, taken, .. } => {
                    let again = self.limit.take(&mut self.state, want).expect("it passed");
                    assert_eq!((again.act_at, again.cells), (taken.act_at, taken.cells), "it passed at that time");
                    if taken.act_at > taken.at {
                        self.turns.last = self.turns.last.max(taken.act_at);
                    }
                }
                Step::GiveBack { taken, now, .. } => {
                    (self.back)(&self.limit, &mut self.state, taken, now, &mut self.turns);
                }
                Step::Roll(now) => self.roll_to(now),
                Step::Never => {}
            }
        }
    }

    fn heal(&mut self, now: Timestamp) {
        let by = self.limit.ahead(&self.state, now, self.longest_wait);
        if by > 0 {
            self.limit.pull_back(&mut self.state, by);
            self.begin_epoch();
        }
    }

    /// Lets time pass: merges a state of this moment in which nothing counts.
    fn roll(&mut self, now: Timestamp) {
        self.history.steps.push(Step::Roll(now));
        self.roll_to(now);
    }

    fn roll_to(&mut self, now: Timestamp) {
        let mut nothing = L::State::default();
        let taken = self.limit.take(&mut nothing, Want::one(now)).expect("nothing counts");
        self.limit.give_back(&mut nothing, taken, now);
        self.limit.merge(&mut self.state, &nothing);
    }

    pub(crate) fn give_back(&mut self, receipt: Receipt, now: Timestamp) -> bool {
        if now < self.latest {
            self.begin_epoch();
            self.latest = now;
        }
        let taken = receipt.taken;
        let accepted = taken.cells > 0 && receipt.epoch == self.epoch && now >= taken.at;
        if accepted {
            let number = receipt.number;
            self.history.steps.push(Step::GiveBack { number, taken, now });
            (self.back)(&self.limit, &mut self.state, taken, now, &mut self.turns);
            if taken.act_at > taken.at && now <= taken.act_at {
                let left = self.history.give_up(number);
                if !left.is_empty() {
                    self.without(&left);
                }
            }
        }
        accepted
    }

    pub(crate) fn carry(&mut self, quota: Quota, carry: Carry, now: Timestamp) {
        let limit = (self.make)(quota).expect("a valid quota");
        if self.limit.reset_at(&self.state) <= now {
            self.law = law(self.quota);
        }
        self.state = limit.carry(&self.limit, self.state.clone(), carry, now);
        let next = law(quota);
        if let Some(ceiling) = self.ceiling
            && self.law.0 <= next.0
            && next.1 <= self.law.1
        {
            ceiling(&limit, &mut self.state, now, self.turns.last);
        }
        self.law = (self.law.0.max(next.0), self.law.1.min(next.1));
        self.quota = quota;
        self.limit = limit;
        self.begin_epoch();
        if self.kind != Kind::Window {
            let beyond = self.limit.ahead(&self.state, now, self.longest_wait);
            self.longest_wait += beyond;
        }
    }

    pub(crate) fn reset(&mut self) {
        self.state = L::State::default();
        self.begin_epoch();
    }

    /// What remains, and after how many nanoseconds everything is forgotten.
    pub(crate) fn standing(&self, now: Timestamp) -> (u32, u64) {
        let reset_at = self.limit.reset_at(&self.state).as_nanos();
        (self.limit.remaining(&self.state, now), reset_at.saturating_sub(now.as_nanos()))
    }
}
