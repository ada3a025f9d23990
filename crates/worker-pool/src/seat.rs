use std::task::Waker;

use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::{AtomicU64, Ordering};

/// What one worker shares with those who want its job to stop.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) at: u32,
    /// The number of the job that is to stop. A number is used once, so an order that comes late stops nothing else.
    stop: AtomicU64,
    /// The number of the job whose time is up.
    late: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

impl Seat {
    pub(crate) fn new(at: u32) -> Self {
        Self { at, stop: AtomicU64::new(0), late: AtomicU64::new(0), waker: Mutex::new(None) }
    }

    /// Whether somebody ordered this job to stop.
    #[inline]
    pub(crate) fn is_stopped(&self, job: u64) -> bool {
        self.stop.load(Ordering::Acquire) == job
    }

    /// Whether the time of this job's attempt is up.
    #[inline]
    pub(crate) fn is_late(&self, job: u64) -> bool {
        self.late.load(Ordering::Acquire) == job
    }

    /// Tells the worker that the time of its job is up: under the pool's lock, while it holds that attempt. Wake it afterwards.
    pub(crate) fn tell_late(&self, job: u64) {
        self.late.store(job, Ordering::Release);
    }

    /// A new attempt has its own time: under the pool's lock.
    #[inline]
    pub(crate) fn begin(&self) {
        self.late.store(0, Ordering::Relaxed);
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

    /// Remembers whom to wake when the job is to stop. Ask what it is to know afterwards.
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
