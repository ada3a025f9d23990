use std::time::Duration;

use http::HeaderMap;
use seawall_core::Deadline;
use seawall_core::time::Clock;
use seawall_retry::http::{Incoming, IncomingConfig};

use crate::{MS, headers};

const HEADER: &str = "x-request-timeout-ms";

#[test]
fn a_deadline_is_capped_defaulted_and_relative_to_now() {
    let (clock, time) = Clock::manual();
    let config = IncomingConfig::default().default_timeout(200 * MS).max(1_000 * MS);
    let incoming = Incoming::with_clock(config, clock.clone()).expect("valid");
    time.advance(7 * MS);
    let after = |left: u32| Some(Deadline::after(&clock, left * MS));
    assert_eq!(incoming.deadline(&HeaderMap::new()), after(200));
    for (value, left) in [("0", 0), ("1", 1), ("999", 999), ("1001", 1_000), ("99999999999999999999999", 1_000)] {
        let headers = headers(HEADER, &[value]);
        assert_eq!(incoming.deadline(&headers), after(left), "{value}");
        assert_eq!(incoming.try_deadline(&headers), Ok(after(left)), "{value}");
    }
}

#[test]
fn a_header_that_nobody_can_read_says_nothing_or_is_told() {
    let (clock, _time) = Clock::manual();
    let config = IncomingConfig::default().max(1_000 * MS);
    for (config, none) in [(config.clone(), None), (config.default_timeout(200 * MS), Some(200 * MS))] {
        let none = none.map(|left| Deadline::after(&clock, left));
        let incoming = Incoming::with_clock(config, clock.clone()).expect("valid");
        for values in [&["-1"][..], &["NaN"], &["soon"], &["1", "1"], &[""]] {
            let headers = headers(HEADER, values);
            assert_eq!(incoming.deadline(&headers), none, "{values:?}");
            assert_eq!(incoming.try_deadline(&headers).expect_err("bad").header(), HEADER);
        }
    }
}

#[test]
fn a_bad_value_is_named_with_what_would_be_valid() {
    let year = Duration::from_secs(400 * 24 * 3600);
    let config = IncomingConfig::default;
    for (config, field, value, valid) in [
        (config().max(Duration::ZERO), "max", "0ns", "above zero and at most 366 days"),
        (config().max(year), "max", "34560000s", "above zero and at most 366 days"),
        (config().default_timeout(Duration::ZERO), "default", "0ns", "above zero and at most `max`, 60s"),
        (config().default_timeout(61_000 * MS), "default", "61s", "above zero and at most `max`, 60s"),
    ] {
        let error = Incoming::new(config).expect_err(field);
        assert_eq!((error.field(), error.value(), error.valid()), (field, value, valid));
    }
}

#[cfg(feature = "serde")]
#[test]
fn it_is_read_from_a_file_and_written_back() {
    let text = "header = \"grpc-timeout\"\ndefault = \"2s\"\nmax = \"10s\"";
    let config: IncomingConfig = toml::from_str(text).expect("valid");
    let expected =
        IncomingConfig::default().header(seawall_retry::http::TimeoutHeader::grpc()).default_timeout(2_000 * MS);
    assert_eq!(config, expected.max(10_000 * MS));
    for config in [config, IncomingConfig::default()] {
        let text = toml::to_string(&config).expect("TOML");
        assert_eq!(toml::from_str::<IncomingConfig>(&text), Ok(config));
    }
    for (text, says) in [
        ("margin = \"1s\"", "unknown field `margin`, expected one of `header`, `default`, `max`"),
        ("header = \"a header\"", "`header` is \"a header\", must be a header's name: letters, digits, hyphens"),
        ("max = 10", "expected a duration"),
    ] {
        let error = toml::from_str::<IncomingConfig>(text).expect_err(text).to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[cfg(feature = "tower")]
mod layer {
    use super::*;
    use http::{Request, Response, StatusCode};
    use seawall_retry::http::bad_request;
    use seawall_testkit::service;
    use std::convert::Infallible;
    use tower::{Layer, ServiceExt, service_fn};

    /// A service that answers with the deadline that it finds.
    async fn finds(request: Request<()>) -> Result<Response<Option<Deadline>>, Infallible> {
        Ok(Response::new(request.extensions().get().copied()))
    }

    fn request(values: &[&str]) -> Request<()> {
        let mut request = Request::new(());
        *request.headers_mut() = headers(HEADER, values);
        request
    }

    #[tokio::test]
    async fn whoever_is_inside_finds_the_deadline_in_the_extensions() {
        let (clock, time) = Clock::manual();
        let config = IncomingConfig::default().default_timeout(200 * MS).max(1_000 * MS);
        let service = Incoming::with_clock(config, clock.clone()).expect("valid").layer().layer(service_fn(finds));
        time.advance(7 * MS);
        for (values, left) in
            [(&["800"][..], 800), (&[], 200), (&["5000"], 1_000), (&["soon"], 200), (&["1", "1"], 200)]
        {
            let found = service.clone().oneshot(request(values)).await.expect("infallible").into_body();
            assert_eq!(found, Some(Deadline::after(&clock, left * MS)), "{values:?}");
        }
    }

    #[tokio::test]
    async fn one_that_is_there_already_stays_unless_the_header_tells_an_earlier_one() {
        let (clock, _time) = Clock::manual();
        let config = IncomingConfig::default().default_timeout(200 * MS);
        let incoming = Incoming::with_clock(config, clock.clone()).expect("valid");
        for (there, values, found) in
            [(300, &["800"][..], 300), (5_000, &["800"], 800), (5_000, &[], 5_000), (5_000, &["soon"], 5_000)]
        {
            let mut request = request(values);
            request.extensions_mut().insert(Deadline::after(&clock, there * MS));
            let service = incoming.layer().layer(service_fn(finds));
            let response = service.oneshot(request).await.expect("infallible");
            assert_eq!(response.into_body(), Some(Deadline::after(&clock, found * MS)), "{there} and {values:?}");
        }
    }

    #[tokio::test]
    async fn a_header_that_nobody_can_read_is_answered_if_asked() {
        let text = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new("served".to_owned())) });
        let service = Incoming::new(IncomingConfig::default()).expect("valid").layer().on_bad(bad_request).layer(text);
        assert_eq!(service.clone().oneshot(request(&["800"])).await.expect("infallible").into_body(), "served");
        assert_eq!(service.clone().oneshot(request(&[])).await.expect("infallible").into_body(), "served");
        let response = service.oneshot(request(&["soon"])).await.expect("infallible");
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body: serde_json::Value = serde_json::from_str(response.body()).expect("JSON");
        assert_eq!(body["detail"], "header `x-request-timeout-ms` is no number of milliseconds");
        assert_eq!(body["status"], 400);
    }

    #[tokio::test]
    async fn readiness_is_the_inner_services() {
        let (inner, control) = service::controlled();
        let incoming = Incoming::new(IncomingConfig::default()).expect("valid");
        let mut service = incoming.layer().layer(inner);
        for _ in 0..2 {
            let ready = ServiceExt::<Request<()>>::ready(&mut service).await.expect("ready");
            tower::Service::call(ready, request(&["800"])).await.expect("served");
        }
        assert_eq!(control.seen().calls, 2);
        control.assert_kept();
    }
}
