use seawall_core::ConfigError;
use seawall_core::time::Timestamp;

use super::refund::{Refund, Turn};
use super::sliding_window::without_burst;
use super::{Carry, Gcra, Limit, Refused, Taken, Want};
use crate::quota::Quota;

/// Spaces calls evenly: each gets its turn one interval after the last, and nobody is refused who would wait long enough.
///
/// The leaky bucket of uber's `ratelimit`, of Guava's `SmoothBursty` and of every queue that is drained at a fixed rate. With
/// `T = period / limit`, and `next` the next free turn:
///
/// ```text
/// turn = max(next, now - slack * T)        next = turn + cells * T
/// ```
///
/// `slack` turns that nobody took are kept for later: after a pause that many calls, and one, pass at once. A call pays
/// **later**: it has its turn however many cells it takes, and who comes next waits for them. So in any span `W` at most
/// `slack + 1 + floor(W / T)` cells pass, not counting those beyond the first of the last call in it. A key that was never seen
/// has no slack yet.
///
/// - uber's limiter: a slack of 10, or none for even spacing.
/// - Guava's `SmoothBursty`: a slack of one second's cells.
/// - A leaky bucket that queues: no slack, and as the longest wait [`queued`](Self::queued) of the queue's length.
///
/// Memory: 16 bytes a key. Every operation takes constant time. `T` is rounded up as by [`Gcra`]. There is no boundary.
///
/// What remains is told in calls of one cell. When the clock steps back, turns stay where they are; nobody waits for longer than
/// the last call's cells and the longest wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacer {
    /// For single cells it is the same: a burst of the slack and one.
    gcra: Gcra,
    slack: u32,
}

/// What a [`Pacer`] remembers: the next free turn, and when the last one was. In ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacerState {
    /// The next free turn and the slack: when all of the slack will have come back. Zero if there was no call.
    full: u64,
    last: u64,
}

impl Pacer {
    /// The limit of this quota, keeping so many turns that nobody took.
    ///
    /// # Errors
    /// If the quota is not valid or has a burst, or the slack takes more than 2^62 ticks (at least 2.2 years) to come back.
    pub fn new(quota: Quota, slack: u32) -> Result<Self, ConfigError> {
        quota.check()?;
        without_burst(quota)?;
        let interval = Gcra::new(quota.burst(1))?.interval();
        let most = u32::try_from(Gcra::LARGEST / interval - 1).unwrap_or(u32::MAX).min(u32::MAX - 1);
        if slack > most {
            let valid = format!("at most {most}: what comes back in two years");
            return Err(ConfigError::new("algorithm.slack", slack, valid));
        }
        Ok(Self { gcra: Gcra::new(quota.burst(slack + 1))?, slack })
    }

    /// How many turns are kept for later.
    pub const fn slack(&self) -> u32 {
        self.slack
    }

    /// The longest wait, in nanoseconds, that lets as many calls of one cell be on their way at once as a queue of this length.
    pub const fn queued(&self, length: u32) -> u64 {
        let turns = length.saturating_sub(1) as u64;
        self.gcra.nanos(self.gcra.interval().saturating_mul(turns))
    }

    const fn slack_ticks(&self) -> u64 {
        self.gcra.capacity() - self.gcra.interval()
    }
}

impl Limit for Pacer {
    type State = PacerState;

    fn take(&self, state: &mut PacerState, want: Want) -> Result<Taken, Refused> {
        if want.cells == 0 {
            return Ok(Taken { at: want.now, act_at: want.now, cells: 0, mark: state.full });
        }
        let paid = u128::from(want.cells) * u128::from(self.gcra.interval());
        let Some(paid) = u64::try_from(paid).ok().filter(|paid| *paid <= Gcra::LARGEST) else {
            return Err(Refused::Never);
        };
        let (now, slack) = (self.gcra.ticks(want.now), self.slack_ticks());
        let start = if state.full == 0 { now.saturating_add(slack) } else { state.full.max(now) };
        let delay = start.saturating_sub(now).saturating_sub(slack);
        let act_at = want.turn(want.now.as_nanos().saturating_add(self.gcra.nanos(delay)))?;
        let Some(full) = start.checked_add(paid) else { return Err(Refused::Never) };
        *state = PacerState { full, last: now.saturating_add(delay) };
        Ok(Taken { at: want.now, act_at, cells: want.cells, mark: full })
    }

    fn give_back(&self, state: &mut PacerState, taken: Taken, now: Timestamp) {
        let now = self.gcra.ticks(now);
        let newest = state.full == taken.mark && self.gcra.time(state.last) == taken.act_at;
        let refund = Refund {
            paid: u64::from(taken.cells).saturating_mul(self.gcra.interval()),
            elapsed: now.saturating_sub(self.gcra.ticks(taken.act_at)),
            // A later turn must not find before it a call that it does not wait for.
            built_upon: newest.then_some(0),
            built_below: 1,
            turn: match taken.act_at > taken.at {
                true if now > self.gcra.ticks(taken.act_at) => Turn::Over,
                false if state.full <= now.saturating_add(self.slack_ticks()) => Turn::None,
                _ => Turn::ToCome,
            },
        };
        state.full -= refund.safe().min(state.full.saturating_sub(now));
    }

    fn remaining(&self, state: &PacerState, now: Timestamp) -> u32 {
        if state.full == 0 { 1 } else { self.gcra.remaining(&state.full, now) }
    }

    /// When the next turn is free: a key that was never seen has no more.
    fn reset_at(&self, state: &PacerState) -> Timestamp {
        self.gcra.time(state.full.saturating_sub(self.slack_ticks()))
    }

    /// The later of the two; one that was never seen has nothing that could be merged.
    fn merge(&self, state: &mut PacerState, other: &PacerState) {
        *state = PacerState { full: state.full.max(other.full), last: state.last.max(other.last) };
    }

    fn ahead(&self, state: &PacerState, now: Timestamp, longest_wait: u64) -> u64 {
        let latest = now.as_nanos().saturating_add(longest_wait);
        self.gcra.nanos(state.last.saturating_sub(self.gcra.ticks(Timestamp::from_nanos(latest))))
    }

    fn pull_back(&self, state: &mut PacerState, by: u64) {
        let by = by.saturating_mul(self.gcra.ticks_per_nano());
        state.full = state.full.saturating_sub(by);
        state.last = state.last.saturating_sub(by);
    }

    fn carry(&self, from: &Self, state: PacerState, carry: Carry, now: Timestamp) -> PacerState {
        if carry == Carry::Reset || state.full == 0 {
            return PacerState::default();
        }
        // Slack that came back is kept as time, no more of it than there may be; what is owed is carried as a bucket's debt.
        let (old, new) = (from.gcra.ticks(now), self.gcra.ticks(now));
        let ticks = |ticks: u64| {
            let ticks = u128::from(ticks) * u128::from(self.gcra.ticks_per_nano());
            u64::try_from(ticks / u128::from(from.gcra.ticks_per_nano())).unwrap_or(u64::MAX)
        };
        let next = state.full.saturating_sub(from.slack_ticks());
        let next = match old.checked_sub(next) {
            Some(idle) => new.saturating_sub(ticks(idle)),
            None => self.gcra.carry(&from.gcra, next, carry, now),
        };
        PacerState { full: next.saturating_add(self.slack_ticks()).max(1), last: ticks(state.last) }
    }

    fn since(self, zero: Timestamp) -> Self {
        Self { gcra: self.gcra.since(zero), ..self }
    }
}
