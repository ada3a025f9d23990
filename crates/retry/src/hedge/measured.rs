//! The delay, and the durations that it follows.
//!
//! Each thread keeps what it has measured in a ring of its own, with plain stores. The thread whose ring holds a batch takes
//! the lock of the window, if it is free, gathers from all rings, and tells the delay anew. A batch is as many durations as
//! must come before the delay is told again, so a thread that is alone tells it exactly as if it took the lock each time.

use std::time::Duration;

use seawall_core::stripe::{self, Padded, Striped};
use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::{AtomicU64, Ordering};

use super::config::HedgeDelay;
use super::durations::Durations;
use super::pending::Pending;

/// The delay that holds, and how long first attempts took.
pub(super) struct Measured {
    /// In nanoseconds, or all ones while no call is hedged.
    delay: AtomicU64,
    /// Whether durations matter: 0 or 1.
    observes: AtomicU64,
    /// A thread that has so many gathers.
    batch: AtomicU64,
    pending: Striped<Pending>,
    window: Padded<Mutex<Window>>,
}

/// What was gathered.
struct Window {
    durations: Durations,
    /// Whose it was at the last gathering that found something.
    from: From,
    /// Whether that was, twice in a row, one and the same thread's.
    alone: bool,
    /// The lane with which the next gathering begins.
    first: usize,
}

/// Of which lanes something was gathered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Nobody,
    One(usize),
    Several,
}

impl From {
    const fn and(self, lane: usize) -> Self {
        if let Self::Nobody = self { Self::One(lane) } else { Self::Several }
    }
}

impl Window {
    fn new(rule: HedgeDelay) -> Self {
        Self { durations: Durations::new(rule), from: From::Nobody, alone: true, first: 0 }
    }

    /// Takes what the lanes have. It begins with another lane each time: should the window be too small for all of it, then those
    /// of one thread are not always the ones that stay.
    fn gather(&mut self, lanes: &Striped<Pending>) {
        let in_turn = lanes.iter().enumerate().skip(self.first).chain(lanes.iter().enumerate().take(self.first));
        self.first = (self.first + 1) % (stripe::seats() + 1);
        let mut from = From::Nobody;
        for (lane, pending) in in_turn {
            if pending.gather(|nanos| self.durations.observe(nanos)) {
                from = from.and(lane);
            }
        }
        if from != From::Nobody {
            self.alone = matches!(from, From::One(_)) && (from == self.from || self.from == From::Nobody);
            self.from = from;
        }
    }

    /// Adds one that lies in no lane.
    fn add(&mut self, nanos: u64) {
        self.durations.observe(nanos);
        self.from = From::Several;
        self.alone = false;
    }
}

const NEVER: u64 = u64::MAX;

impl Measured {
    pub(super) fn new(rule: HedgeDelay) -> Self {
        let measured = Self {
            delay: AtomicU64::new(NEVER),
            observes: AtomicU64::new(u64::from(rule.is_measured())),
            batch: AtomicU64::new(1),
            pending: Striped::new(stripe::seats()),
            window: Padded(Mutex::new(Window::new(rule))),
        };
        measured.tell(&mut measured.window.0.lock());
        measured
    }

    /// Goes on by another rule with what was measured.
    pub(super) fn follow(&self, rule: HedgeDelay) {
        let mut window = self.window.0.lock();
        window.gather(&self.pending);
        self.observes.store(u64::from(rule.is_measured()), Ordering::Release);
        window.durations.follow(rule);
        self.tell(&mut window);
    }

    /// The delay; `None` while no call is hedged.
    #[inline]
    pub(super) fn delay(&self) -> Option<Duration> {
        match self.delay.load(Ordering::Acquire) {
            NEVER => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    #[inline]
    pub(super) fn observes(&self) -> bool {
        self.observes.load(Ordering::Acquire) != 0
    }

    /// A first attempt took so long, or had run so long when it was dropped.
    #[inline]
    pub(super) fn observe(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let lane = self.pending.lane();
        let pending = if lane.is_own() { lane.get().record(nanos) } else { None };
        match pending {
            Some(pending) if pending < self.batch.load(Ordering::Relaxed) => {}
            // While another thread gathers, this one goes on, and asks again with its next call.
            Some(_) => self.try_gather(),
            None => self.gather_with(nanos),
        }
    }

    #[inline(never)]
    fn try_gather(&self) {
        if let Some(mut window) = self.window.0.try_lock() {
            window.gather(&self.pending);
            self.tell_if_due(&mut window);
        }
    }

    /// Adds what has no room in its thread's ring, or is of a thread that has none.
    #[cold]
    fn gather_with(&self, nanos: u64) {
        let mut window = self.window.0.lock();
        window.gather(&self.pending);
        window.add(nanos);
        self.tell_if_due(&mut window);
    }

    fn tell_if_due(&self, window: &mut Window) {
        if window.durations.is_due() {
            self.tell(window);
        } else {
            self.set_batch(window);
        }
    }

    fn tell(&self, window: &mut Window) {
        let delay = window.durations.delay();
        let nanos = delay.map_or(NEVER, |delay| u64::try_from(delay.as_nanos()).unwrap_or(NEVER - 1).min(NEVER - 1));
        self.delay.store(nanos, Ordering::Release);
        self.set_batch(window);
    }

    /// Every call reads it: it is written only if it is another.
    fn set_batch(&self, window: &Window) {
        let batch = window.durations.due_in(window.alone).min(Pending::SLOTS / 2);
        if self.batch.load(Ordering::Relaxed) != batch {
            self.batch.store(batch, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(seawall_loom)))]
mod tests;
