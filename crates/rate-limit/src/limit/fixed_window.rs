use std::time::Duration;

use seawall_core::ConfigError;
use seawall_core::time::Timestamp;

use super::sliding_window::without_burst;
use super::{Carry, Limit, Refused, Taken, Want, nanos, scaled};
use crate::quota::Quota;

/// At most `limit` cells in each window of one period; the windows lie end to end and do not overlap.
///
/// A counter that begins anew with every window: the cheapest to explain, and what most APIs announce. A span that is not a
/// window can hold the end of one and the beginning of the next: up to **twice the limit**, all of it within a moment around
/// the boundary. Where that matters, use a [`SlidingWindow`](super::SlidingWindow).
///
/// Memory: 16 bytes a key. Every operation takes constant time. A call that would wait gets its turn when the next window
/// begins; whoever comes after it comes after it.
///
/// When the clock steps back, the window stays as it is until the clock has caught up; nobody waits for longer than two
/// periods and the longest wait (one period and the longest wait if the first cell begins the window).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedWindow {
    limit: u32,
    period: u64,
    /// A moment at which a window begins, before the first period is over; none if cells begin them.
    offset: Option<u64>,
}

/// Where the windows of a [`FixedWindow`] begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum Alignment {
    /// At every whole period after the clock's zero and this offset, for all keys alike.
    Clock {
        /// How long after the clock's zero; whole periods of it make no difference.
        #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
        offset: Duration,
    },
    /// With the first cell after the last window has ended, for each key by itself: keys do not begin anew all at once.
    FirstCell,
}

/// At every whole period of the clock.
impl Default for Alignment {
    fn default() -> Self {
        Self::Clock { offset: Duration::ZERO }
    }
}

/// What a [`FixedWindow`] remembers: the window and its cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FixedWindowState {
    /// The first moment after the window.
    end: u64,
    used: u32,
    /// Whether the window was opened for a turn that was still to come: then nobody gets one before it begins.
    reserved: bool,
}

impl FixedWindow {
    /// The limit of this quota in windows that begin where `alignment` says.
    ///
    /// # Errors
    /// If the quota is not valid or has a burst.
    pub fn new(quota: Quota, alignment: Alignment) -> Result<Self, ConfigError> {
        quota.check()?;
        without_burst(quota)?;
        let period = quota.period_nanos();
        let offset = match alignment {
            Alignment::Clock { offset } => Some(nanos(offset) % period),
            Alignment::FirstCell => None,
        };
        Ok(Self { limit: quota.limit(), period, offset })
    }

    /// How many cells in each window.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// Counts what was refused as well: whoever does not stop asking stays refused until the window ends.
    pub fn count_refused(&self, state: &mut FixedWindowState, want: Want) {
        *state = self.window(state, want.now.as_nanos());
        state.used = state.used.saturating_add(want.cells);
    }

    /// The end of the window that `at` is in, if it is not in one that a cell has begun.
    const fn end(&self, at: u64) -> u64 {
        let left = match self.offset {
            Some(offset) if at >= offset => self.period - (at - offset) % self.period,
            Some(offset) => offset - at,
            None => self.period,
        };
        at.saturating_add(left)
    }

    /// The window at this time: the one that is remembered unless it is over.
    const fn window(&self, state: &FixedWindowState, now: u64) -> FixedWindowState {
        if now < state.end { *state } else { FixedWindowState { end: self.end(now), used: 0, reserved: false } }
    }

    const fn begin(&self, window: &FixedWindowState) -> u64 {
        window.end.saturating_sub(self.period)
    }

    /// When the next cells can pass: time, and the window with them.
    const fn next(&self, state: &FixedWindowState, now: u64, cells: u32) -> (u64, FixedWindowState) {
        let window = self.window(state, now);
        let begin = self.begin(&window);
        match window.used.checked_add(cells) {
            Some(used) if used <= self.limit => {
                let at = if window.reserved && begin > now { begin } else { now };
                (at, FixedWindowState { used, ..window })
            }
            _ => {
                let end = window.end.saturating_add(self.period);
                (window.end, FixedWindowState { end, used: cells, reserved: true })
            }
        }
    }
}

impl Limit for FixedWindow {
    type State = FixedWindowState;

    fn take(&self, state: &mut FixedWindowState, want: Want) -> Result<Taken, Refused> {
        if want.cells > self.limit {
            return Err(Refused::Never);
        }
        if want.cells == 0 {
            return Ok(Taken { at: want.now, act_at: want.now, cells: 0, mark: state.end });
        }
        let (at, window) = self.next(state, want.now.as_nanos(), want.cells);
        let act_at = want.turn(at)?;
        *state = window;
        Ok(Taken { at: want.now, act_at, cells: want.cells, mark: window.end })
    }

    /// All of it until its window is over: after that it makes nobody wait.
    fn give_back(&self, state: &mut FixedWindowState, taken: Taken, _: Timestamp) {
        if taken.mark == state.end {
            state.used = state.used.saturating_sub(taken.cells);
        }
    }

    fn remaining(&self, state: &FixedWindowState, now: Timestamp) -> u32 {
        let now = now.as_nanos();
        let window = self.window(state, now);
        if window.reserved && now < self.begin(&window) { 0 } else { self.limit.saturating_sub(window.used) }
    }

    fn reset_at(&self, state: &FixedWindowState) -> Timestamp {
        Timestamp::from_nanos(state.end)
    }

    /// The later window, with the cells of the fuller one if they overlap.
    fn merge(&self, state: &mut FixedWindowState, other: &FixedWindowState) {
        let (earlier, later) = if state.end <= other.end { (*state, *other) } else { (*other, *state) };
        *state = later;
        if earlier.end > self.begin(&later) {
            state.used = later.used.max(earlier.used);
            state.reserved |= earlier.reserved && earlier.end == later.end;
        }
    }

    /// In whole periods if the clock aligns the windows.
    fn ahead(&self, state: &FixedWindowState, now: Timestamp, longest_wait: u64) -> u64 {
        let latest = now.as_nanos().saturating_add(longest_wait).saturating_add(self.period);
        let ahead = state.end.saturating_sub(latest);
        if self.offset.is_some() { ahead - ahead % self.period } else { ahead }
    }

    /// By no more than whole periods if the clock aligns the windows.
    fn pull_back(&self, state: &mut FixedWindowState, by: u64) {
        let by = if self.offset.is_some() { by - by % self.period } else { by };
        state.end = state.end.saturating_sub(by);
    }

    fn carry(&self, from: &Self, state: FixedWindowState, carry: Carry, now: Timestamp) -> FixedWindowState {
        let now = now.as_nanos();
        if carry == Carry::Reset || state.end <= now {
            return FixedWindowState::default();
        }
        let used = match carry {
            Carry::Proportional => scaled(state.used, self.limit, from.limit),
            _ => state.used,
        };
        let begin = from.begin(&state);
        let reserved = state.reserved && begin > now;
        let end = match self.offset {
            // Nobody's turn comes before the one that was reserved.
            Some(_) if reserved => self.end(begin.saturating_sub(1)).saturating_add(self.period),
            Some(_) => self.end(now),
            None => match begin.saturating_add(self.period) {
                end if end > now => end,
                _ => self.end(now),
            },
        };
        FixedWindowState { end, used, reserved }
    }
}
