use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::{pin_project, pinned_drop};

use super::permit::Admitted;
use super::{Hold, Permit};
use crate::{Classify, Ending};

/// Ends a call: takes the permit and what the call returned, and gives what the caller gets.
///
/// It may look at the permit's token and edit the result, or keep the permit longer than the call: inside a response's body,
/// for example.
pub trait Conclude<H: Hold, T> {
    /// What the caller gets.
    type Output;

    /// Whether it looks at the permit's token or policy. If not, it may be given a permit that holds neither, where the policy
    /// does not [mind](crate::Policy::SETTLES) how calls end.
    const LOOKS: bool = true;

    /// The call returned `result`.
    fn conclude(&self, permit: Permit<H>, result: T) -> Self::Output;
}

/// Ends the permit by a classifier's judgement, and leaves the result as it is.
#[derive(Clone, Copy, Debug)]
pub struct Classified<C>(pub C);

impl<H: Hold, T, C: Classify<T>> Conclude<H, T> for Classified<C> {
    type Output = T;

    const LOOKS: bool = false;

    #[inline(always)]
    fn conclude(&self, permit: Permit<H>, result: T) -> T {
        permit.finish(self.0.classify(&result));
        result
    }
}

/// A call under its permit: polls the call and hands the result, with the permit, to `conclude`.
///
/// A panic of the call, and no other unwinding, is known as the call's own. A future that is dropped before its end was
/// abandoned.
#[pin_project(PinnedDrop)]
pub(crate) struct Protected<H: Hold, F, C> {
    #[pin]
    call: F,
    /// It stays here until the call ends: it is several words, and each move of them would cost as much as its end.
    admitted: Option<Admitted<H>>,
    conclude: C,
}

impl<H: Hold, F, C> Protected<H, F, C> {
    #[inline(always)]
    pub(crate) fn new(permit: Permit<H>, call: F, conclude: C) -> Self {
        Self { call, admitted: permit.into_admitted(), conclude }
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
        let during = Unwinding(this.admitted);
        let polled = this.call.poll(cx);
        // The call has come back.
        mem::forget(during);
        polled.map(|result| this.conclude.conclude(Permit::of(this.admitted.take()), result))
    }
}

/// Stands on the stack during a poll: dropped only when the call unwinds.
struct Unwinding<'a, H: Hold>(&'a mut Option<Admitted<H>>);

impl<H: Hold> Drop for Unwinding<'_, H> {
    fn drop(&mut self) {
        settle(self.0, Ending::Panicked);
    }
}

#[pinned_drop]
impl<H: Hold, F, C> PinnedDrop for Protected<H, F, C> {
    #[inline(always)]
    fn drop(self: Pin<&mut Self>) {
        let admitted = self.project().admitted;
        if admitted.is_some() {
            settle(admitted, Ending::Abandoned);
        }
    }
}

/// Ends a call that never returned.
#[cold]
fn settle<H: Hold>(admitted: &mut Option<Admitted<H>>, ending: Ending<'_>) {
    if let Some(admitted) = admitted.take() {
        admitted.settle(ending);
    }
}
