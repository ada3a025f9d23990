use ::http::header::CONTENT_LENGTH;
use ::http::{Response, StatusCode};
use http_body::Body;

use super::Held;
use super::retry_after::{text, whole_number};
use super::verdict::Verdict;
use crate::{Classify, Conclude, Permit, Policy, Shared};

/// Ends a call with the body of its response: the classifier judges the head, and [`Held`] keeps the permit.
///
/// Take it where a response is the beginning of the work: a download, a stream of events, a body that the server makes
/// while it sends. Without it (with [`Classified`](crate::Classified)) a call ends with its head.
///
/// | what happens | the call ends as |
/// |---|---|
/// | there is no body to wait for (an error, 1xx, 204, 304, a body of no bytes) | the classifier says, at once |
/// | the head was a failure | that failure, whatever becomes of the body |
/// | the body ends: its last frame, its trailers, or `is_end_stream` after a frame | the classifier says |
/// | the body gives an error | a failure, because of that error |
/// | the body is dropped after `Content-Length` bytes, which is how servers stop | the classifier says |
/// | the body is dropped without ever having been polled: `HEAD`, or a caller that wants the status alone | the classifier says |
/// | the body is dropped midway | abandoned |
/// | the body panics | panicked |
///
/// A tower layer makes it by `until_body_end`.
#[derive(Clone, Copy, Debug)]
pub struct UntilBodyEnd<C>(pub C);

impl<P, B, E, C> Conclude<Shared<P>, Result<Response<B>, E>> for UntilBodyEnd<C>
where
    P: Policy,
    B: Body,
    C: Classify<Result<Response<B>, E>>,
{
    type Output = Result<Response<Held<B, P>>, E>;

    #[inline]
    fn conclude(&self, permit: Permit<Shared<P>>, result: Result<Response<B>, E>) -> Self::Output {
        let report = self.0.classify(&result);
        let length = result.as_ref().map_or(Some(0), body_length);
        if length == Some(0) {
            permit.finish(report);
            return result.map(|response| response.map(Held::free));
        }
        let verdict = Verdict::of(&report);
        result.map(|response| response.map(|body| Held::new(body, permit, verdict, length)))
    }
}

/// How many bytes the body will have, where that is known. Nobody polls a body that will have none.
#[inline]
fn body_length<B: Body>(response: &Response<B>) -> Option<u64> {
    let status = response.status();
    let has_none = status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    if has_none || response.body().is_end_stream() {
        return Some(0);
    }
    let known = response.body().size_hint().exact();
    known.or_else(|| whole_number(text(response.headers(), &CONTENT_LENGTH)?))
}
