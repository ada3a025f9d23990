use seawall_core::ConfigError;
use seawall_core::time::Timestamp;

use super::refund::{Refund, Turn};
use super::{Carry, Limit, Refused, Taken, Want};
use crate::quota::Quota;

/// A token bucket that is refilled in steps: `limit` cells at once at the end of every period, up to the quota's burst.
///
/// The refill of bucket4j's `intervally`, of leaky-bucket and of resilience4j's cycles; steps come at whole periods after the
/// clock's zero. With the burst `B`, a span of `W` holds at most `ceil(W / period)` steps, so that at most
/// `B + limit * ceil(W / period)` cells pass in it: at a step, **a whole bucket and a whole refill** within a moment. Where cells
/// should come back one by one, use [`Gcra`](super::Gcra).
///
/// Memory: 16 bytes a key. Every operation takes constant time. A call that would wait gets its turn at the first step that
/// brings enough for it and for all who came before it.
///
/// When the clock steps back, no step comes until it has caught up; nobody waits for longer than the bucket takes to fill, one
/// period and the longest wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenSteps {
    period: u64,
    refill: u64,
    burst: u32,
}

/// What a [`TokenSteps`] remembers: how many cells were missing after which step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenStepsState {
    step: u64,
    /// More than the burst if turns are still to come.
    missing: u64,
}

impl TokenSteps {
    /// The limit of this quota.
    ///
    /// # Errors
    /// If the quota is not valid.
    pub fn new(quota: Quota) -> Result<Self, ConfigError> {
        quota.check()?;
        Ok(Self { period: quota.period_nanos(), refill: u64::from(quota.limit()), burst: quota.burst_size() })
    }

    /// How many cells at once.
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// The bucket after this step.
    const fn at(&self, state: &TokenStepsState, step: u64) -> TokenStepsState {
        if step <= state.step {
            return *state;
        }
        let refilled = (step - state.step).saturating_mul(self.refill);
        TokenStepsState { step, missing: state.missing.saturating_sub(refilled) }
    }

    const fn now(&self, state: &TokenStepsState, now: Timestamp) -> TokenStepsState {
        self.at(state, now.as_nanos() / self.period)
    }

    /// The cells of all refills since the clock's zero, and the missing ones: it grows with what is taken and while the bucket
    /// is full, modulo 2^64.
    const fn mark(&self, state: &TokenStepsState) -> u64 {
        state.step.wrapping_mul(self.refill).wrapping_add(state.missing)
    }
}

impl Limit for TokenSteps {
    type State = TokenStepsState;

    fn take(&self, state: &mut TokenStepsState, want: Want) -> Result<Taken, Refused> {
        if want.cells > self.burst {
            return Err(Refused::Never);
        }
        if want.cells == 0 {
            return Ok(Taken { at: want.now, act_at: want.now, cells: 0, mark: self.mark(state) });
        }
        let mut found = self.now(state, want.now);
        found.missing = found.missing.saturating_add(u64::from(want.cells));
        let steps = found.missing.saturating_sub(u64::from(self.burst)).div_ceil(self.refill);
        let at =
            if steps == 0 { want.now.as_nanos() } else { found.step.saturating_add(steps).saturating_mul(self.period) };
        let act_at = want.turn(at)?;
        *state = found;
        Ok(Taken { at: want.now, act_at, cells: want.cells, mark: self.mark(state) })
    }

    fn give_back(&self, state: &mut TokenStepsState, taken: Taken, now: Timestamp) {
        let mut found = self.now(state, now);
        let built_upon = self.mark(&found).wrapping_sub(taken.mark);
        let steps = found.step.checked_sub(taken.act_at.as_nanos() / self.period);
        let refund = Refund {
            paid: u64::from(taken.cells),
            elapsed: steps.unwrap_or(0).saturating_mul(self.refill),
            // Beyond the half it is less than nothing.
            built_upon: (built_upon <= u64::MAX / 2).then_some(built_upon),
            built_below: 1,
            // The step that brings a turn pays for it.
            turn: match taken.act_at > taken.at {
                true if steps.is_some() => Turn::Over,
                false if found.missing <= u64::from(self.burst) => Turn::None,
                _ => Turn::ToCome,
            },
        };
        found.missing -= refund.safe().min(found.missing);
        *state = found;
    }

    fn remaining(&self, state: &TokenStepsState, now: Timestamp) -> u32 {
        let missing = u32::try_from(self.now(state, now).missing).unwrap_or(u32::MAX);
        self.burst.saturating_sub(missing)
    }

    fn reset_at(&self, state: &TokenStepsState) -> Timestamp {
        let step = state.step.saturating_add(state.missing.div_ceil(self.refill));
        Timestamp::from_nanos(step.saturating_mul(self.period))
    }

    fn merge(&self, state: &mut TokenStepsState, other: &TokenStepsState) {
        let step = state.step.max(other.step);
        let missing = self.at(state, step).missing.max(self.at(other, step).missing);
        *state = TokenStepsState { step, missing };
    }

    /// In whole periods, for steps come where the clock aligns them. However many turns are still to come, they do not count.
    fn ahead(&self, state: &TokenStepsState, now: Timestamp, _: u64) -> u64 {
        let ahead = state.step.saturating_mul(self.period).saturating_sub(now.as_nanos());
        ahead - ahead % self.period
    }

    /// By no more than whole periods.
    fn pull_back(&self, state: &mut TokenStepsState, by: u64) {
        state.step = state.step.saturating_sub(by / self.period);
    }

    fn carry(&self, from: &Self, state: TokenStepsState, carry: Carry, now: Timestamp) -> TokenStepsState {
        let state = from.now(&state, now);
        let missing = match carry {
            Carry::AsIs => same_time(state.missing, (from.period, from.refill), (self.period, self.refill)),
            Carry::Proportional => state.missing,
            Carry::Reset => 0,
        };
        TokenStepsState { step: now.as_nanos() / self.period, missing }
    }
}

/// As many cells as come in the time of `cells`, rounded up. Rates are periods and cells.
fn same_time(cells: u64, from: (u64, u64), to: (u64, u64)) -> u64 {
    let up = u128::from(from.0) * u128::from(to.1);
    let down = u128::from(from.1) * u128::from(to.0);
    let exact = u128::from(cells).checked_mul(up).map(|cells| cells.div_ceil(down));
    u64::try_from(exact.unwrap_or(u128::MAX)).unwrap_or(u64::MAX)
}
