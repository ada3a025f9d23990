use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use seawall_core::spawn::{Spawn, SpawnError, Work};
use seawall_core::time::BoxFuture;
use smol::Executor;

/// Where the workers of a vector run: one thread, in the order in which they are woken. Blocking work waits until it is told to
/// run.
#[derive(Debug)]
pub(super) struct Place {
    executor: Executor<'static>,
    blocking: Mutex<Blocking>,
    /// How many tasks can still be started.
    starts: AtomicUsize,
    /// The task that runs is to be dropped.
    kill: std::sync::Arc<AtomicBool>,
}

#[derive(Default)]
struct Blocking(VecDeque<Work>);

impl std::fmt::Debug for Blocking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Blocking").field(&self.0.len()).finish()
    }
}

impl Place {
    pub(super) fn new(starts: usize) -> Self {
        Self {
            executor: Executor::new(),
            blocking: Mutex::default(),
            starts: AtomicUsize::new(starts),
            kill: std::sync::Arc::default(),
        }
    }

    /// Runs what is ready.
    pub(super) fn settle(&self) {
        while self.executor.try_tick() {}
    }

    /// Lets the blocking work that began first run to its end.
    pub(super) fn unblock_one(&self) -> bool {
        let work = self.blocking.lock().unwrap_or_else(PoisonError::into_inner).0.pop_front();
        work.map(|work| work()).is_some()
    }

    /// What ends the task that raises it.
    pub(super) fn kill(&self) -> std::sync::Arc<AtomicBool> {
        self.kill.clone()
    }
}

impl Spawn for Place {
    fn spawn(&self, task: BoxFuture) -> Result<(), SpawnError> {
        let one_less = |starts: usize| starts.checked_sub(1);
        if self.starts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err() {
            return Err(SpawnError::new("the place starts no more"));
        }
        self.executor.spawn(Mortal { task: Some(task), kill: self.kill.clone() }).detach();
        Ok(())
    }

    fn spawn_blocking(&self, work: Work) -> Result<(), SpawnError> {
        self.blocking.lock().unwrap_or_else(PoisonError::into_inner).0.push_back(work);
        Ok(())
    }
}

/// A task that is dropped in the middle of its work when somebody says so within its poll.
struct Mortal {
    task: Option<BoxFuture>,
    kill: std::sync::Arc<AtomicBool>,
}

impl Future for Mortal {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(task) = &mut self.task else { return Poll::Ready(()) };
        let polled = task.as_mut().poll(cx);
        if self.kill.swap(false, Ordering::SeqCst) {
            self.task = None;
            return Poll::Ready(());
        }
        polled
    }
}
