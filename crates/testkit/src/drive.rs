//! Single steps of services and futures, for checks that look between them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tower_service::Service;

use crate::contract::Request;

/// One poll of a service's readiness.
pub fn poll_ready<T: Service<Request>>(service: &mut T) -> Poll<Result<(), T::Error>> {
    service.poll_ready(&mut Context::from_waker(Waker::noop()))
}

/// One poll of a service's readiness, which must be there.
#[track_caller]
pub fn make_ready<T: Service<Request>>(service: &mut T) {
    assert!(matches!(poll_ready(service), Poll::Ready(Ok(()))), "the service must be ready");
}

/// One poll of a future.
pub fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Readiness and one call, as a caller that waits for both.
pub async fn ready_and_call<T: Service<Request>>(service: &mut T, request: Request) -> Result<T::Response, T::Error> {
    std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(request).await
}
