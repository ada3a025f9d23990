use seawall_core::sync::atomic::{AtomicU64, Ordering};
use seawall_core::sync::{Mutex, MutexGuard};
use seawall_core::time::{Clock, Timestamp};

use super::line::{Line, MANY};
use super::{Decision, Denied, Epoch, Granted};
use crate::figures::{Figures, Limits};
use crate::limit::{Carry, Limit, Owed, Refused, SlidingWindow, SlidingWindowState, Taken, Want, still_owing};

/// A [`SlidingWindow`] that is changed by a compare-and-swap while its newest bucket lasts.
///
/// How many cells count is one word. Whoever finds room in it, within the newest bucket's time, adds to it and is done: the
/// older buckets cannot change meanwhile. Everything else (the next bucket, a wait, giving back) takes the lock, *freezes* the
/// word so that nobody adds to it, works on the window's whole state and publishes the word anew. A full window refuses without
/// the lock, because when it has room again is published with it.
///
/// A change of any published field happens between two changes of the word. So whoever has changed the word from what they
/// read, or has found it unchanged, has decided by fields that belonged to it.
#[repr(align(128))]
pub(crate) struct WindowCell {
    /// A tag that changes with every freeze and publication, above; the cells that count, or [`FROZEN`](Self::FROZEN), below.
    word: AtomicU64,
    /// The word's time: from when on, and until when, in nanoseconds.
    opens: AtomicU64,
    closes: AtomicU64,
    /// When a full window has room for one cell again; 0 if it was not full when it was published.
    free_at: AtomicU64,
    /// When the window is empty again, unless something was added since it was published.
    reset_at: AtomicU64,
    /// How many cells counted when it was published.
    counted: AtomicU64,
    /// The newest bucket's number.
    head: AtomicU64,
    /// How long a cell counts after the end of its bucket.
    counts_for: AtomicU64,
    limit: AtomicU64,
    /// The quota, as [`Limits`] has it.
    sizes: AtomicU64,
    period: AtomicU64,
    epoch: Epoch,
    slow: Mutex<Slow>,
}

struct Slow {
    window: SlidingWindow,
    limits: Limits,
    state: SlidingWindowState,
    /// What counted of the older buckets when the word was published.
    base: u64,
    /// The longest wait that was ever granted, in nanoseconds.
    longest_wait: u64,
    line: Line<SlidingWindowState>,
}

impl WindowCell {
    const TAG: u64 = 1 << 40;
    const FROZEN: u64 = Self::TAG - 1;

    pub(crate) fn new(window: SlidingWindow, limits: Limits) -> Self {
        let (state, line) = (SlidingWindowState::default(), Line::new(MANY));
        let slow = Slow { window, limits, state, base: 0, longest_wait: 0, line };
        let cell = Self {
            word: AtomicU64::new(0),
            opens: AtomicU64::new(0),
            closes: AtomicU64::new(0),
            free_at: AtomicU64::new(0),
            reset_at: AtomicU64::new(0),
            counted: AtomicU64::new(0),
            head: AtomicU64::new(0),
            counts_for: AtomicU64::new(0),
            limit: AtomicU64::new(0),
            sizes: AtomicU64::new(0),
            period: AtomicU64::new(0),
            epoch: Epoch::new(),
            slow: Mutex::new(slow),
        };
        drop(cell.freeze());
        cell
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
        let now = at.as_nanos();
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let closes = self.closes.load(Ordering::Acquire);
            if now >= closes || now < self.opens.load(Ordering::Acquire) || cells == 0 {
                return None;
            }
            let limit = self.limit.load(Ordering::Acquire);
            let used = word & Self::FROZEN;
            let wanted = u64::from(cells);
            if used + wanted <= limit {
                // Before the word, to which they belong: after it they may be those of a later bucket.
                let counts_for = self.counts_for.load(Ordering::Acquire);
                let mark = self.head.load(Ordering::Acquire);
                match self.word.compare_exchange_weak(word, word + wanted, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => {
                        let figures = Figures::window(limit - used - wanted, closes.saturating_add(counts_for) - now);
                        let taken = Taken { at, act_at: at, cells, mark };
                        return Some(Ok(Granted { taken, figures }));
                    }
                    Err(found) => word = found,
                }
                continue;
            }
            return self.refuse_quickly(now, cells, max_wait, word, limit).map(Err);
        }
    }

    #[inline]
    pub(crate) fn look(&self, at: Timestamp, cells: u32) -> Result<(Figures, Limits), Denied> {
        let now = at.as_nanos();
        let word = self.word.load(Ordering::Acquire);
        let (opens, closes) = (self.opens.load(Ordering::Acquire), self.closes.load(Ordering::Acquire));
        let limit = self.limit.load(Ordering::Acquire);
        let used = word & Self::FROZEN;
        if now < opens || now >= closes || cells == 0 {
            return self.look_slowly(at, cells);
        }
        if used + u64::from(cells) > limit {
            return match self.refuse_quickly(now, cells, 0, word, limit) {
                Some(denied) => Err(denied),
                None => self.look_slowly(at, cells),
            };
        }
        let reset_at = if used == self.counted.load(Ordering::Acquire) {
            self.reset_at.load(Ordering::Acquire)
        } else {
            closes.saturating_add(self.counts_for.load(Ordering::Acquire))
        };
        let limits = self.limits();
        if self.word.load(Ordering::Acquire) & !Self::FROZEN != word & !Self::FROZEN {
            return self.look_slowly(at, cells);
        }
        Ok((Figures::window(limit - used, reset_at.saturating_sub(now)), limits))
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits::from_words(self.sizes.load(Ordering::Acquire), self.period.load(Ordering::Acquire))
    }

    /// Whether one cell would certainly pass at this time, as far as can be seen without the lock.
    #[inline(always)]
    pub(crate) fn has_room(&self, at: Timestamp) -> bool {
        let now = at.as_nanos();
        let used = self.word.load(Ordering::Acquire) & Self::FROZEN;
        let limit = self.limit.load(Ordering::Acquire);
        used < limit && self.opens.load(Ordering::Acquire) <= now && now < self.closes.load(Ordering::Acquire)
    }

    #[cold]
    fn look_slowly(&self, at: Timestamp, cells: u32) -> Result<(Figures, Limits), Denied> {
        let mut frozen = self.freeze();
        let Slow { window, limits, state, longest_wait, .. } = &mut *frozen.slow;
        // A state that the clock has left behind is for a real call to mend: it is told as it is.
        let behind = window.ahead(state, at, *longest_wait) > 0;
        if !behind {
            window.roll(state, at);
        }
        let owed = window.reset_at(state).as_nanos().saturating_sub(at.as_nanos());
        let figures = Figures::plain(window.remaining(state, at), owed);
        match window.take(&mut state.clone(), Want::now(at, cells)) {
            Err(refused) if !behind => Err(Denied { refused, figures, limits: *limits }),
            _ => Ok((figures, *limits)),
        }
    }

    /// The refusal of one cell by a window that is known to be full.
    #[inline(always)]
    fn refuse_quickly(&self, now: u64, cells: u32, max_wait: u64, word: u64, limit: u64) -> Option<Denied> {
        let used = word & Self::FROZEN;
        if cells != 1 || used < limit || used == Self::FROZEN {
            return None;
        }
        let free_in = self.free_at.load(Ordering::Acquire).checked_sub(now).filter(|wait| *wait > max_wait)?;
        let reset_at = self.reset_at.load(Ordering::Acquire);
        let limits = Limits::from_words(self.sizes.load(Ordering::Acquire), self.period.load(Ordering::Acquire));
        if self.word.load(Ordering::Acquire) != word {
            return None;
        }
        let figures = Figures::window(0, reset_at.saturating_sub(now));
        Some(Denied { refused: Refused::Later { retry_after: free_in }, figures, limits })
    }

    /// Decides under the lock.
    #[cold]
    pub(crate) fn take_slowly(&self, at: Timestamp, cells: u32, max_wait: u64, clock: &Clock) -> Decision {
        let mut frozen = self.freeze();
        let Slow { window, limits, state, longest_wait, line, .. } = &mut *frozen.slow;
        let mut now = at;
        if window.ahead(state, now, *longest_wait) > 0 {
            // Read again under the lock: a thread that was held up on its way here must not take that for a step of the clock.
            now = clock.now().max(now);
            let by = window.ahead(state, now, *longest_wait);
            if by > 0 {
                self.epoch.advance();
                window.pull_back(state, by);
            }
        }
        window.roll(state, now);
        let before = *state;
        let decided = window.take(state, Want { now, cells, max_wait });
        let figures = Figures::plain(
            window.remaining(state, now),
            window.reset_at(state).as_nanos().saturating_sub(now.as_nanos()),
        );
        match decided {
            Ok(taken) => {
                *longest_wait = (*longest_wait).max(taken.act_at.as_nanos().saturating_sub(now.as_nanos()));
                line.of(self.epoch.read()).granted(&taken, Some(before));
                Ok(Granted { taken, figures })
            }
            Err(refused) => Err(Denied { refused, figures, limits: *limits }),
        }
    }

    /// The whole state, to be changed while nobody adds to the word.
    pub(crate) fn freeze(&self) -> Frozen<'_> {
        let mut slow = self.slow.lock();
        let tag = (self.word.load(Ordering::Relaxed) | Self::FROZEN).wrapping_add(1);
        let word = self.word.swap(tag | Self::FROZEN, Ordering::AcqRel);
        let newest = (word & Self::FROZEN) - slow.base;
        let Slow { window, state, line, .. } = &mut *slow;
        if newest != window.used(state).1 {
            // Others were granted cells at once since.
            line.forget();
        }
        window.set_newest(state, u32::try_from(newest).unwrap_or(u32::MAX));
        Frozen { cell: self, slow, tag: tag.wrapping_add(Self::TAG) }
    }

    fn publish(&self, slow: &mut Slow, tag: u64) {
        let Slow { window, limits, state, .. } = slow;
        let (used, newest) = window.used(state);
        let opens = state.head().saturating_mul(window.bucket());
        let full = used >= u64::from(window.limit());
        let free_at = if full { window.free_at(state) } else { 0 };
        let counts_for = window.bucket().saturating_mul(window.counted() - 1);
        for (field, value) in [
            // Before a turn that was promised nobody may pass.
            (&self.opens, opens.max(state.turn())),
            (&self.closes, opens.saturating_add(window.bucket())),
            (&self.free_at, free_at),
            (&self.reset_at, window.reset_at(state).as_nanos()),
            (&self.counted, used),
            (&self.head, state.head()),
            (&self.counts_for, counts_for),
            (&self.limit, u64::from(window.limit())),
            (&self.sizes, limits.sizes()),
            (&self.period, limits.period),
        ] {
            field.store(value, Ordering::Release);
        }
        slow.base = used - newest;
        self.word.store(tag | used, Ordering::Release);
    }
}

/// A window's whole state; published when it is dropped.
pub(crate) struct Frozen<'a> {
    cell: &'a WindowCell,
    slow: MutexGuard<'a, Slow>,
    tag: u64,
}

impl Frozen<'_> {
    /// Gives back what was taken in this epoch.
    pub(crate) fn give_back(&mut self, taken: Taken, epoch: u32, now: &dyn Fn() -> Timestamp) {
        let Slow { window, state, line, .. } = &mut *self.slow;
        if self.cell.epoch.takes(epoch) {
            let now = now();
            line.of(epoch).give_back(state, &taken, now, |state| window.give_back(state, taken, now));
        }
    }

    /// Replaces the window.
    pub(crate) fn carry(&mut self, window: SlidingWindow, limits: Limits, carry: Carry, now: Timestamp) {
        let slow = &mut *self.slow;
        self.cell.epoch.advance();
        slow.state = window.carry(&slow.window, slow.state, carry, now);
        slow.window = window;
        slow.limits = limits;
    }

    /// Owes at least this.
    pub(crate) fn raise(&mut self, owed: Owed, now: Timestamp) {
        self.cell.epoch.advance();
        let Slow { window, state, longest_wait, .. } = &mut *self.slow;
        window.merge(state, &still_owing(window, owed, now));
        // What lies ahead now was owed before, and was not brought there by a step of the clock.
        *longest_wait = longest_wait.saturating_add(window.ahead(state, now, *longest_wait));
    }

    /// Forgets whatever was taken.
    pub(crate) fn reset(&mut self) {
        self.cell.epoch.advance();
        self.slow.state = SlidingWindowState::default();
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.cell.publish(&mut self.slow, self.tag);
    }
}
