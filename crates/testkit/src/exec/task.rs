use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

use super::Spawner;

pub(super) type TaskId = u64;

/// A spawned task: await it for what it returns, or [cancel](Self::cancel) it. Dropping the handle lets the task run on.
pub struct Task<T> {
    receipt: Receipt<T>,
    spawner: Spawner,
    id: TaskId,
}

impl<T> Task<T> {
    pub(super) fn new(receipt: Receipt<T>, spawner: Spawner, id: TaskId) -> Self {
        Self { receipt, spawner, id }
    }

    /// Whether the task has returned.
    pub fn is_done(&self) -> bool {
        self.receipt.output.borrow().is_some()
    }

    /// What the task returned, if it has and nobody took it yet.
    pub fn take(&self) -> Option<T> {
        self.receipt.output.borrow_mut().take()
    }

    /// Drops the task's future where it stands. A task that cancels itself is dropped at its next await point.
    pub fn cancel(&self) {
        self.receipt.cancelled.set(true);
        if let Some(inner) = self.spawner.inner.upgrade() {
            let body = inner.tasks.borrow_mut().remove(&self.id);
            drop(body);
        }
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if let Some(output) = self.take() {
            return Poll::Ready(output);
        }
        assert!(!self.receipt.cancelled.get(), "the task was cancelled: there is nothing to wait for");
        *self.receipt.waiting.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("id", &self.id).field("is_done", &self.is_done()).finish_non_exhaustive()
    }
}

/// Where a task leaves what it returns.
pub(super) struct Receipt<T> {
    output: Rc<RefCell<Option<T>>>,
    waiting: Rc<RefCell<Option<Waker>>>,
    cancelled: Rc<Cell<bool>>,
}

impl<T> Receipt<T> {
    pub(super) fn new() -> Self {
        Self { output: Rc::default(), waiting: Rc::default(), cancelled: Rc::default() }
    }

    fn fill(&self, output: T) {
        *self.output.borrow_mut() = Some(output);
        if let Some(waiting) = self.waiting.borrow_mut().take() {
            waiting.wake();
        }
    }
}

impl<T> Clone for Receipt<T> {
    fn clone(&self) -> Self {
        Self { output: self.output.clone(), waiting: self.waiting.clone(), cancelled: self.cancelled.clone() }
    }
}

/// A task's future with what wakes it.
pub(super) struct Body {
    future: Pin<Box<dyn Future<Output = ()>>>,
    waker: Arc<TaskWaker>,
    cancelled: Rc<Cell<bool>>,
}

impl Body {
    pub(super) fn new<F>(id: TaskId, woken: &Arc<Woken>, receipt: Receipt<F::Output>, future: F) -> Self
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let cancelled = receipt.cancelled.clone();
        let future = Box::pin(async move { receipt.fill(future.await) });
        Self { future, waker: TaskWaker::new(id, woken), cancelled }
    }

    pub(super) fn wake(&self) {
        self.waker.wake_by_ref();
    }

    pub(super) fn poll(&mut self) -> Poll<()> {
        let waker = Waker::from(Arc::clone(&self.waker));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }
}

/// The tasks that were woken and not yet polled, each once, with the flag that says so.
#[derive(Debug, Default)]
pub(super) struct Woken(Mutex<Vec<(TaskId, Arc<AtomicBool>)>>);

impl Woken {
    /// Takes the task at the place that `choose` draws from the number of ready ones.
    pub(super) fn take(&self, choose: impl FnOnce(usize) -> usize) -> Option<TaskId> {
        let mut ready = self.0.lock();
        if ready.is_empty() {
            return None;
        }
        let chosen = choose(ready.len());
        let (id, queued) = ready.swap_remove(chosen);
        // A wake-up from here on counts for a poll after the one that now follows.
        queued.store(false, Ordering::Release);
        Some(id)
    }
}

/// Puts one task among the woken ones.
#[derive(Debug)]
pub(super) struct TaskWaker {
    id: TaskId,
    queued: Arc<AtomicBool>,
    woken: Arc<Woken>,
}

impl TaskWaker {
    pub(super) fn new(id: TaskId, woken: &Arc<Woken>) -> Arc<Self> {
        Arc::new(Self { id, queued: Arc::default(), woken: Arc::clone(woken) })
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.woken.0.lock().push((self.id, Arc::clone(&self.queued)));
        }
    }
}
