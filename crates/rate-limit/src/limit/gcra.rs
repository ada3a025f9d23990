use seawall_core::ConfigError;
use seawall_core::time::Timestamp;

use super::refund::{Refund, Turn};
use super::{Carry, Limit, Refused, Taken, Want};
use crate::quota::Quota;

/// The generic cell rate algorithm (ITU-T I.371), which is a token bucket with continuous refill that is remembered in one word:
/// the *theoretical arrival time*, at which the bucket will be full again.
///
/// With the interval `T = period / limit` and the burst `B`:
///
/// ```text
/// new = max(tat, now) + cells * T        passes  <=>  new - now <= B * T
/// ```
///
/// So that in any span `W` at most `B + floor(W / T)` cells pass. Times are counted in ticks, a fraction of a nanosecond, so
/// that `T` is exact wherever `period / limit` is a multiple of one 64th of a nanosecond or of a fraction with a smaller
/// denominator; otherwise it is rounded **up**, by less than one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    ticks_per_nano: u64,
    interval: u64,
    capacity: u64,
    burst: u32,
    /// From when on ticks are counted, in nanoseconds.
    zero: u64,
}

impl Gcra {
    /// The finest tick.
    const MOST_TICKS: u64 = 64;
    /// Beyond this the sum of a time and a debt could overflow.
    pub(super) const LARGEST: u64 = 1 << 62;

    /// The limit of this quota.
    ///
    /// # Errors
    /// If the quota is not valid, or its burst takes more than 2^62 ticks (at least 2.2 years) to refill.
    pub fn new(quota: Quota) -> Result<Self, ConfigError> {
        quota.check()?;
        // What divides the interval exactly, as fine as it goes.
        let (period, limit) = (quota.period_nanos(), u64::from(quota.limit()));
        let exact = limit / greatest_common_divisor(period, limit);
        let ticks_per_nano =
            if exact <= Self::MOST_TICKS { Self::MOST_TICKS / exact * exact } else { Self::MOST_TICKS };
        Self::with_ticks(quota, ticks_per_nano)
    }

    /// The limit of this quota in the ticks of `self`, so that what one remembers means the same to the other.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn alike(&self, quota: Quota) -> Result<Self, ConfigError> {
        quota.check()?;
        Ok(Self { zero: self.zero, ..Self::with_ticks(quota, self.ticks_per_nano)? })
    }

    fn with_ticks(quota: Quota, ticks_per_nano: u64) -> Result<Self, ConfigError> {
        let ticks = u128::from(quota.period_nanos()) * u128::from(ticks_per_nano);
        let interval = ticks.div_ceil(u128::from(quota.limit()));
        let capacity = interval * u128::from(quota.burst_size());
        let fits = |ticks: u128| u64::try_from(ticks).ok().filter(|ticks| *ticks <= Self::LARGEST);
        let (Some(interval), Some(capacity)) = (fits(interval), fits(capacity)) else {
            let most = u128::from(Self::LARGEST) / interval;
            let valid = format!("1 to {most}: what {} refills in two years", quota.limit());
            return Err(ConfigError::new("quota.burst", quota.burst_size(), valid));
        };
        Ok(Self { ticks_per_nano, interval, capacity, burst: quota.burst_size(), zero: 0 })
    }

    /// A limit that was taken apart.
    #[inline(always)]
    pub(crate) const fn from_parts(
        ticks_per_nano: u64,
        interval: u64,
        capacity: u64,
        burst: u32,
        zero: Timestamp,
    ) -> Self {
        Self { ticks_per_nano, interval, capacity, burst, zero: zero.as_nanos() }
    }

    /// From when on ticks are [counted](Limit::since): the clock's zero, unless another time was said.
    pub const fn zero(&self) -> Timestamp {
        Timestamp::from_nanos(self.zero)
    }

    /// Ticks of a nanosecond.
    pub const fn ticks_per_nano(&self) -> u64 {
        self.ticks_per_nano
    }

    /// `T`, the interval between two cells, in ticks.
    pub const fn interval(&self) -> u64 {
        self.interval
    }

    /// `B * T`, how long an empty bucket takes to be full, in ticks.
    pub const fn capacity(&self) -> u64 {
        self.capacity
    }

    /// `B`, how many cells pass at once.
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// This time in ticks. Saturates nine years or more after the [zero](Self::zero), and before it; then nothing passes.
    #[inline(always)]
    pub const fn ticks(&self, at: Timestamp) -> u64 {
        // What is before the zero wraps to centuries after it: one comparison less on every call.
        at.as_nanos().wrapping_sub(self.zero).saturating_mul(self.ticks_per_nano)
    }

    /// The time of so many ticks, rounded up.
    pub(super) const fn time(&self, ticks: u64) -> Timestamp {
        Timestamp::from_nanos(self.zero.saturating_add(self.nanos(ticks)))
    }

    /// So many ticks in nanoseconds, rounded up.
    #[inline]
    pub const fn nanos(&self, ticks: u64) -> u64 {
        ticks.div_ceil(self.ticks_per_nano)
    }

    /// The arrival time after `cells` are taken at `now` (in ticks), or how many ticks are missing.
    ///
    /// `cells` are at most the burst, and none of the words is above 2^63.
    #[inline(always)]
    pub(crate) const fn advance(&self, tat: u64, now: u64, cells: u32, max_wait: u64) -> Result<u64, u64> {
        let cost = cells as u64 * self.interval;
        let start = if tat > now { tat } else { now };
        let room = self.capacity - cost;
        // From when on it passes, which does not wait for the clock to be read.
        let passes_at = tat.saturating_sub(room.saturating_add(max_wait));
        if passes_at <= now && start < u64::MAX - cost {
            Ok(start + cost)
        } else {
            let missing = (start - now).saturating_sub(room);
            // None are missing where the clock has run out.
            Err(if missing == 0 { 1 } else { missing })
        }
    }

    /// How much of `taken` can be given back at `now` so that nothing is minted, in ticks, if no more is known than the arrival
    /// time: of a turn all or nothing, and nothing of what others have built upon while turns are to come. `others_wait` says
    /// whether any may be by another limit.
    pub(crate) fn refundable(&self, tat: u64, taken: &Taken, now: u64, others_wait: bool) -> u64 {
        let turns_to_come = others_wait || tat > now.saturating_add(self.capacity);
        self.refund(tat, taken, now, turns_to_come, 1)
    }

    /// How much of `taken` can be given back at `now` so that nothing is minted, in ticks, if it is known which turns are to
    /// come; and what is known of them then.
    ///
    /// More of turns than [`give_back`](Limit::give_back) does, which knows of none: one before no more than a single other cell gives back all but
    /// that cell's. Therefore nothing of what was granted at once, until the last turn has come.
    pub fn refundable_by_turns(&self, tat: u64, taken: &Taken, now: u64, turns: Turns) -> (u64, Turns) {
        if taken.act_at <= taken.at {
            let granted = if now < turns.last { 0 } else { self.refund(tat, taken, now, false, 1) };
            return (granted, turns);
        }
        let whole = self.refund(tat, taken, now, true, 1);
        if whole > 0 || now < turns.moved {
            return (whole, turns);
        }
        let part = self.refund(tat, taken, now, true, self.interval.saturating_mul(2));
        (part, if part > 0 { Turns { moved: turns.last, ..turns } } else { turns })
    }

    fn refund(&self, tat: u64, taken: &Taken, now: u64, turns_to_come: bool, built_below: u64) -> u64 {
        let refund = Refund {
            paid: u64::from(taken.cells).saturating_mul(self.interval),
            elapsed: now.saturating_sub(self.ticks(taken.act_at)),
            built_upon: tat.checked_sub(taken.mark),
            built_below,
            turn: match taken.act_at > taken.at {
                true if now > self.ticks(taken.act_at) => Turn::Over,
                false if !turns_to_come => Turn::None,
                _ => Turn::ToCome,
            },
        };
        refund.safe().min(tat.saturating_sub(now))
    }
}

/// What is known of the turns that a [`Gcra`] gave to those who waited, in ticks. Whoever keeps the arrival time in a store of
/// their own can keep this beside it, to give back more by [`Gcra::refundable_by_turns`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// When the last of them comes: the latest that was ever given.
    pub last: u64,
    /// Until when those that were given lie nearer to the past than they were told.
    pub moved: u64,
}

impl Limit for Gcra {
    /// The theoretical arrival time, in ticks.
    type State = u64;

    fn take(&self, state: &mut u64, want: Want) -> Result<Taken, Refused> {
        if want.cells > self.burst {
            return Err(Refused::Never);
        }
        let now = self.ticks(want.now);
        if want.cells == 0 {
            return Ok(Taken { at: want.now, act_at: want.now, cells: 0, mark: *state });
        }
        match self.advance(*state, now, want.cells, want.max_wait.saturating_mul(self.ticks_per_nano)) {
            Ok(new) => {
                *state = new;
                let delay = self.nanos(new.saturating_sub(now).saturating_sub(self.capacity));
                let act_at = Timestamp::from_nanos(want.now.as_nanos().saturating_add(delay));
                Ok(Taken { at: want.now, act_at, cells: want.cells, mark: new })
            }
            Err(missing) => Err(Refused::Later { retry_after: self.nanos(missing) }),
        }
    }

    fn give_back(&self, state: &mut u64, taken: Taken, now: Timestamp) {
        *state -= self.refundable(*state, &taken, self.ticks(now), false);
    }

    fn remaining(&self, state: &u64, now: Timestamp) -> u32 {
        let owed = state.saturating_sub(self.ticks(now));
        u32::try_from(self.capacity.saturating_sub(owed) / self.interval).unwrap_or(u32::MAX)
    }

    fn reset_at(&self, state: &u64) -> Timestamp {
        self.time(*state)
    }

    fn merge(&self, state: &mut u64, other: &u64) {
        *state = (*state).max(*other);
    }

    fn ahead(&self, state: &u64, now: Timestamp, longest_wait: u64) -> u64 {
        let latest = self.ticks(now).saturating_add(self.capacity);
        let latest = latest.saturating_add(longest_wait.saturating_mul(self.ticks_per_nano));
        self.nanos(state.saturating_sub(latest))
    }

    fn pull_back(&self, state: &mut u64, by: u64) {
        *state = state.saturating_sub(by.saturating_mul(self.ticks_per_nano));
    }

    fn carry(&self, from: &Self, state: u64, carry: Carry, now: Timestamp) -> u64 {
        let owed = u128::from(state.saturating_sub(from.ticks(now)));
        let owed = match carry {
            Carry::AsIs => (owed * u128::from(self.ticks_per_nano)).div_ceil(u128::from(from.ticks_per_nano)),
            Carry::Proportional => (owed * u128::from(self.interval)).div_ceil(u128::from(from.interval)),
            Carry::Reset => 0,
        };
        // More than a whole burst is owed by reservations alone, and those wait no longer than they were told.
        let owed = u64::try_from(owed).unwrap_or(Self::LARGEST).min(Self::LARGEST);
        self.ticks(now).saturating_add(owed)
    }

    fn since(self, zero: Timestamp) -> Self {
        Self { zero: zero.as_nanos(), ..self }
    }
}

const fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// A bucket whose turns are known.
    struct Known {
        gcra: Gcra,
        tat: u64,
        turns: Turns,
    }

    impl Known {
        fn new(quota: Quota) -> Self {
            Self { gcra: Gcra::new(quota).unwrap(), tat: 0, turns: Turns::default() }
        }

        fn reserve(&mut self, millis: u64, cells: u32) -> Taken {
            let want = Want { now: Timestamp::from_nanos(millis * MS), cells, max_wait: u64::MAX };
            let taken = self.gcra.take(&mut self.tat, want).unwrap();
            if taken.act_at > taken.at {
                self.turns.last = self.turns.last.max(self.gcra.ticks(taken.act_at));
            }
            taken
        }

        fn give_back(&mut self, millis: u64, taken: &Taken) {
            let now = self.gcra.ticks(Timestamp::from_nanos(millis * MS));
            let (back, turns) = self.gcra.refundable_by_turns(self.tat, taken, now, self.turns);
            (self.tat, self.turns) = (self.tat - back, turns);
        }

        fn wait(&mut self, millis: u64, cells: u32) -> u64 {
            self.reserve(millis, cells).act_at.as_nanos() / MS - millis
        }
    }

    #[test]
    fn a_known_turn_gives_back_all_but_the_one_cell_behind_it() {
        let mut bucket = Known::new(Quota::per_second(10).burst(2));
        bucket.reserve(0, 2);
        let turn = bucket.reserve(0, 2);
        assert_eq!(bucket.wait(0, 1), 300);
        bucket.give_back(200, &turn);
        assert_eq!(bucket.wait(200, 2), 200);
    }

    #[test]
    fn known_turns_give_back_from_the_last_to_the_first() {
        let mut bucket = Known::new(Quota::per_second(10).burst(4));
        bucket.reserve(0, 4);
        let first = bucket.reserve(0, 3);
        bucket.reserve(0, 1);
        let last = bucket.reserve(0, 1);
        bucket.give_back(100, &last);
        bucket.give_back(100, &first);
        assert_eq!(bucket.wait(100, 3), 400);
    }

    #[test]
    fn nothing_that_was_granted_at_once_is_given_back_before_the_last_turn() {
        let mut bucket = Known::new(Quota::per_second(10).burst(4));
        let granted = bucket.reserve(0, 4);
        bucket.reserve(0, 1);
        let owed = bucket.tat;
        bucket.give_back(99, &granted);
        assert_eq!(bucket.tat, owed);
        bucket.give_back(100, &granted);
        assert_eq!(bucket.tat, owed - 3 * bucket.gcra.interval());
    }

    #[test]
    fn a_known_turn_gives_back_nothing_before_two_cells_or_once_turns_were_moved() {
        let mut bucket = Known::new(Quota::per_second(10).burst(4));
        bucket.reserve(0, 4);
        let (first, second) = (bucket.reserve(0, 4), bucket.reserve(0, 3));
        bucket.reserve(0, 1);
        let owed = bucket.tat;
        bucket.give_back(0, &first);
        assert_eq!(bucket.tat, owed, "before four cells");
        bucket.give_back(0, &second);
        assert_eq!(bucket.tat, owed - 2 * bucket.gcra.interval());
        let moved = bucket.reserve(0, 4);
        bucket.reserve(0, 1);
        let owed = bucket.tat;
        bucket.give_back(0, &moved);
        assert_eq!(bucket.tat, owed, "turns were moved");
        let mut bucket = Known::new(Quota::per_second(10).burst(4));
        bucket.reserve(0, 4);
        let turn = bucket.reserve(0, 4);
        bucket.reserve(0, 2);
        let owed = bucket.tat;
        bucket.give_back(0, &turn);
        assert_eq!(bucket.tat, owed, "before two cells");
    }
}
