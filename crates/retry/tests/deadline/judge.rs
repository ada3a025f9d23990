use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response};
use seawall_core::http::Statuses;
use seawall_core::{Kind, Name, Rejection};
use seawall_retry::http::{BoxedStatuses, FellBack, MarkFellBack};
use seawall_retry::{Fallback, FallbackConfig, Judge, Verdict};
use tower::{BoxError, Layer, ServiceExt, service_fn};

static OPEN: Kind = Kind::new("circuit_breaker", "open");

fn answer(status: u16, retry_after: Option<&str>) -> Response<&'static str> {
    let response = Response::builder().status(status);
    let response = retry_after.into_iter().fold(response, |response, after| response.header("retry-after", after));
    response.body("its own").expect("valid")
}

fn verdicts(result: Result<Response<&'static str>, Rejection>) -> Verdict {
    let plain = Judge::judge(&Statuses::default(), &result);
    let boxed = Judge::judge(&BoxedStatuses::default(), &result.map_err(|rejection| -> BoxError { rejection.into() }));
    assert_eq!(plain, boxed);
    plain
}

#[test]
fn a_status_says_whether_another_attempt_makes_sense_and_when() {
    assert_eq!(verdicts(Ok(answer(200, None))), Verdict::good());
    assert_eq!(verdicts(Ok(answer(404, None))), Verdict::good());
    assert_eq!(verdicts(Ok(answer(500, None))), Verdict::again());
    assert_eq!(verdicts(Ok(answer(503, Some("7")))), Verdict::again().after(Duration::from_secs(7)));
    let ignored = Statuses::default().ignored(409).expect("valid");
    assert_eq!(Judge::judge(&ignored, &Ok::<_, Infallible>(answer(409, None))), Verdict::is_final());
}

#[test]
fn a_refusal_is_told_apart_from_a_failure() {
    let open = Rejection::new(&OPEN, Name::from_static("payment")).after(Duration::from_secs(3));
    assert_eq!(verdicts(Err(open)), Verdict::refused().after(Duration::from_secs(3)));
    let reset: Result<Response<()>, BoxError> = Err("connection reset".into());
    assert_eq!(BoxedStatuses::default().judge(&reset), Verdict::again());
}

#[tokio::test]
async fn a_response_says_whose_it_is() {
    let fallback = Fallback::new(FallbackConfig::default().name("café")).expect("valid");
    let echo = service_fn(|request: Request<u16>| async move { Ok::<_, Infallible>(answer(*request.body(), None)) });
    let layer = fallback
        .layer()
        .judge(Statuses::default())
        .by(|_busy: &Result<Response<&'static str>, Infallible>| Response::new("another's"))
        .mark(MarkFellBack::default().header("x-fallback").expect("a name"));
    let service = layer.layer(echo);
    let own = service.clone().oneshot(Request::new(404)).await.expect("infallible");
    assert_eq!((own.body(), FellBack::of(&own), own.headers().len()), (&"its own", None, 0));
    let others = service.oneshot(Request::new(503)).await.expect("infallible");
    assert_eq!((others.body(), others.headers()["x-fallback"].as_bytes()), (&"another's", "café".as_bytes()));
    assert_eq!(FellBack::of(&others).expect("marked").name().as_str(), "café");
    let error = MarkFellBack::default().header("x fallback").expect_err("a space");
    assert_eq!((error.field(), error.value()), ("header", "\"x fallback\""));
}
