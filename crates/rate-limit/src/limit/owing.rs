use std::time::Duration;

use seawall_core::time::Timestamp;

use super::{Limit, Refused, Want};

/// A state in which so many cells count until `reset_at` or longer, but no longer than if they were taken now.
pub(crate) fn owing<L: Limit>(limit: &L, cells: u32, reset_at: Timestamp, now: Timestamp) -> L::State {
    let cells = cells.min(limit.remaining(&L::State::default(), now));
    let taken_at = |at| {
        let mut state = L::State::default();
        let _ = limit.take(&mut state, Want::now(at, cells));
        state
    };
    let fresh = taken_at(now);
    let earlier = limit.reset_at(&fresh).saturating_duration_since(reset_at);
    let aged = taken_at(now - earlier);
    if limit.reset_at(&aged) >= reset_at { aged } else { fresh }
}

/// What was granted by another instance and still counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owed {
    pub(crate) cells: u32,
    /// Until when it counts.
    pub(crate) reset_at: Timestamp,
    /// When the next single cell passes.
    pub(crate) free_at: Timestamp,
}

/// A state in which all of it counts as if it had come with the last of it, which may have a turn that is still to come; or, where
/// a call pays later, in which the last call is paid for when it was to be.
pub(crate) fn still_owing<L: Limit>(limit: &L, owed: Owed, now: Timestamp) -> L::State {
    let taken_at = |at, cells| {
        let mut state = L::State::default();
        let _ = limit.take(&mut state, Want::now(at, cells));
        state
    };
    let at_once = limit.remaining(&L::State::default(), now);
    let pays_later = limit.take(&mut L::State::default(), Want::now(now, at_once.saturating_add(1))).is_ok();
    if pays_later {
        let wait = owed.free_at.saturating_duration_since(now);
        if wait.is_zero() {
            return L::State::default();
        }
        let Err(Refused::Later { retry_after }) = limit.take(&mut taken_at(now, 1), Want::one(now)) else {
            return L::State::default();
        };
        let cost = Duration::from_nanos(retry_after);
        return taken_at(now + wait.saturating_sub(cost) - cost.saturating_sub(wait), 1);
    }
    let mut state = owing(limit, owed.cells, owed.reset_at, now);
    let (cells, mut at) = (owed.cells.min(at_once), now);
    let missing = |state: &L::State| owed.reset_at.saturating_duration_since(limit.reset_at(state));
    let mut more = Duration::ZERO;
    // Windows begin where the clock aligns them: what is shifted by less than one may be shifted by nothing.
    while !missing(&state).is_zero() && at <= owed.reset_at {
        at = at + missing(&state) + more;
        more = more.saturating_mul(2).max(Duration::from_nanos(1));
        state = taken_at(at, cells);
    }
    // Where a turn to come is no state that was brought there by time, it is not to come.
    let turn = at.saturating_duration_since(now);
    let most = u64::try_from(turn.as_nanos()).unwrap_or(u64::MAX);
    if limit.ahead(&state, now, most) > 0 { owing(limit, owed.cells, owed.reset_at, now) } else { state }
}
