//! The controlled service does as it is told and sees every breach of tower's contract.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use seawall_testkit::service::{self, Answer, CallError, ControlledService, Ready};
use tower_service::Service;

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn is_ready(service: &mut ControlledService) -> Poll<Result<(), CallError>> {
    Service::<u32>::poll_ready(service, &mut context())
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).poll(&mut context())
}

#[test]
fn it_answers_as_told() {
    let (mut service, control) = service::controlled();
    let mut call = |answer| {
        control.answer(answer);
        assert!(is_ready(&mut service).is_ready());
        poll(&mut service.call(7))
    };
    assert_eq!(call(Answer::Succeed), Poll::Ready(Ok(7)));
    assert_eq!(call(Answer::Fail), Poll::Ready(Err(CallError::Failed)));
    assert_eq!(call(Answer::Hold), Poll::Pending);
    assert!(catch_unwind(AssertUnwindSafe(|| call(Answer::Panic))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| call(Answer::PanicInCall))).is_err());
    let seen = control.seen();
    assert_eq!((seen.calls, seen.finished, seen.panicked, seen.dropped, seen.in_flight), (5, 2, 2, 1, 0));
    control.assert_kept();
}

#[test]
fn held_calls_return_as_many_as_are_released() {
    let (mut service, control) = service::controlled();
    control.answer(Answer::Hold);
    let mut calls: Vec<_> = (0..3)
        .map(|request| {
            assert!(is_ready(&mut service).is_ready());
            service.call(request)
        })
        .collect();
    assert_eq!(control.seen().peak, 3);
    assert!(calls.iter_mut().all(|call| poll(call).is_pending()));
    control.release(2);
    let returned = calls.iter_mut().filter_map(|call| match poll(call) {
        Poll::Ready(answer) => Some(answer.expect("held calls succeed")),
        Poll::Pending => None,
    });
    assert_eq!(returned.collect::<Vec<_>>(), [0, 1]);
    assert_eq!((control.seen().in_flight, control.seen().peak), (1, 3));
}

#[test]
fn readiness_is_as_told_and_a_change_wakes() {
    let (mut service, control) = service::controlled();
    control.ready(Ready::NotYet);
    let executor = seawall_testkit::exec::Executor::new(0);
    let task = executor.spawn(std::future::poll_fn(move |cx| Service::<u32>::poll_ready(&mut service, cx)));
    executor.run_until_stalled();
    assert!(!task.is_done());
    control.ready(Ready::Failed);
    executor.run_until_stalled();
    assert_eq!(task.take(), Some(Err(CallError::Failed)));
    assert_eq!(control.seen().readiness_polls, 2);
}

#[test]
fn readiness_is_used_up_by_a_call_and_is_not_cloned() {
    let (mut service, control) = service::controlled();
    assert!(is_ready(&mut service).is_ready());
    drop(service.call(1));
    drop(service.call(2));
    assert!(is_ready(&mut service).is_ready());
    drop(service.clone().call(3));
    assert_eq!(
        control.breaches(),
        ["instance 0 was called without being ready", "instance 1 was called without being ready"]
    );
    assert_eq!(control.seen().instances, 2);
}

#[test]
fn a_service_that_is_pending_again_is_not_ready() {
    let (mut service, control) = service::controlled();
    assert!(is_ready(&mut service).is_ready());
    control.ready(Ready::NotYet);
    assert!(is_ready(&mut service).is_pending());
    drop(service.call(1));
    assert_eq!(control.breaches().len(), 1);
}

#[test]
fn use_after_the_end_is_a_breach() {
    let (mut service, control) = service::controlled();
    assert!(is_ready(&mut service).is_ready());
    let mut call = service.call(1);
    assert!(poll(&mut call).is_ready());
    assert!(poll(&mut call).is_pending());
    control.ready(Ready::Failed);
    assert!(is_ready(&mut service).is_ready());
    assert!(is_ready(&mut service).is_ready());
    assert_eq!(
        control.breaches(),
        ["a call was polled after it was over", "instance 0 was polled after its readiness failed"]
    );
}
