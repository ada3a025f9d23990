//! A refusal is an answer to one call and never the end of a service.

use std::pin::pin;
use std::task::Poll;

use seawall_core::Policy;
use seawall_core::time::Now;
use tower_service::Service;

use super::{Case, Door, Mode, Subject};
use crate::drive::{make_ready, poll};
use crate::service::{Answer, CallError, Ready};
use crate::watch::Watched;

/// The refusal arrives through the response future, at its first poll, and names pattern and reason; the service stays
/// usable.
pub fn refusals_are_the_responses_errors<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::refusing(subject);
    let mut service = case.protected::<D>();
    for request in 0..3 {
        make_ready(&mut service);
        let Poll::Ready(Err(CallError::Rejected(rejection))) = poll(pin!(service.call(request))) else {
            panic!("the call must be refused at once");
        };
        assert!(!rejection.pattern().is_empty() && !rejection.reason().is_empty(), "{rejection:?}");
    }
    assert_eq!(case.control.seen().calls, 0, "the inner service is not called");
    assert_eq!(case.ledger.account().admitted, 0);
    case.assert_at_rest();
}

/// What is refused anyway is refused at once while the inner service is pending, and the inner service is not even asked.
pub fn refusals_do_not_ask_the_inner_service<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::refusing(subject);
    case.control.ready(Ready::NotYet);
    let mut service = case.protected::<D>();
    make_ready(&mut service);
    make_ready(&mut service);
    let answer = poll(pin!(service.call(1)));
    assert!(matches!(answer, Poll::Ready(Err(CallError::Rejected(_)))), "{answer:?}");
    assert_eq!(case.control.seen().readiness_polls, 0);
    case.assert_at_rest();
}

/// Of eight ready services over a policy that admits one call, one is admitted: being ready hoards nothing.
///
/// A policy that lets calls wait reserves in the backpressure mode, so there the other seven are not ready.
pub fn ready_clones_hoard_nothing<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::single(subject);
    case.control.answer(Answer::Hold);
    let service = case.protected::<D>();
    let mut clones: Vec<_> = (0..8).map(|_| service.clone()).collect();
    let ready: Vec<bool> = clones.iter_mut().map(|clone| crate::drive::poll_ready(clone).is_ready()).collect();
    let reserves = Case::<S>::reserves::<D>();
    assert_eq!(ready.iter().filter(|&&ready| ready).count(), if reserves { 1 } else { 8 });
    let taken = usize::from(reserves && Case::<S>::is_scarce());
    assert_eq!(case.in_use(), taken, "being ready takes nothing but capacity that is waited for");

    let callers = clones.iter_mut().zip(ready).filter(|(_, ready)| *ready);
    let mut calls: Vec<_> = callers.map(|(clone, _)| Box::pin(clone.call(1))).collect();
    let answers: Vec<_> = calls.iter_mut().map(|call| poll(call.as_mut())).collect();
    assert_eq!(case.control.seen().calls, 1, "one call is admitted");
    if !Case::<S>::waits() || D::MODE == Mode::Shed {
        let refused = answers.iter().filter(|answer| matches!(answer, Poll::Ready(Err(CallError::Rejected(_)))));
        assert_eq!(refused.count(), 7, "the others are refused");
    }
    case.control.release(1);
    assert!(
        calls
            .iter_mut()
            .zip(&answers)
            .any(|(call, before)| before.is_pending() && poll(call.as_mut()) == Poll::Ready(Ok(1)))
    );
    drop((calls, clones));
    case.assert_at_rest();
}

/// What `poll_ready` saw holds for the next call and no longer. A call that it saw refused is refused, even if the policy
/// would admit it by then: the inner service was not asked, so it must not be called. Asked again, the service is usable.
pub fn a_refusal_seen_ahead_holds_for_one_call<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::single(subject);
    case.control.answer(Answer::Hold);
    let mut first = case.protected::<D>();
    make_ready(&mut first);
    let mut held = pin!(first.call(1));
    assert!(poll(held.as_mut()).is_pending());
    let mut seen_refused = [case.protected::<D>(), case.protected::<D>()];
    let asked = case.control.seen().readiness_polls;
    let are_ready = seen_refused.iter_mut().all(|service| crate::drive::poll_ready(service).is_ready());
    case.control.release(1);
    assert_eq!(poll(held.as_mut()), Poll::Ready(Ok(1)));
    case.control.answer(Answer::Succeed);

    if are_ready && D::MODE != Mode::Wait && case.control.seen().readiness_polls == asked {
        let [one, other] = &mut seen_refused;
        let answer = poll(pin!(one.call(2)));
        assert!(matches!(answer, Poll::Ready(Err(CallError::Rejected(_)))), "{answer:?}");
        assert_eq!(case.control.seen().calls, 1, "the inner service was not asked and is not called");
        if case.bare.peek(&Now::new(case.bare.clock())).is_ok() {
            for (request, service) in [(3, one), (4, other)] {
                make_ready(service);
                assert_eq!(poll(pin!(service.call(request))), Poll::Ready(Ok(request)), "asked anew, it admits");
            }
        }
    }
    drop(seen_refused);
    case.assert_at_rest();
}

/// An error of the inner service passes through as it is, and is counted as a failure.
pub fn a_failure_is_the_inner_services_own<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::admitting(subject);
    case.control.answer(Answer::Fail);
    let mut service = case.protected::<D>();
    make_ready(&mut service);
    assert_eq!(poll(pin!(service.call(1))), Poll::Ready(Err(CallError::Failed)));
    assert_eq!(case.ledger.account().failed, 1);
    case.control.answer(Answer::Succeed);
    make_ready(&mut service);
    assert_eq!(poll(pin!(service.call(2))), Poll::Ready(Ok(2)));
    assert_eq!(case.ledger.account().succeeded, 1);
    case.assert_at_rest();
}
