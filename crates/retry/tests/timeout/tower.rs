use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seawall_core::time::{Clock, Timestamp};
use seawall_core::{Deadline, Rejection};
use seawall_retry::{Config, Deadlines, Requests, Retry, Timeout, TimeoutConfig};
use seawall_testkit::cancel::cancel_at_every_poll;
use seawall_testkit::drive::{make_ready, poll, poll_ready};
use seawall_testkit::exec::yield_now;
use seawall_testkit::service::{self, Answer, CallError, Ready};
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::{MS, NS, counted, just_under, timeout};

#[test]
fn a_call_that_takes_too_long_is_dropped_and_an_error_of_the_inner_type() {
    let (timeout, _clock, time) = timeout(100 * MS);
    let (inner, control) = service::controlled();
    control.answer(Answer::Hold);
    let mut service = timeout.layer().layer(inner);
    make_ready(&mut service);
    let mut call = pin!(service.call(1));
    assert!(poll(call.as_mut()).is_pending());
    time.advance(100 * MS);
    let Poll::Ready(Err(CallError::Rejected(rejection))) = poll(call.as_mut()) else { panic!("its time is over") };
    assert_eq!((rejection.pattern(), rejection.reason()), ("timeout", "elapsed"));
    assert_eq!(control.seen().dropped, 1, "the call lives on in a future that has ended");

    control.answer(Answer::Fail);
    make_ready(&mut service);
    assert_eq!(poll(pin!(service.call(2))), Poll::Ready(Err(CallError::Failed)));
    control.answer(Answer::Succeed);
    make_ready(&mut service);
    assert_eq!(poll(pin!(service.call(3))), Poll::Ready(Ok(3)));
    assert_eq!(counted(&timeout), [2, 1, 0, 0, 0]);
    control.assert_kept();
}

#[test]
fn a_calls_time_begins_when_it_is_made_and_not_while_the_service_is_waited_for() {
    let (timeout, _clock, time) = timeout(100 * MS);
    let (inner, control) = service::controlled();
    control.answer(Answer::Hold);
    control.ready(Ready::NotYet);
    let mut service = timeout.layer().layer(inner);
    assert!(poll_ready(&mut service).is_pending());
    time.advance(1_000 * MS);
    control.ready(Ready::Yes);
    make_ready(&mut service);
    let mut call = pin!(service.call(1));
    time.advance(99 * MS);
    assert!(poll(call.as_mut()).is_pending());
    time.advance(MS);
    assert!(poll(call.as_mut()).is_ready());
    control.assert_kept();
}

/// When whoever sent it stops waiting.
type Dated = Option<Deadline>;

/// Reads and writes it.
fn deadlines() -> (impl Fn(&Dated) -> Dated + Clone, impl Fn(&mut Dated, Deadline) + Clone) {
    (|request: &Dated| *request, |request: &mut Dated, deadline| *request = Some(deadline))
}

#[test]
fn whoever_is_inside_knows_the_earlier_of_both_times() {
    let (timeout, clock, time) = timeout(100 * MS);
    time.advance(7 * MS);
    let (inner, control) = service::controlled();
    let mut service = timeout.layer().deadlines(deadlines()).layer(inner);
    let at = |left: Duration| Some(Deadline::after(&clock, left));
    for (sent, inside) in [(None, at(100 * MS)), (at(30 * MS), at(30 * MS)), (at(5_000 * MS), at(100 * MS))] {
        assert!(service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready());
        assert_eq!(poll(pin!(service.call(sent))), Poll::Ready(Ok(inside)));
    }
    control.assert_kept();
}

/// Requests that carry their deadline and may be made again.
#[derive(Clone)]
struct Carried;

impl Deadlines<Dated> for Carried {
    fn deadline(&self, request: &Dated) -> Dated {
        *request
    }

    fn set_deadline(&self, request: &mut Dated, deadline: Deadline) {
        *request = Some(deadline);
    }
}

impl Requests<Dated> for Carried {
    fn copy(&self, request: &Dated) -> Option<Dated> {
        Some(*request)
    }
}

#[test]
fn an_attempts_deadline_is_written_into_its_request_unless_prepared_otherwise() {
    let (clock, _time) = Clock::manual();
    let config = Config::default().attempt_timeout(100 * MS);
    let retry = Retry::with_clock(config, clock.clone()).expect("valid");
    let (inner, _control) = service::controlled();
    let service = retry.layer().requests(Carried).layer(inner);
    for (sent, inside) in [(5_000, 100), (30, 30)] {
        let request = Some(Deadline::after(&clock, sent * MS));
        let inside = Some(Deadline::after(&clock, inside * MS));
        assert_eq!(poll(pin!(service.clone().oneshot(request))), Poll::Ready(Ok(inside)));
    }
}

#[test]
fn a_request_whose_deadline_has_passed_never_reaches_the_inner_service() {
    let (timeout, clock, time) = timeout(100 * MS);
    time.advance(7 * MS);
    let (inner, control) = service::controlled();
    let service = timeout.layer().deadlines(deadlines()).layer(inner);
    for past in [Timestamp::ZERO, clock.now()] {
        let mut call = pin!(service.clone().oneshot(Some(Deadline::at(past))));
        let Poll::Ready(Err(CallError::Rejected(rejection))) = poll(call.as_mut()) else { panic!("it has passed") };
        assert_eq!(rejection.reason(), "deadline_passed");
    }
    assert_eq!(control.seen().calls, 0);
    assert_eq!(counted(&timeout), [0, 0, 0, 2, 0]);
}

#[test]
fn a_deadline_that_passes_while_the_call_is_out_is_told_apart() {
    let (timeout, clock, time) = timeout(100 * MS);
    let (inner, control) = service::controlled();
    control.answer(Answer::Hold);
    let service = timeout.layer().deadlines(deadlines()).layer(inner);
    let mut call = pin!(service.oneshot(Some(Deadline::after(&clock, 30 * MS))));
    assert!(poll(call.as_mut()).is_pending());
    time.advance(30 * MS);
    assert!(matches!(poll(call.as_mut()), Poll::Ready(Err(CallError::Rejected(r))) if r.reason() == "deadline_passed"));
    assert_eq!(counted(&timeout), [0, 0, 1, 0, 0]);
    control.assert_kept();
}

#[test]
fn a_request_can_have_a_time_of_its_own() {
    let (timeout, _clock, time) = timeout(100 * MS);
    let (inner, control) = service::controlled();
    control.answer(Answer::Hold);
    let own = |request: &u32| (*request > 0).then(|| *request * MS);
    let service = timeout.layer().within(own).layer(inner);
    for (request, ends) in [(0, 100), (3, 3), (5_000, 5_000)] {
        let mut call = pin!(service.clone().oneshot(request));
        assert!(poll(call.as_mut()).is_pending());
        time.advance(just_under(ends * MS));
        assert!(poll(call.as_mut()).is_pending());
        time.advance(NS);
        assert!(poll(call.as_mut()).is_ready());
    }
}

#[test]
fn services_and_clones_share_one_count_and_one_limit() {
    let (timeout, ..) = timeout(100 * MS);
    let layer = timeout.layer();
    let (one, _one) = service::controlled();
    let (two, _two) = service::controlled();
    let (one, two) = (layer.layer(one), layer.clone().layer(two));
    assert_eq!(poll(pin!(one.clone().oneshot(1))), Poll::Ready(Ok(1)));
    assert_eq!(poll(pin!(one.oneshot(2))), Poll::Ready(Ok(2)));
    assert_eq!(poll(pin!(two.oneshot(3))), Poll::Ready(Ok(3)));
    assert_eq!(counted(&timeout), [3, 0, 0, 0, 0]);
}

#[test]
fn a_clone_has_no_readiness_and_a_broken_service_says_so() {
    let (timeout, ..) = timeout(100 * MS);
    let (inner, control) = service::controlled();
    let mut service = timeout.layer().layer(inner);
    make_ready(&mut service);
    let mut clone = service.clone();
    make_ready(&mut clone);
    assert!(poll(pin!(clone.call(1))).is_ready());
    assert!(poll(pin!(service.call(2))).is_ready());
    control.ready(Ready::Failed);
    assert_eq!(poll_ready(&mut service), Poll::Ready(Err(CallError::Failed)));
    control.assert_kept();
}

#[tokio::test]
async fn it_works_over_a_concurrency_limit_and_gives_its_permit_back() {
    let (timeout, _clock, time) = timeout(100 * MS);
    let (inner, control) = service::controlled();
    control.answer(Answer::Hold);
    let mut service = timeout.layer().layer(ConcurrencyLimit::new(inner, 1));
    let mut other = service.clone();
    make_ready(&mut service);
    let mut call = Box::pin(service.call(1));
    assert!(poll(call.as_mut()).is_pending());
    assert!(poll_ready(&mut other).is_pending(), "the only permit is out");
    time.advance(100 * MS);
    assert!(matches!(poll(call.as_mut()), Poll::Ready(Err(_))));
    // The future that has ended is kept, and holds nothing.
    make_ready(&mut other);
    control.assert_kept();
}

#[tokio::test]
async fn it_works_over_and_under_a_buffer() {
    let (timeout, _clock, time) = timeout(100 * MS);
    let (inner, control) = service::controlled();
    let service = Buffer::new(timeout.layer().boxed().layer(Buffer::new(inner, 4)), 4);
    assert_eq!(service.clone().oneshot(7).await.expect("served"), 7);
    control.answer(Answer::Hold);
    let mut call = pin!(service.clone().oneshot(8));
    assert!(poll(call.as_mut()).is_pending());
    while control.seen().in_flight == 0 {
        tokio::task::yield_now().await;
    }
    time.advance(100 * MS);
    let error = call.await.expect_err("its time is over");
    assert_eq!(Rejection::find(&*error).expect("a rejection").reason(), "elapsed");
    control.answer(Answer::Succeed);
    assert_eq!(service.oneshot(9).await.expect("the buffer lives"), 9);
    control.assert_kept();
}

#[tokio::test]
async fn errors_are_boxed_or_answered_with_a_response() {
    let timeout = Timeout::new(TimeoutConfig::new(MS).name("inventory")).expect("valid");
    let hangs = service_fn(|(): ()| std::future::pending::<Result<String, std::io::Error>>());
    let error = timeout.layer().boxed().layer(hangs).oneshot(()).await.expect_err("it hangs");
    assert_eq!(Rejection::find(&*error).expect("a rejection").name().as_str(), "inventory");

    let hangs = service_fn(|(): ()| std::future::pending::<Result<String, Infallible>>());
    let answered = timeout.layer().on_timeout(|rejection: Rejection| rejection.reason().to_owned()).layer(hangs);
    assert_eq!(answered.oneshot(()).await, Ok("elapsed".to_owned()));
}

#[test]
fn a_response_that_is_dropped_at_any_poll_drops_its_call() {
    let (timeout, ..) = timeout(100 * MS);
    let (alive, mut expected) = (Rc::new(()), [0; 5]);
    let held = alive.clone();
    let mut service = timeout.layer().layer(service_fn(move |request: u32| {
        let held = held.clone();
        async move {
            yield_now().await;
            yield_now().await;
            drop(held);
            Ok::<_, Rejection>(request)
        }
    }));
    let polls = cancel_at_every_poll(
        || {
            make_ready(&mut service);
            service.call(7)
        },
        |polls| {
            assert_eq!(Rc::strong_count(&alive), 2, "the call lives on after {polls} polls");
            expected[if polls == 3 { 0 } else { 4 }] += 1;
            assert_eq!(counted(&timeout), expected, "after {polls} polls");
        },
    );
    assert_eq!(polls, 3);
}

#[test]
fn a_panic_in_the_service_counts_as_abandoned() {
    let (timeout, ..) = timeout(100 * MS);
    let (inner, control) = service::controlled();
    let mut service = timeout.layer().layer(inner);
    for answer in [Answer::Panic, Answer::PanicInCall] {
        control.answer(answer);
        make_ready(&mut service);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poll(pin!(service.call(1))).is_ready()));
        assert!(caught.is_err());
    }
    assert_eq!(counted(&timeout), [0, 0, 0, 0, 2]);
}

#[test]
fn what_crosses_threads_follows_the_inner_service() {
    const fn crosses<T: Send + Sync>(_: &T) {}
    let (timeout, ..) = timeout(100 * MS);
    let mut service = timeout.layer().layer(service_fn(|request: u32| async move { Ok::<_, Rejection>(request) }));
    crosses(&service);
    crosses(&timeout.run(async {}));
    make_ready(&mut service);
    crosses(&service.call(7));
}
