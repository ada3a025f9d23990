use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;

use super::Refuse;
use crate::admit::Protected;
use crate::{Conclude, Permit, Policy, Shared};

/// The response of a call in [`Shed`](super::Shed) or [`Backpressure`](super::Backpressure) mode.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<F, P: Policy, C, R> {
    #[pin]
    state: State<F, P, C>,
    refuse: R,
}

#[pin_project(project = Project)]
enum State<F, P: Policy, C> {
    Called(#[pin] Protected<Shared<P>, F, C>),
    Refused(Option<P::Refusal>),
}

impl<F, P: Policy, C, R> ResponseFuture<F, P, C, R> {
    #[inline(always)]
    pub(super) fn called(permit: Permit<Shared<P>>, call: F, conclude: C, refuse: R) -> Self {
        Self { state: State::Called(Protected::new(permit, call, conclude)), refuse }
    }

    #[inline(always)]
    pub(super) const fn refused(refusal: P::Refusal, refuse: R) -> Self {
        Self { state: State::Refused(Some(refusal)), refuse }
    }
}

impl<F, P, C, R, Inner, Res, Err> Future for ResponseFuture<F, P, C, R>
where
    F: Future<Output = Result<Inner, Err>>,
    P: Policy,
    C: Conclude<Shared<P>, Result<Inner, Err>, Output = Result<Res, Err>>,
    R: Refuse<Res, Err, P::Refusal>,
{
    type Output = Result<Res, R::Error>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        Poll::Ready(match this.state.project() {
            Project::Called(call) => ready!(call.poll(cx)).map_err(|error| this.refuse.error(error)),
            Project::Refused(refusal) => {
                this.refuse.refuse(refusal.take().expect("a future is not polled after its end"))
            }
        })
    }
}

impl<F, P: Policy, C, R> fmt::Debug for ResponseFuture<F, P, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
