use std::task::Waker;

use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::{AtomicU64, Ordering};

/// What one worker shares with those who want its job to stop.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) at: u32,
    /// The number of the job that is to stop. A number is used once, so an order that comes late stops nothing else.
    stop: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

impl Seat {
    pub(crate) fn new(at: u32) -> Self {
        Self { at, stop: AtomicU64::new(0), waker: Mutex::new(None) }
    }

    /// Whether somebody ordered this job to stop.
    #[inline]
    pub(crate) fn is_stopped(&self, job: u64) -> bool {
        self.stop.load(Ordering::Acquire) == job
    }

    /// The worker has left: what would have woken it is dropped, not under a lock.
    pub(crate) fn vacate(&self) {
        let waker = self.waker.lock().take();
        drop(waker);
    }

    /// Orders the worker to stop this job, which it holds: under the pool's lock, so that no order overtakes another. Wake it
    /// afterwards.
    pub(crate) fn order_stop(&self, job: u64) {
        self.stop.store(job, Ordering::Release);
    }

    /// Wakes the worker, so that it sees its orders. Not under a lock.
    pub(crate) fn wake(&self) {
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Remembers whom to wake when the job is to stop. Ask [`is_stopped`](Self::is_stopped) afterwards.
    pub(crate) fn listen(&self, waker: &Waker) {
        let mut own = self.waker.lock();
        if own.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return;
        }
        let old = own.replace(waker.clone());
        drop(own);
        drop(old);
    }
}
