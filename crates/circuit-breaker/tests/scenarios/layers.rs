//! The breaker in front of a service.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use seawall_circuit_breaker::{Abandoned, CircuitBreaker, Config, Patient, State};
use seawall_testkit::exec::{Executor, yield_now};
use seawall_testkit::service::{self, Answer, CallError, ControlledService, Ready};
use tower::{Layer, Service};

use crate::{HOUR, SECOND, breaker, half_opened, single_probe};

fn poll_ready<S: Service<u32>>(service: &mut S) -> Poll<Result<(), S::Error>> {
    service.poll_ready(&mut Context::from_waker(Waker::noop()))
}

fn poll<F: Future>(future: F) -> Poll<F::Output> {
    std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn an_open_circuit_stays_ready_and_never_polls_what_is_behind_it() {
    let (breaker, _time) = breaker(Config::classic());
    let (inner, control) = service::controlled();
    control.ready(Ready::NotYet);
    breaker.trip();
    let mut service = breaker.layer().layer(inner);
    for _ in 0..3 {
        assert!(matches!(poll_ready(&mut service), Poll::Ready(Ok(()))));
        let Poll::Ready(Err(CallError::Rejected(rejection))) = poll(service.call(1)) else { panic!("not refused") };
        assert_eq!((rejection.reason(), rejection.retry_after()), ("open", Some(60 * SECOND)));
    }
    assert_eq!((control.seen().readiness_polls, control.seen().calls), (0, 0));
    breaker.reset();
    assert!(poll_ready(&mut service).is_pending(), "a closed one waits for what is behind it");
}

#[test]
fn a_call_that_was_made_and_dropped_unpolled_counts_as_dropped() {
    let (breaker, _time) = breaker(Config::empty().consecutive_failures(2).abandoned(Abandoned::Failure));
    let (inner, control) = service::controlled();
    let mut service = breaker.layer().layer(inner);
    for _ in 0..2 {
        assert!(matches!(poll_ready(&mut service), Poll::Ready(Ok(()))));
        drop(service.call(1));
    }
    assert_eq!((breaker.state(), control.seen().dropped), (State::Open, 2));
}

#[test]
fn a_panic_of_the_service_is_a_failure_wherever_it_happens() {
    for answer in [Answer::Panic, Answer::PanicInCall] {
        let (breaker, _time) = breaker(Config::empty().consecutive_failures(1));
        let (inner, control) = service::controlled();
        let mut service = breaker.layer().layer(inner);
        control.answer(answer);
        assert!(matches!(poll_ready(&mut service), Poll::Ready(Ok(()))));
        let call = std::panic::AssertUnwindSafe(|| poll(service.call(1)).is_ready());
        assert!(std::panic::catch_unwind(call).is_err());
        assert_eq!((breaker.state(), breaker.snapshot().total.failures), (State::Open, 1), "{answer:?}");
    }
}

/// Makes one call behind `layer`, whose inner service becomes ready only after a thousand other turns; how often the call and
/// the inner service's readiness were polled meanwhile.
fn polls_while_unready<L>(layer: &L) -> (u32, usize)
where
    L: Layer<ControlledService>,
    L::Service: Service<u32, Response = u32, Error = CallError> + 'static,
{
    let executor = Executor::new(1);
    let (inner, control) = service::controlled();
    control.ready(Ready::NotYet);
    let polls = Rc::new(Cell::new(0));
    let mut service = layer.layer(inner);
    let call = async move {
        poll_fn(|cx| service.poll_ready(cx)).await?;
        service.call(7).await
    };
    let counted = {
        let (polls, mut call) = (polls.clone(), Box::pin(call));
        poll_fn(move |cx| {
            polls.set(polls.get() + 1);
            call.as_mut().poll(cx)
        })
    };
    let answer = executor.spawn(counted);
    let others = executor.spawn(async {
        for _ in 0..1_000 {
            yield_now().await;
        }
    });
    executor.block_on(others);
    let meanwhile = (polls.get(), control.seen().readiness_polls);
    control.ready(Ready::Yes);
    assert_eq!(executor.block_on(answer), Ok(7));
    meanwhile
}

#[test]
fn a_closed_circuit_waits_for_what_is_behind_it_without_asking_again_and_again() {
    let (breaker, _time) = breaker(Config::classic());
    assert_eq!(polls_while_unready(&breaker.layer()), (1, 1));
    assert_eq!(polls_while_unready(&breaker.layer().wait(SECOND)), (1, 1));
    assert_eq!(polls_while_unready(&breaker.layer().backpressure()), (1, 1));
}

/// A ready service, an hour, and its call.
fn ready_then_call<L>(breaker: &CircuitBreaker, layer: &L, between: impl FnOnce()) -> Result<u32, CallError>
where
    L: Layer<ControlledService>,
    L::Service: Service<u32, Response = u32, Error = CallError>,
{
    let (inner, _control) = service::controlled();
    let mut service = layer.layer(inner);
    assert!(matches!(poll_ready(&mut service), Poll::Ready(Ok(()))));
    let generation = breaker.snapshot().generation;
    between();
    assert_eq!(breaker.snapshot().generation, generation, "nothing has changed the circuit");
    match poll(service.call(7)) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits for nothing"),
    }
}

#[test]
fn whoever_was_ready_is_served_while_the_circuit_stays_as_it_is() {
    let (closed, time) = breaker(Config::classic());
    let later = || time.advance(HOUR);
    assert_eq!(ready_then_call(&closed, &closed.layer(), later), Ok(7));
    assert_eq!(ready_then_call(&closed, &closed.layer().wait(SECOND), later), Ok(7));
    assert_eq!(ready_then_call(&closed, &closed.layer().backpressure(), later), Ok(7));

    // Others that are ready take no probe from whoever calls.
    let half_open = half_opened(Config::classic().half_open(single_probe().without_max()));
    let mut other = half_open.layer().backpressure().layer(service::controlled().0);
    assert!(matches!(poll_ready(&mut other), Poll::Ready(Ok(()))));
    assert_eq!(ready_then_call(&half_open, &half_open.layer().backpressure(), || ()), Ok(7));
    assert_eq!(half_open.state(), State::Closed);
    assert!(matches!(poll(other.call(8)), Poll::Ready(Ok(8))));
}

#[test]
fn of_eight_callers_that_would_rather_wait_for_one_probe_none_is_refused() {
    let executor = Executor::new(3);
    let config = Config::classic().half_open(single_probe()).abandoned(Abandoned::Ignore);
    let breaker = CircuitBreaker::with_clock(config, executor.clock()).expect("valid");
    breaker.trip();
    breaker.half_open().expect("it is open");
    let patient = Patient::over(breaker.clone(), 8).expect("some may wait");
    let (inner, control) = service::controlled();
    control.answer(Answer::Hold);
    let service = patient.layer().wait(10 * SECOND).layer(inner);
    let calls: Vec<_> = (0..8)
        .map(|number| {
            let mut service = service.clone();
            executor.spawn(async move {
                poll_fn(|cx| Service::<u32>::poll_ready(&mut service, cx)).await?;
                service.call(number).await
            })
        })
        .collect();
    executor.run_for(SECOND);
    assert_eq!((control.seen().in_flight, patient.waiting()), (1, 7), "one is the probe");
    control.release(8);
    let answers: Vec<_> = calls.into_iter().map(|call| executor.block_on(call)).collect();
    assert_eq!(answers, (0..8).map(Ok).collect::<Vec<_>>());
    assert_eq!((breaker.state(), breaker.snapshot().total.refused), (State::Closed, 0));
}
