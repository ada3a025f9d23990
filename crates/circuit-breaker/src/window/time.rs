use std::time::Duration;

use seawall_core::time::Timestamp;

use super::Mark;
use crate::figures::Figures;

/// The calls of the last `length`, in buckets that begin at multiples of their length since the clock's origin.
///
/// While a clock that stepped back catches up, the newest bucket stays the newest.
#[derive(Debug)]
pub(crate) struct TimeWindow<C = Figures> {
    buckets: Box<[C]>,
    bucket_nanos: u64,
    /// The number of the newest bucket since the origin; it is at this number modulo their count.
    newest: u64,
    total: C,
}

/// What a bucket counts.
pub(crate) trait Counts: Copy + Default {
    fn add(&mut self, other: &Self);
    /// Takes away what was added before.
    fn subtract(&mut self, other: &Self);
}

impl Counts for Figures {
    fn add(&mut self, other: &Self) {
        self.add(other);
    }

    fn subtract(&mut self, other: &Self) {
        self.subtract(other);
    }
}

impl Counts for u64 {
    fn add(&mut self, other: &Self) {
        *self += other;
    }

    fn subtract(&mut self, other: &Self) {
        *self -= other;
    }
}

impl TimeWindow {
    pub(crate) fn succeed(&mut self, n: u64) {
        self.newest_bucket().succeed(n);
        self.total.succeed(n);
    }

    pub(crate) fn mark(&mut self, mark: Mark) {
        self.newest_bucket().mark(mark);
        self.total.mark(mark);
    }
}

impl<C: Counts> TimeWindow<C> {
    pub(crate) fn new(length: Duration, buckets: u32, now: Timestamp) -> Self {
        let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        // The configuration's limits keep this above zero.
        let bucket_nanos = (nanos / u64::from(buckets)).max(1);
        Self {
            buckets: vec![C::default(); buckets as usize].into(),
            bucket_nanos,
            newest: now.as_nanos() / bucket_nanos,
            total: C::default(),
        }
    }

    pub(crate) fn advance(&mut self, now: Timestamp) {
        let current = now.as_nanos() / self.bucket_nanos;
        let steps = current.saturating_sub(self.newest);
        if steps >= self.buckets.len() as u64 {
            self.restart(current);
            return;
        }
        for _ in 0..steps {
            self.newest += 1;
            let oldest = std::mem::take(self.newest_bucket());
            self.total.subtract(&oldest);
        }
    }

    pub(crate) const fn bucket_end(&self) -> Timestamp {
        Timestamp::from_nanos(self.newest.saturating_add(1).saturating_mul(self.bucket_nanos))
    }

    /// Adds these calls to the newest bucket.
    pub(crate) fn add(&mut self, calls: &C) {
        self.newest_bucket().add(calls);
        self.total.add(calls);
    }

    /// Goes on with what another one counted: bucket by bucket where those are the same, otherwise as if it were of now.
    pub(crate) fn take_over(&mut self, other: Self) {
        if (other.bucket_nanos, other.buckets.len()) == (self.bucket_nanos, self.buckets.len()) {
            *self = other;
        } else {
            self.add(&other.total);
        }
    }

    fn newest_bucket(&mut self) -> &mut C {
        let buckets = self.buckets.len() as u64;
        #[expect(clippy::cast_possible_truncation, reason = "a remainder below the number of buckets")]
        let at = (self.newest % buckets) as usize;
        &mut self.buckets[at]
    }

    pub(crate) const fn figures(&self) -> C {
        self.total
    }

    pub(crate) fn clear(&mut self, now: Timestamp) {
        self.restart(self.newest.max(now.as_nanos() / self.bucket_nanos));
    }

    fn restart(&mut self, newest: u64) {
        self.buckets.fill(C::default());
        self.total = C::default();
        self.newest = newest;
    }
}
