use seawall_core::sync::atomic::{AtomicU64, Ordering};
use seawall_core::time::Timestamp;

/// Cells that a thread took up front, and what it was told of the limit then.
#[derive(Default)]
pub(super) struct Lease {
    /// The unit of time in which it ends, above; how many cells are left, below.
    word: AtomicU64,
    /// How many cells the limit had left beside the lease when it began.
    rest: AtomicU64,
    /// When everything would be as if nothing had been taken, in nanoseconds.
    resets: AtomicU64,
}

/// Cells out of leases.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cells {
    pub(super) count: u32,
    /// The unit in which the first of them end; means nothing if there are none.
    pub(super) ends: u32,
}

impl Cells {
    /// Both, which end with the one that ends first.
    pub(super) const fn and(self, other: Self, unit: u32) -> Self {
        let ends = match (self.count, other.count) {
            (0, _) => other.ends,
            (_, 0) => self.ends,
            _ if self.ends.wrapping_sub(unit) < other.ends.wrapping_sub(unit) => self.ends,
            _ => other.ends,
        };
        Self { count: self.count.saturating_add(other.count), ends }
    }

    /// None of them if they have ended.
    const fn alive(self, unit: u32) -> Self {
        if is_before(unit, self.ends) { self } else { Self { count: 0, ends: 0 } }
    }

    const fn of(word: u64) -> Self {
        Self { ends: (word >> 32) as u32, count: (word & Lease::COUNT) as u32 }
    }

    const fn word(self) -> u64 {
        (self.ends as u64) << 32 | self.count as u64
    }
}

/// Units of about a millisecond, so that a lease's end fits half a word: comparisons are right for 24 days around now, and a
/// lease that nobody has looked at for as long is at worst one that ends once more.
const UNIT_BITS: u32 = 20;

/// The unit of a time.
#[expect(clippy::cast_possible_truncation, reason = "half a word, compared modulo its size")]
#[inline(always)]
pub(super) const fn unit(at: Timestamp) -> u32 {
    (at.as_nanos() >> UNIT_BITS) as u32
}

/// Whether a lease that ends then is alive in `unit`.
pub(super) const fn is_before(unit: u32, ends: u32) -> bool {
    // A lease is short: whatever seems to end much later ended long ago.
    let ahead = ends.wrapping_sub(unit);
    ahead > 0 && ahead <= Lease::LIFE_UNITS
}

impl Lease {
    pub(super) const COUNT: u64 = u32::MAX as u64;
    /// How many units a lease lasts, the one in which it begins included: eight of 1.05 ms, so at least 7.3 ms.
    ///
    /// A call of that first unit may have read the clock before the lease began, and gather of it. Together that is nine units,
    /// below ten milliseconds.
    pub(super) const LIFE_UNITS: u32 = 8;

    /// Takes so many cells, if they are there in time. The end of the lease, and what is left of it.
    #[inline(always)]
    pub(super) fn spend(&self, count: u32, unit: u32) -> Option<Cells> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let Cells { ends, count: left } = Cells::of(word);
            if left < count || !is_before(unit, ends) {
                return None;
            }
            match self.word.compare_exchange_weak(word, word - u64::from(count), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(Cells { ends, count: left - count }),
                Err(found) => word = found,
            }
        }
    }

    /// Takes up to so many cells.
    pub(super) fn spend_up_to(&self, count: u32, unit: u32) -> Cells {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let found = Cells::of(word).alive(unit);
            let some = found.count.min(count);
            if some == 0 {
                return Cells::default();
            }
            match self.word.compare_exchange_weak(word, word - u64::from(some), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Cells { count: some, ends: found.ends },
                Err(found) => word = found,
            }
        }
    }

    /// Puts cells into it that have not ended: beside those that are there, and all of them end with the first.
    ///
    /// Whoever puts something in after another has seen all that the other did before.
    pub(super) fn put(&self, cells: Cells, unit: u32) {
        let cells = cells.alive(unit);
        if cells.count > 0 {
            let _ = self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                Some(Cells::of(word).alive(unit).and(cells, unit).word())
            });
        }
    }

    /// Ends it. What was left evaporates.
    pub(super) fn end(&self) {
        self.word.swap(0, Ordering::AcqRel);
    }

    /// How many cells are left in this unit.
    pub(super) fn left(&self, unit: u32) -> u64 {
        Cells::of(self.word.load(Ordering::Relaxed)).alive(unit).count.into()
    }

    /// Keeps what the limit has left, and when it will be as if nothing had been taken.
    pub(super) fn note(&self, rest: u32, resets: u64) {
        self.rest.store(rest.into(), Ordering::Relaxed);
        self.resets.store(resets, Ordering::Relaxed);
    }

    /// What was [noted](Self::note) last.
    #[inline(always)]
    pub(super) fn noted(&self) -> (u64, u64) {
        (self.rest.load(Ordering::Relaxed), self.resets.load(Ordering::Relaxed))
    }
}
