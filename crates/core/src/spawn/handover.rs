use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::sync::Mutex;

/// What work gave: its value, or what it panicked with.
pub(super) type Ended<T> = Result<T, Box<dyn Any + Send>>;

/// A value that goes from the thread that makes it to the future that waits for it.
pub(super) fn handover<T>() -> (Giver<T>, Taker<T>) {
    let slot = Arc::new(Mutex::new(Slot::Empty(None)));
    (Giver(slot.clone()), Taker(slot))
}

enum Slot<T> {
    Empty(Option<Waker>),
    Full(Ended<T>),
    /// One of the two is gone, or the value was taken.
    Over,
}

/// The end that gives. Dropped without giving, it tells that nothing will come.
pub(super) struct Giver<T>(Arc<Mutex<Slot<T>>>);

/// The end that takes.
pub(super) struct Taker<T>(Arc<Mutex<Slot<T>>>);

impl<T> Giver<T> {
    /// Whether nobody waits any more.
    pub(super) fn is_alone(&self) -> bool {
        matches!(*self.0.lock(), Slot::Over)
    }

    pub(super) fn give(&self, ended: Ended<T>) {
        self.leave(Slot::Full(ended));
    }

    fn leave(&self, with: Slot<T>) {
        let mut slot = self.0.lock();
        let waker = match &mut *slot {
            Slot::Empty(waker) => waker.take(),
            Slot::Full(_) | Slot::Over => return,
        };
        *slot = with;
        drop(slot);
        // The waker is the executor's code.
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Giver<T> {
    fn drop(&mut self) {
        self.leave(Slot::Over);
    }
}

impl<T> Future for Taker<T> {
    /// `None`: nothing will come.
    type Output = Option<Ended<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Cloned and dropped outside of the lock.
        let mut own = Some(cx.waker().clone());
        let mut slot = self.0.lock();
        if let Slot::Empty(waker) = &mut *slot {
            std::mem::swap(waker, &mut own);
            drop(slot);
            return Poll::Pending;
        }
        let before = std::mem::replace(&mut *slot, Slot::Over);
        drop(slot);
        Poll::Ready(match before {
            Slot::Full(ended) => Some(ended),
            Slot::Empty(_) | Slot::Over => None,
        })
    }
}

impl<T> Drop for Taker<T> {
    fn drop(&mut self) {
        // What was given and never taken is the user's: it is dropped when the lock is released.
        let _before = std::mem::replace(&mut *self.0.lock(), Slot::Over);
    }
}
