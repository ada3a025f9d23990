use seawall_core::ConfigError;
use seawall_core::time::Timestamp;

use super::sliding_window::without_burst;
use super::{Carry, Limit, Refused, Taken, Want, scaled};
use crate::quota::Quota;

/// A sliding window of two counters, as Cloudflare has described it: the window before is taken to have come evenly.
///
/// With the period `W`, `e` of which has passed since the current window began:
///
/// ```text
/// previous * (W - e) / W + current + cells <= limit
/// ```
///
/// compared exactly, in integers. If calls come evenly, at most the limit passes in any span of one period. If all of the
/// previous window's came at its very end, less than **twice the limit** does: in a span of `d <= W`, at most
/// `limit * (1 + d / W)`. If they came early, it refuses for longer than an exact window would. Where the limit must hold, use a
/// [`SlidingWindow`](super::SlidingWindow): it takes a few more bytes.
///
/// Memory: 24 bytes a key. Every operation takes constant time. The windows begin at whole periods after the clock's zero, and
/// nothing jumps at their boundaries.
///
/// When the clock steps back, the counts stay as they are until it has caught up; nobody waits for longer than three periods
/// and the longest wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowCounter {
    limit: u32,
    period: u64,
}

/// What a [`WindowCounter`] remembers: the cells of two windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowCounterState {
    /// The current window's number: windows are counted from the clock's zero.
    window: u64,
    /// No turn comes before this: reservations were given turns up to it.
    turn: u64,
    previous: u32,
    current: u32,
}

impl WindowCounter {
    /// The limit of this quota.
    ///
    /// # Errors
    /// If the quota is not valid or has a burst.
    pub fn new(quota: Quota) -> Result<Self, ConfigError> {
        quota.check()?;
        without_burst(quota)?;
        Ok(Self { limit: quota.limit(), period: quota.period_nanos() })
    }

    /// How many cells.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Counts what was refused as well, up to one cell beyond the limit: whoever does not stop asking stays refused.
    pub fn count_refused(&self, state: &mut WindowCounterState, want: Want) {
        *state = Self::at(state, want.now.as_nanos() / self.period);
        state.current = state.current.saturating_add(want.cells).min(self.limit.saturating_add(1));
    }

    /// The counts as they are when `window` is the current one.
    const fn at(state: &WindowCounterState, window: u64) -> WindowCounterState {
        match window.saturating_sub(state.window) {
            0 => *state,
            1 => WindowCounterState { window, previous: state.current, current: 0, turn: state.turn },
            _ => WindowCounterState { window, previous: 0, current: 0, turn: state.turn },
        }
    }

    const fn begin(&self, state: &WindowCounterState) -> u64 {
        state.window.saturating_mul(self.period)
    }

    /// How long the current window must have lasted until it has room for `cells`; a whole period if it never has.
    fn room_after(&self, state: &WindowCounterState, cells: u32) -> u64 {
        let used = u64::from(state.current) + u64::from(cells);
        let Some(room) = u64::from(self.limit).checked_sub(used) else { return self.period };
        if room >= u64::from(state.previous) {
            return 0;
        }
        // previous * (period - e) <= room * period, solved for the least whole e.
        let left = u128::from(room) * u128::from(self.period) / u128::from(state.previous);
        self.period.saturating_sub(u64::try_from(left).unwrap_or(self.period))
    }

    /// When the next cells can pass: time, and the state at that time.
    fn next(&self, state: &WindowCounterState, now: u64, cells: u32) -> (u64, WindowCounterState) {
        let mut at = now.max(state.turn);
        let mut found = Self::at(state, at / self.period);
        loop {
            let room_after = self.room_after(&found, cells);
            let room_at = self.begin(&found).saturating_add(room_after);
            if room_after < self.period {
                // A clock that was stepped back counts as one that stands still at the window's beginning.
                return (if room_after == 0 { at } else { at.max(room_at) }, found);
            }
            found = Self::at(&found, found.window + 1);
            at = self.begin(&found);
        }
    }
}

impl Limit for WindowCounter {
    type State = WindowCounterState;

    fn take(&self, state: &mut WindowCounterState, want: Want) -> Result<Taken, Refused> {
        if want.cells > self.limit {
            return Err(Refused::Never);
        }
        if want.cells == 0 {
            return Ok(Taken { at: want.now, act_at: want.now, cells: 0, mark: state.window });
        }
        let (at, mut found) = self.next(state, want.now.as_nanos(), want.cells);
        let act_at = want.turn(at)?;
        found.current += want.cells;
        if act_at > want.now {
            found.turn = at;
        }
        *state = found;
        Ok(Taken { at: want.now, act_at, cells: want.cells, mark: found.window })
    }

    /// All of it, while its window counts.
    fn give_back(&self, state: &mut WindowCounterState, taken: Taken, _: Timestamp) {
        if taken.mark == state.window {
            state.current = state.current.saturating_sub(taken.cells);
        } else if taken.mark.checked_add(1) == Some(state.window) {
            state.previous = state.previous.saturating_sub(taken.cells);
        }
    }

    fn remaining(&self, state: &WindowCounterState, now: Timestamp) -> u32 {
        let now = now.as_nanos();
        if now < state.turn {
            return 0;
        }
        let found = Self::at(state, now / self.period);
        let left = self.period - now.saturating_sub(self.begin(&found)).min(self.period);
        let previous = (u128::from(found.previous) * u128::from(left)).div_ceil(u128::from(self.period));
        let used = previous + u128::from(found.current);
        u32::try_from(u128::from(self.limit).saturating_sub(used)).unwrap_or(0)
    }

    fn reset_at(&self, state: &WindowCounterState) -> Timestamp {
        let windows = match (state.previous, state.current) {
            (0, 0) => 0,
            (_, 0) => 1,
            _ => 2,
        };
        Timestamp::from_nanos(state.window.saturating_add(windows).saturating_mul(self.period).max(state.turn))
    }

    fn merge(&self, state: &mut WindowCounterState, other: &WindowCounterState) {
        let window = state.window.max(other.window);
        let (a, b) = (Self::at(state, window), Self::at(other, window));
        *state = WindowCounterState {
            window,
            turn: a.turn.max(b.turn),
            previous: a.previous.max(b.previous),
            current: a.current.max(b.current),
        };
    }

    /// In whole periods, for the windows stay where the clock aligns them.
    fn ahead(&self, state: &WindowCounterState, now: Timestamp, longest_wait: u64) -> u64 {
        let latest = now.as_nanos().saturating_add(longest_wait);
        let ahead = self.begin(state).max(state.turn).saturating_sub(latest);
        ahead - ahead % self.period
    }

    /// By no more than whole periods.
    fn pull_back(&self, state: &mut WindowCounterState, by: u64) {
        let windows = by / self.period;
        state.window = state.window.saturating_sub(windows);
        state.turn = state.turn.saturating_sub(windows * self.period);
    }

    /// Windows of another length begin with what the old ones are taken to hold.
    fn carry(&self, from: &Self, state: WindowCounterState, carry: Carry, now: Timestamp) -> WindowCounterState {
        let now = now.as_nanos();
        if carry == Carry::Reset {
            return WindowCounterState::default();
        }
        let count = |count| match carry {
            Carry::Proportional => scaled(count, self.limit, from.limit),
            _ => count,
        };
        let state = Self::at(&state, now.max(state.turn) / from.period);
        if self.period == from.period {
            return WindowCounterState { previous: count(state.previous), current: count(state.current), ..state };
        }
        let at = now.max(state.turn).max(from.begin(&state));
        let left = from.period - (at - from.begin(&state)).min(from.period);
        let previous = (u128::from(state.previous) * u128::from(left)).div_ceil(u128::from(from.period));
        let used = u32::try_from(previous).unwrap_or(u32::MAX).saturating_add(state.current);
        WindowCounterState { window: at / self.period, turn: state.turn, previous: 0, current: count(used) }
    }
}
