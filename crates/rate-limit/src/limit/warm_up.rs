use std::time::Duration;

use seawall_core::ConfigError;
use seawall_core::time::Timestamp;

use super::sliding_window::without_burst;
use super::{Carry, Limit, Refused, Taken, Want, nanos};
use crate::quota::Quota;

/// A pacer that starts slowly: what was idle is cold, and comes up to the full rate over a time of `over`.
///
/// Guava's `SmoothWarmingUp`. With `T = period / limit` and the cold factor `f`, a limiter that was idle long enough gives its
/// first cell for `f * T`, and every further one for less, until they cost `T` each. Idle time is stored, up to `over`; what a
/// cell costs depends on how much is stored when it is taken, and taking it uses up
/// `T * 2 * (1 + f) / (5 + f)` of the store (`T` if `f` is 3). Below the threshold `over * (1 + f) / (5 + f)` a cell costs
/// `T`; from there it rises linearly to `f * T` at `over`, and cells taken at once cost the integral of that line. From cold to
/// the threshold takes exactly `over` at full demand.
///
/// A call pays **later**: it has its turn at once if the last one is paid for, however many cells it takes, and who comes next
/// waits. Every cell costs `T` at least: in any span `W` at most `1 + floor(W / T)` cells pass, not counting those beyond the
/// first of the last call in it. So there is no burst, and no boundary.
///
/// Memory: 32 bytes a key. Every operation takes constant time. Times are counted in 2^-32 ns, prices are rounded up, by about
/// one part in 2^40, and the cold factor is taken to three decimals.
///
/// What is given back is taken back whole if nothing was taken after it, and not at all otherwise: later calls found the limiter
/// warmer for it. What remains is told in calls of one cell: one or none. When the clock steps back, nobody waits for longer than
/// the last call's cells cost, and the longest wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmUp {
    /// `T`, like all that follows in 2^-32 ns.
    interval: u128,
    /// How much stored time a cell uses up.
    cooldown: u128,
    over: u128,
    threshold: u128,
    /// In thousandths.
    factor: u32,
}

/// What a [`WarmUp`] remembers: when the last call will be paid for, and how warm it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WarmUpState {
    /// When the next turn is free, in nanoseconds.
    next: u64,
    /// The nanosecond after the last turn; none was if it is zero.
    last: u64,
    /// How much of the stored idle time is used up: nothing if it is cold.
    used: u64,
    /// Of a nanosecond, in 2^-32.
    next_part: u32,
    used_part: u32,
}

const ONE: u32 = 1_000;

impl WarmUp {
    /// The slowest start, by its factor.
    pub const COLDEST: f64 = 100.0;

    /// The limit of this quota, warm after `over` of full demand, `cold_factor` times as slow when cold (Guava's is 3).
    ///
    /// # Errors
    /// If the quota is not valid, has a burst or is of more than a cell a nanosecond; if `over` is not 1 µs to 366 days; if the
    /// factor is not a number from 1 to 100.
    pub fn new(quota: Quota, over: Duration, cold_factor: f64) -> Result<Self, ConfigError> {
        quota.check()?;
        without_burst(quota)?;
        if u64::from(quota.limit()) > quota.period_nanos() {
            let valid = format!("1 to {}: one cell a nanosecond", quota.period_nanos());
            return Err(ConfigError::new("quota.limit", quota.limit(), valid));
        }
        if !(Quota::SHORTEST..=Quota::LONGEST).contains(&over) {
            return Err(ConfigError::new("algorithm.over", format!("{over:?}"), "1µs to 366 days"));
        }
        if !(1.0..=Self::COLDEST).contains(&cold_factor) {
            return Err(ConfigError::new("algorithm.cold_factor", cold_factor, format!("1 to {}", Self::COLDEST)));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 100 thousand")]
        let factor = (cold_factor * f64::from(ONE)).round() as u32;
        let (one, factor_) = (u128::from(ONE), u128::from(factor));
        let interval = (u128::from(quota.period_nanos()) << 32).div_ceil(u128::from(quota.limit()));
        let over = u128::from(nanos(over)) << 32;
        Ok(Self {
            interval,
            cooldown: interval * 2 * (one + factor_) / (5 * one + factor_),
            over,
            threshold: over * (one + factor_) / (5 * one + factor_),
            factor,
        })
    }

    /// The next free turn and what is used up, as they are at this time.
    fn at(state: &WarmUpState, now: u64) -> (u128, u128) {
        let (next, used) = (join(state.next, state.next_part), join(state.used, state.used_part));
        let idle = join(now, 0).saturating_sub(next);
        (next + idle, used.saturating_sub(idle))
    }

    /// What cells cost when so much is used up, and how much is used up then.
    fn price(&self, used: u128, cells: u32) -> (u128, u128) {
        let stored = self.over.saturating_sub(used);
        let drawn = (self.cooldown * u128::from(cells)).min(stored);
        let above = |stored: u128| stored.saturating_sub(self.threshold);
        let (from, to) = (above(stored), above(stored - drawn));
        let extra = if from > to {
            // The mean of the line between the two, of its rise: at most 1, in 2^-40.
            let mean = ((from + to) << 40).div_ceil(2 * (self.over - self.threshold));
            let (one, factor) = (u128::from(ONE), u128::from(self.factor));
            let risen = (((from - to) * mean + ((1 << 40) - 1)) >> 40) * (factor - one);
            // A cell that costs T uses up `cooldown`: so much dearer is the time that it stands for.
            (risen * (5 * one + factor)).div_ceil(2 * (one + factor) * one)
        } else {
            0
        };
        (self.interval * u128::from(cells) + extra, used + drawn)
    }

    fn store(next: u128, used: u128, last: u64) -> Option<WarmUpState> {
        let ((next, next_part), (used, used_part)) = (split(next)?, split(used)?);
        Some(WarmUpState { next, last, used, next_part, used_part })
    }
}

fn join(nanos: u64, part: u32) -> u128 {
    u128::from(nanos) << 32 | u128::from(part)
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
fn split(fixed: u128) -> Option<(u64, u32)> {
    Some((u64::try_from(fixed >> 32).ok()?, fixed as u32))
}

fn up(fixed: u128) -> u64 {
    u64::try_from(fixed.div_ceil(1 << 32)).unwrap_or(u64::MAX)
}

impl Limit for WarmUp {
    type State = WarmUpState;

    fn take(&self, state: &mut WarmUpState, want: Want) -> Result<Taken, Refused> {
        if want.cells == 0 {
            return Ok(Taken { at: want.now, act_at: want.now, cells: 0, mark: u64::MAX });
        }
        let (turn, used) = Self::at(state, want.now.as_nanos());
        let act_at = want.turn(up(turn))?;
        let (cost, used) = self.price(used, want.cells);
        // Past the end of the clock.
        *state = Self::store(turn + cost, used, act_at.as_nanos().saturating_add(1)).ok_or(Refused::Never)?;
        Ok(Taken { at: want.now, act_at, cells: want.cells, mark: state.last })
    }

    fn give_back(&self, state: &mut WarmUpState, taken: Taken, _: Timestamp) {
        // Turns are a nanosecond apart at least, so that they are marks.
        if taken.cells == 0 || taken.mark != state.last || state.last == 0 {
            return;
        }
        let (next, used) = (join(state.next, state.next_part), join(state.used, state.used_part));
        let (before, cost) = if used < self.over {
            let before = used.saturating_sub(self.cooldown * u128::from(taken.cells));
            (before, self.price(before, taken.cells).0)
        } else {
            // The store was used up: how much was in it cannot be known. As cold and as late as it may have been.
            (0, self.interval * u128::from(taken.cells))
        };
        if let Some(given) = Self::store(next.saturating_sub(cost), before, state.last - 1) {
            *state = given;
        }
    }

    fn remaining(&self, state: &WarmUpState, now: Timestamp) -> u32 {
        u32::from(up(join(state.next, state.next_part)) <= now.as_nanos())
    }

    fn reset_at(&self, state: &WarmUpState) -> Timestamp {
        Timestamp::from_nanos(up(join(state.next, state.next_part) + join(state.used, state.used_part)))
    }

    /// The later turn and the colder store.
    fn merge(&self, state: &mut WarmUpState, other: &WarmUpState) {
        let next = join(state.next, state.next_part).max(join(other.next, other.next_part));
        let used = |state: &WarmUpState| {
            join(state.used, state.used_part).saturating_sub(next - join(state.next, state.next_part))
        };
        if let Some(merged) = Self::store(next, used(state).min(used(other)), state.last.max(other.last)) {
            *state = merged;
        }
    }

    fn ahead(&self, state: &WarmUpState, now: Timestamp, longest_wait: u64) -> u64 {
        state.last.saturating_sub(now.as_nanos().saturating_add(longest_wait).saturating_add(1))
    }

    fn pull_back(&self, state: &mut WarmUpState, by: u64) {
        state.next = state.next.saturating_sub(by);
        state.last = state.last.saturating_sub(by);
    }

    /// As warm as it was, by its share.
    fn carry(&self, from: &Self, state: WarmUpState, carry: Carry, now: Timestamp) -> WarmUpState {
        if carry == Carry::Reset {
            return WarmUpState::default();
        }
        let (next, used) = Self::at(&state, now.as_nanos());
        let used = used.min(from.over);
        let used = if self.over == from.over { used } else { (((used << 40) / from.over) * self.over) >> 40 };
        let now = join(now.as_nanos(), 0);
        let owed = next - now;
        let owed = match carry {
            // In cells of 2^-32.
            Carry::Proportional if self.interval != from.interval => {
                let cells = (owed.min(u128::MAX >> 32) << 32).div_ceil(from.interval);
                cells.saturating_mul(self.interval).div_ceil(1 << 32)
            }
            _ => owed,
        };
        let latest = join(u64::MAX, 0);
        Self::store(now.saturating_add(owed).min(latest), used, state.last).unwrap_or_default()
    }
}
