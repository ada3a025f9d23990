use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::http::Request;
use pin_project::pin_project;
use seawall_core::Rejection;
use seawall_core::tower::{Boxed, Convert, Refuse, Respond};

use super::Outgoing;
use crate::http::InExtensions;
use crate::requests::Deadlines;

/// Writes into each request how much time is left: what [`Outgoing::layer`] gives.
///
/// The deadline is the one in the request's extensions; without one the request is left as it is. A request whose time
/// is over is refused and never sent; the inner service's readiness stays for the next one. It belongs innermost, next
/// to the client.
#[derive(Clone, Debug)]
pub struct OutgoingLayer<R = Convert> {
    outgoing: Outgoing,
    refuse: R,
}

impl Outgoing {
    /// A tower layer that writes into each request how much time is left.
    pub fn layer(&self) -> OutgoingLayer {
        OutgoingLayer { outgoing: self.clone(), refuse: Convert }
    }
}

impl<R> OutgoingLayer<R> {
    /// Makes the service's error a boxed one, whatever the inner one's is.
    pub fn boxed(self) -> OutgoingLayer<Boxed> {
        OutgoingLayer { outgoing: self.outgoing, refuse: Boxed }
    }

    /// Answers a request whose time is over with `respond`'s response instead of an error.
    pub fn on_timeout<Res, F: Fn(Rejection) -> Res>(self, respond: F) -> OutgoingLayer<Respond<F>> {
        OutgoingLayer { outgoing: self.outgoing, refuse: Respond::with(respond) }
    }
}

impl<S, R: Clone> tower_layer::Layer<S> for OutgoingLayer<R> {
    type Service = OutgoingService<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        OutgoingService { inner, layer: self.clone() }
    }
}

/// A service whose requests tell how much time is left: what [`OutgoingLayer`] makes.
#[derive(Clone, Debug)]
pub struct OutgoingService<S, R> {
    inner: S,
    layer: OutgoingLayer<R>,
}

impl<B, S, R> tower_service::Service<Request<B>> for OutgoingService<S, R>
where
    S: tower_service::Service<Request<B>>,
    R: Refuse<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = R::Error;
    type Future = OutgoingFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), R::Error>> {
        self.inner.poll_ready(cx).map_err(|error| self.layer.refuse.error(error))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let OutgoingLayer { outgoing, refuse } = &self.layer;
        let written = match InExtensions.deadline(&request) {
            Some(deadline) => outgoing.write(request.headers_mut(), deadline),
            None => Ok(()),
        };
        let state = match written {
            Ok(()) => State::Called(self.inner.call(request)),
            Err(over) => State::Refused(over.into()),
        };
        OutgoingFuture { state, refuse: refuse.clone() }
    }
}

/// The response of a request that tells how much time is left.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct OutgoingFuture<F, R> {
    #[pin]
    state: State<F>,
    refuse: R,
}

#[pin_project(project = Project)]
enum State<F> {
    Called(#[pin] F),
    Refused(Rejection),
}

impl<F, R, Res, Err> Future for OutgoingFuture<F, R>
where
    F: Future<Output = Result<Res, Err>>,
    R: Refuse<Res, Err>,
{
    type Output = Result<Res, R::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.state.project() {
            Project::Called(call) => call.poll(cx).map_err(|error| this.refuse.error(error)),
            Project::Refused(rejection) => Poll::Ready(this.refuse.refuse(*rejection)),
        }
    }
}

impl<F, R> fmt::Debug for OutgoingFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingFuture").finish_non_exhaustive()
    }
}
