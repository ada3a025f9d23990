use std::collections::HashMap;
use std::convert::Infallible;
use std::future::ready;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use seawall_core::Rejection;
use seawall_core::time::Clock;
use seawall_retry::{Fallback, Timeout, TimeoutConfig, Verdict};
use seawall_testkit::cancel::cancel_at_every_poll;
use seawall_testkit::drive::{make_ready, poll, poll_ready};
use seawall_testkit::service::{self, Answer, CallError, Control, ControlledService, Ready};
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

use crate::{counted, fallback};

/// A service whose calls fail.
fn failing() -> (ControlledService, Control) {
    let (service, control) = service::controlled();
    control.answer(Answer::Fail);
    (service, control)
}

/// One request from readiness to response, at once.
fn ask<S: Service<u32>>(service: &mut S, request: u32) -> Result<S::Response, S::Error> {
    make_ready(service);
    match poll(pin!(service.call(request))) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("it does not end at once"),
    }
}

#[test]
fn a_failed_call_is_answered_by_a_value_or_a_function_of_the_error() {
    let fallback = fallback();
    let (inner, control) = failing();
    let mut by_value = fallback.layer().value(9).layer(inner.clone());
    let mut by_error = fallback.layer().by(|error: &CallError| u32::from(*error == CallError::Failed)).layer(inner);
    assert_eq!((ask(&mut by_value, 7), ask(&mut by_error, 7)), (Ok(9), Ok(1)));
    control.answer(Answer::Succeed);
    assert_eq!((ask(&mut by_value, 7), ask(&mut by_error, 7)), (Ok(7), Ok(7)));
    assert_eq!(counted(&fallback), [2, 2, 0, 0, 0]);
    control.assert_kept();
}

#[test]
fn a_value_from_before_is_found_by_what_was_kept_of_the_request() {
    let fallback = fallback();
    let (inner, control) = failing();
    let before = HashMap::from([(7, 70)]);
    let layer = fallback.layer().stale(|request: &u32| *request, move |key| before.get(&key).copied());
    let mut service = layer.layer(inner);
    assert_eq!(ask(&mut service, 7), Ok(70));
    assert_eq!(ask(&mut service, 8), Err(CallError::Failed), "nothing is known of it");
    assert_eq!(counted(&fallback), [0, 1, 1, 0, 0]);
    control.assert_kept();
}

#[test]
fn another_service_answers_once_it_is_ready() {
    let fallback = fallback();
    let (inner, control) = failing();
    let (other, others) = service::controlled();
    others.ready(Ready::NotYet);
    let mut service = fallback.layer().service(other).layer(inner);
    make_ready(&mut service);
    let mut call = pin!(service.call(7));
    assert!(poll(call.as_mut()).is_pending());
    assert_eq!((control.seen().calls, others.seen().calls), (1, 0));
    others.ready(Ready::Yes);
    assert_eq!(poll(call.as_mut()), Poll::Ready(Ok(7)));
    assert_eq!(counted(&fallback), [0, 1, 0, 0, 0]);
    control.assert_kept();
    others.assert_kept();
}

#[test]
fn where_the_other_service_fails_too_the_first_error_is_the_callers() {
    let (inner, control) = failing();
    for (ready, answer) in [(Ready::Yes, Answer::Fail), (Ready::Failed, Answer::Succeed)] {
        let fallback = fallback();
        let (other, others) = service::controlled();
        others.ready(ready);
        others.answer(answer);
        let first = ServiceExt::<u32>::map_err(inner.clone(), |_| "the first error");
        let mut service = fallback.layer().service(other).layer(first);
        assert_eq!(ask(&mut service, 7), Err("the first error"));
        assert_eq!(counted(&fallback), [0, 0, 1, 0, 0]);
        others.assert_kept();
    }
    control.assert_kept();
}

#[test]
fn a_request_that_must_not_be_made_again_is_not_made_by_another_service() {
    let fallback = fallback();
    let (inner, _control) = failing();
    let (other, others) = service::controlled();
    let even = |request: &u32| request.is_multiple_of(2).then_some(*request);
    let mut service = fallback.layer().service_with(other, even).layer(inner);
    assert_eq!((ask(&mut service, 7), ask(&mut service, 8)), (Err(CallError::Failed), Ok(8)));
    assert_eq!(others.seen().calls, 1);
    assert_eq!(counted(&fallback), [0, 1, 1, 0, 0]);
}

#[test]
fn only_what_is_to_be_taken_is_answered() {
    let fallback = fallback();
    let errors = service_fn(|request: u32| ready(if request == 0 { Err("down") } else { Err("no such item") }));
    let mut service = fallback.layer().when(|error: &&str| *error == "down").value(9).layer(errors);
    assert_eq!((ask(&mut service, 0), ask(&mut service, 1)), (Ok(9), Err("no such item")));

    let judge = |result: &Result<u32, Infallible>| match result {
        Ok(500) => Verdict::again(),
        Ok(404) => Verdict::is_final(),
        _ => Verdict::good(),
    };
    let echo = service_fn(|request: u32| ready(Ok::<_, Infallible>(request)));
    let ten_less = |bad: &Result<u32, Infallible>| bad.map_or(0, |status| status - 10);
    let mut service = fallback.layer().judge(judge).by(ten_less).layer(echo);
    let answers = [500, 404, 200].map(|status| ask(&mut service, status));
    assert_eq!(answers, [Ok(490), Ok(404), Ok(200)]);
    assert_eq!(counted(&fallback), [2, 2, 0, 1, 0]);
}

#[test]
fn refusals_and_timeouts_of_inner_layers_are_taken() {
    let (clock, time) = Clock::manual();
    let second = Duration::from_secs(1);
    let timeout = Timeout::with_clock(TimeoutConfig::new(second), clock).expect("valid");
    let (inner, control) = service::controlled();
    control.answer(Answer::Hold);
    let fallback = fallback();
    let elapsed = |error: &CallError| error.rejection().is_some_and(|rejection| rejection.reason() == "elapsed");
    let mut service =
        fallback.layer().by(move |error: &CallError| u32::from(elapsed(error))).layer(timeout.layer().layer(inner));
    make_ready(&mut service);
    let mut call = pin!(service.call(7));
    assert!(poll(call.as_mut()).is_pending());
    time.advance(second);
    assert_eq!(poll(call.as_mut()), Poll::Ready(Ok(1)));
    control.assert_kept();
}

#[test]
fn an_answer_is_marked_and_a_services_own_is_not() {
    let fallback = fallback();
    let echo = service_fn(|request: u32| ready(if request == 0 { Err("down") } else { Ok((request, false)) }));
    let layer = fallback.layer().value((9, false)).mark(|response: &mut (u32, bool)| response.1 = true);
    let mut service = layer.layer(echo);
    assert_eq!((ask(&mut service, 0), ask(&mut service, 7)), (Ok((9, true)), Ok((7, false))));
}

#[test]
fn a_service_that_breaks_while_it_is_waited_for_says_so() {
    let (inner, control) = service::controlled();
    control.ready(Ready::Failed);
    let fallback = fallback();
    let mut service = fallback.layer().value(9).layer(inner);
    assert_eq!(poll_ready(&mut service), Poll::Ready(Err(CallError::Failed)));
    assert_eq!(counted(&fallback), [0; 5]);
    control.assert_kept();
}

#[test]
fn where_it_is_not_in_use_the_error_is_the_callers() {
    let fallback = Fallback::new(seawall_retry::FallbackConfig::default().enabled(false)).expect("valid");
    let (inner, control) = failing();
    let mut service = fallback.layer().value(9).layer(inner);
    assert_eq!(ask(&mut service, 7), Err(CallError::Failed));
    control.answer(Answer::Succeed);
    assert_eq!(ask(&mut service, 7), Ok(7));
    assert_eq!(counted(&fallback), [1, 0, 0, 1, 0]);
}

#[test]
fn a_clone_has_no_readiness_and_shares_the_count() {
    let fallback = fallback();
    let (inner, control) = failing();
    let mut service = fallback.layer().value(9).layer(inner);
    make_ready(&mut service);
    let mut clone = service.clone();
    assert_eq!(ask(&mut clone, 1), Ok(9));
    assert_eq!(poll(pin!(service.call(2))), Poll::Ready(Ok(9)));
    assert_eq!(counted(&fallback), [0, 2, 0, 0, 0]);
    control.assert_kept();
}

#[tokio::test]
async fn it_works_over_concurrency_limits_and_buffers_on_both_sides() {
    let fallback = fallback();
    let (inner, control) = failing();
    let (other, others) = service::controlled();
    let other = Buffer::new(ConcurrencyLimit::new(other, 1), 4);
    let inner = Buffer::new(ConcurrencyLimit::new(inner, 1), 4);
    let service = Buffer::new(fallback.layer().service(other).layer(inner), 4);
    let calls: Vec<_> = (0..8).map(|request| tokio::spawn(service.clone().oneshot(request))).collect();
    for (request, call) in (0..8).zip(calls) {
        assert_eq!(call.await.expect("no panic").expect("the other's"), request);
    }
    assert_eq!(counted(&fallback), [0, 8, 0, 0, 0]);
    control.assert_kept();
    others.assert_kept();
}

#[test]
fn a_response_that_is_dropped_at_any_poll_drops_both_calls() {
    let fallback = fallback();
    let (inner, control) = service::controlled();
    let (other, others) = service::controlled();
    let slow = |service: ControlledService, fails: bool| {
        service_fn(move |request: u32| {
            let mut service = service.clone();
            async move {
                seawall_testkit::exec::yield_now().await;
                std::future::poll_fn(|cx| Service::<u32>::poll_ready(&mut service, cx)).await?;
                let response = service.call(request).await?;
                if fails { Err(CallError::Failed) } else { Ok(response) }
            }
        })
    };
    let mut service = fallback.layer().service(slow(other, false)).layer(slow(inner, true));
    let mut expected = [0; 5];
    let polls = cancel_at_every_poll(
        || {
            make_ready(&mut service);
            service.call(7)
        },
        |polls| {
            assert_eq!((control.seen().in_flight, others.seen().in_flight), (0, 0), "after {polls} polls");
            expected[if polls == 3 { 1 } else { 4 }] += 1;
            assert_eq!(counted(&fallback), expected, "after {polls} polls");
        },
    );
    assert_eq!((polls, expected), (3, [0, 1, 0, 0, 3]));
}

#[test]
fn a_panic_in_the_service_or_its_substitute_counts_as_abandoned() {
    let fallback = fallback();
    let caught = |call: &mut dyn FnMut()| {
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err());
    };
    for answer in [Answer::Panic, Answer::PanicInCall] {
        let (inner, control) = service::controlled();
        control.answer(answer);
        let mut service = fallback.layer().value(9).layer(inner);
        caught(&mut || drop(ask(&mut service, 7)));
    }
    let (inner, _control) = failing();
    let mut service = fallback.layer().by(|_: &CallError| -> u32 { panic!("as told") }).layer(inner);
    caught(&mut || drop(ask(&mut service, 7)));
    assert_eq!(counted(&fallback), [0, 0, 0, 0, 3]);
}

#[test]
fn what_crosses_threads_follows_the_services() {
    const fn crosses<T: Send + Sync>(_: &T) {}
    let inner = service_fn(|request: u32| async move { Ok::<_, BoxError>(request) });
    let mut service = fallback().layer().service(inner).layer(inner);
    crosses(&service);
    make_ready(&mut service);
    crosses(&service.call(7));
    let error: Box<dyn std::error::Error + Send + Sync> = "down".into();
    assert!(Rejection::find(&*error).is_none());
}
