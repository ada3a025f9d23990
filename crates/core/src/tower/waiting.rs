use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project::pin_project;

use super::Refuse;
use super::mode::Reserved;
use crate::admit::{Admission, Protected};
use crate::{Admits, Conclude, Policy, Shared};

/// The response of a call in [`Wait`](super::Wait) mode: waits for its turn, then for its own clone of the inner service,
/// makes sure that the admission still stands, and calls.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct WaitFuture<S, Req, P, C, R>
where
    S: tower_service::Service<Req>,
    P: Policy,
{
    #[pin]
    stage: Stage<S::Future, P, C>,
    /// Until the call starts.
    waiting: Option<Waiting<S, Req, C>>,
    refuse: R,
}

#[pin_project(project = Project)]
enum Stage<F, P: Policy, C> {
    Admitting(#[pin] Admission<Shared<P>>),
    Readying(Option<Reserved<P>>),
    Called(#[pin] Protected<Shared<P>, F, C>),
}

/// What the call will need once it may start.
struct Waiting<S, Req, C> {
    inner: S,
    request: Req,
    conclude: C,
}

impl<S, Req, P, C, R> WaitFuture<S, Req, P, C, R>
where
    S: tower_service::Service<Req>,
    P: Policy,
{
    pub(super) const fn new(inner: S, request: Req, policy: Shared<P>, max: Duration, conclude: C, refuse: R) -> Self {
        let admission = Admission::new(policy, Some(max)).reserving();
        Self { stage: Stage::Admitting(admission), waiting: Some(Waiting { inner, request, conclude }), refuse }
    }
}

impl<S, Req, P, C, R, Res> Future for WaitFuture<S, Req, P, C, R>
where
    S: tower_service::Service<Req>,
    P: Admits<Req>,
    C: Conclude<Shared<P>, Result<S::Response, S::Error>, Output = Result<Res, S::Error>>,
    R: Refuse<Res, S::Error, P::Refusal>,
{
    type Output = Result<Res, R::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const ENDED: &str = "a future is not polled after its end";
        let mut this = self.project();
        loop {
            let reserved = match this.stage.as_mut().project() {
                Project::Admitting(admission) => {
                    match ready!(admission.poll(&this.waiting.as_ref().expect(ENDED).request, cx)) {
                        Ok(permit) => Reserved::new(permit),
                        Err(refusal) => return Poll::Ready(this.refuse.refuse(refusal)),
                    }
                }
                Project::Readying(reserved) => reserved.take().expect(ENDED),
                Project::Called(call) => {
                    return Poll::Ready(ready!(call.poll(cx)).map_err(|error| this.refuse.error(error)));
                }
            };
            match this.waiting.as_mut().expect(ENDED).inner.poll_ready(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(this.refuse.error(error))),
                Poll::Pending => {
                    this.stage.set(Stage::Readying(Some(reserved)));
                    return Poll::Pending;
                }
            }
            match reserved.start().expect(ENDED) {
                Ok(permit) => {
                    let Waiting { mut inner, request, conclude } = this.waiting.take().expect(ENDED);
                    let call = inner.call(request);
                    this.stage.set(Stage::Called(Protected::new(permit, call, conclude)));
                }
                Err(refusal) => return Poll::Ready(this.refuse.refuse(refusal)),
            }
        }
    }
}

impl<S, Req, P, C, R> fmt::Debug for WaitFuture<S, Req, P, C, R>
where
    S: tower_service::Service<Req>,
    P: Policy,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitFuture").finish_non_exhaustive()
    }
}
