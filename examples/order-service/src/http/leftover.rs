//! Bodies that nobody read to their end.
//!
//! An answer is often known before the body is looked at: no such route, the wrong media type. A connection that closed
//! then, with bytes still coming in, would be reset, and the caller would never see the answer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use seawall_retry::Timeout;
use tokio::sync::oneshot;

use super::body::MAX_DRAINED;

/// How long a caller may take to send what is thrown away.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// What comes back of a body that was lent.
#[derive(Debug)]
pub(super) struct Leftover(Option<oneshot::Receiver<Body>>);

/// A body that comes back when it is dropped before its end.
struct Lent {
    body: Body,
    back: Option<oneshot::Sender<Body>>,
}

/// Lends the request's body to whoever answers it.
pub(super) fn lend(request: Request) -> (Request, Leftover) {
    if request.body().is_end_stream() {
        return (request, Leftover(None));
    }
    let (back, leftover) = oneshot::channel();
    let request = request.map(|body| Body::new(Lent { body, back: Some(back) }));
    (request, Leftover(Some(leftover)))
}

impl Leftover {
    /// Reads in the background what was left, up to a bound and for as long as `patience` lasts, and throws it away.
    pub(super) fn drain(self, patience: &Timeout) {
        let Some(body) = self.0.and_then(|mut leftover| leftover.try_recv().ok()) else { return };
        if body.size_hint().lower() > MAX_DRAINED as u64 {
            return;
        }
        let patience = patience.clone();
        tokio::spawn(async move { patience.run(throw_away(body)).await });
    }
}

async fn throw_away(mut body: Body) {
    let mut seen = 0;
    while let Some(Ok(frame)) = body.frame().await
        && seen <= MAX_DRAINED
    {
        seen += frame.data_ref().map_or(0, Bytes::len);
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(back) = self.back.take()
            && !self.body.is_end_stream()
        {
            // Nobody waits for it where the request was given up.
            let _ = back.send(std::mem::take(&mut self.body));
        }
    }
}
