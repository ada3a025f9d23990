use seawall_core::ConfigError;
use seawall_core::sync::Mutex;
use seawall_core::time::{Clock, Timestamp};

use super::line::{FEW, Line, MANY};
use super::{Decision, Denied, Epoch, Granted};
use crate::algorithm::{Algorithm, Built};
use crate::figures::{Figures, Limits};
use crate::limit::{Carry, Limit, Owed, Refused, Taken, Want, origin, still_owing};
use crate::quota::Quota;

/// Any [`Limit`] with its state, under a lock.
pub(crate) struct Locked<L: Limit> {
    inner: Mutex<Inner<L>>,
    epoch: Epoch,
    /// Since when all its limits count.
    zero: Timestamp,
}

struct Inner<L: Limit> {
    limit: L,
    limits: Limits,
    state: L::State,
    /// The longest wait that was ever granted, in nanoseconds.
    longest_wait: u64,
    line: Line<L::State>,
}

/// What a cell does, whatever its algorithm.
pub(crate) trait Store: Send + Sync {
    fn take(&self, want: Want, clock: &Clock) -> Decision;
    fn look(&self, at: Timestamp, cells: u32) -> Result<(Figures, Limits), Denied>;
    fn limits(&self) -> Limits;
    fn epoch(&self) -> &Epoch;
    /// Gives back what was taken in this epoch, at the time that it is once nobody else changes the state.
    fn give_back(&self, taken: Taken, epoch: u32, now: &dyn Fn() -> Timestamp);
    /// Whether the quota could be replaced by this one.
    fn check(&self, quota: Quota, algorithm: Algorithm) -> Result<(), ConfigError>;
    fn carry(&self, quota: Quota, algorithm: Algorithm, carry: Carry, now: Timestamp) -> Result<(), ConfigError>;
    fn raise(&self, owed: Owed, now: Timestamp);
    fn reset(&self);
}

impl<L: Limit> Locked<L> {
    /// The state of a limit that is new `now`.
    pub(crate) fn new(limit: L, quota: Quota, now: Timestamp) -> Self {
        let zero = origin(now);
        let (limit, state) = (limit.since(zero), L::State::default());
        // A state of many parts is remembered a few times only.
        let most = if std::mem::needs_drop::<L::State>() { FEW } else { MANY };
        let inner = Inner { limit, limits: Limits::of(quota), state, longest_wait: 0, line: Line::new(most) };
        Self { inner: Mutex::new(inner), epoch: Epoch::new(), zero }
    }
}

impl<L: Built> Store for Locked<L> {
    fn take(&self, want: Want, clock: &Clock) -> Decision {
        let Inner { limit, limits, state, longest_wait, line } = &mut *self.inner.lock();
        let mut now = want.now;
        if limit.ahead(state, now, *longest_wait) > 0 {
            // Read again under the lock: a thread that was held up on its way here must not take that for a step of the clock.
            now = clock.now().max(now);
            let by = limit.ahead(state, now, *longest_wait);
            if by > 0 {
                self.epoch.advance();
                limit.pull_back(state, by);
            }
        }
        let (mut decided, mut before) = (limit.take(state, Want::now(now, want.cells)), None);
        if let Err(Refused::Later { retry_after }) = decided
            && retry_after <= want.max_wait
        {
            before = Some(state.clone());
            decided = limit.take(state, Want { now, ..want });
        }
        let owed = limit.reset_at(state).as_nanos().saturating_sub(now.as_nanos());
        let figures = Figures::plain(limit.remaining(state, now), owed);
        match decided {
            Ok(taken) => {
                *longest_wait = (*longest_wait).max(taken.act_at.as_nanos().saturating_sub(now.as_nanos()));
                line.of(self.epoch.read()).granted(&taken, before);
                Ok(Granted { taken, figures })
            }
            Err(refused) => Err(Denied { refused, figures, limits: *limits }),
        }
    }

    fn look(&self, at: Timestamp, cells: u32) -> Result<(Figures, Limits), Denied> {
        let Inner { limit, limits, state, longest_wait, .. } = &mut *self.inner.lock();
        let remaining = limit.remaining(state, at);
        let figures = Figures::plain(remaining, limit.reset_at(state).as_nanos().saturating_sub(at.as_nanos()));
        // A state that the clock has left behind is for a real call to mend.
        if cells <= remaining || limit.ahead(state, at, *longest_wait) > 0 {
            return Ok((figures, *limits));
        }
        let want = Want::now(at, cells);
        // A refusal changes nothing. Only a pacer gives more cells than remain, and its state is copied for nothing; a log's is not.
        let in_place = remaining == 0 || std::mem::needs_drop::<L::State>();
        let decided = if in_place { limit.take(state, want) } else { limit.take(&mut state.clone(), want) };
        match decided {
            Err(refused) => Err(Denied { refused, figures, limits: *limits }),
            Ok(_) => Ok((figures, *limits)),
        }
    }

    fn limits(&self) -> Limits {
        self.inner.lock().limits
    }

    fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    fn give_back(&self, taken: Taken, epoch: u32, now: &dyn Fn() -> Timestamp) {
        let Inner { limit, state, line, .. } = &mut *self.inner.lock();
        if self.epoch.takes(epoch) {
            let now = now();
            line.of(epoch).give_back(state, &taken, now, |state| limit.give_back(state, taken, now));
        }
    }

    fn check(&self, quota: Quota, algorithm: Algorithm) -> Result<(), ConfigError> {
        L::build(quota, algorithm).map(drop)
    }

    fn carry(&self, quota: Quota, algorithm: Algorithm, carry: Carry, now: Timestamp) -> Result<(), ConfigError> {
        let limit = L::build(quota, algorithm)?.since(self.zero);
        let inner = &mut *self.inner.lock();
        self.epoch.advance();
        let state = std::mem::take(&mut inner.state);
        inner.state = limit.carry(&inner.limit, state, carry, now);
        // What lies ahead now was brought there by the quota's replacement, and not by a step of the clock.
        let ahead = limit.ahead(&inner.state, now, inner.longest_wait);
        inner.longest_wait = inner.longest_wait.saturating_add(ahead);
        inner.limit = limit;
        inner.limits = Limits::of(quota);
        Ok(())
    }

    fn raise(&self, owed: Owed, now: Timestamp) {
        let Inner { limit, state, longest_wait, .. } = &mut *self.inner.lock();
        self.epoch.advance();
        limit.merge(state, &still_owing(limit, owed, now));
        // What lies ahead now was owed before, and was not brought there by a step of the clock.
        *longest_wait = longest_wait.saturating_add(limit.ahead(state, now, *longest_wait));
    }

    fn reset(&self) {
        let mut inner = self.inner.lock();
        self.epoch.advance();
        inner.state = L::State::default();
    }
}
