use std::collections::VecDeque;

use seawall_core::ConfigError;
use seawall_core::time::Timestamp;

use super::sliding_window::without_burst;
use super::{Carry, Limit, Refused, Taken, Want};
use crate::quota::Quota;

/// At most `limit` cells in **any** span of one period, by the exact time of each.
///
/// Every cell is remembered until it is one period old, to the nanosecond, and counts for not a moment longer. Nothing is
/// refused that such a window has room for, and nothing passes that it has not.
///
/// Memory: 16 bytes for every moment at which cells were taken within the last period, so up to 16 times the limit for a key; a
/// limit is therefore at most 65 536. A decision takes constant time, and time for the cells that have left the window.
/// Where `1 + 1/8` periods are near enough, a [`SlidingWindow`](super::SlidingWindow) has the same guarantee in 52 bytes.
///
/// When the clock steps back, cells stay where they are; nobody waits for longer than one period and the longest wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingLog {
    limit: u32,
    period: u64,
}

/// What a [`SlidingLog`] remembers: when how many cells were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlidingLogState {
    /// Times and cells, none of them zero, the oldest first: each time later than the one before.
    runs: VecDeque<(u64, u32)>,
    /// Of all runs.
    cells: u64,
    /// No turn comes before this: reservations were given turns up to it.
    turn: u64,
}

impl SlidingLogState {
    fn newest(&self) -> u64 {
        self.runs.back().map_or(0, |(at, _)| *at)
    }

    fn push(&mut self, at: u64, cells: u32) {
        match self.runs.back_mut() {
            Some((newest, count)) if *newest == at => *count = count.saturating_add(cells),
            _ => self.runs.push_back((at, cells)),
        }
        self.cells += u64::from(cells);
    }
}

impl SlidingLog {
    /// The most cells that a log is kept of.
    pub const MOST: u32 = 65_536;

    /// The limit of this quota.
    ///
    /// # Errors
    /// If the quota is not valid, has a burst, or a limit above 65 536.
    pub fn new(quota: Quota) -> Result<Self, ConfigError> {
        quota.check()?;
        without_burst(quota)?;
        if quota.limit() > Self::MOST {
            let valid = format!("1 to {} for a log, which remembers every cell", Self::MOST);
            return Err(ConfigError::new("quota.limit", quota.limit(), valid));
        }
        Ok(Self { limit: quota.limit(), period: quota.period_nanos() })
    }

    /// How many cells.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// How many runs have left the window at this time, and their cells.
    fn gone(&self, state: &SlidingLogState, at: u64) -> (usize, u64) {
        let gone = state.runs.iter().take_while(|(run, _)| run.saturating_add(self.period) <= at);
        gone.fold((0, 0), |(runs, cells), (_, count)| (runs + 1, cells + u64::from(*count)))
    }

    /// When the next cells can pass: time, where they are put in the log, and how many runs have left the window by then.
    fn next(&self, state: &SlidingLogState, now: u64, cells: u32) -> (u64, u64, usize) {
        let at = now.max(state.turn);
        // A clock that was stepped back counts as one that stands still.
        let place = at.max(state.newest());
        let (mut runs, gone) = self.gone(state, place);
        let mut used = state.cells - gone + u64::from(cells);
        if used <= u64::from(self.limit) {
            return (at, place, runs);
        }
        let mut leaves = place;
        for (run, count) in state.runs.iter().skip(runs) {
            leaves = run.saturating_add(self.period);
            runs += 1;
            used -= u64::from(*count);
            if used <= u64::from(self.limit) {
                break;
            }
        }
        (leaves, leaves, runs)
    }
}

impl Limit for SlidingLog {
    type State = SlidingLogState;

    fn take(&self, state: &mut SlidingLogState, want: Want) -> Result<Taken, Refused> {
        if want.cells > self.limit {
            return Err(Refused::Never);
        }
        if want.cells == 0 {
            return Ok(Taken { at: want.now, act_at: want.now, cells: 0, mark: state.newest() });
        }
        let (at, place, gone) = self.next(state, want.now.as_nanos(), want.cells);
        let act_at = want.turn(at)?;
        for (_, cells) in state.runs.drain(..gone) {
            state.cells -= u64::from(cells);
        }
        state.push(place, want.cells);
        if act_at > want.now {
            state.turn = at;
        }
        Ok(Taken { at: want.now, act_at, cells: want.cells, mark: place })
    }

    /// All of it, while it counts.
    fn give_back(&self, state: &mut SlidingLogState, taken: Taken, _: Timestamp) {
        let Ok(run) = state.runs.binary_search_by_key(&taken.mark, |(at, _)| *at) else { return };
        let (_, cells) = &mut state.runs[run];
        let given = taken.cells.min(*cells);
        *cells -= given;
        if *cells == 0 {
            state.runs.remove(run);
        }
        state.cells -= u64::from(given);
    }

    fn remaining(&self, state: &SlidingLogState, now: Timestamp) -> u32 {
        let now = now.as_nanos();
        if now < state.turn {
            return 0;
        }
        let used = state.cells - self.gone(state, now.max(state.newest())).1;
        u32::try_from(u64::from(self.limit).saturating_sub(used)).unwrap_or(0)
    }

    fn reset_at(&self, state: &SlidingLogState) -> Timestamp {
        let empty = state.runs.back().map_or(0, |(at, _)| at.saturating_add(self.period));
        Timestamp::from_nanos(empty.max(state.turn))
    }

    /// At every age as many cells as the one has of that age or younger that has more of them.
    ///
    /// No log of all of them: cells count until the newest of the same eighth of a period has left, so at most that much longer, and
    /// there are no more than nine runs, however many were merged.
    fn merge(&self, state: &mut SlidingLogState, other: &SlidingLogState) {
        let mut ours = state.runs.iter().rev().copied().peekable();
        let mut theirs = other.runs.iter().rev().copied().peekable();
        let (mut our_cells, mut their_cells) = (0, 0);
        let mut merged = SlidingLogState { turn: state.turn.max(other.turn), ..SlidingLogState::default() };
        // By the clock, so that what is merged again and again is not moved again.
        let part = |at: u64| at / self.period.div_ceil(8);
        // Whatever comes next comes after the newest: what has left by then has left for good.
        let gone = state.newest().max(other.newest()).checked_sub(self.period);
        while let Some(at) = ours.peek().map(|run| run.0).max(theirs.peek().map(|run| run.0)) {
            if gone.is_some_and(|gone| at <= gone) {
                break;
            }
            our_cells += ours.next_if(|run| run.0 == at).map_or(0, |run| u64::from(run.1));
            their_cells += theirs.next_if(|run| run.0 == at).map_or(0, |run| u64::from(run.1));
            let more = our_cells.max(their_cells) - merged.cells;
            if more > 0 {
                let more = u32::try_from(more).unwrap_or(u32::MAX);
                match merged.runs.front_mut() {
                    Some((run, cells)) if part(*run) == part(at) => *cells = cells.saturating_add(more),
                    _ => merged.runs.push_front((at, more)),
                }
                merged.cells += u64::from(more);
            }
        }
        *state = merged;
    }

    fn ahead(&self, state: &SlidingLogState, now: Timestamp, longest_wait: u64) -> u64 {
        let latest = now.as_nanos().saturating_add(longest_wait);
        state.newest().max(state.turn).saturating_sub(latest)
    }

    fn pull_back(&self, state: &mut SlidingLogState, by: u64) {
        let mut back = SlidingLogState { turn: state.turn.saturating_sub(by), ..SlidingLogState::default() };
        // There is nothing before the clock's zero: what was older counts as if it came then.
        state.runs.drain(..).for_each(|(at, cells)| back.push(at.saturating_sub(by), cells));
        *state = back;
    }

    fn carry(&self, from: &Self, state: SlidingLogState, carry: Carry, now: Timestamp) -> SlidingLogState {
        if carry == Carry::Reset {
            return SlidingLogState::default();
        }
        let (gone, _) = from.gone(&state, now.as_nanos().max(state.newest()));
        let mut carried = SlidingLogState { turn: state.turn, ..SlidingLogState::default() };
        // From the newest to the oldest: of every age or younger as many cells as the share says, rounded up.
        let mut younger = 0_u64;
        for (at, cells) in state.runs.iter().skip(gone).rev() {
            younger += u64::from(*cells);
            let share = match carry {
                Carry::Proportional => (younger * u64::from(self.limit)).div_ceil(u64::from(from.limit)),
                _ => younger,
            };
            let more = share - carried.cells;
            if more > 0 {
                carried.runs.push_front((*at, u32::try_from(more).unwrap_or(u32::MAX)));
                carried.cells += more;
            }
        }
        carried
    }
}
