//! Limits that count what they refuse: whoever does not stop asking stays refused.

use seawall_core::time::Timestamp;
use seawall_rate_limit::limit::{
    FixedWindow, FixedWindowState, Limit, Refused, Taken, Want, WindowCounter, WindowCounterState,
};
use serde_json::{Value, json};

use super::ask::{Ask, Seen, Subject, ms};

pub(super) trait CountsRefused: Limit {
    fn count_refused(&self, state: &mut Self::State, want: Want);

    /// How many cells the window has counted, if that can be seen.
    fn counted(&self, state: &Self::State, now: Timestamp) -> Option<u64>;
}

impl CountsRefused for FixedWindow {
    fn count_refused(&self, state: &mut FixedWindowState, want: Want) {
        self.count_refused(state, want);
    }

    /// As many as have to be given back until there is room, and what is in the way of more.
    fn counted(&self, state: &FixedWindowState, now: Timestamp) -> Option<u64> {
        let (mut state, limit) = (*state, self.limit());
        let whole = Taken { at: now, act_at: now, cells: limit, mark: self.reset_at(&state).as_nanos() };
        let mut given = 0;
        while self.remaining(&state, now) == 0 {
            self.give_back(&mut state, whole, now);
            given += u64::from(limit);
        }
        Some(given + u64::from(limit - self.remaining(&state, now)))
    }
}

impl CountsRefused for WindowCounter {
    fn count_refused(&self, state: &mut WindowCounterState, want: Want) {
        self.count_refused(state, want);
    }

    fn counted(&self, _: &WindowCounterState, _: Timestamp) -> Option<u64> {
        None
    }
}

pub(super) struct Counting<L: Limit> {
    limit: L,
    state: L::State,
    /// The oldest first.
    receipts: Vec<Taken>,
}

impl<L: CountsRefused> Counting<L> {
    pub(super) fn new(limit: L) -> Self {
        Self { limit, state: L::State::default(), receipts: Vec::new() }
    }

    fn show(&self, now: Timestamp, allowed: bool) -> Seen {
        let remaining = self.limit.remaining(&self.state, now);
        let reset = self.limit.reset_at(&self.state).saturating_duration_since(now);
        let mut seen = Seen::from([
            ("allowed", json!(allowed)),
            ("remaining", json!(remaining)),
            ("reset_after_ms", ms(reset)),
            ("retry_after_ms", Value::Null),
            ("error", Value::Null),
        ]);
        if let Some(counted) = self.limit.counted(&self.state, now) {
            seen.insert("counter", json!(counted));
        }
        seen
    }

    /// What was refused has been counted, so that it is not asked again: the wait is that for the next cell.
    fn retry_after(&self, now: Timestamp) -> Value {
        match self.limit.take(&mut self.state.clone(), Want::one(now)) {
            Err(Refused::Later { retry_after }) => ms(std::time::Duration::from_nanos(retry_after)),
            _ => json!(0),
        }
    }

    fn check(&mut self, now: Timestamp, cells: u32) -> Seen {
        let want = Want::now(now, cells);
        if let Ok(taken) = self.limit.take(&mut self.state, want) {
            self.receipts.push(taken);
            return self.show(now, true);
        }
        self.limit.count_refused(&mut self.state, want);
        let mut seen = self.show(now, false);
        seen.insert("retry_after_ms", self.retry_after(now));
        seen
    }

    /// By receipt, the newest first; of the last one a part.
    fn refund(&mut self, now: Timestamp, cells: u32) -> Seen {
        let mut left = cells;
        while left > 0
            && let Some(mut taken) = self.receipts.pop()
        {
            let part = taken.cells.min(left);
            self.limit.give_back(&mut self.state, Taken { cells: part, ..taken }, now);
            left -= part;
            taken.cells -= part;
            if taken.cells > 0 {
                self.receipts.push(taken);
            }
        }
        self.show(now, true)
    }
}

impl<L: CountsRefused> Subject for Counting<L> {
    fn ask(&mut self, now: Timestamp, ask: &Ask<'_>) -> Result<Seen, String> {
        Ok(match *ask {
            Ask::Check { cells, passed: None } => self.check(now, cells),
            Ask::Peek { cells } => {
                let passes = self.limit.take(&mut self.state.clone(), Want::now(now, cells));
                self.show(now, passes.is_ok())
            }
            Ask::Refund { cells } => self.refund(now, cells),
            Ask::Reset => {
                self.state = L::State::default();
                self.receipts.clear();
                self.show(now, true)
            }
            _ => return ask.unknown(),
        })
    }
}
