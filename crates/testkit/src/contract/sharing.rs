//! One layer, one state.

use std::pin::pin;
use std::task::Poll;

use tower_service::Service;

use super::{Case, Door, Mode, Subject};
use crate::drive::{make_ready, poll, poll_ready};
use crate::service::{Answer, Ready};
use crate::watch::Watched;

/// A call through one service is seen by the layer's other services, by their clones, and by direct use.
pub fn state_is_shared<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::single(subject);
    case.control.answer(Answer::Hold);
    let mut first = case.protected::<D>();
    let others = [first.clone(), case.protected::<D>()];
    make_ready(&mut first);
    let mut held = pin!(first.call(1));
    assert!(poll(held.as_mut()).is_pending(), "the one call is admitted and runs");
    assert_eq!(case.control.seen().calls, 1);

    for mut other in others {
        if poll_ready(&mut other).is_ready() {
            let mut call = pin!(other.call(2));
            match poll(call.as_mut()) {
                Poll::Ready(answer) => drop(answer.expect_err("the policy admits one call")),
                Poll::Pending => assert!(Case::<S>::waits(), "only a policy that waits lets the call wait"),
            }
        } else {
            assert!(Case::<S>::waits() && D::MODE == Mode::Backpressure, "only a policy that waits reserves in turn");
        }
        assert_eq!(case.control.seen().calls, 1, "the inner service was called once");
    }
    let direct = case.policy.with(&3).try_admit();
    assert!(direct.is_err(), "direct use sees the call that runs");

    case.control.release(1);
    assert_eq!(poll(held.as_mut()), Poll::Ready(Ok(1)));
    case.assert_at_rest();
}

/// A clone of a ready service asks the inner service anew.
pub fn clones_start_without_readiness<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::admitting(subject);
    let mut original = case.protected::<D>();
    make_ready(&mut original);
    let mut clone = original.clone();
    case.control.ready(Ready::NotYet);
    if D::MODE == Mode::Wait {
        make_ready(&mut clone);
        let mut call = pin!(clone.call(2));
        assert!(poll(call.as_mut()).is_pending(), "the response waits for the inner service");
    } else {
        assert!(poll_ready(&mut clone).is_pending(), "the inner service is not ready for the clone");
        drop(clone);
    }
    case.control.ready(Ready::Yes);
    make_ready(&mut original);
    assert_eq!(poll(pin!(original.call(1))), Poll::Ready(Ok(1)));
    drop(original);
    case.assert_at_rest();
}

/// What a ready service has reserved is its own: a clone has none of it, and takes nothing away when it goes.
pub fn clones_start_without_reservation<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::single(subject);
    let mut original = case.protected::<D>();
    make_ready(&mut original);
    let reserved = case.ledger.account();
    let clone = original.clone();
    assert_eq!(case.ledger.account(), reserved, "cloning takes nothing");
    drop(clone);
    assert_eq!(case.ledger.account(), reserved, "dropping a clone gives nothing back");
    let mut clone = original.clone();
    if Case::<S>::reserves::<D>() {
        assert_eq!(case.in_use(), usize::from(Case::<S>::is_scarce()), "capacity is reserved");
        assert!(poll_ready(&mut clone).is_pending(), "the one slot is the original's");
    }
    drop(clone);
    assert_eq!(poll(pin!(original.call(1))), Poll::Ready(Ok(1)), "the original's readiness still stands");
    drop(original);
    case.assert_at_rest();
}
