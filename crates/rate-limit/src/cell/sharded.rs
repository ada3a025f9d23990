mod lease;

use seawall_core::stripe::{self, Striped};
use seawall_core::time::{Clock, Timestamp};

use super::{Cell, Decision, Denied, Granted};
use crate::figures::{Figures, Limits};
use crate::limit::{Refused, Taken, Want};

use lease::{Cells, Lease, unit};

/// A [`Cell`] whose cells are leased to threads.
///
/// A thread takes some cells up front and spends them by itself, from a word that no other thread writes while there are enough.
/// Leased cells are taken from the cell like any others, so that all leases together are never more than the limit. A lease ends
/// after [`LIFE`](Self::LIFE), and cells that are put into another lease end there no later than in their own. So cells are only
/// shifted in time, by less than that, and what passes in any span `W` is at most what the limit lets pass in `W + LIFE`.
///
/// # How much less passes
/// What is left of a lease when it ends evaporates, and nothing else does: a call that takes more cells than its lease has takes
/// these, and only the others anew. A thread leases what its share of the rate brings in a millisecond, and no more before that
/// is spent or has ended, after at least 7.3 ms: so in the long run less than a seventh of what comes back is lost, and that only
/// if every thread leases, and then lets its lease end unused.
///
/// Before a call is refused, what other threads have left is gathered. A call that gets a turn which is to come ends all leases,
/// fewer cells than it wanted, so that nobody passes before it with what was leased earlier. So does a clock that has stepped back:
/// the time in which a lease lasted may come again, and the cells that it had were paid for before.
pub(crate) struct Sharded {
    cell: Cell,
    leases: Striped<Lease>,
}

/// Marks what was taken of a lease: no arrival time and no bucket has a number as large.
const LEASED: u64 = 1 << 63;

impl Sharded {
    /// How far a lease shifts cells in time at most.
    pub(crate) const LIFE: u64 = 10_000_000;

    pub(crate) fn new(cell: Cell) -> Self {
        const { assert!((Lease::LIFE_UNITS as u64 + 1) << 20 < Self::LIFE, "a lease lasts no longer") };
        Self { cell, leases: Striped::new(stripe::seats()) }
    }

    pub(crate) const fn cell(&self) -> &Cell {
        &self.cell
    }

    #[inline(always)]
    pub(crate) fn take(&self, now: Timestamp, cells: u32, max_wait: u64, clock: &Clock) -> Decision {
        if cells > 0 {
            let lease = self.leases.lane().get();
            if let Some(left) = lease.spend(cells, unit(now)) {
                let (rest, resets) = lease.noted();
                // What other threads have taken or leased since the lease began is not known here.
                let figures = Figures::window(rest + u64::from(left.count), resets.saturating_sub(now.as_nanos()));
                return Ok(Granted { taken: taken(now, cells, left.ends), figures });
            }
        }
        self.take_beyond(Want { now, cells, max_wait }, clock)
    }

    /// Takes what the lease does not have: with a new lease, by itself, or from what other threads have left.
    #[cold]
    fn take_beyond(&self, want: Want, clock: &Clock) -> Decision {
        let Want { now, cells, .. } = want;
        let epoch = self.cell.epoch().read();
        let (figures, limits) = match self.cell.look(now, cells) {
            Err(Denied { refused: Refused::Never, .. }) => return self.ask(want, clock),
            Ok(_) if cells == 0 => return self.ask(want, clock),
            Ok(there) => there,
            Err(Denied { figures, limits, .. }) => (figures, limits),
        };
        let own = self.leases.lane().get().spend_up_to(cells, unit(now));
        let missing = cells - own.count;
        let room = figures.remaining();
        let extra = if missing > 0 && missing <= room { lease_of(limits, room) } else { 0 };
        if extra > 0
            && let Ok(all) = self.take_of_cell(Want::now(now, missing.saturating_add(extra)), clock)
        {
            let fresh = Cells { count: extra, ends: unit(now).wrapping_add(Lease::LIFE_UNITS) };
            let (rest, owed) = (all.figures.remaining(), all.figures.nanos(all.figures.owed));
            self.leases.lane().get().note(rest, now.as_nanos().saturating_add(owed));
            self.put(fresh, epoch, now);
            let ends = own.and(fresh, unit(now)).ends;
            return Ok(Granted { taken: taken(now, cells, ends), figures: beside(all.figures, extra.into(), limits) });
        }
        self.take_of_all(want, own, epoch, clock)
    }

    /// Takes what `have` is short of from the cell, and what that does not have from the leases of all threads: all of it or
    /// nothing.
    fn take_of_all(&self, want: Want, mut have: Cells, epoch: u32, clock: &Clock) -> Decision {
        let Want { now, cells, max_wait } = want;
        let (denied, left) = loop {
            let missing = cells.saturating_sub(have.count);
            let denied = match self.take_of_cell(Want::now(now, missing), clock) {
                Ok(granted) if have.count == 0 => return Ok(granted),
                Ok(granted) => return Ok(Granted { taken: taken(now, cells, have.ends), ..granted }),
                Err(denied) => denied,
            };
            let short = missing - denied.figures.remaining().min(missing.saturating_sub(1));
            let (gathered, left) = self.gather(short, now);
            have = have.and(gathered, unit(now));
            if gathered.count < short {
                break (denied, left);
            }
        };
        self.put(have, epoch, now);
        if have.count == 0 && max_wait == 0 {
            return Err(Denied { figures: beside(denied.figures, left, denied.limits), ..denied });
        }
        let asked = self.ask(want, clock);
        if let Ok(granted) = &asked
            && granted.taken.act_at > now
        {
            self.end_leases();
        }
        asked
    }

    /// Collects so many cells from the leases of all threads, if they have as many, and says how many they had. Fewer if others take
    /// them meanwhile.
    fn gather(&self, wanted: u32, now: Timestamp) -> (Cells, u64) {
        let (mut gathered, left) = (Cells::default(), self.left(now));
        if left < u64::from(wanted) {
            return (gathered, left);
        }
        for lease in self.leases.iter() {
            gathered = gathered.and(lease.spend_up_to(wanted - gathered.count, unit(now)), unit(now));
            if gathered.count == wanted {
                break;
            }
        }
        (gathered, left)
    }

    /// Asks the cell as if there were no leases, and tells what they have.
    fn ask(&self, want: Want, clock: &Clock) -> Decision {
        let left = self.left(want.now);
        match self.take_of_cell(want, clock) {
            Ok(granted) => Ok(Granted { figures: beside(granted.figures, left, self.cell.limits()), ..granted }),
            Err(denied) => Err(Denied { figures: beside(denied.figures, left, denied.limits), ..denied }),
        }
    }

    /// Takes from the cell, and ends all leases if it was brought back to the time of a clock that has stepped back.
    fn take_of_cell(&self, want: Want, clock: &Clock) -> Decision {
        let epoch = self.cell.epoch().read();
        let decided = self.cell.take(want, clock);
        if self.cell.epoch().read() != epoch {
            self.end_leases();
        }
        decided
    }

    /// Puts cells into this thread's lease that were taken in this epoch.
    ///
    /// Whoever ends an epoch ends all leases after that. So what comes into a lease is either ended with it, or comes from one who
    /// sees now that the epoch is over.
    fn put(&self, cells: Cells, epoch: u32, now: Timestamp) {
        let lane = self.leases.lane();
        lane.get().put(cells, unit(now));
        if cells.count > 0 && self.cell.epoch().read() != epoch {
            lane.get().end();
        }
    }

    /// Gives back what is safe to give back.
    pub(crate) fn give_back(&self, taken: Taken, epoch: u32, now: &dyn Fn() -> Timestamp) {
        if taken.mark & LEASED == 0 {
            return self.cell.give_back(taken, epoch, now);
        }
        if self.cell.epoch().takes(epoch) {
            let ends = u32::try_from(taken.mark & Lease::COUNT).unwrap_or_default();
            self.put(Cells { count: taken.cells, ends }, epoch, now());
        }
    }

    /// Ends all leases, once the epoch in which they were begun is over.
    pub(crate) fn end_leases(&self) {
        self.leases.iter().for_each(Lease::end);
    }

    /// What is left. Where cells are asked for and the cell has them, of the leases this thread's alone is looked at.
    pub(crate) fn look(&self, at: Timestamp, cells: u32) -> Result<(Figures, Limits), Denied> {
        match self.cell.look(at, cells) {
            Ok((figures, limits)) => {
                let left = if cells > 0 { self.leases.lane().get().left(unit(at)) } else { self.left(at) };
                Ok((beside(figures, left, limits), limits))
            }
            Err(denied) => {
                let Denied { refused, figures, limits } = denied;
                let figures = beside(figures, self.left(at), limits);
                if refused != Refused::Never && figures.remaining() >= cells {
                    return Ok((figures, limits));
                }
                Err(Denied { figures, ..denied })
            }
        }
    }

    /// What is left of all leases.
    fn left(&self, at: Timestamp) -> u64 {
        self.leases.iter().map(|lease| lease.left(unit(at))).sum()
    }
}

/// How much to take beyond what is wanted: what a thread's share of the rate brings in a millisecond, as long as that leaves
/// the others their shares.
fn lease_of(limits: Limits, room: u32) -> u32 {
    let shares = u64::try_from(stripe::seats()).unwrap_or(u64::MAX).max(1);
    let by_rate = u64::from(limits.limit).saturating_mul(1_000_000) / limits.period.max(1) / shares;
    let by_room = u64::from(room) / (2 * shares);
    u32::try_from(by_rate.min(by_room)).unwrap_or(u32::MAX)
}

/// What a cell has left, and so many leased cells; no more than there ever are.
fn beside(figures: Figures, leased: u64, limits: Limits) -> Figures {
    let most = u64::from(limits.burst_size()).saturating_mul(figures.unit).max(figures.left);
    let left = figures.left.saturating_add(leased.saturating_mul(figures.unit)).min(most);
    Figures { left, ..figures }
}

/// The receipt of cells of a lease.
#[inline(always)]
fn taken(now: Timestamp, cells: u32, ends: u32) -> Taken {
    Taken { at: now, act_at: now, cells, mark: LEASED | u64::from(ends) }
}
