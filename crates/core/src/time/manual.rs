use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use super::Timestamp;

/// Time that moves only when it is told to.
#[derive(Debug, Default)]
pub(super) struct Manual {
    now: AtomicU64,
    sleepers: Mutex<Sleepers>,
}

#[derive(Debug, Default)]
struct Sleepers {
    /// Ordered by deadline, then by age: the order in which they are woken.
    wakers: BTreeMap<(Timestamp, u64), Waker>,
    next_id: u64,
}

impl Manual {
    #[inline]
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.now.load(Ordering::Acquire))
    }

    fn set(&self, at: Timestamp) {
        self.now.store(at.as_nanos(), Ordering::Release);
    }

    /// Moves time to `at`, if that is later; tells whether it was. Several threads may move it at once.
    fn raise(&self, at: Timestamp) -> bool {
        self.now.fetch_max(at.as_nanos(), Ordering::AcqRel) < at.as_nanos()
    }

    fn pop_due(&self, at: Timestamp) -> Option<(Timestamp, Waker)> {
        let mut sleepers = self.sleepers.lock();
        let (&key, _) = sleepers.wakers.first_key_value().filter(|((due, _), _)| *due <= at)?;
        sleepers.wakers.remove(&key).map(|waker| (key.0, waker))
    }
}

/// One sleep on manual time.
#[derive(Debug)]
pub(super) struct ManualSleep {
    manual: Arc<Manual>,
    at: Timestamp,
    id: Option<u64>,
}

impl ManualSleep {
    pub(super) const fn new(manual: Arc<Manual>, at: Timestamp) -> Self {
        Self { manual, at, id: None }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Wakers are the executor's code: they are cloned and dropped outside of the lock.
        let waker = cx.waker().clone();
        // The lock is taken before the clock is read, so that an advance either is seen here or sees this sleeper.
        let mut sleepers = self.manual.sleepers.lock();
        if self.manual.now() >= self.at {
            drop(sleepers);
            self.leave();
            return Poll::Ready(());
        }
        let id = *self.id.get_or_insert_with(|| {
            sleepers.next_id += 1;
            sleepers.next_id
        });
        let replaced = sleepers.wakers.insert((self.at, id), waker);
        drop(sleepers);
        drop(replaced);
        Poll::Pending
    }

    fn leave(&mut self) {
        if let Some(id) = self.id.take() {
            let waker = self.manual.sleepers.lock().wakers.remove(&(self.at, id));
            drop(waker);
        }
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The hand that moves a [manual clock](super::Clock::manual).
#[derive(Clone, Debug)]
pub struct ManualTime {
    manual: Arc<Manual>,
}

impl ManualTime {
    pub(super) const fn new(manual: Arc<Manual>) -> Self {
        Self { manual }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.manual.now()
    }

    /// Moves time forward. Sleepers that become due are woken in the order of their deadlines, each at its own time.
    pub fn advance(&self, by: Duration) {
        self.advance_to(self.now() + by);
    }

    /// Moves time forward to `at`; does nothing if that is not later than now.
    pub fn advance_to(&self, at: Timestamp) {
        while let Some((due, waker)) = self.manual.pop_due(at) {
            self.manual.raise(due);
            waker.wake();
        }
        if self.manual.raise(at) {
            // A sleeper that came between the last look and the step is due now.
            while let Some((_, waker)) = self.manual.pop_due(at) {
                waker.wake();
            }
        }
    }

    /// Moves time backwards, as a faulty clock would.
    pub fn step_back(&self, by: Duration) {
        self.manual.set(self.now() - by);
    }

    /// When the next sleeper is due, if there is one.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.manual.sleepers.lock().wakers.first_key_value().map(|((due, _), _)| *due)
    }
}
