//! The breaker as a tower layer.
#![cfg(feature = "tower")]

use std::convert::Infallible;
use std::time::Duration;

use seawall_circuit_breaker::{CircuitBreaker, Config, HalfOpen, State};
use seawall_core::Rejection;
use seawall_core::time::Clock;
use tower::{Layer, Service, ServiceExt, service_fn};

fn one_failure() -> Config {
    Config::empty().consecutive_failures(1).half_open(HalfOpen::probes(1))
}

#[tokio::test]
async fn a_refusal_is_the_responses_error_and_the_inner_service_is_not_polled() {
    let breaker = CircuitBreaker::new(one_failure()).expect("valid");
    let mut service = breaker.layer().boxed().layer(service_fn(|fails: bool| async move {
        if fails { Err(std::io::Error::other("down")) } else { Ok("up") }
    }));
    assert_eq!(service.ready().await.expect("ready").call(false).await.expect("served"), "up");
    service.ready().await.expect("ready").call(true).await.expect_err("the inner error");
    assert_eq!(breaker.state(), State::Open);
    let refused = service.ready().await.expect("ready").call(false).await.expect_err("refused");
    assert_eq!(Rejection::find(&*refused).expect("a rejection").reason(), "open");
    assert_eq!(breaker.snapshot().total.refused, 1);
}

#[tokio::test]
async fn a_service_that_cannot_fail_answers() {
    let breaker = CircuitBreaker::new(one_failure()).expect("valid");
    breaker.trip();
    let service = breaker
        .layer()
        .on_rejection(|rejection: Rejection| rejection.to_string())
        .layer(service_fn(|(): ()| async { Ok::<_, Infallible>(String::from("served")) }));
    let answer = service.oneshot(()).await.expect("cannot fail");
    assert!(answer.contains("refused the call: open"), "{answer}");
}

#[tokio::test]
async fn of_eight_ready_clones_one_gets_the_probe() {
    let (clock, time) = Clock::manual();
    let breaker = CircuitBreaker::with_clock(one_failure(), clock).expect("valid");
    breaker.trip();
    time.advance(Duration::from_secs(30));
    let service = breaker.layer().boxed().layer(service_fn(|(): ()| std::future::pending::<Result<(), Rejection>>()));
    let mut clones: Vec<_> = (0..8).map(|_| service.clone()).collect();
    for clone in &mut clones {
        clone.ready().await.expect("ready");
    }
    let mut calls: Vec<_> = clones.iter_mut().map(|clone| tokio_test_poll(clone.call(()))).collect();
    assert_eq!(calls.iter_mut().filter(|(_, pending)| *pending).count(), 1, "one probe is out");
    assert_eq!(breaker.snapshot().refused_in_state, 7);
}

fn tokio_test_poll<F: Future>(future: F) -> (std::pin::Pin<Box<F>>, bool) {
    let mut future = Box::pin(future);
    let pending = future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_pending();
    (future, pending)
}

#[tokio::test]
async fn backpressure_takes_the_probe_only_in_call() {
    let (clock, time) = Clock::manual();
    let breaker = CircuitBreaker::with_clock(one_failure(), clock).expect("valid");
    let layer = breaker.layer().backpressure().boxed();
    let mut service = layer.layer(service_fn(|(): ()| async { Ok::<_, Rejection>(()) }));
    breaker.trip();
    time.advance(Duration::from_secs(30));
    service.ready().await.expect("ready");
    assert_eq!(breaker.snapshot().probes_left, Some(1), "readiness hoards no probe");
    service.call(()).await.expect("the probe");
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn waiting_calls_are_refused_when_the_circuit_is_open() {
    let breaker = CircuitBreaker::new(one_failure()).expect("valid");
    let layer = breaker.layer().wait(Duration::from_secs(1)).boxed();
    let service = layer.layer(service_fn(|(): ()| async { Ok::<_, Rejection>(()) }));
    service.clone().oneshot(()).await.expect("closed");
    breaker.trip();
    service.oneshot(()).await.expect_err("open");
}
