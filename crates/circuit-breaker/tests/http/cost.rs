//! What the adapter itself costs: nothing is allocated.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use axum::body::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::Full;
use seawall_circuit_breaker::{CircuitBreaker, Config};
use seawall_core::Rejection;
use seawall_core::http::Statuses;
use seawall_testkit::alloc::{CountingAllocator, assert_none};
use tower::{Layer, Service, service_fn};

use crate::{Download, Then, answer, touchy};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// One request as a server makes it: on a clone, with the body read to its end.
fn request<S, B>(service: &S, status: u16)
where
    S: Service<u16, Response = Response<B>, Error = Rejection> + Clone,
    B: Body + Unpin,
{
    let mut service = service.clone();
    assert!(service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready());
    if let Poll::Ready(Ok(response)) = poll(service.call(status)) {
        let mut body = response.into_body();
        while !matches!(
            Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())),
            Poll::Ready(None | Some(Err(_)))
        ) {}
    }
}

fn check<S, B>(what: &str, breaker: &CircuitBreaker, service: &S)
where
    S: Service<u16, Response = Response<B>, Error = Rejection> + Clone,
    B: Body + Unpin,
{
    breaker.metrics_only();
    for status in [200, 404, 503] {
        assert_none(&format!("{what}: {status}"), || request(service, status));
    }
    breaker.force_open();
    assert_none(&format!("{what}: refused"), || request(service, 200));
}

#[test]
fn a_call_allocates_nothing() {
    let (breaker, _time) = touchy(Config::empty());
    let whole =
        service_fn(|status: u16| async move { Ok(answer(status, None, Full::new(Bytes::from_static(b"all")))) });
    let broken = service_fn(|status: u16| async move { Ok(answer(status, None, Download::new(2, Then::Fail))) });
    let until_head = || breaker.layer().statuses(Statuses::default());
    check("head", &breaker, &until_head().layer(whole));
    check("body", &breaker, &until_head().until_body_end().layer(whole));
    check("body that breaks", &breaker, &until_head().until_body_end().layer(broken));
}

#[test]
fn a_body_that_is_dropped_allocates_nothing() {
    let (breaker, _time) = touchy(Config::empty());
    breaker.metrics_only();
    let hangs = service_fn(|(): ()| async { Ok::<_, Infallible>(answer(503, None, Download::new(2, Then::Hang))) });
    let layer = breaker.layer().statuses(Statuses::default()).until_body_end();
    let service = layer.on_rejection(|_| unreachable!("it is never open")).layer(hangs);
    assert_none("dropped midway", || {
        let mut service = service.clone();
        assert!(service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready());
        let Poll::Ready(Ok(mut response)) = poll(service.call(())) else { panic!("it answers") };
        Pin::new(response.body_mut()).poll_frame(&mut Context::from_waker(Waker::noop())).is_pending()
    });
    assert_eq!(breaker.snapshot().total.failures, 2);
}
