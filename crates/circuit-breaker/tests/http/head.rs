//! What a head says of the dependency, and what a refused caller is told.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Bytes;
use http::Response;
use http_body_util::Full;
use seawall_circuit_breaker::{CircuitBreaker, Config, State};
use seawall_core::http::{Problem, Statuses, respond};
use seawall_core::time::Clock;
use seawall_core::{Rejection, all};
use tower::{Layer, ServiceExt, service_fn};

use crate::{SECOND, answer, touchy};

type Answer = Response<Full<Bytes>>;

/// One request to a dependency that answers so.
async fn ask(breaker: &CircuitBreaker, status: u16, retry_after: Option<&'static str>) -> Answer {
    let dependency = service_fn(move |(): ()| async move {
        Ok::<_, Infallible>(answer(status, retry_after, Full::from("from the dependency")))
    });
    let layer = breaker.layer().statuses(Statuses::default()).on_rejection(respond);
    layer.layer(dependency).oneshot(()).await.expect("it always answers")
}

#[tokio::test]
async fn a_failure_of_the_server_opens_and_a_mistake_of_the_caller_does_not() {
    let (breaker, _time) = touchy(Config::empty());
    for status in [200, 302, 400, 404, 501] {
        ask(&breaker, status, None).await;
        assert_eq!(breaker.state(), State::Closed, "{status}");
    }
    ask(&breaker, 503, None).await;
    assert_eq!(breaker.state(), State::Open);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.total.successes, snapshot.total.failures), (5, 1));
    assert_eq!(snapshot.last_error.as_deref(), Some("503 Service Unavailable"));
}

#[tokio::test]
async fn a_dependency_that_answers_404_to_probes_is_found_back() {
    let (breaker, time) = touchy(Config::empty());
    breaker.trip();
    time.advance(30 * SECOND);
    assert_eq!(ask(&breaker, 404, None).await.status(), 404);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn retry_after_is_the_open_interval() {
    let (breaker, time) = touchy(Config::empty().open_for(30 * SECOND));
    ask(&breaker, 429, Some("7")).await;
    time.advance(Duration::from_millis(6_999));
    assert_eq!(breaker.state(), State::Open);
    time.advance(Duration::from_millis(1));
    assert_eq!(breaker.state(), State::HalfOpen);
    ask(&breaker, 503, Some("soon")).await;
    time.advance(Duration::from_millis(29_999));
    assert_eq!(breaker.state(), State::Open, "what cannot be read leaves the configured interval");
}

#[tokio::test]
async fn a_refused_caller_is_told_what_and_until_when() {
    let (breaker, time) = touchy(Config::empty().name("payment"));
    ask(&breaker, 503, Some("7")).await;
    time.advance(Duration::from_millis(1_500));
    let refused = ask(&breaker, 200, None).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "6");
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let body = http_body_util::BodyExt::collect(refused.into_body()).await.expect("a body").to_bytes();
    let problem: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(
        problem,
        serde_json::json!({
            "type": "urn:seawall:problem:circuit_breaker:open",
            "title": "Service Unavailable",
            "status": 503,
            "detail": "circuit_breaker `payment` refused the request: open",
            "pattern": "circuit_breaker",
            "reason": "open",
            "name": "payment",
            "retry_after": 6,
        })
    );
}

#[tokio::test]
async fn nobody_is_told_to_wait_when_only_a_hand_can_close_the_circuit() {
    let (breaker, _time) = touchy(Config::empty());
    breaker.force_open();
    let refused = ask(&breaker, 200, None).await;
    assert_eq!((refused.status().as_u16(), refused.headers().get("retry-after")), (503, None));
}

#[tokio::test]
async fn a_tuple_of_policies_tells_whose_refusal_it_is() {
    let (clock, _time) = Clock::manual();
    let named = |name| CircuitBreaker::with_clock(Config::classic().name(name), clock.clone()).expect("valid");
    let (payment, stock) = (named("payment"), named("stock"));
    stock.force_open();
    let never = service_fn(|(): ()| std::future::pending::<Result<Response<String>, Infallible>>());
    let brief = |rejection: Rejection| Problem::new(rejection).max_retry_after(SECOND).respond();
    let both = all((payment, stock)).layer().on_rejection(brief).layer(never);
    let refused = both.oneshot(()).await.expect("it answers");
    assert!(refused.body().contains("\"name\":\"stock\""), "{}", refused.body());
}
