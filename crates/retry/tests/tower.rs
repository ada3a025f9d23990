//! The layers of retry and hedge: readiness of each attempt, copies of the request, and what is left behind.
#![cfg(feature = "tower")]

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use seawall_core::time::{Clock, ManualTime, Timestamp};
use seawall_core::{Deadline, Jitter, Rejection};
use seawall_retry::{Attempt, Budget, Config, Deadlines, Hedge, HedgeConfig, InFlight, Requests, Retry, Verdict};
use seawall_testkit::drive::{make_ready, poll, poll_ready};
use seawall_testkit::service::{self, Answer, CallError, Ready};
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn plain() -> Config {
    Config::default().fixed(SECOND).jitter(Jitter::None).without_budget()
}

fn retry(config: Config) -> (Retry, ManualTime) {
    let (clock, time) = Clock::manual();
    (Retry::with_clock(config, clock).expect("valid"), time)
}

fn hedge(hedges: u32) -> (Hedge, ManualTime) {
    let (clock, time) = Clock::manual();
    let config = HedgeConfig::default().delay(10 * MS).max_hedges(hedges).without_budget();
    (Hedge::with_clock(config, clock).expect("valid"), time)
}

#[test]
fn each_attempt_waits_until_the_service_is_ready() {
    let (retry, time) = retry(plain());
    let (inner, control) = service::controlled();
    control.answer(Answer::Fail);
    let mut service = retry.layer().layer(inner);
    make_ready(&mut service);
    let mut call = pin!(service.call(1));
    assert!(poll(call.as_mut()).is_pending());
    assert_eq!(control.seen().calls, 1);
    control.ready(Ready::NotYet);
    time.advance(SECOND);
    assert!(poll(call.as_mut()).is_pending());
    assert_eq!(control.seen().calls, 1, "the service is not ready");
    control.ready(Ready::Yes);
    control.answer(Answer::Succeed);
    assert_eq!(poll(call.as_mut()), Poll::Ready(Ok(1)));
    assert_eq!(control.seen().calls, 2);
    control.assert_kept();
}

#[test]
fn a_service_that_breaks_while_it_is_waited_for_ends_the_call() {
    let (retry, time) = retry(plain());
    let (inner, control) = service::controlled();
    control.answer(Answer::Fail);
    let mut service = retry.layer().layer(inner);
    make_ready(&mut service);
    let mut call = pin!(service.call(1));
    assert!(poll(call.as_mut()).is_pending());
    control.ready(Ready::Failed);
    time.advance(SECOND);
    assert!(matches!(poll(call.as_mut()), Poll::Ready(Err(_))));
    assert_eq!(control.seen().calls, 1);
    control.assert_kept();
}

#[test]
fn a_concurrency_limit_inside_is_taken_anew_for_each_attempt() {
    let (retry, time) = retry(plain());
    let (inner, control) = service::controlled();
    control.answer(Answer::Fail);
    let mut service = retry.layer().layer(ConcurrencyLimit::new(inner, 1));
    let mut other = service.clone();
    make_ready(&mut service);
    let mut call = pin!(service.call(1));
    assert!(poll(call.as_mut()).is_pending(), "it waits for its second attempt");
    make_ready(&mut other);
    drop(other);
    time.advance(SECOND);
    control.answer(Answer::Succeed);
    assert_eq!(poll(call.as_mut()), Poll::Ready(Ok(1)));
    control.assert_kept();
}

/// Counts its copies.
#[derive(Debug)]
struct Order(Rc<RefCell<u32>>);

impl Clone for Order {
    fn clone(&self) -> Self {
        *self.0.borrow_mut() += 1;
        Self(self.0.clone())
    }
}

#[test]
fn the_last_attempt_copies_nothing() {
    let (retry, time) = retry(plain().fixed(Duration::ZERO).max_attempts(3));
    let copies = Rc::new(RefCell::new(0));
    let failing = service_fn(|_: Order| async { Err::<(), _>(std::io::Error::other("down")) });
    let mut service = retry.layer().boxed().layer(failing);
    let mut call = pin!(service.call(Order(copies.clone())));
    while poll(call.as_mut()).is_pending() {
        time.advance(MS);
    }
    assert_eq!(*copies.borrow(), 2, "three attempts need two copies");
    assert_eq!(retry.snapshot().total.exhausted, 1);
}

#[test]
fn a_request_that_must_not_be_made_twice_is_made_once() {
    let (retry, _time) = retry(plain());
    let (inner, control) = service::controlled();
    control.answer(Answer::Fail);
    let once = |request: &u32| (*request != 7).then_some(*request);
    let mut service = retry.layer().requests(once).layer(inner);
    make_ready(&mut service);
    assert!(matches!(poll(pin!(service.call(7))), Poll::Ready(Err(CallError::Failed))));
    assert_eq!((control.seen().calls, retry.snapshot().total.not_retryable), (1, 1));

    let (hedge, time) = self::hedge(2);
    let (inner, control) = service::controlled();
    control.answer(Answer::Hold);
    let mut service = hedge.layer().requests(once).layer(inner);
    make_ready(&mut service);
    let mut call = pin!(service.call(7));
    assert!(poll(call.as_mut()).is_pending());
    time.advance(SECOND);
    assert!(poll(call.as_mut()).is_pending());
    assert_eq!(control.seen().calls, 1);
}

/// Writes the attempt's number into the request.
#[derive(Clone)]
struct Numbered;

impl Deadlines<u32> for Numbered {
    fn deadline(&self, _request: &u32) -> Option<Deadline> {
        None
    }

    fn set_deadline(&self, _request: &mut u32, _deadline: Deadline) {}
}

impl Requests<u32> for Numbered {
    fn copy(&self, request: &u32) -> Option<u32> {
        Some(*request)
    }

    fn prepare(&self, request: &mut u32, attempt: Attempt) {
        *request = attempt.number;
    }
}

#[test]
fn every_attempt_can_be_told_its_number() {
    let (retry, time) = retry(plain().fixed(Duration::ZERO).max_attempts(4));
    let seen = Rc::new(RefCell::new(Vec::new()));
    let failing = service_fn(|number: u32| {
        seen.borrow_mut().push(number);
        async { Err::<(), _>(std::io::Error::other("down")) }
    });
    let mut service = retry.layer().requests(Numbered).boxed().layer(failing);
    let mut call = pin!(service.call(0));
    while poll(call.as_mut()).is_pending() {
        time.advance(MS);
    }
    assert_eq!(*seen.borrow(), [1, 2, 3, 4]);
}

#[test]
fn an_attempt_that_hangs_is_dropped_and_the_end_is_a_rejection() {
    let (retry, time) = retry(plain().attempt_timeout(2 * SECOND).max_attempts(2));
    let (inner, control) = service::controlled();
    control.answer(Answer::Hold);
    let mut service = retry.layer().layer(inner);
    make_ready(&mut service);
    let mut call = pin!(service.call(1));
    for _ in 0..4 {
        assert!(poll(call.as_mut()).is_pending());
        time.advance(SECOND);
    }
    assert!(poll(call.as_mut()).is_pending());
    assert_eq!((control.seen().calls, control.seen().dropped), (2, 1));
    time.advance(SECOND);
    let Poll::Ready(Err(CallError::Rejected(rejection))) = poll(call.as_mut()) else { panic!("time is over") };
    assert_eq!((rejection.pattern(), rejection.reason()), ("timeout", "elapsed"));
    assert_eq!(control.seen().in_flight, 0);
}

#[test]
fn the_deadline_ends_a_wait_for_the_service_too() {
    let (retry, time) = retry(plain().within(5 * SECOND).max_attempts(9));
    let (inner, control) = service::controlled();
    control.answer(Answer::Fail);
    let mut service = retry.layer().layer(inner);
    make_ready(&mut service);
    let mut call = pin!(service.call(1));
    assert!(poll(call.as_mut()).is_pending());
    control.ready(Ready::NotYet);
    for _ in 0..5 {
        assert!(poll(call.as_mut()).is_pending());
        time.advance(SECOND);
    }
    let Poll::Ready(Err(CallError::Rejected(rejection))) = poll(call.as_mut()) else { panic!("time is over") };
    assert_eq!(rejection.reason(), "deadline_passed");
    assert_eq!(retry.snapshot().total.deadline, 1);
}

#[test]
fn the_deadline_ends_a_wait_for_the_service_however_short_attempts_are() {
    let (retry, time) = retry(plain().within(5 * SECOND).attempt_timeout(SECOND).max_attempts(9));
    let (inner, control) = service::controlled();
    control.answer(Answer::Fail);
    let mut service = retry.layer().layer(inner);
    make_ready(&mut service);
    let mut call = pin!(service.call(1));
    assert!(poll(call.as_mut()).is_pending());
    control.ready(Ready::NotYet);
    time.advance(SECOND);
    assert!(poll(call.as_mut()).is_pending());
    assert_eq!(time.next_wake(), Some(Timestamp::ZERO + 5 * SECOND), "it is woken at its deadline");
    time.advance(4 * SECOND);
    assert!(matches!(poll(call.as_mut()), Poll::Ready(Err(CallError::Rejected(_)))));
    assert_eq!((retry.snapshot().total.deadline, control.seen().calls), (1, 1));
}

#[test]
fn the_first_attempt_is_made_and_its_time_begins_when_the_service_is_called() {
    let (retry, time) = retry(plain().attempt_timeout(2 * SECOND).max_attempts(1));
    let (inner, control) = service::controlled();
    control.answer(Answer::Hold);
    let mut service = retry.layer().layer(inner);
    make_ready(&mut service);
    drop(service.call(1));
    assert_eq!((control.seen().calls, control.seen().dropped), (1, 1));
    assert_eq!(retry.snapshot().total.abandoned, 1);
    make_ready(&mut service);
    let call = service.call(2);
    assert_eq!(control.seen().in_flight, 1);
    time.advance(2 * SECOND);
    assert!(
        matches!(poll(pin!(call)), Poll::Ready(Err(CallError::Rejected(_)))),
        "its time was over before the first poll"
    );
    assert_eq!(control.seen().in_flight, 0);
    control.assert_kept();
}

#[test]
fn a_deadline_that_passed_before_the_call_makes_no_attempt() {
    let (retry, time) = retry(plain());
    let (inner, control) = service::controlled();
    let dated = Dated(Deadline::at(Timestamp::ZERO + SECOND));
    let mut service = retry.layer().requests(dated).layer(inner);
    time.advance(SECOND);
    make_ready(&mut service);
    let Poll::Ready(Err(CallError::Rejected(rejection))) = poll(pin!(service.call(1))) else { panic!("time is over") };
    assert_eq!((rejection.reason(), control.seen().calls), ("deadline_passed", 0));
    assert_eq!(retry.snapshot().total.deadline, 1);
}

/// All requests have the same deadline.
#[derive(Clone)]
struct Dated(Deadline);

impl Deadlines<u32> for Dated {
    fn deadline(&self, _request: &u32) -> Option<Deadline> {
        Some(self.0)
    }

    fn set_deadline(&self, _request: &mut u32, _deadline: Deadline) {}
}

impl Requests<u32> for Dated {
    fn copy(&self, request: &u32) -> Option<u32> {
        Some(*request)
    }
}

#[test]
fn a_panic_in_a_call_or_its_future_counts_as_abandoned_and_leaves_the_budget() {
    let budget = Budget::new(InFlight::default()).expect("valid");
    let (retry, _time) = retry(Config::default().budget(budget.clone()));
    let panics = |request: u32| {
        assert_ne!(request, 0, "a call panics");
        async move {
            assert_ne!(request, 1, "a future panics");
            Ok::<_, std::io::Error>(request)
        }
    };
    let mut service = retry.layer().boxed().layer(service_fn(panics));
    for request in 0..3 {
        let call = std::panic::AssertUnwindSafe(|| poll(pin!(service.call(request))));
        assert_eq!(std::panic::catch_unwind(call).is_err(), request < 2);
    }
    let total = retry.snapshot().total;
    assert_eq!((total.abandoned, total.first_good), (2, 1));
    assert_eq!((budget.snapshot().calls, budget.snapshot().in_flight), (3, 0));
}

#[test]
fn a_call_whose_result_was_given_has_left_its_budget_and_kept_nothing() {
    let budget = Budget::new(InFlight::default()).expect("valid");
    let (retry, time) = retry(plain().budget(budget.clone()).max_attempts(2));
    let (inner, control) = service::controlled();
    let mut service = retry.layer().layer(inner);
    for answer in [Answer::Succeed, Answer::Fail] {
        control.answer(answer);
        make_ready(&mut service);
        let mut call = pin!(service.call(1));
        while poll(call.as_mut()).is_pending() {
            assert_eq!(budget.snapshot().in_flight, 1);
            time.advance(SECOND);
        }
        assert_eq!((budget.snapshot().in_flight, budget.snapshot().extra_in_flight), (0, 0));
        assert_eq!(time.next_wake(), None);
    }
    assert_eq!((budget.snapshot().calls, budget.snapshot().spent), (2, 1), "left once each");
    assert_eq!(retry.snapshot().total.abandoned, 0);
}

#[test]
fn a_service_that_cannot_fail_is_given_a_response() {
    let (retry, time) = retry(plain().attempt_timeout(SECOND).max_attempts(1));
    let hanging = service_fn(|(): ()| std::future::pending::<Result<String, std::convert::Infallible>>());
    let mut service = retry.layer().on_timeout(|rejection: Rejection| rejection.reason().to_owned()).layer(hanging);
    let mut call = pin!(service.call(()));
    assert!(poll(call.as_mut()).is_pending());
    time.advance(SECOND);
    assert_eq!(poll(call.as_mut()), Poll::Ready(Ok("elapsed".to_owned())));
}

#[test]
fn a_clone_starts_without_readiness() {
    let (retry, _time) = retry(plain());
    let (inner, control) = service::controlled();
    let mut service = retry.layer().layer(inner);
    make_ready(&mut service);
    let mut clone = service.clone();
    make_ready(&mut clone);
    assert_eq!(poll(pin!(clone.call(1))), Poll::Ready(Ok(1)));
    assert_eq!(poll(pin!(service.call(2))), Poll::Ready(Ok(2)));
    control.assert_kept();
}

#[test]
fn hedges_are_made_by_clones_that_are_ready() {
    let (hedge, time) = hedge(1);
    let (inner, control) = service::controlled();
    control.answer(Answer::Hold);
    let mut service = hedge.layer().layer(inner);
    make_ready(&mut service);
    let mut call = pin!(service.call(1));
    assert!(poll(call.as_mut()).is_pending());
    control.ready(Ready::NotYet);
    time.advance(10 * MS);
    assert!(poll(call.as_mut()).is_pending());
    assert_eq!(control.seen().calls, 1, "the clone is not ready");
    control.ready(Ready::Yes);
    control.answer(Answer::Succeed);
    assert_eq!(poll(call.as_mut()), Poll::Ready(Ok(1)));
    assert_eq!((control.seen().calls, control.seen().dropped), (2, 1), "the first attempt was dropped");
    assert!(poll_ready(&mut service).is_ready());
    control.assert_kept();
}

#[test]
fn dropping_the_response_drops_every_attempt() {
    let (hedge, time) = hedge(2);
    let (inner, control) = service::controlled();
    control.answer(Answer::Hold);
    let mut service = hedge.layer().layer(inner);
    make_ready(&mut service);
    let mut call = Box::pin(service.call(1));
    for _ in 0..3 {
        assert!(poll(call.as_mut()).is_pending());
        time.advance(10 * MS);
    }
    assert_eq!(control.seen().in_flight, 3);
    drop(call);
    assert_eq!((control.seen().in_flight, control.seen().dropped), (0, 3));
    control.assert_kept();
}

#[tokio::test]
async fn both_layers_work_inside_and_over_a_buffer() {
    let config = plain().fixed(MS);
    let retry = Retry::new(config).expect("valid");
    let hedge = Hedge::new(HedgeConfig::default().delay(SECOND).without_budget()).expect("valid");
    let mut failures = 2;
    let flaky = service_fn(move |request: u32| {
        failures -= i32::from(failures > 0);
        let fails = failures > 0;
        async move { if fails { Err(std::io::Error::other("down")) } else { Ok(request) } }
    });
    let inside = tower::buffer::Buffer::new(flaky, 4);
    let stack = retry.layer().boxed().layer(hedge.layer().layer(inside));
    let over = tower::buffer::Buffer::new(stack, 4);
    assert_eq!(over.oneshot(7).await.expect("the third attempt at the latest"), 7);
}

#[test]
fn judged_by_their_results() {
    let (retry, time) = retry(plain().fixed(Duration::ZERO));
    let left = Rc::new(RefCell::new(vec![200, 503, 503]));
    let busy = service_fn(|(): ()| {
        let status = left.borrow_mut().pop().expect("an attempt too many");
        async move { Ok::<u16, std::io::Error>(status) }
    });
    let judge = |result: &Result<u16, std::io::Error>| match result {
        Ok(503) | Err(_) => Verdict::again(),
        Ok(_) => Verdict::good(),
    };
    let mut service = retry.layer().judge(judge).boxed().layer(busy);
    let mut call = pin!(service.call(()));
    let status = loop {
        if let Poll::Ready(status) = poll(call.as_mut()) {
            break status;
        }
        time.advance(MS);
    };
    assert_eq!(status.expect("no error"), 200);
}
