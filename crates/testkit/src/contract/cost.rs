//! Nothing is allocated per call.

use std::pin::pin;
use std::task::Poll;

use tower_service::Service;

use super::{Case, Door, Subject};
use crate::alloc;
use crate::drive::{make_ready, poll};
use crate::service::CallError;
use crate::watch::Watched;

/// Readiness, an admitted call and its end.
pub fn an_admitted_call_does_not_allocate<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::admitting(subject);
    let mut service = case.protected::<D>();
    alloc::assert_none("an admitted call", || succeed(&mut service));
    drop(service);
    case.assert_at_rest();
}

/// The same on a clone of its own, as servers make one for each request.
///
/// Not for the backpressure mode, in which a service allocates once in its life what it waits with.
pub fn a_call_on_a_clone_of_its_own_does_not_allocate<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::admitting(subject);
    let service = case.protected::<D>();
    alloc::assert_none("a call on a fresh clone", || succeed(&mut service.clone()));
    drop(service);
    case.assert_at_rest();
}

/// Readiness and a refusal.
pub fn a_refused_call_does_not_allocate<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::refusing(subject);
    let mut service = case.protected::<D>();
    alloc::assert_none("a refused call", || {
        make_ready(&mut service);
        assert!(matches!(poll(pin!(service.call(1))), Poll::Ready(Err(CallError::Rejected(_)))));
    });
    drop(service);
    case.assert_at_rest();
}

fn succeed<T: Service<u32, Response = u32, Error = CallError>>(service: &mut T) {
    make_ready(service);
    assert_eq!(poll(pin!(service.call(1))), Poll::Ready(Ok(1)));
}
