//! What a layer that reserves counts.
#![cfg(feature = "tower")]

use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use seawall_bulkhead::{Bulkhead, Config};
use seawall_core::Rejection;
use tower::{Layer, Service, service_fn};

#[derive(Debug)]
struct Refused;

impl From<Rejection> for Refused {
    fn from(_: Rejection) -> Self {
        Self
    }
}

impl From<Infallible> for Refused {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[test]
fn a_call_whose_reservation_was_refused_is_counted_once() {
    let bulkhead = Bulkhead::new(Config::new(1)).expect("valid");
    let held = bulkhead.try_admit().expect("nothing is in flight");
    let mut service = bulkhead.layer().backpressure().layer(service_fn(|n: u32| ready(Ok::<_, Refused>(n))));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    assert_eq!(bulkhead.snapshot().refused.total(), 0, "nobody has called yet");
    let Poll::Ready(Err(Refused)) = pin!(service.call(7)).poll(&mut cx) else { panic!("everything is in use") };
    assert_eq!(bulkhead.snapshot().refused.full, 1);
    drop(held);
    assert!(service.poll_ready(&mut cx).is_ready());
    assert!(matches!(pin!(service.call(7)).poll(&mut cx), Poll::Ready(Ok(7))));
    let books = bulkhead.snapshot();
    assert_eq!((books.admitted, books.refused.total(), books.in_flight), (2, 1, 0));
}
