//! The bulkhead over HTTP: what a refused caller is told, and how long a call lasts.
#![cfg(all(feature = "http", feature = "tower", not(seawall_loom)))]

use std::convert::Infallible;
use std::time::Duration;

use http::{Response, StatusCode};
use http_body_util::BodyExt;
use seawall_bulkhead::{Bulkhead, Claiming, Config};
use seawall_core::Claim;
use seawall_core::http::{Statuses, respond};
use seawall_core::time::{Clock, ManualTime};
use tower::{Layer, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

fn bulkhead(config: Config) -> (Bulkhead, ManualTime) {
    let (clock, time) = Clock::manual();
    (Bulkhead::with_clock(config.name("payments"), clock).expect("a valid configuration"), time)
}

/// A dependency that answers with this text.
macro_rules! dependency {
    () => {
        service_fn(|_: u32| async { Ok::<_, Infallible>(Response::new(String::from("from the dependency"))) })
    };
}

#[tokio::test]
async fn a_refused_caller_is_told_so_by_a_problem_document() {
    let (bulkhead, _time) = bulkhead(Config::new(1));
    let layer = bulkhead.layer().statuses(Statuses::default()).on_rejection(respond);
    let service = layer.layer(dependency!());
    let answer = service.clone().oneshot(1).await.expect("it always answers");
    assert_eq!((answer.status(), bulkhead.in_flight()), (StatusCode::OK, 0));
    let _running = bulkhead.try_admit().expect("free");
    let refused = service.oneshot(1).await.expect("it always answers");
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert!(!refused.headers().contains_key("retry-after"), "nobody knows when");
    let problem = refused.into_body();
    assert!(problem.contains("bulkhead") && problem.contains("full") && problem.contains("payments"), "{problem}");
}

#[tokio::test]
async fn a_refused_caller_is_told_when_to_come_back_if_that_is_known() {
    let (bulkhead, time) = bulkhead(Config::new(1).queue(1).max_wait(60 * SECOND));
    let mut running = bulkhead.try_admit().expect("free");
    for _ in 0..8 {
        let mut next = std::pin::pin!(bulkhead.admit());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(next.as_mut().poll(&mut cx).is_pending());
        time.advance(2 * SECOND);
        running.success();
        running = next.await.expect("its turn");
    }
    let layer = bulkhead.layer().on_rejection(respond);
    let refused = layer.layer(dependency!()).oneshot(1).await.expect("it always answers");
    assert_eq!(
        (refused.status(), &refused.headers()["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"2".parse().expect("a value"))
    );
    running.success();
}

#[tokio::test]
async fn a_permit_is_held_to_the_end_of_the_body() {
    let (bulkhead, _time) = bulkhead(Config::new(1));
    let layer = bulkhead.layer().statuses(Statuses::default()).until_body_end().on_rejection(respond);
    let service = layer.layer(dependency!());
    let first = service.clone().oneshot(1).await.expect("it always answers");
    assert_eq!((first.status(), bulkhead.in_flight()), (StatusCode::OK, 1));
    let refused = service.clone().oneshot(1).await.expect("it always answers");
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let whole = first.into_body().collect().await.expect("a whole body").to_bytes();
    assert_eq!((&*whole, bulkhead.in_flight()), (&b"from the dependency"[..], 0));
    drop(service.clone().oneshot(1).await.expect("it always answers"));
    assert_eq!(bulkhead.in_flight(), 0, "a body that nobody reads holds its permit until it is dropped");
}

#[tokio::test]
async fn a_request_that_costs_more_than_there_is_is_never_served() {
    let (bulkhead, _time) = bulkhead(Config::new(2));
    let claims = Claiming::by(&bulkhead, |cost: &u32| Claim::new().permits(*cost));
    let service = claims.layer().on_rejection(respond).layer(dependency!());
    assert_eq!(service.clone().oneshot(2).await.expect("it always answers").status(), StatusCode::OK);
    let never = service.oneshot(3).await.expect("it always answers");
    assert!(!never.headers().contains_key("retry-after"));
    let problem: String = never.into_body();
    assert!(problem.contains("too_large"), "{problem}");
}
