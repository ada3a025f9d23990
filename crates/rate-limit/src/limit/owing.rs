use seawall_core::time::Timestamp;

use super::{Limit, Want};

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
