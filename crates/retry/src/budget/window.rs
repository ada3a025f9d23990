//! The calls of the last `ttl` and the extra attempts that they paid for, as a pure state machine.

use std::time::Duration;

use seawall_core::time::Timestamp;

use super::billionths::ONE;
use super::settings::Rates;

/// In how many steps calls cease to pay.
const PAYING: usize = 10;
/// An extra attempt may be as old as `ttl` in the bucket after those that pay.
const KEPT: usize = PAYING + 1;

/// Buckets begin at multiples of their length since the clock's origin.
///
/// A call pays while its bucket is one of the newest ten: for at most `ttl`, and for at least nine tenths of it. An extra attempt
/// counts for at least `ttl`: in the eleventh bucket all count as long as the last of them is younger.
///
/// A clock that steps back by less than a bucket finds the newest one still newest. Beyond that the step is a new beginning of the
/// clock: everything keeps the age that it had, and grows older from there.
#[derive(Debug)]
pub(super) struct Window {
    ratio: u64,
    free: u64,
    ttl: Duration,
    bucket_nanos: u64,
    buckets: [Bucket; KEPT],
    /// Where the newest bucket is.
    head: usize,
    /// Its number since the clock's origin.
    newest: u64,
    /// Extra attempts that have not ended, and whose bucket was forgotten.
    forgotten: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    calls: u64,
    /// Extra attempts that were paid for, without those that were given back.
    spent: u64,
    /// How many of them are taken not to have ended.
    open: u64,
    /// When the last of them was paid for.
    last: Timestamp,
}

impl Window {
    pub(super) fn new(rates: &Rates, now: Timestamp) -> Self {
        let bucket_nanos = bucket_nanos(rates.ttl);
        Self {
            ratio: rates.ratio,
            free: rates.free,
            ttl: Duration::from_nanos(bucket_nanos * PAYING as u64),
            bucket_nanos,
            buckets: [Bucket::default(); KEPT],
            head: 0,
            newest: now.as_nanos() / bucket_nanos,
            forgotten: 0,
        }
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, now: Timestamp) {
        let current = now.as_nanos() / self.bucket_nanos;
        for _ in 0..current.saturating_sub(self.newest).min(KEPT as u64) {
            self.head = (self.head + 1) % KEPT;
            let oldest = std::mem::take(&mut self.buckets[self.head]);
            self.forgotten += oldest.open;
        }
        if current > self.newest || self.has_stepped_back_to(current) {
            self.newest = current;
        }
    }

    const fn has_stepped_back_to(&self, current: u64) -> bool {
        current.saturating_add(1) < self.newest
    }

    /// From when until when [`advance`](Self::advance) changes nothing.
    pub(super) const fn fresh(&self) -> (Timestamp, Timestamp) {
        let from = self.newest.saturating_sub(1).saturating_mul(self.bucket_nanos);
        let until = self.newest.saturating_add(1).saturating_mul(self.bucket_nanos);
        (Timestamp::from_nanos(from), Timestamp::from_nanos(until))
    }

    /// So many calls have begun.
    pub(super) const fn deposit(&mut self, calls: u64) {
        self.buckets[self.head].calls += calls;
    }

    /// Pays for one extra attempt, if there is enough.
    pub(super) fn spend(&mut self, now: Timestamp) -> bool {
        let may = self.balance(now) >= i128::from(ONE);
        if may {
            let newest = &mut self.buckets[self.head];
            newest.spent += 1;
            newest.open += 1;
            newest.last = newest.last.max(now);
        }
        may
    }

    /// In billionths of an extra attempt. Below zero when calls have ceased to pay for what was spent.
    ///
    /// It is that of `now` even if time was not let pass.
    pub(super) fn balance(&self, now: Timestamp) -> i128 {
        let current = now.as_nanos() / self.bucket_nanos;
        let unseen = usize::try_from(current.saturating_sub(self.newest)).unwrap_or(KEPT);
        let (mut calls, mut spent) = (0, 0);
        for back in 0..KEPT {
            let bucket = &self.buckets[self.at(back)];
            let age = back.saturating_add(unseen);
            if age < PAYING {
                calls += i128::from(bucket.calls);
            }
            if age < PAYING || age == PAYING && now.saturating_duration_since(bucket.last) < self.ttl {
                spent += i128::from(bucket.spent);
            }
        }
        calls * i128::from(self.ratio) + i128::from(self.free) - spent * i128::from(ONE)
    }

    /// An extra attempt has ended; which one is not known. It is taken for the newest that is open, so that those that may yet be
    /// given back are the oldest.
    pub(super) fn end(&mut self) {
        if let Some(at) = (0..KEPT).map(|back| self.at(back)).find(|at| self.buckets[*at].open > 0) {
            self.buckets[at].open -= 1;
        } else {
            self.forgotten = self.forgotten.saturating_sub(1);
        }
    }

    /// An extra attempt was never begun; which one is not known. It is taken for the oldest that is open: what stays counts no
    /// shorter than it should.
    pub(super) fn give_back(&mut self) {
        if self.forgotten > 0 {
            self.forgotten -= 1;
        } else if let Some(at) = (0..KEPT).rev().map(|back| self.at(back)).find(|at| self.buckets[*at].open > 0) {
            self.buckets[at].open -= 1;
            self.buckets[at].spent -= 1;
        }
    }

    const fn at(&self, back: usize) -> usize {
        (self.head + KEPT - back) % KEPT
    }

    /// Takes over other rates. Where buckets become longer or shorter, calls are dated by the beginning of their old bucket and
    /// extra attempts by the last of it: no call pays for longer than it should, and no extra attempt counts for less.
    pub(super) fn reconfigure(&mut self, rates: &Rates, now: Timestamp) {
        self.advance(now);
        let mut window = Self::new(rates, now);
        window.forgotten = self.forgotten;
        for back in 0..KEPT {
            let old = self.buckets[self.at(back)];
            // What a clock had counted before it stepped back may be older than its origin.
            let begun = self.newest.checked_sub(back as u64).map(|bucket| bucket.saturating_mul(self.bucket_nanos));
            if let Some((_, bucket)) = begun.and_then(|begun| window.bucket_of(Timestamp::from_nanos(begun))) {
                bucket.calls += old.calls;
            }
            match window.bucket_of(old.last) {
                Some((_, bucket)) => {
                    bucket.spent += old.spent;
                    bucket.open += old.open;
                    bucket.last = bucket.last.max(old.last);
                }
                None => window.forgotten += old.open,
            }
        }
        *self = window;
    }

    /// The bucket of a time that is not after now, and how many are newer.
    fn bucket_of(&mut self, time: Timestamp) -> Option<(usize, &mut Bucket)> {
        let back = usize::try_from(self.newest.saturating_sub(time.as_nanos() / self.bucket_nanos)).ok()?;
        if back >= KEPT {
            return None;
        }
        let at = self.at(back);
        Some((back, &mut self.buckets[at]))
    }
}

fn bucket_nanos(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX) / PAYING as u64
}
