mod debt;
mod settings;

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use seawall_core::stripe::{Striped, Tally};
use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Name, Shared};

use crate::burst::{Noted, Watch};
use crate::cell::{Cell, Decision, Denied, Granted, Steps, Store};
use crate::figures::{Figures, Limits};
use crate::grant::{Grant, Origin};
use crate::limit::{Refused, Taken, Want};
use crate::meter::Standing;
use crate::quota::Quota;
use crate::reservation::Reservation;
use crate::throttled::Throttled;

pub use debt::Debt;

use settings::Settings;

/// A rate limiter: lets calls pass as long as their quota has room, and tells the others exactly when to come back.
///
/// It is a handle, cheap to clone and shared by all clones. [`new`](Shared::new) takes a [`Config`](crate::Config);
/// [`check`](Limiter::check) decides at once; [`run`](Shared::run) makes one call; [`layer`](Shared::layer) (feature `tower`)
/// protects a service; [`Limiter`]'s methods do the rest.
///
/// ```
/// use seawall_rate_limit::{Config, Quota, RateLimiter};
///
/// let api = RateLimiter::new(Config::new(Quota::per_minute(2)).name("api"))?;
/// assert_eq!(api.check().expect("the first of two").remaining(), 1);
/// assert_eq!(api.check().expect("the second").remaining(), 0);
/// let throttled = api.check().unwrap_err();
/// assert!(throttled.retry_after().is_some_and(|wait| wait <= std::time::Duration::from_secs(68)));
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
pub type RateLimiter = Shared<Limiter>;

/// The policy behind a [`RateLimiter`]: its own methods, which every handle has.
pub struct Limiter {
    cell: Cell,
    clock: Clock,
    steps: Steps,
    name: Name,
    /// Which limiter of this process.
    id: u32,
    shadow: AtomicBool,
    /// Whether refusals are enforced, nobody watches for bursts and the clock never steps back: then a call is decided by its cell
    /// alone.
    plain: AtomicBool,
    /// How long a call without a deadline waits, in nanoseconds.
    max_wait: AtomicU64,
    counts: Striped<Counts>,
    /// Made when bursts are first watched for.
    watch: OnceLock<Watch>,
    settings: Mutex<Settings>,
}

/// What one thread has counted.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) admitted: Tally,
    pub(crate) throttled: Tally,
    pub(crate) shadowed: Tally,
    pub(crate) waited: Tally,
    pub(crate) given_back: Tally,
    pub(crate) bursts: Tally,
    /// When the last call was admitted.
    seen: AtomicU64,
}

impl Limiter {
    /// Takes a cell if there is one.
    ///
    /// # Errors
    /// [`Throttled`] if there is none.
    #[inline]
    pub fn check(&self) -> Result<Grant, Throttled> {
        self.check_n(1)
    }

    /// Takes so many cells if there are as many: all or none. No cell at all is a look: it always passes and takes nothing.
    ///
    /// # Errors
    /// [`Throttled`] if there are fewer; it is [never](Throttled::is_never) any use to retry if there never are as many at once.
    #[inline]
    pub fn check_n(&self, cells: u32) -> Result<Grant, Throttled> {
        self.decide(Want::now(self.clock.now(), cells))
    }

    /// Takes as many cells as there are, up to so many; perhaps none. In shadow mode too no more than there are.
    pub fn take_up_to(&self, cells: u32) -> Grant {
        let now = self.clock.now();
        let cells = match self.watch.get() {
            Some(watch) if cells > 0 && self.note(watch, now, 0).is_some() && !self.shadow.load(Ordering::Relaxed) => 0,
            _ => cells,
        };
        let epoch = self.cell.epoch().read();
        self.steps.note(now);
        match self.noted(self.cell.take_up_to(Want::now(now, cells), &self.clock)) {
            Ok(granted) => self.granted(granted, epoch),
            Err(_) => unreachable!("no cell at all is always granted"),
        }
    }

    /// What is left now. Takes nothing, counts nothing.
    pub fn peek(&self) -> Grant {
        self.take_up_to(0)
    }

    /// Promises so many cells for the earliest time that they are there, if that is at most `max_wait` from now.
    ///
    /// Promises are made in the order of the questions: nobody who asks later has an earlier turn. Each waits with one timer.
    ///
    /// # Errors
    /// [`Throttled`] at once if it would take longer; nothing is taken then.
    pub fn reserve(&self, cells: u32, max_wait: Duration) -> Result<Reservation<'_>, Throttled> {
        let grant = self.decide(Want { now: self.clock.now(), cells, max_wait: nanos(max_wait) })?;
        Ok(Reservation { limiter: self, grant: Some(grant) })
    }

    /// Waits for so many cells, however long it takes, in turn.
    ///
    /// Turns lie one after the other in time. One that is given up leaves a gap while anybody waits behind it, and none once
    /// nobody does: those who give up hold up nobody who asks after them. Beyond 512 moments that are waited for (8 of a
    /// [log](crate::Algorithm::SlidingLog)) neighbours are given up together. Callers who wait far ahead hold up whoever comes
    /// after them: where they are not trusted, bound the wait by [`reserve`](Self::reserve) or
    /// [`admit_within`](Shared::admit_within).
    ///
    /// # Errors
    /// [`Throttled`] at once if there never are as many, or while a burst is [punished](crate::BurstConfig::penalty).
    ///
    /// # Cancel safety
    /// Dropped before its turn, the future gives back what it had been promised.
    pub async fn acquire(&self, cells: u32) -> Result<Grant, Throttled> {
        Ok(self.reserve(cells, Quota::LONGEST)?.turn().await)
    }

    /// Gives back cells that were not used, as much of them as is safe: what is kept of all that was granted satisfies the limit
    /// as if the rest had never been asked for, so that nothing is minted. A token bucket takes back less the later it comes; a
    /// window takes back all of it while it counts. What another limiter granted, or this one under another quota or before its clock
    /// was seen to step back, is not taken.
    pub fn refund(&self, grant: Grant) {
        self.give_back(grant, self.clock.now());
    }

    /// Forgets whatever was taken: as if nobody had ever called.
    pub fn reset(&self) {
        self.cell.reset();
    }

    /// Which instance this is.
    pub const fn name(&self) -> Name {
        self.name
    }

    /// The quota that holds now: of the configuration, or the share of it that the load leaves.
    pub fn quota(&self) -> Quota {
        self.limits().quota()
    }

    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    #[inline(always)]
    pub(crate) fn decide(&self, want: Want) -> Result<Grant, Throttled> {
        let Want { now, cells, max_wait } = want;
        if !self.plain.load(Ordering::Relaxed) {
            return self.decide_otherwise(now, cells, max_wait);
        }
        self.decide_by_cell::<false>(now, cells, max_wait)
    }

    /// Where a call is not decided by its cell alone. What is wanted comes word by word: a call that is decided elsewhere need not
    /// have written it anywhere.
    #[cold]
    #[inline(never)]
    fn decide_otherwise(&self, now: Timestamp, cells: u32, max_wait: u64) -> Result<Grant, Throttled> {
        if self.shadow.load(Ordering::Relaxed) || self.watch.get().is_some() {
            return self.decide_watched(now, cells, max_wait);
        }
        self.decide_by_cell::<true>(now, cells, max_wait)
    }

    /// `STEPS`: whether the clock may step back.
    #[inline(always)]
    fn decide_by_cell<const STEPS: bool>(&self, now: Timestamp, cells: u32, max_wait: u64) -> Result<Grant, Throttled> {
        let note = |at| {
            if STEPS {
                self.steps.note(at);
            }
        };
        let noted = |decision| if STEPS { self.noted(decision) } else { decision };
        // Each kind of cell is answered by itself: a decision that all of them wrote to one place would have to be read from it.
        // The epoch is read before the cell is asked: whatever the receipt is written for, it is not written for a later one.
        match &self.cell {
            Cell::Gcra(cell) => {
                let epoch = cell.epoch().read();
                note(now);
                match cell.take_quickly(now, cells, max_wait) {
                    Some(decision) => self.answer(decision, epoch, cells),
                    None => self.answer(cell.take_slowly(now, cells, max_wait, &self.clock), epoch, cells),
                }
            }
            Cell::Window(cell) => {
                let epoch = cell.epoch().read();
                note(now);
                match cell.take_quickly(now, cells, max_wait) {
                    Some(decision) => self.answer(decision, epoch, cells),
                    None => self.answer(noted(cell.take_slowly(now, cells, max_wait, &self.clock)), epoch, cells),
                }
            }
            Cell::Sharded(cell) => {
                let epoch = cell.cell().epoch().read();
                note(now);
                self.answer(noted(cell.take(now, cells, max_wait, &self.clock)), epoch, cells)
            }
            Cell::Locked(cell) => self.decide_under_lock(&**cell, now, cells, max_wait),
        }
    }

    /// Where bursts are watched for, or the limit is not enforced.
    fn decide_watched(&self, now: Timestamp, cells: u32, max_wait: u64) -> Result<Grant, Throttled> {
        if let Some(watch) = self.watch.get()
            && cells > 0
            && let Some(denied) = self.note(watch, now, cells)
        {
            return self.denied(denied, now, cells);
        }
        let epoch = self.cell.epoch().read();
        self.steps.note(now);
        match self.noted(self.cell.take(Want { now, cells, max_wait }, &self.clock)) {
            Ok(granted) => Ok(self.granted(granted, epoch)),
            Err(denied) => self.denied(denied, now, cells),
        }
    }

    #[inline(never)]
    fn decide_under_lock(
        &self,
        cell: &dyn Store,
        now: Timestamp,
        cells: u32,
        max_wait: u64,
    ) -> Result<Grant, Throttled> {
        let epoch = cell.epoch().read();
        self.steps.note(now);
        self.answer(self.noted(cell.take(Want { now, cells, max_wait }, &self.clock)), epoch, cells)
    }

    /// Notes when cells were granted by a cell that may have read the clock again.
    #[inline(always)]
    fn noted(&self, decision: Decision) -> Decision {
        if let Ok(granted) = &decision {
            self.steps.note(granted.taken.at);
        }
        decision
    }

    #[inline(always)]
    fn answer(&self, decision: Decision, epoch: u32, cells: u32) -> Result<Grant, Throttled> {
        match decision {
            Ok(granted) => Ok(self.granted(granted, epoch)),
            Err(denied) => Err(self.enforced(denied, cells)),
        }
    }

    /// Whether a call without a deadline would be refused now, however it asks. Takes nothing, counts nothing.
    ///
    /// What had room when this thread's last call was admitted has room now: then the clock need not be read.
    #[inline(always)]
    pub(crate) fn peeks(&self, now: &Now<'_>) -> Result<(), Throttled> {
        let seen = Timestamp::from_nanos(self.counts.lane().get().seen.load(Ordering::Relaxed));
        let has_room = match &self.cell {
            Cell::Gcra(cell) => cell.has_room(seen),
            Cell::Window(cell) => cell.has_room(seen),
            Cell::Sharded(_) | Cell::Locked(_) => false,
        };
        if has_room && self.watch.get().is_none() { Ok(()) } else { self.glance(now.get(), self.max_wait()) }
    }

    /// Whether a call that waits for so many nanoseconds at most would be refused now. Takes nothing, counts nothing.
    #[inline(never)]
    pub(crate) fn glance(&self, now: Timestamp, max_wait: u64) -> Result<(), Throttled> {
        let Standing::Refuses(throttled) = self.stand(1, now) else { return Ok(()) };
        match throttled.retry_after() {
            Some(wait) if nanos(wait) <= max_wait => Ok(()),
            _ => Err(throttled),
        }
    }

    /// What a call for so many cells would be told. Takes nothing, counts nothing.
    pub(crate) fn stand(&self, cells: u32, now: Timestamp) -> Standing {
        let punished = self.watch.get().filter(|_| cells > 0).and_then(|watch| watch.punished(now));
        let punished = punished.map(|denied| self.in_its_own_name(denied, now, cells));
        match punished.map_or_else(|| self.cell.look(now, cells), Err) {
            Ok((figures, limits)) => Standing::Passes { name: self.name, figures, limits },
            Err(Denied { figures, limits, .. }) if self.shadow.load(Ordering::Relaxed) => {
                Standing::Passes { name: self.name, figures, limits }
            }
            Err(Denied { refused, figures, limits }) => {
                Standing::Refuses(Throttled::new(self.name, cells, refused, figures, limits))
            }
        }
    }

    /// Counts a call that a look has refused before the limit was asked.
    pub(crate) fn note_refused(&self, now: Timestamp) {
        if let Some(watch) = self.watch.get() {
            self.note(watch, now, 0);
        }
        self.counts.lane().count(|counts| &counts.throttled);
    }

    pub(crate) fn limits(&self) -> Limits {
        self.cell.limits()
    }

    /// What is left now.
    pub(crate) fn look(&self) -> Result<(Figures, Limits), Denied> {
        self.look_for(0)
    }

    /// What is left now, or why so many cells would be refused.
    fn look_for(&self, cells: u32) -> Result<(Figures, Limits), Denied> {
        self.cell.look(self.clock.now(), cells)
    }

    /// The counts of all threads.
    pub(crate) fn counts(&self) -> impl Iterator<Item = &Counts> {
        self.counts.iter()
    }

    pub(crate) fn max_wait(&self) -> u64 {
        self.max_wait.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn granted(&self, granted: Granted, epoch: u32) -> Grant {
        let Granted { mut taken, figures } = granted;
        if taken.cells > 0 {
            let lane = self.counts.lane();
            lane.count(|counts| &counts.admitted);
            lane.get().seen.store(taken.at.as_nanos(), Ordering::Relaxed);
            if taken.act_at > taken.at {
                lane.count(|counts| &counts.waited);
                if self.shadow.load(Ordering::Relaxed) {
                    // Counted as if it waited; it does not.
                    taken.act_at = taken.at;
                }
            }
        }
        Grant { taken, figures, origin: self.origin(epoch) }
    }

    fn denied(&self, denied: Denied, now: Timestamp, cells: u32) -> Result<Grant, Throttled> {
        if self.shadow.load(Ordering::Relaxed) {
            return Ok(self.shadowed(denied.figures, now));
        }
        Err(self.enforced(denied, cells))
    }

    #[inline(always)]
    fn enforced(&self, denied: Denied, cells: u32) -> Throttled {
        self.counts.lane().count(|counts| &counts.throttled);
        let Denied { refused, figures, limits } = denied;
        Throttled::new(self.name, cells, refused, figures, limits)
    }

    /// Takes a call into account for bursts. The refusal, if bursts are punished and it is part of one.
    #[inline(never)]
    fn note(&self, watch: &Watch, now: Timestamp, cells: u32) -> Option<Denied> {
        let Noted { begins, punished } = watch.note(now, &self.clock);
        if begins {
            self.counts.lane().count(|counts| &counts.bursts);
            self.tell_burst();
        }
        punished.map(|denied| self.in_its_own_name(denied, now, cells))
    }

    /// A punishment is told as one by this limiter's quota. More cells than it ever has are no use to retry, punished or not.
    fn in_its_own_name(&self, denied: Denied, now: Timestamp, cells: u32) -> Denied {
        match self.cell.look(now, cells) {
            Err(never @ Denied { refused: Refused::Never, .. }) => never,
            _ => Denied { limits: self.limits(), ..denied },
        }
    }

    /// A call that passes although the limit is reached: it takes nothing.
    #[cold]
    fn shadowed(&self, figures: Figures, now: Timestamp) -> Grant {
        self.counts.lane().count(|counts| &counts.shadowed);
        let taken = Taken { at: now, act_at: now, cells: 0, mark: 0 };
        Grant { taken, figures, origin: self.origin(self.cell.epoch().read()) }
    }

    #[inline(always)]
    const fn origin(&self, epoch: u32) -> Origin {
        Origin::new(self.id, epoch, 0)
    }

    pub(crate) fn give_back(&self, Grant { taken, origin, .. }: Grant, now: Timestamp) {
        if self.steps.has_stepped(&self.clock) {
            self.cell.end_receipts();
        }
        let epoch = origin.generation();
        if taken.cells > 0 && origin == self.origin(epoch) && self.cell.epoch().takes(epoch) && now >= taken.at {
            self.counts.lane().count(|counts| &counts.given_back);
            self.cell.give_back(taken, epoch, &|| self.clock.now().max(now));
        }
    }

    /// Gives back a turn that has not passed yet. One that was there at once counts as used, as its holder knew of it.
    pub(crate) fn cancel(&self, grant: Grant) {
        let now = self.clock.now();
        if now <= grant.act_at() && !grant.wait().is_zero() {
            self.give_back(grant, now);
        }
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("name", &self.name).field("quota", &self.quota()).finish_non_exhaustive()
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
