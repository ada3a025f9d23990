//! Whatever is dropped or panics, what was taken comes back.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tower_service::Service;

use super::{Case, Door, Mode, Shed, Subject};
use crate::cancel::CancelAtEveryPoll;
use crate::drive::{make_ready, poll, ready_and_call};
use crate::service::{self, Answer, Ready};
use crate::watch::Watched;

/// Readiness and call may be dropped after any number of polls, before and after each event that they wait for: a turn,
/// the inner service's readiness, its answer. Each wait ends by being woken.
pub fn a_drop_at_every_poll_releases<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let scene = RefCell::new(None::<Scene<'_, S>>);
    let answer = Cell::new(None);
    let polls = CancelAtEveryPoll::new()
        .only_when_woken()
        .between(|_| scene.borrow_mut().as_mut().expect("a scene was set").next_event())
        .run(
            || {
                let set = Scene::set::<D>(subject);
                let mut service = set.case.protected::<D>();
                scene.replace(Some(set));
                let answer = &answer;
                async move { answer.set(Some(ready_and_call(&mut service, 1).await)) }
            },
            |_| scene.take().expect("a scene was set").end(),
        );
    assert_eq!(answer.take(), Some(Ok(1)), "undisturbed, the call succeeds");
    let waits = 2 + usize::from(Scene::<S>::has_holder::<D>());
    assert!(polls > waits, "{polls} polls for {waits} waits: the call did not wait for all that it was to wait for");
}

/// A call that waits for its turn, for the inner service, and for its answer.
struct Scene<'a, S: Subject> {
    case: Case<'a, S>,
    holder: Option<Pin<Box<dyn Future<Output = ()> + 'a>>>,
    had_holder: bool,
    events: usize,
}

impl<'a, S: Subject> Scene<'a, S> {
    /// Whether the call has to wait for its turn: where the mode and the policy let it.
    const fn has_holder<D: Door<Watched<S::Policy>>>() -> bool {
        Case::<S>::waits() && !matches!(D::MODE, Mode::Shed)
    }

    fn set<D: Door<Watched<S::Policy>>>(subject: &'a S) -> Self {
        let case = Case::single(subject);
        case.control.ready(Ready::NotYet);
        case.control.answer(Answer::Hold);
        let holder = Self::has_holder::<D>().then(|| hold(&case));
        Self { case, had_holder: holder.is_some(), holder, events: 0 }
    }

    fn next_event(&mut self) {
        self.events += 1;
        match self.events {
            1 => {
                drop(self.holder.take());
                // Where calls wait for time rather than for each other, the next turn has come by then.
                self.case.situation.time.advance(Duration::from_secs(10));
            }
            2 => self.case.control.ready(Ready::Yes),
            3 => self.case.control.release(1),
            _ => self.case.situation.time.advance(Duration::from_secs(1)),
        }
    }

    fn end(mut self) {
        drop(self.holder.take());
        self.case.assert_at_rest();
        let dropped = self.case.control.seen().dropped + usize::from(self.had_holder);
        assert_eq!(self.case.ledger.account().abandoned, dropped, "what never started is given back, not abandoned");
    }
}

/// A call that takes what the policy has, and runs until it is dropped.
fn hold<'a, S: Subject>(case: &Case<'a, S>) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
    let (inner, control) = service::controlled();
    control.answer(Answer::Hold);
    let mut service = <Shed as Door<Watched<S::Policy>>>::protect(&case.policy, inner);
    make_ready(&mut service);
    let call = service.call(0);
    let mut held = Box::pin(async move { drop(call.await) });
    assert!(poll(held.as_mut()).is_pending(), "the first call is admitted");
    held
}

/// A service that is ready and then dropped gives back what it reserved; the next service gets it.
pub fn a_ready_service_that_is_dropped_releases<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::single(subject);
    let mut idle = case.protected::<D>();
    make_ready(&mut idle);
    drop(idle);
    case.assert_at_rest();
    let account = case.ledger.account();
    assert_eq!(account.cancelled, account.admitted, "a call that never started is given back");
    let mut next = case.protected::<D>();
    make_ready(&mut next);
    assert_eq!(poll(pin!(next.call(1))), Poll::Ready(Ok(1)), "the dropped service took nothing with it");
    drop(next);
    case.assert_at_rest();
}

/// A response that is dropped before its first poll.
pub fn a_response_that_is_never_polled_releases<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::single(subject);
    let mut service = case.protected::<D>();
    make_ready(&mut service);
    drop(service.call(1));
    drop(service);
    case.assert_at_rest();
}

/// A response that is over holds nothing, whether or not it is dropped soon, and whichever way it ended.
pub fn a_response_that_is_over_holds_nothing<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    for answer in [Answer::Succeed, Answer::Fail] {
        let case = Case::single(subject);
        case.control.answer(answer);
        let mut service = case.protected::<D>();
        make_ready(&mut service);
        let mut call = pin!(service.call(1));
        assert!(poll(call.as_mut()).is_ready());
        case.assert_at_rest();
    }
}

/// A response lives on when its service is gone, and ends its call itself.
pub fn a_response_may_outlive_its_service<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::single(subject);
    let mut service = case.protected::<D>();
    make_ready(&mut service);
    let mut call = pin!(service.call(1));
    drop(service);
    assert_eq!(poll(call.as_mut()), Poll::Ready(Ok(1)));
    assert_eq!(case.ledger.account().succeeded, 1);
    case.assert_at_rest();
}

/// The inner service panics when it is asked for its readiness.
pub fn a_panic_in_readiness_releases<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    let case = Case::single(subject);
    case.control.ready(Ready::Panic);
    let mut service = case.protected::<D>();
    assert!(panics(|| drop(poll(pin!(ready_and_call(&mut service, 1))))));
    drop(service);
    assert_eq!(case.ledger.account().panicked, 0, "a call that never started did not panic");
    case.assert_at_rest();
}

/// The inner service panics in `call`: the call ends as a panicked one.
pub fn a_panic_in_call_releases<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    panic_ends_the_call::<S, D>(subject, Answer::PanicInCall);
}

/// The inner service's response panics: the call ends as a panicked one.
pub fn a_panic_in_the_response_releases<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S) {
    panic_ends_the_call::<S, D>(subject, Answer::Panic);
}

fn panic_ends_the_call<S: Subject, D: Door<Watched<S::Policy>>>(subject: &S, answer: Answer) {
    let case = Case::single(subject);
    case.control.answer(answer);
    let mut service = case.protected::<D>();
    assert!(panics(|| drop(poll(pin!(ready_and_call(&mut service, 1))))));
    assert_eq!(case.ledger.account().panicked, 1, "{:?}", case.ledger.account());
    case.assert_at_rest();
}

fn panics(work: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(work)).is_err()
}
