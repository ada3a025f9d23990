use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderValue, Request, Response, StatusCode};
use pin_project::pin_project;

use super::Incoming;
use crate::http::{BadTimeout, InExtensions};
use crate::requests::Deadlines;

/// Puts the deadlines of requests into their extensions: what [`Incoming::layer`] gives.
///
/// A request that has a deadline there already keeps it, unless its header tells an earlier one. The header stays in
/// the request. The layer itself drops nothing and refuses nothing but what [`on_bad`](Self::on_bad) says; a
/// [`Timeout`](crate::Timeout) inside keeps to what it found.
#[derive(Clone, Debug)]
pub struct IncomingLayer<B = Ignored> {
    incoming: Incoming,
    on_bad: B,
}

impl Incoming {
    /// A tower layer that puts deadlines into requests' extensions.
    ///
    /// A header that nobody can read is ignored: the request is served as one without, within the default and the
    /// maximum, so a stranger's mistake costs nobody more than silence would.
    pub fn layer(&self) -> IncomingLayer {
        IncomingLayer { incoming: self.clone(), on_bad: Ignored }
    }
}

impl<B> IncomingLayer<B> {
    /// Answers a request whose header nobody can read with `respond`'s response, such as [`bad_request`]'s.
    pub fn on_bad<Res, F: Fn(&BadTimeout) -> Res>(self, respond: F) -> IncomingLayer<F> {
        IncomingLayer { incoming: self.incoming, on_bad: respond }
    }
}

impl<S, B: Clone> tower_layer::Layer<S> for IncomingLayer<B> {
    type Service = IncomingService<S, B>;

    fn layer(&self, inner: S) -> Self::Service {
        IncomingService { inner, layer: self.clone() }
    }
}

/// What becomes of a request whose header nobody can read: [`Ignored`], or a closure from [`BadTimeout`] to a response.
pub trait OnBad<Response> {
    /// The answer; `None` if it is served all the same.
    fn answer(&self, bad: &BadTimeout) -> Option<Response>;
}

/// A header that nobody can read says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ignored;

impl<Response> OnBad<Response> for Ignored {
    fn answer(&self, _bad: &BadTimeout) -> Option<Response> {
        None
    }
}

impl<Response, F: Fn(&BadTimeout) -> Response> OnBad<Response> for F {
    fn answer(&self, bad: &BadTimeout) -> Option<Response> {
        Some(self(bad))
    }
}

/// 400 with a problem detail (RFC 9457) that names the header: what [`IncomingLayer::on_bad`] takes.
pub fn bad_request<B: From<String>>(bad: &BadTimeout) -> Response<B> {
    // A header's name holds nothing that JSON escapes.
    let body = format!(r#"{{"type":"about:blank","title":"Bad Request","status":400,"detail":"{bad}"}}"#);
    let mut response = Response::new(B::from(body));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

/// A service whose requests have their deadline in their extensions: what [`IncomingLayer`] makes.
#[derive(Clone, Debug)]
pub struct IncomingService<S, B> {
    inner: S,
    layer: IncomingLayer<B>,
}

impl<Body, S, B> tower_service::Service<Request<Body>> for IncomingService<S, B>
where
    S: tower_service::Service<Request<Body>>,
    B: OnBad<S::Response>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = IncomingFuture<S::Future, S::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let IncomingLayer { incoming, on_bad } = &self.layer;
        let told = match incoming.told(request.headers()) {
            Ok(told) => told,
            Err(bad) => match on_bad.answer(&bad) {
                Some(response) => return IncomingFuture { state: State::Answered(Some(response)) },
                None => None,
            },
        };
        let there = InExtensions.deadline(&request);
        let deadline = told.map(|told| told.earlier(there)).or(there).or_else(|| incoming.default_deadline());
        if let Some(deadline) = deadline {
            InExtensions.set_deadline(&mut request, deadline);
        }
        IncomingFuture { state: State::Called(self.inner.call(request)) }
    }
}

/// The response of a request whose header was read.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct IncomingFuture<F, Res> {
    #[pin]
    state: State<F, Res>,
}

#[pin_project(project = Project)]
enum State<F, Res> {
    Called(#[pin] F),
    Answered(Option<Res>),
}

impl<F: Future<Output = Result<Res, E>>, Res, E> Future for IncomingFuture<F, Res> {
    type Output = Result<Res, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            Project::Called(call) => call.poll(cx),
            Project::Answered(response) => {
                Poll::Ready(Ok(response.take().expect("a future is not polled after its end")))
            }
        }
    }
}

impl<F, Res> fmt::Debug for IncomingFuture<F, Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingFuture").finish_non_exhaustive()
    }
}
