use std::convert::Infallible;
use std::fmt;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use seawall_core::tower::Refuse;
use seawall_core::{Kind, Name, Rejection};

use crate::error::JobError;
use crate::handle::JobHandle;
use crate::refused::Refused;

/// The response of a request that runs on a pool. Dropped before its end, it cancels the job.
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<Res, Err, R> {
    stage: Stage<Res, Err>,
    refuse: R,
}

enum Stage<Res, Err> {
    Waiting(Submitting<Res, Err>, Name),
    Submitted(Handle<Res, Err>, Name),
    Refused(Option<Refused>),
}

type Handle<Res, Err> = JobHandle<Result<Res, Err>, Infallible>;
type Submitting<Res, Err> = Pin<Box<dyn Future<Output = Result<Handle<Res, Err>, Refused>> + Send>>;

impl<Res, Err, R> ResponseFuture<Res, Err, R> {
    pub(super) const fn waiting(submitting: Submitting<Res, Err>, name: Name, refuse: R) -> Self {
        Self { stage: Stage::Waiting(submitting, name), refuse }
    }

    pub(super) fn submitted(handle: Handle<Res, Err>, name: Name, refuse: R) -> Self {
        Self { stage: Stage::Submitted(handle.cancel_on_drop(), name), refuse }
    }

    pub(super) const fn refused(refused: Refused, refuse: R) -> Self {
        Self { stage: Stage::Refused(Some(refused)), refuse }
    }
}

// Nothing of it is pinned in place.
impl<Res, Err, R> Unpin for ResponseFuture<Res, Err, R> {}

impl<Res, Err, R: Refuse<Res, Err>> Future for ResponseFuture<Res, Err, R> {
    type Output = Result<Res, R::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            match &mut this.stage {
                Stage::Waiting(submitting, name) => {
                    let name = *name;
                    this.stage = match ready!(submitting.as_mut().poll(cx)) {
                        Ok(handle) => Stage::Submitted(handle, name),
                        Err(refused) => Stage::Refused(Some(refused)),
                    };
                }
                Stage::Submitted(handle, name) => {
                    return Poll::Ready(match ready!(Pin::new(handle).poll(cx)) {
                        Ok(result) => result.map_err(|error| this.refuse.error(error)),
                        Err(JobError::Failed(never)) => match never {},
                        Err(JobError::Panicked(panic)) => resume_unwind(panic.into_payload()),
                        Err(JobError::TimedOut) => this.refuse.refuse(Rejection::new(&CALL_TIMED_OUT, *name)),
                        Err(JobError::Cancelled) => this.refuse.refuse(Rejection::new(&CANCELLED, *name)),
                        Err(JobError::Expired) => this.refuse.refuse(Rejection::new(&EXPIRED, *name)),
                        Err(JobError::Dropped) => this.refuse.refuse(Rejection::new(&DROPPED, *name)),
                        Err(JobError::Lost) => this.refuse.refuse(Rejection::new(&WORKER_LOST, *name)),
                    });
                }
                Stage::Refused(refused) => {
                    let refused = refused.take().expect("a future is not polled after its end");
                    return Poll::Ready(this.refuse.refuse(refused.into()));
                }
            }
        }
    }
}

static CALL_TIMED_OUT: Kind = Kind::new("worker_pool", "call_timed_out");
static CANCELLED: Kind = Kind::new("worker_pool", "cancelled");
static EXPIRED: Kind = Kind::new("worker_pool", "expired");
static DROPPED: Kind = Kind::new("worker_pool", "dropped");
static WORKER_LOST: Kind = Kind::new("worker_pool", "worker_lost");

impl<Res, Err, R> fmt::Debug for ResponseFuture<Res, Err, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
