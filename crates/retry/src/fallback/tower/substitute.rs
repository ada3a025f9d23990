use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;

use crate::requests::{Copied, Requests};

/// What answers in place of a call that failed.
///
/// Those of [`FallbackLayer`](crate::fallback::FallbackLayer)'s methods are enough for most; a store of earlier answers
/// that is asked over a network is one of your own.
#[diagnostic::on_unimplemented(
    note = "say what answers with one of the layer's `.value(..)`, `.by(..)`, `.stale(..)` and `.service(..)`"
)]
pub trait Substitute<Request, Response, Caught> {
    /// What it keeps of each request while the request's call is out.
    type Kept;
    /// Its answer, or none: then the call's own result is the caller's.
    type Future: Future<Output = Option<Response>>;

    /// What it will need of `request` if its call fails. Asked for every request.
    fn keep(&self, request: &Request) -> Self::Kept;

    /// Answers in place of a call that gave what was `caught`.
    fn answer(&self, kept: Self::Kept, caught: &Caught) -> Self::Future;
}

/// Nothing answers yet.
#[derive(Clone, Copy, Debug)]
pub struct Undecided;

/// A value answers.
#[derive(Clone, Copy, Debug)]
pub struct Constant<V>(pub(super) V);

impl<Request, V: Clone, Caught> Substitute<Request, V, Caught> for Constant<V> {
    type Kept = ();
    type Future = Ready<Option<V>>;

    fn keep(&self, _request: &Request) {}

    fn answer(&self, _kept: (), _caught: &Caught) -> Self::Future {
        ready(Some(self.0.clone()))
    }
}

/// A function of what was caught answers.
#[derive(Clone, Copy)]
pub struct By<F>(pub(super) F);

impl<Request, Response, Caught, F: Fn(&Caught) -> Response> Substitute<Request, Response, Caught> for By<F> {
    type Kept = ();
    type Future = Ready<Option<Response>>;

    fn keep(&self, _request: &Request) {}

    fn answer(&self, _kept: (), caught: &Caught) -> Self::Future {
        ready(Some((self.0)(caught)))
    }
}

impl<F> fmt::Debug for By<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("By")
    }
}

/// What is found for a key of the request answers.
#[derive(Clone, Copy)]
pub struct Stale<K, F> {
    pub(super) key: K,
    pub(super) find: F,
}

impl<Request, Response, Caught, Key, K, F> Substitute<Request, Response, Caught> for Stale<K, F>
where
    K: Fn(&Request) -> Key,
    F: Fn(Key) -> Option<Response>,
{
    type Kept = Key;
    type Future = Ready<Option<Response>>;

    fn keep(&self, request: &Request) -> Key {
        (self.key)(request)
    }

    fn answer(&self, key: Key, _caught: &Caught) -> Self::Future {
        ready((self.find)(key))
    }
}

impl<K, F> fmt::Debug for Stale<K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stale")
    }
}

/// Another service answers.
#[derive(Clone, Copy, Debug)]
pub struct Other<O, Q = Copied> {
    pub(super) service: O,
    pub(super) requests: Q,
}

impl<Request, Caught, O, Q> Substitute<Request, O::Response, Caught> for Other<O, Q>
where
    O: tower_service::Service<Request> + Clone,
    Q: Requests<Request>,
{
    type Kept = Option<Request>;
    type Future = OtherFuture<O, Request>;

    fn keep(&self, request: &Request) -> Option<Request> {
        self.requests.copy(request)
    }

    fn answer(&self, kept: Option<Request>, _caught: &Caught) -> Self::Future {
        let state = match kept {
            Some(request) => State::Readying { service: self.service.clone(), request: Some(request) },
            None => State::Nothing,
        };
        OtherFuture { state }
    }
}

/// The answer of another service, once that is ready.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct OtherFuture<O: tower_service::Service<Request>, Request> {
    #[pin]
    state: State<O, Request>,
}

#[pin_project(project = Project)]
enum State<O: tower_service::Service<Request>, Request> {
    /// The request must not be made again.
    Nothing,
    Readying {
        service: O,
        request: Option<Request>,
    },
    Calling(#[pin] O::Future),
}

impl<O: tower_service::Service<Request>, Request> Future for OtherFuture<O, Request> {
    type Output = Option<O::Response>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let call = match state.as_mut().project() {
                Project::Nothing => return Poll::Ready(None),
                Project::Calling(call) => return call.poll(cx).map(Result::ok),
                Project::Readying { service, request } => {
                    if ready!(service.poll_ready(cx)).is_err() {
                        return Poll::Ready(None);
                    }
                    service.call(request.take().expect("it is taken when the call is made"))
                }
            };
            state.set(State::Calling(call));
        }
    }
}

impl<O: tower_service::Service<Request>, Request> fmt::Debug for OtherFuture<O, Request> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtherFuture").finish_non_exhaustive()
    }
}
