use std::pin::Pin;
use std::task::{Context, Poll, ready};

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

    #[inline]
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

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        let this = self.project();
        let during = OnStack { permit: this.permit.take(), home: this.permit };
        let result = ready!(this.call.poll(cx));
        let (permit, conclude) = during.keep().zip(this.conclude.take()).expect("a future is not polled after its end");
        Poll::Ready(conclude.conclude(permit, result))
    }
}

/// The permit during a poll. It goes home when the call is pending, and ends as panicked when the call unwinds.
struct OnStack<'a, H: Hold> {
    permit: Option<Permit<H>>,
    home: &'a mut Option<Permit<H>>,
}

impl<H: Hold> OnStack<'_, H> {
    fn keep(mut self) -> Option<Permit<H>> {
        self.permit.take()
    }
}

impl<H: Hold> Drop for OnStack<'_, H> {
    #[inline]
    fn drop(&mut self) {
        // A poll that began while the thread was unwinding already (a future polled by a destructor) cannot be told from a
        // panic of the call; it is taken for one.
        if std::thread::panicking() {
            if let Some(permit) = self.permit.take() {
                permit.end(Ending::Panicked);
            }
        } else {
            *self.home = self.permit.take();
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
