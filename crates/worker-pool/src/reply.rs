use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use seawall_core::sync::Mutex;

use crate::error::JobError;

/// The result of a job; `None` when it was taken before.
type Given<T, E> = Option<Result<T, JobError<E>>>;

/// Where the result of a job waits for whoever holds its handle.
#[derive(Debug)]
pub(crate) struct Reply<T, E>(Mutex<Slot<T, E>>);

#[derive(Debug)]
enum Slot<T, E> {
    Empty(Option<Waker>),
    Full(Result<T, JobError<E>>),
    /// Nobody asks, or the result was taken.
    Over,
}

impl<T, E> Reply<T, E> {
    /// An empty one, and the end that gives.
    pub(crate) fn new() -> (Arc<Self>, Giver<T, E>) {
        let reply = Arc::new(Self(Mutex::new(Slot::Empty(None))));
        (reply.clone(), Giver(Some(reply)))
    }

    fn give(&self, result: Result<T, JobError<E>>) {
        let mut slot = self.0.lock();
        let Slot::Empty(waker) = &mut *slot else { return };
        let waker = waker.take();
        *slot = Slot::Full(result);
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The result, once.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Given<T, E>> {
        match self.take_or_leave(None) {
            (Poll::Pending, _) => {}
            (ready, _) => return ready,
        }
        // Cloned and dropped outside of the lock, and only by those who have to wait.
        let (found, _old) = self.take_or_leave(Some(cx.waker().clone()));
        found
    }

    /// The result, if it is there; else a waker is left for it. Gives the one that is not needed any more.
    fn take_or_leave(&self, mut own: Option<Waker>) -> (Poll<Given<T, E>>, Option<Waker>) {
        let mut slot = self.0.lock();
        if let Slot::Empty(waker) = &mut *slot {
            if own.is_some() {
                std::mem::swap(waker, &mut own);
            }
            drop(slot);
            return (Poll::Pending, own);
        }
        let before = std::mem::replace(&mut *slot, Slot::Over);
        drop(slot);
        let result = match before {
            Slot::Full(result) => Some(result),
            Slot::Empty(_) | Slot::Over => None,
        };
        (Poll::Ready(result), own)
    }

    /// Whether a result is there, or was.
    pub(crate) fn is_given(&self) -> bool {
        !matches!(*self.0.lock(), Slot::Empty(_))
    }

    /// Nobody asks any more. A result that was given is dropped here, not under the lock.
    pub(crate) fn abandon(&self) {
        let before = std::mem::replace(&mut *self.0.lock(), Slot::Over);
        drop(before);
    }
}

/// The end that gives, once. Dropped without giving, it says that the job was dropped.
#[derive(Debug)]
pub struct Giver<T, E>(Option<Arc<Reply<T, E>>>);

impl<T, E> Giver<T, E> {
    /// Of a job whose result nobody wants.
    pub(crate) const fn nobody() -> Self {
        Self(None)
    }

    /// Whether nobody wants the result, or has it.
    #[inline]
    pub(crate) const fn is_nobody(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn give(&mut self, result: Result<T, JobError<E>>) {
        if let Some(reply) = self.0.take() {
            reply.give(result);
        }
    }

    /// The end itself, to give later, if anybody wants the result.
    pub(crate) fn take(&mut self) -> Option<Self> {
        self.0.take().map(|reply| Self(Some(reply)))
    }
}

impl<T, E> Drop for Giver<T, E> {
    #[inline]
    fn drop(&mut self) {
        if self.0.is_some() {
            self.give(Err(JobError::Dropped));
        }
    }
}
