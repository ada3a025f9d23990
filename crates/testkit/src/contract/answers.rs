//! In which form an answer reaches the caller, and how a call ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use seawall_core::{Conclude, Permit, Policy, Rejection, Shared};
use tower_service::Service;

use super::{Case, Door, Request, Subject};
use crate::drive::{make_ready, poll};
use crate::service::{Answer, CallError};
use crate::watch::Watched;

/// On boxed errors, a refusal and an error of the inner service are found again as what they were.
pub fn errors_may_be_boxed<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::refusing(subject);
    let mut service = D::boxed(&case.policy, case.inner.clone());
    make_ready(&mut service);
    let Poll::Ready(Err(error)) = poll(pin!(service.call(1))) else { panic!("the call must be refused at once") };
    assert!(Rejection::find(&*error).is_some(), "{error}");
    drop(service);
    case.assert_at_rest();

    let case = Case::admitting(subject);
    case.control.answer(Answer::Fail);
    let mut service = D::boxed(&case.policy, case.inner.clone());
    make_ready(&mut service);
    let Poll::Ready(Err(error)) = poll(pin!(service.call(1))) else { panic!("the inner service fails at once") };
    assert_eq!(error.downcast_ref(), Some(&CallError::Failed));
    drop(service);
    case.assert_at_rest();
}

/// A refusal may be answered with a response; an error of the inner service stays one.
pub fn a_refusal_may_be_a_response<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    const TOO_MANY: Request = 429;

    let case = Case::refusing(subject);
    let mut service = D::responding(&case.policy, case.inner.clone(), |_rejection| TOO_MANY);
    make_ready(&mut service);
    assert_eq!(poll(pin!(service.call(1))), Poll::Ready(Ok(TOO_MANY)));
    assert_eq!(case.control.seen().calls, 0);
    drop(service);
    case.assert_at_rest();

    let case = Case::admitting(subject);
    case.control.answer(Answer::Fail);
    let mut service = D::responding(&case.policy, case.inner.clone(), |_rejection| TOO_MANY);
    make_ready(&mut service);
    assert_eq!(poll(pin!(service.call(1))), Poll::Ready(Err(CallError::Failed)));
    drop(service);
    case.assert_at_rest();
}

/// What ends a call sees its token, gives the verdict, and may edit the response; it is not asked about a refusal.
pub fn the_end_of_a_call_sees_the_token_and_edits_the_response<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::admitting(subject);
    let mut service = D::concluding(&case.policy, case.inner.clone(), Doubling);
    make_ready(&mut service);
    assert_eq!(poll(pin!(service.call(21))), Poll::Ready(Ok(42)));
    assert_eq!((case.ledger.account().ignored, case.ledger.account().succeeded), (1, 0), "the verdict is the hook's");
    drop(service);
    case.assert_at_rest();

    let case = Case::refusing(subject);
    let mut service = D::concluding(&case.policy, case.inner.clone(), Panicking);
    make_ready(&mut service);
    assert!(matches!(poll(pin!(service.call(1))), Poll::Ready(Err(CallError::Rejected(_)))));
    drop(service);
    case.assert_at_rest();
}

/// A hook that panics, such as a user's classifier, leaks nothing.
pub fn a_panic_at_the_end_of_a_call_releases<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::single(subject);
    let mut service = D::concluding(&case.policy, case.inner.clone(), Panicking);
    make_ready(&mut service);
    let mut call = Box::pin(service.call(1));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(call.as_mut()))).is_err());
    drop((call, service));
    case.assert_at_rest();
}

/// Doubles the response and ends the call without a verdict.
#[derive(Clone, Copy, Debug)]
struct Doubling;

impl<P: Policy, E> Conclude<Shared<P>, Result<Request, E>> for Doubling {
    type Output = Result<Request, E>;

    fn conclude(&self, permit: Permit<Shared<P>>, result: Result<Request, E>) -> Result<Request, E> {
        assert!(permit.token().is_some(), "the token is there to be seen");
        permit.ignore();
        result.map(|response| response * 2)
    }
}

#[derive(Clone, Copy, Debug)]
struct Panicking;

impl<P: Policy, E> Conclude<Shared<P>, Result<Request, E>> for Panicking {
    type Output = Result<Request, E>;

    fn conclude(&self, _permit: Permit<Shared<P>>, _result: Result<Request, E>) -> Result<Request, E> {
        panic!("the hook panics, as told")
    }
}
