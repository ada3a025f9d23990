use seawall_core::ConfigError;
use seawall_core::time::Timestamp;

use super::{Carry, Limit, Refused, Taken, Want};
use crate::quota::Quota;

/// At most `limit` cells in **any** span of one period, wherever it begins.
///
/// The period is divided into `N` buckets. A cell is counted in the bucket of its time, and the oldest bucket is counted whole
/// until it has left the period with its youngest moment: so the count is never too small, and what passes in any span of a
/// period is at most the limit, exactly. The price is that a cell counts for up to `1 + 1/N` periods: nobody is refused who
/// would pass a window of that length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingWindow {
    limit: u32,
    bucket: u64,
    buckets: u8,
}

/// What a [`SlidingWindow`] remembers: the cells of each bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlidingWindowState {
    /// The newest bucket's number: buckets are counted from the clock's zero.
    head: u64,
    /// No turn comes before this: reservations were given turns up to it.
    turn: u64,
    /// By the bucket's number modulo the number of places that are used.
    counts: [u32; SlidingWindow::MOST_BUCKETS as usize + 1],
}

impl SlidingWindowState {
    /// The newest bucket's number.
    pub(crate) const fn head(&self) -> u64 {
        self.head
    }

    /// No turn comes before this, in nanoseconds.
    pub(crate) const fn turn(&self) -> u64 {
        self.turn
    }
}

impl SlidingWindow {
    /// The most buckets that a period can have, and as many as it has if it is not said.
    pub const MOST_BUCKETS: u8 = 8;

    /// The limit of this quota, with as many buckets.
    ///
    /// # Errors
    /// If the quota is not valid or has a burst, or the buckets are not 1 to 8.
    pub fn new(quota: Quota, buckets: u8) -> Result<Self, ConfigError> {
        quota.check()?;
        without_burst(quota)?;
        if !(1..=Self::MOST_BUCKETS).contains(&buckets) {
            return Err(ConfigError::new("algorithm.buckets", buckets, format!("1 to {}", Self::MOST_BUCKETS)));
        }
        Ok(Self { limit: quota.limit(), bucket: quota.period_nanos().div_ceil(u64::from(buckets)), buckets })
    }

    /// How many cells.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// How long a bucket is, in nanoseconds.
    pub const fn bucket(&self) -> u64 {
        self.bucket
    }

    /// How many buckets are counted: the period's, and the one that it has entered or left in part.
    pub const fn counted(&self) -> u64 {
        self.buckets as u64 + 1
    }

    #[expect(clippy::cast_possible_truncation, reason = "at most 8")]
    const fn place(&self, bucket: u64) -> usize {
        (bucket % self.counted()) as usize
    }

    /// The counts as they are when `bucket` is the newest.
    fn at(&self, state: &SlidingWindowState, bucket: u64) -> SlidingWindowState {
        let mut state = *state;
        if bucket > state.head {
            let gone = (bucket - state.head).min(self.counted());
            for next in 1..=gone {
                state.counts[self.place(state.head + next)] = 0;
            }
            state.head = bucket;
        }
        state
    }

    fn sum(&self, state: &SlidingWindowState) -> u64 {
        state.counts[..=usize::from(self.buckets)].iter().map(|count| u64::from(*count)).sum()
    }

    /// Lets time pass up to `now`.
    pub(crate) fn roll(&self, state: &mut SlidingWindowState, now: Timestamp) {
        *state = self.at(state, now.as_nanos() / self.bucket);
    }

    /// How many cells count, and how many of them in the newest bucket.
    pub(crate) fn used(&self, state: &SlidingWindowState) -> (u64, u64) {
        (self.sum(state), u64::from(state.counts[self.place(state.head)]))
    }

    /// Sets how many cells the newest bucket has.
    pub(crate) fn set_newest(&self, state: &mut SlidingWindowState, cells: u32) {
        state.counts[self.place(state.head)] = cells;
    }

    /// When there is room for one cell, in nanoseconds.
    pub(crate) fn free_at(&self, state: &SlidingWindowState) -> u64 {
        self.next(state, state.head.saturating_mul(self.bucket), 1).0
    }

    /// When the next cells can pass: time, and the state at that time.
    fn next(&self, state: &SlidingWindowState, now: u64, cells: u32) -> (u64, SlidingWindowState) {
        let mut at = now.max(state.turn);
        let mut found = self.at(state, at / self.bucket);
        let mut used = self.sum(&found);
        while used + u64::from(cells) > u64::from(self.limit) {
            found = self.at(&found, found.head + 1);
            at = found.head.saturating_mul(self.bucket);
            used = self.sum(&found);
        }
        (at, found)
    }
}

/// Refuses a quota with a burst: for algorithms that have none.
pub(super) fn without_burst(quota: Quota) -> Result<(), ConfigError> {
    if quota.has_burst() {
        let valid = "absent: only token buckets have a burst, here as many cells as the limit pass at once";
        return Err(ConfigError::new("quota.burst", quota.burst_size(), valid));
    }
    Ok(())
}

impl Limit for SlidingWindow {
    type State = SlidingWindowState;

    fn take(&self, state: &mut SlidingWindowState, want: Want) -> Result<Taken, Refused> {
        if want.cells > self.limit {
            return Err(Refused::Never);
        }
        let now = want.now.as_nanos();
        if want.cells == 0 {
            return Ok(Taken { at: want.now, act_at: want.now, cells: 0, mark: state.head });
        }
        let (at, mut found) = self.next(state, now, want.cells);
        let act_at = want.turn(at)?;
        let place = self.place(found.head);
        found.counts[place] += want.cells;
        if act_at > want.now {
            found.turn = at;
        }
        *state = found;
        Ok(Taken { at: want.now, act_at, cells: want.cells, mark: found.head })
    }

    /// All of it, while it counts: what is not counted any more cannot make others wait.
    fn give_back(&self, state: &mut SlidingWindowState, taken: Taken, _: Timestamp) {
        let counts = taken.mark <= state.head && state.head - taken.mark < self.counted();
        if counts {
            let count = &mut state.counts[self.place(taken.mark)];
            *count = count.saturating_sub(taken.cells);
        }
    }

    fn remaining(&self, state: &SlidingWindowState, now: Timestamp) -> u32 {
        if now.as_nanos() < state.turn {
            return 0;
        }
        let used = self.sum(&self.at(state, now.as_nanos() / self.bucket));
        u32::try_from(u64::from(self.limit).saturating_sub(used)).unwrap_or(0)
    }

    fn reset_at(&self, state: &SlidingWindowState) -> Timestamp {
        let counted = (0..self.counted())
            .find(|age| state.head.checked_sub(*age).is_some_and(|bucket| state.counts[self.place(bucket)] > 0));
        Timestamp::from_nanos(match counted {
            Some(age) => (state.head - age + self.counted()).saturating_mul(self.bucket).max(state.turn),
            None => state.head.saturating_mul(self.bucket).max(state.turn),
        })
    }

    fn merge(&self, state: &mut SlidingWindowState, other: &SlidingWindowState) {
        let head = state.head.max(other.head);
        let (a, b) = (self.at(state, head), self.at(other, head));
        *state = a;
        for (count, other) in state.counts.iter_mut().zip(b.counts) {
            *count = (*count).max(other);
        }
        state.turn = a.turn.max(b.turn);
    }

    /// In whole buckets, for they stay where the clock aligns them.
    fn ahead(&self, state: &SlidingWindowState, now: Timestamp, longest_wait: u64) -> u64 {
        let latest = now.as_nanos().saturating_add(longest_wait);
        let ahead = state.head.saturating_mul(self.bucket).max(state.turn).saturating_sub(latest);
        ahead - ahead % self.bucket
    }

    /// By no more than whole buckets: what is counted was not longer ago than it seems.
    fn pull_back(&self, state: &mut SlidingWindowState, by: u64) {
        let back = (by / self.bucket).min(state.head);
        let old = *state;
        state.head -= back;
        state.turn = state.turn.saturating_sub(by / self.bucket * self.bucket);
        state.counts = Default::default();
        for age in 0..self.counted().min(old.head + 1) {
            // There is no bucket before the clock's zero: what was older counts as if it came then.
            let count = &mut state.counts[self.place(state.head.saturating_sub(age))];
            *count = count.saturating_add(old.counts[self.place(old.head - age)]);
        }
    }

    fn carry(&self, from: &Self, state: SlidingWindowState, carry: Carry, now: Timestamp) -> SlidingWindowState {
        if carry == Carry::Reset {
            return SlidingWindowState { head: now.as_nanos() / self.bucket, ..Default::default() };
        }
        let mut carried = SlidingWindowState { turn: state.turn, ..Default::default() };
        // From the oldest to the newest, each as if all of it had come at its bucket's last moment.
        for age in (0..from.counted().min(state.head + 1)).rev() {
            let bucket = state.head - age;
            let count = u64::from(state.counts[from.place(bucket)]);
            let count = match carry {
                Carry::Proportional => (count * u64::from(self.limit)).div_ceil(u64::from(from.limit)),
                _ => count,
            };
            let last = (bucket + 1).saturating_mul(from.bucket) - 1;
            let newest = if age == 0 { last.min(now.as_nanos()).max(bucket.saturating_mul(from.bucket)) } else { last };
            carried = self.at(&carried, newest / self.bucket);
            let place = self.place(carried.head);
            carried.counts[place] = carried.counts[place].saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        }
        carried
    }
}
