//! What the layers protect: services that are ready at once and answer at once.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::{Ready, ready};
use std::hint::black_box;

use axum::body::Body;
use http::{Request, Response};
use seawall_core::Rejection;
use tower::{Service, service_fn};

/// The services' error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operation failed")
    }
}

impl Error for Failure {}

/// A layer of ours answers a refusal with the service's own error.
impl From<Rejection> for Failure {
    fn from(_: Rejection) -> Self {
        Self
    }
}

impl From<Infallible> for Failure {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Answers numbers. The compiler cannot foresee that it always succeeds.
pub(crate) fn service()
-> impl Service<u64, Response = u64, Error = Failure, Future = Ready<Result<u64, Failure>>> + Clone + Send + Sync + 'static
{
    service_fn(|_: u64| ready(if black_box(true) { Ok(1) } else { Err(Failure) }))
}

type Answer = Result<Response<Body>, Failure>;

/// Answers requests of HTTP.
pub(crate) fn web_service()
-> impl Service<Request<()>, Response = Response<Body>, Error = Failure, Future = Ready<Answer>>
+ Clone
+ Send
+ Sync
+ 'static {
    service_fn(|_: Request<()>| ready(if black_box(true) { Ok(Response::new(Body::empty())) } else { Err(Failure) }))
}
