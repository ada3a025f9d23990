use seawall_core::ConfigError;
use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::{AtomicU64, Ordering};
use seawall_core::time::{Clock, Timestamp};

use super::line::{Line, MANY};
use super::{Decision, Denied, Epoch, Granted, Published};
use crate::figures::{Figures, Limits};
use crate::limit::{Carry, Gcra, Limit, Refused, Taken, Turns, origin};
use crate::limiter::nanos;
use crate::quota::Quota;

/// A [`Gcra`]'s one word, changed by a compare-and-swap. A refusal writes nothing.
#[repr(align(128))]
pub(crate) struct GcraCell {
    /// The theoretical arrival time, in ticks.
    tat: AtomicU64,
    /// The longest wait that was ever granted, in ticks: so far the arrival time may lie beyond now and the capacity.
    longest_wait: AtomicU64,
    published: Published,
    epoch: Epoch,
    /// Held by whoever waits for a turn, gives back, replaces the quota or forgets the state.
    slow: Mutex<Slow>,
}

/// What is known of turns.
struct Slow {
    turns: Turns,
    line: Line<(u64, Turns)>,
    /// The arrival time after the last of the line joined it, or was given back to.
    lined_up: u64,
    law: Law,
}

/// What no cell that is still owed for has broken: the most of all quotas under which they were granted.
#[derive(Clone, Copy)]
struct Law {
    burst: u32,
    interval: u64,
}

impl Law {
    /// Nothing is known of what was granted.
    const UNKNOWN: Self = Self { burst: u32::MAX, interval: 0 };

    const fn of(gcra: &Gcra) -> Self {
        Self { burst: gcra.burst(), interval: gcra.interval() }
    }

    fn add(&mut self, gcra: &Gcra) {
        *self = Self { burst: self.burst.max(gcra.burst()), interval: self.interval.min(gcra.interval()) };
    }

    /// Whether this limit would have granted all of it: then it is owed for no longer than an empty bucket of it takes to fill.
    const fn is_within(self, gcra: &Gcra) -> bool {
        self.burst <= gcra.burst() && gcra.interval() <= self.interval
    }
}

impl Slow {
    /// Knows what is known while this is the arrival time in this epoch: of a line only as long as nobody else has changed it.
    fn at(&mut self, tat: u64, epoch: u32) -> &mut Self {
        let line = self.line.of(epoch);
        if self.lined_up != tat {
            line.forget();
        }
        self
    }
}

impl GcraCell {
    /// The bucket of this quota, full `now`.
    pub(crate) fn new(quota: Quota, now: Timestamp) -> Result<Self, ConfigError> {
        let gcra = Gcra::new(quota)?.since(origin(now));
        let published = Published::new(&gcra, quota);
        let (tat, longest_wait) = (AtomicU64::new(0), AtomicU64::new(0));
        let slow = Slow { turns: Turns::default(), line: Line::new(MANY), lined_up: 0, law: Law::of(&gcra) };
        Ok(Self { tat, longest_wait, published, epoch: Epoch::new(), slow: Mutex::new(slow) })
    }

    #[inline(always)]
    pub(crate) const fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Takes what is wanted.
    #[inline]
    pub(crate) fn take(&self, at: Timestamp, cells: u32, max_wait: u64, clock: &Clock) -> Decision {
        self.take_quickly(at, cells, max_wait).unwrap_or_else(|| self.take_slowly(at, cells, max_wait, clock))
    }

    /// Decides without the lock; `None` where only [`take_slowly`](Self::take_slowly) can. Whoever answers the two apart need not
    /// read this decision from where the other would have been written.
    #[inline(always)]
    pub(crate) fn take_quickly(&self, at: Timestamp, cells: u32, max_wait: u64) -> Option<Decision> {
        let mut tat = self.tat.load(Ordering::Acquire);
        loop {
            let (gcra, limits) = self.published.read();
            let now = gcra.ticks(at);
            // One cell is never more than there ever is.
            if cells != 1 && (cells == 0 || cells > gcra.burst()) {
                return None;
            }
            match gcra.advance(tat, now, cells, 0) {
                Ok(new) => match self.tat.compare_exchange_weak(tat, new, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => {
                        let figures = figures(&gcra, new, now);
                        let taken = Taken { at, act_at: at, cells, mark: new };
                        return Some(Ok(Granted { taken, figures }));
                    }
                    Err(found) => tat = found,
                },
                // A turn, or a state that the clock has left behind.
                Err(missing)
                    if missing <= max_wait.saturating_mul(gcra.ticks_per_nano()) || self.is_ahead(&gcra, tat, now) =>
                {
                    return None;
                }
                Err(missing) => {
                    let figures = figures(&gcra, tat, now);
                    let refused = Refused::Later { retry_after: figures.nanos(missing) };
                    return Some(Err(Denied { refused, figures, limits }));
                }
            }
        }
    }

    /// Decides under the lock, so that whoever gives back knows of every turn that was given.
    #[cold]
    #[inline(never)]
    pub(crate) fn take_slowly(&self, at: Timestamp, cells: u32, max_wait: u64, clock: &Clock) -> Decision {
        let mut slow = self.slow.lock();
        loop {
            // Before the word: whoever ends the epoch after this has changed the word once it is changed here.
            let epoch = self.epoch.read();
            let tat = self.tat.load(Ordering::Acquire);
            let (gcra, limits) = self.published.read();
            if cells == 0 || cells > gcra.burst() {
                return without_taking(&gcra, limits, tat, at, cells);
            }
            let now = gcra.ticks(at);
            // A turn that lies ahead only because the clock has stepped back is nobody's.
            if self.is_ahead(&gcra, tat, now) && self.heal(clock) {
                continue;
            }
            let new = match gcra.advance(tat, now, cells, max_wait.saturating_mul(gcra.ticks_per_nano())) {
                Ok(new) => new,
                Err(missing) => {
                    let figures = figures(&gcra, tat, now);
                    let refused = Refused::Later { retry_after: figures.nanos(missing) };
                    return Err(Denied { refused, figures, limits });
                }
            };
            let wait = (new - now).saturating_sub(gcra.capacity());
            // Before the word, so that nobody takes its time for one of a clock that has stepped back.
            self.longest_wait.fetch_max(wait, Ordering::Relaxed);
            if self.tat.compare_exchange_weak(tat, new, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                let figures = figures(&gcra, new, now);
                let act_at = Timestamp::from_nanos(at.as_nanos().saturating_add(figures.nanos(wait)));
                let taken = Taken { at, act_at, cells, mark: new };
                let Slow { turns, line, lined_up, .. } = slow.at(tat, epoch);
                line.granted(&taken, Some((tat, *turns)));
                *lined_up = new;
                if wait > 0 {
                    turns.last = turns.last.max(gcra.ticks(act_at));
                }
                return Ok(Granted { taken, figures });
            }
        }
    }

    #[inline]
    pub(crate) fn look(&self, at: Timestamp, cells: u32) -> Result<(Figures, Limits), Denied> {
        let tat = self.tat.load(Ordering::Acquire);
        let (gcra, limits) = self.published.read();
        let now = gcra.ticks(at);
        if cells == 0 || cells > gcra.burst() {
            return without_taking(&gcra, limits, tat, at, cells).map(|granted| (granted.figures, limits));
        }
        let figures = figures(&gcra, tat, now);
        match gcra.advance(tat, now, cells, 0) {
            // A state that the clock has left behind is for a real call to mend.
            Err(missing) if !self.is_ahead(&gcra, tat, now) => {
                Err(Denied { refused: Refused::Later { retry_after: figures.nanos(missing) }, figures, limits })
            }
            _ => Ok((figures, limits)),
        }
    }

    /// Whether one cell would pass at this time.
    #[inline(always)]
    pub(crate) fn has_room(&self, at: Timestamp) -> bool {
        let tat = self.tat.load(Ordering::Acquire);
        let (gcra, _) = self.published.read();
        gcra.advance(tat, gcra.ticks(at), 1, 0).is_ok()
    }

    pub(crate) fn limits(&self) -> Limits {
        self.published.read().1
    }

    #[inline(always)]
    fn is_ahead(&self, gcra: &Gcra, tat: u64, now: u64) -> bool {
        tat.saturating_sub(gcra.capacity().saturating_add(self.longest_wait.load(Ordering::Relaxed))) > now
    }

    /// Brings back an arrival time that lies further ahead than any clock could have brought it: the clock has stepped back. Whether
    /// it did.
    ///
    /// The word is read before the clock, so that a thread which was held up between reading the clock and getting here does not
    /// take the time that passed for a step.
    #[cold]
    fn heal(&self, clock: &Clock) -> bool {
        let tat = self.tat.load(Ordering::Acquire);
        let (gcra, _) = self.published.read();
        let now = gcra.ticks(clock.now());
        if !self.is_ahead(&gcra, tat, now) {
            return false;
        }
        let latest = now.saturating_add(gcra.capacity()).saturating_add(self.longest_wait.load(Ordering::Relaxed));
        // What was granted before the step is not in the state any more. Whoever takes meanwhile changes the word.
        self.epoch.advance();
        let _ = self.tat.compare_exchange(tat, latest, Ordering::AcqRel, Ordering::Acquire);
        true
    }

    pub(crate) fn give_back(&self, taken: Taken, epoch: u32, now: &dyn Fn() -> Timestamp) {
        let mut slow = self.slow.lock();
        let mut tat = self.tat.load(Ordering::Acquire);
        // After the word was read: whatever ends the epoch now changes the word first.
        while self.epoch.takes(epoch) {
            let (gcra, _) = self.published.read();
            // After the word too: no time by which anything in it was taken is later.
            let now = now();
            let give_back = |(tat, turns): &mut (u64, Turns)| {
                let (refund, after) = gcra.refundable_by_turns(*tat, &taken, gcra.ticks(now), *turns);
                (*tat, *turns) = (*tat - refund, after);
            };
            let Slow { turns, line, lined_up, .. } = slow.at(tat, epoch);
            let mut state = (tat, *turns);
            line.give_back(&mut state, &taken, now, give_back);
            match self.tat.compare_exchange(tat, state.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    (*lined_up, *turns) = state;
                    return;
                }
                Err(found) => {
                    // Somebody was granted a cell at once, after which none of the line is returned to.
                    line.forget();
                    tat = found;
                }
            }
        }
    }

    /// Whether the quota could be replaced by this one.
    pub(crate) fn check(&self, quota: Quota) -> Result<(), ConfigError> {
        self.published.read().0.alike(quota).map(drop)
    }

    pub(crate) fn carry(&self, quota: Quota, carry: Carry, now: Timestamp) -> Result<(), ConfigError> {
        let mut slow = self.slow.lock();
        let Slow { turns, law, .. } = &mut *slow;
        self.published.replace(quota, |old, new| {
            // Nobody reads the new quota, or takes by the old one what is carried, until it is there.
            self.epoch.advance();
            if self.tat.load(Ordering::Acquire) <= old.ticks(now) {
                *law = Law::of(old);
            }
            let permits = law.is_within(new);
            law.add(new);
            // No turn is before another that was promised.
            let most = new.ticks(now).max(turns.last).saturating_add(new.capacity());
            let carried = |tat| {
                let carried = new.carry(old, tat, carry, now);
                let carried = if permits { carried.min(most) } else { carried };
                // What is owed beyond the new capacity is owed: no step of the clock has brought it there.
                let beyond = carried.saturating_sub(new.ticks(now)).saturating_sub(new.capacity());
                self.longest_wait.fetch_max(beyond, Ordering::Relaxed);
                carried
            };
            let mut tat = self.tat.load(Ordering::Acquire);
            while let Err(found) = self.tat.compare_exchange(tat, carried(tat), Ordering::AcqRel, Ordering::Acquire) {
                tat = found;
            }
        })
    }

    /// Owes nothing.
    pub(crate) fn reset(&self) {
        let _alone = self.slow.lock();
        self.epoch.during(|| self.update(|_, _| 0));
    }

    /// Owes until `reset_at`, if it owes for less: for turns that were promised too, as far ahead as any can be.
    pub(crate) fn raise(&self, reset_at: Timestamp, now: Timestamp) {
        let mut slow = self.slow.lock();
        slow.law = Law::UNKNOWN;
        self.epoch.during(|| {
            self.update(|gcra, tat| {
                let full = gcra.ticks(now).saturating_add(gcra.capacity());
                let latest = full.saturating_add(gcra.ticks_per_nano().saturating_mul(nanos(Quota::LONGEST)));
                let raised = gcra.ticks(reset_at).min(latest);
                // Before the word, so that nobody takes its time for one of a clock that has stepped back.
                self.longest_wait.fetch_max(raised.saturating_sub(full), Ordering::Relaxed);
                tat.max(raised)
            });
        });
    }

    fn update(&self, change: impl Fn(&Gcra, u64) -> u64) {
        let mut tat = self.tat.load(Ordering::Acquire);
        loop {
            let (gcra, _) = self.published.read();
            match self.tat.compare_exchange_weak(tat, change(&gcra, tat), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(found) => tat = found,
            }
        }
    }
}

#[inline(always)]
fn figures(gcra: &Gcra, tat: u64, now: u64) -> Figures {
    let owed = tat.saturating_sub(now);
    let left = gcra.capacity().saturating_sub(owed);
    Figures { left, unit: gcra.interval(), owed, ticks_per_nano: gcra.ticks_per_nano() }
}

/// A look, or more than there ever is.
#[inline(always)]
fn without_taking(gcra: &Gcra, limits: Limits, tat: u64, at: Timestamp, cells: u32) -> Decision {
    let figures = figures(gcra, tat, gcra.ticks(at));
    if cells > 0 {
        return Err(Denied { refused: Refused::Never, figures, limits });
    }
    Ok(Granted { taken: Taken { at, act_at: at, cells: 0, mark: tat }, figures })
}
