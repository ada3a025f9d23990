use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::error::JobError;
use crate::pool::Link;
use crate::reply::Reply;
use crate::state::Ticket;
use crate::task::{Runs, Task};

/// A job that was submitted: await its result, cancel it, or let it go.
///
/// # Cancel safety
/// Dropping the handle lets the job go: it runs all the same, and its result is dropped. After
/// [`cancel_on_drop`](Self::cancel_on_drop) dropping it cancels the job.
///
/// Polled again after it was ready, it stays pending.
#[must_use = "the result of a job is awaited; `detach` lets it go"]
pub struct JobHandle<T, E, R: Runs = Task> {
    reply: Arc<Reply<T, E>>,
    link: Link<R>,
    ticket: Ticket,
    cancels: bool,
    /// Whether the result was taken.
    is_over: bool,
}

impl<T, E, R: Runs> JobHandle<T, E, R> {
    pub(crate) const fn new(reply: Arc<Reply<T, E>>, link: Link<R>, ticket: Ticket) -> Self {
        Self { reply, link, ticket, cancels: false, is_over: false }
    }

    /// The number of the job in its pool, in order of submission.
    pub const fn job(&self) -> u64 {
        self.ticket.id
    }

    /// Cancels the job: one that waits will not run, one that runs is dropped at its next await, and work that blocks a
    /// thread is told ([`Attempt::is_stopped`](crate::Attempt::is_stopped)). Tells whether it had not ended yet. The handle can
    /// still be awaited: it gives [`JobError::Cancelled`], or the result if the job ended first.
    pub fn cancel(&self) -> bool {
        self.link.engine().cancel(self.ticket)
    }

    /// Whether the job has ended.
    pub fn is_finished(&self) -> bool {
        self.reply.is_given()
    }

    /// Lets the job go: it runs all the same, and its result is dropped.
    pub fn detach(mut self) {
        self.cancels = false;
    }

    /// The same handle, whose drop cancels the job.
    pub fn cancel_on_drop(mut self) -> Self {
        self.cancels = true;
        self
    }
}

impl<T, E, R: Runs> Unpin for JobHandle<T, E, R> {}

impl<T, E, R: Runs> Future for JobHandle<T, E, R> {
    type Output = Result<T, JobError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.reply.poll(cx) {
            Poll::Ready(Some(result)) => {
                self.is_over = true;
                Poll::Ready(result)
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl<T, E, R: Runs> Drop for JobHandle<T, E, R> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        if self.cancels && !self.reply.is_given() {
            self.cancel();
        }
        self.reply.abandon();
    }
}

impl<T, E, R: Runs> fmt::Debug for JobHandle<T, E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle").field("job", &self.job()).field("is_finished", &self.is_finished()).finish()
    }
}
