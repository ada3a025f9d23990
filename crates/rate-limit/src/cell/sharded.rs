use seawall_core::stripe::{self, Striped};
use seawall_core::sync::atomic::{AtomicU64, Ordering};
use seawall_core::time::{Clock, Timestamp};

use super::{Cell, Decision, Granted};
use crate::figures::{Figures, Limits};
use crate::limit::{Taken, Want};

/// A [`Cell`] whose cells are leased to threads.
///
/// A thread takes some cells up front and spends them by itself, from a word that no other thread writes while there are enough.
/// Leased cells are taken from the cell like any others, so that all leases together are never more than the limit; a lease ends
/// after [`LIFE`](Self::LIFE), and what is left of it evaporates. So cells are only shifted in time, by less than that, and what
/// passes in any span `W` is at most what the limit lets pass in `W + LIFE`.
///
/// Before a call is refused, what other threads have left is gathered.
pub(crate) struct Sharded {
    cell: Cell,
    leases: Striped<Lease>,
}

/// Cells that were taken up front.
#[derive(Default)]
struct Lease {
    /// The unit of time in which it ends, above; how many cells are left, below.
    word: AtomicU64,
}

/// Units of about a millisecond, so that a lease's end fits half a word: comparisons are right for 24 days around now, and a
/// lease that nobody has looked at for as long is at worst one that ends once more.
const UNIT_BITS: u32 = 20;

/// Marks what was taken of a lease: no arrival time and no bucket has a number as large.
const LEASED: u64 = 1 << 63;

impl Lease {
    const CELLS: u64 = u32::MAX as u64;

    /// Takes so many cells, if they are there in time. The end of the lease, and what is left of it.
    #[inline(always)]
    fn spend(&self, cells: u32, unit: u32) -> Option<(u32, u32)> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let (ends, left) = Self::parts(word);
            if left < cells || !is_before(unit, ends) {
                return None;
            }
            match self.word.compare_exchange_weak(word, word - u64::from(cells), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some((ends, left - cells)),
                Err(found) => word = found,
            }
        }
    }

    /// Takes up to so many cells.
    fn spend_up_to(&self, cells: u32, unit: u32) -> u32 {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let (ends, left) = Self::parts(word);
            let some = left.min(cells);
            if some == 0 || !is_before(unit, ends) {
                return 0;
            }
            match self.word.compare_exchange_weak(word, word - u64::from(some), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return some,
                Err(found) => word = found,
            }
        }
    }

    /// Puts cells of a lease back into it, if it has not ended.
    fn put_back(&self, cells: u32, ends: u32) {
        let _ = self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            let (current, left) = Self::parts(word);
            (current == ends).then(|| Self::word(ends, left.saturating_add(cells)))
        });
    }

    /// Begins anew. What was left of the lease before evaporates.
    ///
    /// Whoever begins after another has seen all that the other did before.
    fn begin(&self, cells: u32, ends: u32) {
        self.word.swap(Self::word(ends, cells), Ordering::AcqRel);
    }

    const fn parts(word: u64) -> (u32, u32) {
        ((word >> 32) as u32, (word & Self::CELLS) as u32)
    }

    const fn word(ends: u32, cells: u32) -> u64 {
        (ends as u64) << 32 | cells as u64
    }
}

const fn is_before(unit: u32, ends: u32) -> bool {
    // A lease is short: whatever seems to end much later ended long ago.
    let ahead = ends.wrapping_sub(unit);
    ahead > 0 && ahead <= Sharded::LIFE_UNITS
}

impl Sharded {
    /// How many units a lease lasts, the one in which it begins included: eight of 1.05 ms.
    ///
    /// A call of that first unit may have read the clock before the lease began, and gather of it. Together that is nine units,
    /// below ten milliseconds.
    const LIFE_UNITS: u32 = 8;
    /// How far a lease shifts cells in time at most.
    pub(crate) const LIFE: u64 = 10_000_000;

    pub(crate) fn new(cell: Cell) -> Self {
        Self { cell, leases: Striped::new(stripe::seats()) }
    }

    pub(crate) const fn cell(&self) -> &Cell {
        &self.cell
    }

    #[inline(always)]
    pub(crate) fn take(&self, now: Timestamp, cells: u32, max_wait: u64, clock: &Clock) -> Decision {
        if cells > 0
            && let Some((ends, left)) = self.leases.lane().get().spend(cells, unit(now))
        {
            return Ok(granted(now, cells, ends, left));
        }
        self.take_beyond(now, cells, max_wait, clock)
    }

    /// Takes a lease of which the call is the first to spend, or gathers what other threads have left, or takes what is wanted by
    /// itself.
    #[cold]
    fn take_beyond(&self, now: Timestamp, cells: u32, max_wait: u64, clock: &Clock) -> Decision {
        let want = Want { now, cells, max_wait };
        if cells == 0 {
            return self.cell.take(want, clock);
        }
        let at_once = Want::now(now, cells);
        let epoch = self.cell.epoch().read();
        let extra = self.lease(want);
        if extra > 0 {
            let both = Want { cells: cells.saturating_add(extra), ..at_once };
            if let Ok(all) = self.cell.take(both, clock) {
                let ends = unit(now).wrapping_add(Self::LIFE_UNITS);
                self.begin(extra, ends, epoch);
                return Ok(Granted { figures: all.figures, ..granted(now, cells, ends, extra) });
            }
        }
        let denied = match self.cell.take(at_once, clock) {
            Ok(granted) => return Ok(granted),
            Err(denied) => denied,
        };
        if let Some(ends) = self.gather(want, epoch) {
            return Ok(granted(now, cells, ends, 0));
        }
        if max_wait > 0 { self.cell.take(want, clock) } else { Err(denied) }
    }

    /// How much to take beyond what is wanted: what a thread's share of the rate brings in a millisecond, as long as that leaves
    /// the others their shares.
    fn lease(&self, want: Want) -> u32 {
        let Ok((figures, limits)) = self.cell.look(want.now, want.cells) else { return 0 };
        let shares = u64::from(u32::try_from(stripe::seats()).unwrap_or(u32::MAX)).max(1);
        let by_rate = u64::from(limits.limit).saturating_mul(1_000_000) / limits.period.max(1) / shares;
        let by_room = u64::from(figures.remaining()) / (2 * shares);
        u32::try_from(by_rate.min(by_room)).unwrap_or(u32::MAX)
    }

    /// Collects what is wanted from the leases of all threads; all of it or nothing.
    fn gather(&self, want: Want, epoch: u32) -> Option<u32> {
        let unit = unit(want.now);
        let mut missing = want.cells;
        for lease in self.leases.iter() {
            missing -= lease.spend_up_to(missing, unit);
            if missing == 0 {
                return Some(unit);
            }
        }
        // What was collected in vain may be spent by this thread in this unit, and no later than it could have been before.
        let collected = want.cells - missing;
        if collected > 0 {
            self.begin(collected, unit.wrapping_add(1), epoch);
        }
        None
    }

    /// Begins this thread's lease, of cells that were taken in this epoch or collected from leases of it.
    fn begin(&self, cells: u32, ends: u32, epoch: u32) {
        let lane = self.leases.lane();
        lane.get().begin(cells, ends);
        self.end_if_over(lane.get(), epoch);
    }

    /// Ends a lease that was begun, or given something back, when the epoch was already over.
    ///
    /// Whoever ends an epoch ends all leases after that. So what comes into a lease is either ended with it, or comes from one who
    /// sees now that the epoch is over.
    fn end_if_over(&self, lease: &Lease, epoch: u32) {
        if self.cell.epoch().read() != epoch {
            lease.begin(0, 0);
        }
    }

    /// Gives back what is safe to give back.
    pub(crate) fn give_back(&self, taken: Taken, epoch: u32, now: Timestamp) {
        if taken.mark & LEASED == 0 {
            return self.cell.give_back(taken, epoch, now);
        }
        if !self.cell.epoch().takes(epoch) {
            return;
        }
        let ends = u32::try_from(taken.mark & Lease::CELLS).unwrap_or_default();
        let lane = self.leases.lane();
        lane.get().put_back(taken.cells, ends);
        self.end_if_over(lane.get(), epoch);
    }

    /// Ends all leases, once the epoch in which they were begun is over.
    pub(crate) fn end_leases(&self) {
        for lease in self.leases.iter() {
            lease.begin(0, 0);
        }
    }

    pub(crate) fn look(&self, at: Timestamp, cells: u32) -> Result<(Figures, Limits), super::Denied> {
        let looked = self.cell.look(at, cells);
        if looked.is_err() && self.left(at) >= u64::from(cells) {
            return Ok((Figures::plain(cells, 0), self.cell.limits()));
        }
        looked
    }

    /// What is left of all leases.
    fn left(&self, at: Timestamp) -> u64 {
        let unit = unit(at);
        let lefts = self.leases.iter().map(|lease| Lease::parts(lease.word.load(Ordering::Relaxed)));
        lefts.filter(|(ends, _)| is_before(unit, *ends)).map(|(_, left)| u64::from(left)).sum()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "half a word, compared modulo its size")]
#[inline(always)]
const fn unit(at: Timestamp) -> u32 {
    (at.as_nanos() >> UNIT_BITS) as u32
}

/// Cells of a lease. `left` is what the thread has without asking anybody.
#[inline(always)]
fn granted(now: Timestamp, cells: u32, ends: u32, left: u32) -> Granted {
    let taken = Taken { at: now, act_at: now, cells, mark: LEASED | u64::from(ends) };
    Granted { taken, figures: Figures::plain(left, Sharded::LIFE) }
}
