use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::{pin_project, pinned_drop};

use super::{Hold, Permit};
use crate::{Classify, Ending};

/// Ends a call: takes the permit and what the call returned, and gives what the caller gets.
///
/// It may look at the permit's token and edit the result, or keep the permit longer than the call: inside a response's body,
/// for example.
pub trait Conclude<H: Hold, T> {
    /// What the caller gets.
    type Output;

    /// The call returned `result`.
    fn conclude(self, permit: Permit<H>, result: T) -> Self::Output;
}

/// Ends the permit by a classifier's judgement, and leaves the result as it is.
#[derive(Clone, Copy, Debug)]
pub struct Classified<C>(pub C);

impl<H: Hold, T, C: Classify<T>> Conclude<H, T> for Classified<C> {
    type Output = T;

    #[inline(always)]
    fn conclude(self, permit: Permit<H>, result: T) -> T {
        permit.finish(self.0.classify(&result));
        result
    }
}

/// A call under its permit: polls the call and hands the result, with the permit, to `conclude`.
///
/// The permit stands on the stack while the call is polled, so that a panic of the call, and no other unwinding, is known
/// as the call's own. A future that is dropped before its end was abandoned.
#[pin_project(PinnedDrop)]
pub(crate) struct Protected<H: Hold, F, C> {
    #[pin]
    call: F,
    permit: Option<Permit<H>>,
    conclude: Option<C>,
}

impl<H: Hold, F, C> Protected<H, F, C> {
    pub(crate) const fn new(permit: Permit<H>, call: F, conclude: C) -> Self {
        Self { call, permit: Some(permit), conclude: Some(conclude) }
    }
}

impl<H, F, C> Future for Protected<H, F, C>
where
    H: Hold,
    F: Future,
    C: Conclude<H, F::Output>,
{
    type Output = C::Output;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        let this = self.project();
        let during = Unwound(this.permit.take());
        let polled = this.call.poll(cx);
        let permit = during.keep();
        let Poll::Ready(result) = polled else {
            *this.permit = permit;
            return Poll::Pending;
        };
        let (permit, conclude) = permit.zip(this.conclude.take()).expect("a future is not polled after its end");
        Poll::Ready(conclude.conclude(permit, result))
    }
}

/// The permit during a poll: dropped only when the call unwinds.
struct Unwound<H: Hold>(Option<Permit<H>>);

impl<H: Hold> Unwound<H> {
    #[inline(always)]
    fn keep(mut self) -> Option<Permit<H>> {
        self.0.take()
    }
}

impl<H: Hold> Drop for Unwound<H> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(permit) = self.0.take() {
            permit.end(Ending::Panicked);
        }
    }
}

#[pinned_drop]
impl<H: Hold, F, C> PinnedDrop for Protected<H, F, C> {
    fn drop(self: Pin<&mut Self>) {
        if let Some(permit) = self.project().permit.take() {
            permit.end(Ending::Abandoned);
        }
    }
}
