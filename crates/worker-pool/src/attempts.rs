//! The forms that a task's work can have.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use seawall_core::spawn::{Offloaded, Spawner};

use crate::job::{Attempt, Finish};

/// Work that can be attempted, once or more often.
pub(crate) trait Attempts: Send + 'static {
    type Output: Finish;
    const IS_REPEATABLE: bool;
    /// Whether an attempt ends when it is [halted](Self::halt).
    const IS_DIVISIBLE: bool;

    /// Goes on with an attempt, or begins one. `None`: there is nothing to begin, or it was lost on its way.
    fn poll(
        self: Pin<&mut Self>,
        first: bool,
        attempt: &Attempt,
        spawner: &Spawner,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Self::Output>>;

    /// Drops what is left of an attempt.
    fn halt(self: Pin<&mut Self>);
}

/// A future, or another thing that can be used once.
#[pin_project]
pub(crate) struct Once<F>(#[pin] pub(crate) Option<F>);

impl<F> Attempts for Once<F>
where
    F: Future<Output: Finish> + Send + 'static,
{
    type Output = F::Output;
    const IS_REPEATABLE: bool = false;
    const IS_DIVISIBLE: bool = true;

    fn poll(
        self: Pin<&mut Self>,
        _first: bool,
        _attempt: &Attempt,
        _spawner: &Spawner,
        cx: &mut Context<'_>,
    ) -> Poll<Option<F::Output>> {
        let mut future = self.project().0;
        let Some(running) = future.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let output = ready!(running.poll(cx));
        // What the future holds is dropped here, where a panic of it is the job's.
        future.set(None);
        Poll::Ready(Some(output))
    }

    fn halt(self: Pin<&mut Self>) {
        self.project().0.set(None);
    }
}

/// A future for each attempt.
#[pin_project]
pub(crate) struct Repeated<M, F> {
    pub(crate) make: M,
    #[pin]
    pub(crate) future: Option<F>,
}

impl<M, F> Attempts for Repeated<M, F>
where
    M: FnMut(Attempt) -> F + Send + 'static,
    F: Future<Output: Finish> + Send + 'static,
{
    type Output = F::Output;
    const IS_REPEATABLE: bool = true;
    const IS_DIVISIBLE: bool = true;

    fn poll(
        self: Pin<&mut Self>,
        first: bool,
        attempt: &Attempt,
        _spawner: &Spawner,
        cx: &mut Context<'_>,
    ) -> Poll<Option<F::Output>> {
        let mut this = self.project();
        if first {
            this.future.set(Some((this.make)(attempt.clone())));
        }
        let Some(running) = this.future.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let output = ready!(running.poll(cx));
        this.future.set(None);
        Poll::Ready(Some(output))
    }

    fn halt(self: Pin<&mut Self>) {
        self.project().future.set(None);
    }
}

/// Work that blocks a thread.
#[pin_project]
pub(crate) struct Blocked<S, O> {
    pub(crate) work: S,
    pub(crate) running: Option<Offloaded<O>>,
}

/// Where the work of an attempt comes from.
pub(crate) trait Source<O>: Send + 'static {
    const IS_REPEATABLE: bool;

    /// The work of one attempt, unless it is used up.
    fn work(&mut self, attempt: Attempt) -> Option<impl FnOnce() -> O + Send + 'static>;
}

/// Work that can be done once.
pub(crate) struct Only<W>(pub(crate) Option<W>);

impl<O, W: FnOnce(&Attempt) -> O + Send + 'static> Source<O> for Only<W> {
    const IS_REPEATABLE: bool = false;

    fn work(&mut self, attempt: Attempt) -> Option<impl FnOnce() -> O + Send + 'static> {
        self.0.take().map(|work| move || work(&attempt))
    }
}

impl<O, W: Fn(&Attempt) -> O + Send + Sync + 'static> Source<O> for Arc<W> {
    const IS_REPEATABLE: bool = true;

    fn work(&mut self, attempt: Attempt) -> Option<impl FnOnce() -> O + Send + 'static> {
        let work = self.clone();
        Some(move || work(&attempt))
    }
}

impl<S, O> Attempts for Blocked<S, O>
where
    S: Source<O>,
    O: Finish,
{
    type Output = O;
    const IS_REPEATABLE: bool = S::IS_REPEATABLE;
    const IS_DIVISIBLE: bool = false;

    fn poll(
        self: Pin<&mut Self>,
        first: bool,
        attempt: &Attempt,
        spawner: &Spawner,
        cx: &mut Context<'_>,
    ) -> Poll<Option<O>> {
        let this = self.project();
        if first {
            let Some(work) = this.work.work(attempt.clone()) else { return Poll::Ready(None) };
            if spawner.is_threads() {
                // The worker has a thread of its own, which may be blocked.
                return Poll::Ready(Some(work()));
            }
            *this.running = spawner.offload(work).ok();
        }
        let Some(running) = this.running else { return Poll::Ready(None) };
        let given = ready!(Pin::new(running).poll(cx));
        *this.running = None;
        match given {
            Ok(Ok(output)) => Poll::Ready(Some(output)),
            Ok(Err(payload)) => resume_unwind(payload),
            Err(_not_started) => Poll::Ready(None),
        }
    }

    fn halt(self: Pin<&mut Self>) {
        *self.project().running = None;
    }
}
