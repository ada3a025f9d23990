//! Calls that last as long as the response's body.

use std::convert::Infallible;
use std::pin::Pin;

use http::Response;
use http_body_util::BodyExt;
use seawall_circuit_breaker::{Abandoned, Breaker, CircuitBreaker, Config, State};
use seawall_core::http::{Held, Statuses, respond};
use seawall_testkit::cancel::cancel_at_every_poll;
use seawall_testkit::exec::yield_now;
use seawall_testkit::watch::{Account, Watched, watched};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

use crate::{CHUNK, Download, SECOND, Then, answer, touchy};

/// A body of text too, so that a refusal can be one.
impl From<String> for Download {
    fn from(_problem: String) -> Self {
        Self::new(0, Then::Known)
    }
}

/// The head of a download from behind the breaker.
async fn begin(breaker: &CircuitBreaker, status: u16, download: Download) -> Response<Held<Download, Breaker>> {
    let dependency = service_fn(move |(): ()| async move { Ok::<_, Infallible>(answer(status, None, download)) });
    let layer = breaker.layer().statuses(Statuses::default()).until_body_end().on_rejection(respond);
    layer.layer(dependency).oneshot(()).await.expect("it always answers")
}

#[tokio::test]
async fn a_body_that_ends_is_a_success() {
    for (then, frames) in [(Then::End, 3), (Then::Known, 2)] {
        let (breaker, _time) = touchy(Config::empty());
        let mut response = begin(&breaker, 200, Download::new(2, then)).await;
        for frame in 1..=frames {
            assert_eq!(breaker.snapshot().total.successes, 0, "{then:?}: it has not ended before frame {frame}");
            let _ = response.frame().await;
        }
        assert_eq!(breaker.snapshot().total.successes, 1, "{then:?}");
    }
}

#[tokio::test]
async fn a_bodys_error_is_a_failure() {
    let (breaker, _time) = touchy(Config::empty());
    let response = begin(&breaker, 200, Download::new(2, Then::Fail)).await;
    assert_eq!(response.into_body().collect().await.expect_err("it breaks off"), "connection reset");
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().last_error.as_deref(), Some("connection reset"));
}

#[tokio::test]
async fn a_body_that_is_dropped_midway_is_abandoned() {
    for (abandoned, state) in [(Abandoned::Ignore, State::Closed), (Abandoned::Failure, State::Open)] {
        let (breaker, _time) = touchy(Config::empty().abandoned(abandoned));
        let mut response = begin(&breaker, 200, Download::new(2, Then::Hang)).await;
        let first = response.frame().await.expect("a frame").expect("no error").into_data().expect("data");
        assert_eq!(first, CHUNK);
        drop(response);
        let total = breaker.snapshot().total;
        assert_eq!((total.abandoned, total.successes, breaker.state()), (1, 0, state), "{abandoned:?}");
    }
}

#[tokio::test]
async fn a_failing_head_opens_when_its_body_is_done_with() {
    let (breaker, _time) = touchy(Config::empty().abandoned(Abandoned::Ignore));
    let mut response = begin(&breaker, 500, Download::new(2, Then::Hang)).await;
    let _ = response.frame().await;
    assert_eq!(breaker.state(), State::Closed);
    drop(response);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().last_error.as_deref(), Some("500 Internal Server Error"));
}

#[tokio::test]
async fn a_probe_is_out_until_its_body_has_ended() {
    let (breaker, time) = touchy(Config::empty());
    breaker.trip();
    time.advance(30 * SECOND);
    let mut probe = begin(&breaker, 200, Download::new(2, Then::End)).await;
    let _ = probe.frame().await;
    assert_eq!(breaker.snapshot().probes_left, Some(0));
    assert_eq!(begin(&breaker, 200, Download::new(1, Then::End)).await.status(), 503);
    while probe.frame().await.is_some() {}
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn a_probe_whose_body_is_dropped_makes_room_for_the_next() {
    let (breaker, time) = touchy(Config::empty().abandoned(Abandoned::Ignore));
    breaker.trip();
    time.advance(30 * SECOND);
    for _ in 0..10 {
        let mut probe = begin(&breaker, 200, Download::new(2, Then::End)).await;
        let _ = probe.frame().await;
        assert_eq!((probe.status().as_u16(), breaker.snapshot().probes_left), (200, Some(0)));
        drop(probe);
        assert_eq!((breaker.state(), breaker.snapshot().probes_left), (State::HalfOpen, Some(1)));
    }
    let probe = begin(&breaker, 200, Download::new(2, Then::End)).await;
    probe.into_body().collect().await.expect("a whole body");
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn a_slow_body_is_a_slow_call() {
    let (breaker, time) = touchy(Config::empty().slow_calls(SECOND, 1.0));
    let response = begin(&breaker, 200, Download::new(1, Then::End)).await;
    time.advance(2 * SECOND);
    response.into_body().collect().await.expect("a whole body");
    assert_eq!(breaker.snapshot().figures.slow, 1);
}

/// One download, from readiness to the last byte.
async fn download<S>(mut service: S) -> Result<(), BoxError>
where
    S: Service<(), Error = BoxError, Response = Response<Held<Download, Watched<Breaker>>>>,
{
    let response = service.ready().await?.call(()).await?;
    response.into_body().collect().await?;
    Ok(())
}

#[test]
fn a_download_that_is_dropped_at_any_poll_ends_once() {
    let dependency = || {
        service_fn(|(): ()| async {
            yield_now().await;
            Ok::<_, BoxError>(answer(200, None, Download::new(3, Then::End)))
        })
    };
    for mode in ["shed", "wait", "backpressure"] {
        let (breaker, ledger) = watched(touchy(Config::empty().abandoned(Abandoned::Ignore)).0);
        let layer = || breaker.layer().statuses(Statuses::default()).until_body_end().boxed();
        let polls = cancel_at_every_poll(
            || -> Pin<Box<dyn Future<Output = Result<(), BoxError>>>> {
                match mode {
                    "shed" => Box::pin(download(layer().layer(dependency()))),
                    "wait" => Box::pin(download(layer().wait(SECOND).layer(dependency()))),
                    _ => Box::pin(download(layer().backpressure().layer(dependency()))),
                }
            },
            |polls| {
                ledger.assert_balanced();
                assert_eq!(ledger.account().failed, 0, "{mode}, after {polls} polls");
            },
        );
        let Account { admitted, succeeded, abandoned, .. } = ledger.account();
        assert!(polls > 4, "{mode}: one poll for the head, one for each chunk and one for the end");
        assert_eq!((succeeded, abandoned), (1, admitted - 1), "{mode}");
    }
}
