//! The breaker over HTTP: judged by statuses, ended by heads or bodies, and what a refused caller is told.
#![cfg(all(feature = "http", feature = "tower"))]

mod body;
mod cost;
mod head;
mod wire;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use http::Response;
use http_body::{Body, Frame};
use seawall_circuit_breaker::{CircuitBreaker, Config, HalfOpen};
use seawall_core::time::{Clock, ManualTime};

/// A breaker that one failure opens and one probe closes.
fn touchy(config: Config) -> (CircuitBreaker, ManualTime) {
    let (clock, time) = Clock::manual();
    let config = config.consecutive_failures(1).half_open(HalfOpen::probes(1));
    (CircuitBreaker::with_clock(config, clock).expect("a valid configuration"), time)
}

/// A body in chunks, each of which has to be waited for.
#[derive(Clone, Copy, Debug)]
struct Download {
    chunks: u8,
    then: Then,
    waited: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    /// Whoever reads the last chunk is told that it was the last.
    Known,
    End,
    Fail,
    Hang,
}

const CHUNK: &str = "chunk";

impl Download {
    const fn new(chunks: u8, then: Then) -> Self {
        Self { chunks, then, waited: false }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.waited = !self.waited;
        if self.waited {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(left) = self.chunks.checked_sub(1) else {
            return match self.then {
                Then::Known | Then::End => Poll::Ready(None),
                Then::Fail => Poll::Ready(Some(Err("connection reset"))),
                Then::Hang => Poll::Pending,
            };
        };
        self.chunks = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(CHUNK.as_bytes())))))
    }

    fn is_end_stream(&self) -> bool {
        self.chunks == 0 && self.then == Then::Known
    }
}

/// A response that says when to come back, if it says so.
fn answer<B>(status: u16, retry_after: Option<&str>, body: B) -> Response<B> {
    let mut response = Response::builder().status(status);
    if let Some(after) = retry_after {
        response = response.header("retry-after", after);
    }
    response.body(body).expect("a response")
}

const SECOND: Duration = Duration::from_secs(1);
