use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project::{pin_project, pinned_drop};

use super::verdict::Verdict;
use crate::{Ending, Permit, Policy, Report, Shared};

/// A response's body that ends its call: what [`UntilBodyEnd`](super::UntilBodyEnd) makes, and where it says how calls end.
///
/// Frames, trailers and errors pass through as they are. Nothing is boxed or allocated, and it is `Send`, `Sync` and `Unpin`
/// where the body is.
///
/// A refusal must have a body of the same type: [`Held::free`] makes one of any body, and `From<String>` one of text.
///
/// # Cancel safety
/// Dropping it before the body's end means that the call was abandoned, except as the table there says.
#[pin_project(PinnedDrop)]
pub struct Held<B, P: Policy> {
    #[pin]
    body: B,
    /// Until the call has ended.
    permit: Option<Permit<Shared<P>>>,
    head: Verdict,
    /// How many bytes are still to come, where that is known.
    left: Option<u64>,
    polled: bool,
}

impl<B, P: Policy> Held<B, P> {
    /// A body that belongs to no call.
    #[inline]
    pub const fn free(body: B) -> Self {
        Self { body, permit: None, head: Verdict::SUCCESS, left: None, polled: false }
    }

    #[inline]
    pub(super) const fn new(body: B, permit: Permit<Shared<P>>, head: Verdict, length: Option<u64>) -> Self {
        Self { body, permit: Some(permit), head, left: length, polled: false }
    }

    /// The body.
    pub const fn get_ref(&self) -> &B {
        &self.body
    }

    /// Whether its call has not ended yet.
    pub const fn is_held(&self) -> bool {
        self.permit.is_some()
    }
}

impl<B, P> Body for Held<B, P>
where
    B: Body,
    B::Error: fmt::Display,
    P: Policy,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        // On the stack meanwhile: if the body unwinds, the permit's own drop knows that the call panicked.
        let permit = this.permit.take();
        let polled = this.body.as_mut().poll_frame(cx);
        let Some(permit) = permit else { return polled };
        *this.polled = true;
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                // Nobody asks a body for more that says it has none, or after its trailers.
                if frame.is_trailers() || this.body.is_end_stream() {
                    permit.finish(this.head.report());
                    return polled;
                }
                let bytes = frame.data_ref().map_or(0, |data| data.remaining() as u64);
                *this.left = this.left.map(|left| left.saturating_sub(bytes));
                *this.permit = Some(permit);
            }
            Poll::Ready(Some(Err(error))) if !this.head.is_failure() => {
                permit.finish(Report::failure().because(error));
            }
            Poll::Ready(_) => permit.finish(this.head.report()),
            Poll::Pending => *this.permit = Some(permit),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[pinned_drop]
impl<B, P: Policy> PinnedDrop for Held<B, P> {
    fn drop(self: Pin<&mut Self>) {
        let this = self.project();
        let Some(permit) = this.permit.take() else { return };
        let midway = *this.polled && *this.left != Some(0);
        if midway && !this.head.is_failure() {
            // Whatever unwinds now, it is not the body.
            permit.end(Ending::Abandoned);
        } else {
            permit.finish(this.head.report());
        }
    }
}

/// A body of text that belongs to no call: what a refused caller is told.
impl<B: From<String>, P: Policy> From<String> for Held<B, P> {
    fn from(text: String) -> Self {
        Self::free(text.into())
    }
}

impl<B: fmt::Debug, P: Policy> fmt::Debug for Held<B, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("body", &self.body).field("held", &self.is_held()).finish_non_exhaustive()
    }
}
