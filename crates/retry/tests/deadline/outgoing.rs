use std::time::Duration;

use http::HeaderMap;
use proptest::prelude::*;
use seawall_core::Deadline;
use seawall_core::time::{Clock, Timestamp};
use seawall_retry::http::{Outgoing, OutgoingConfig, TimeoutHeader};

use crate::{MS, NS, headers, just_under};

const HEADER: &str = "x-request-timeout-ms";

#[test]
fn what_is_left_is_told_less_the_margin_and_rounded_down() {
    let (clock, time) = Clock::manual();
    let outgoing = Outgoing::with_clock(OutgoingConfig::default().margin(5 * MS), clock.clone()).expect("valid");
    let deadline = Deadline::after(&clock, 800 * MS);
    let mut told = HeaderMap::new();
    outgoing.write(&mut told, deadline).expect("there is time");
    assert_eq!(told[HEADER], "795");
    time.advance(NS);
    outgoing.write(&mut told, deadline).expect("there is time");
    assert_eq!(told, headers(HEADER, &["794"]));
    time.advance(just_under(794 * MS));
    outgoing.write(&mut told, deadline).expect("there is a millisecond");
    assert_eq!(told[HEADER], "1");
    // Less than a millisecond is nothing that could be told.
    for step in [NS, MS, 3 * MS, 2 * MS, 1_000 * MS] {
        time.advance(step);
        let over = outgoing.write(&mut told, deadline).expect_err("there is none");
        assert_eq!((over.is_deadline(), over.after(), over.name().as_str()), (true, Duration::ZERO, "outgoing"));
        assert_eq!(told[HEADER], "1", "the headers are as they were");
    }
}

#[test]
fn grpc_is_told_to_the_nanosecond() {
    let (clock, time) = Clock::manual();
    let config = OutgoingConfig::default().header(TimeoutHeader::grpc());
    let outgoing = Outgoing::with_clock(config, clock.clone()).expect("valid");
    let deadline = Deadline::after(&clock, MS);
    time.advance(just_under(MS));
    let mut told = HeaderMap::new();
    outgoing.write(&mut told, deadline).expect("there is a nanosecond");
    assert_eq!(told["grpc-timeout"], "1n");
    time.advance(NS);
    assert!(outgoing.write(&mut told, deadline).is_err());
}

#[test]
fn a_bad_value_is_named_with_what_would_be_valid() {
    let config = OutgoingConfig::default;
    for (config, field, value, valid) in [
        (config().margin(60_001 * MS), "margin", "60.001s", "at most 60s"),
        (config().name(""), "name", "\"\"", "1 to 31 bytes of printable text"),
    ] {
        let error = Outgoing::new(config).expect_err(field);
        assert_eq!((error.field(), error.value(), error.valid()), (field, value, valid));
    }
    assert!(Outgoing::new(config().margin(60_000 * MS)).is_ok());
}

#[cfg(feature = "serde")]
#[test]
fn it_is_read_from_a_file_and_written_back() {
    let text = "name = \"payment\"\nheader = \"grpc-timeout\"\nmargin = \"5ms\"";
    let config: OutgoingConfig = toml::from_str(text).expect("valid");
    assert_eq!(config, OutgoingConfig::default().name("payment").header(TimeoutHeader::grpc()).margin(5 * MS));
    assert_eq!(toml::from_str::<OutgoingConfig>(&toml::to_string(&config).expect("TOML")), Ok(config));
    let error = toml::from_str::<OutgoingConfig>("max = \"1s\"").expect_err("unknown").to_string();
    assert!(error.contains("unknown field `max`, expected one of `name`, `header`, `margin`"), "{error}");
}

proptest! {
    #![proptest_config(crate::cases())]

    /// What is told is never more than what is left less the margin, nor less by a millisecond; and nothing is told
    /// where that is nothing.
    #[test]
    fn nobody_is_told_more_than_is_left(
        now in 0..1_u64 << 50,
        at in 0..1_u64 << 50,
        near in any::<bool>(),
        margin in 0..60_000_u32,
    ) {
        let (clock, time) = Clock::manual();
        time.advance(Duration::from_nanos(now));
        let at = if near { now.saturating_add(at % 100_000_000_000) } else { at };
        let outgoing = Outgoing::with_clock(OutgoingConfig::default().margin(margin * MS), clock).expect("valid");
        let mut told = HeaderMap::new();
        let written = outgoing.write(&mut told, Deadline::at(Timestamp::from_nanos(at)));
        let left = i128::from(at) - i128::from(now) - i128::from(margin) * 1_000_000;
        prop_assert_eq!(written.is_ok(), left >= 1_000_000, "{} ns left", left);
        if written.is_ok() {
            let read = TimeoutHeader::default().read(&told).expect("readable").expect("there").as_nanos();
            prop_assert_eq!(read, u128::try_from(left).expect("positive") / 1_000_000 * 1_000_000);
        } else {
            prop_assert!(told.is_empty());
        }
    }
}

#[cfg(feature = "tower")]
mod layer {
    use super::*;
    use crate::dated;
    use http::{Request, Response};
    use seawall_core::Rejection;
    use std::convert::Infallible;
    use std::pin::pin;
    use std::task::Poll;
    use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

    use seawall_testkit::drive::poll;
    use seawall_testkit::service::{self, CallError};

    fn outgoing() -> (Outgoing, Clock, seawall_core::time::ManualTime) {
        let (clock, time) = Clock::manual();
        let config = OutgoingConfig::default().name("payment");
        (Outgoing::with_clock(config, clock.clone()).expect("valid"), clock, time)
    }

    #[test]
    fn a_request_tells_what_is_left_when_it_is_sent() {
        let (outgoing, clock, time) = outgoing();
        let (inner, control) = service::controlled();
        let service = outgoing.layer().layer(inner);
        let request = dated(&clock, 800 * MS);
        time.advance(52 * MS);
        let Poll::Ready(Ok(sent)) = poll(pin!(service.clone().oneshot(request))) else { panic!("it is sent") };
        assert_eq!(sent.headers()[HEADER], "748");
        let Poll::Ready(Ok(sent)) = poll(pin!(service.oneshot(Request::new("")))) else { panic!("it is sent") };
        assert!(sent.headers().is_empty(), "one without a deadline is left as it is");
        control.assert_kept();
    }

    #[test]
    fn a_request_whose_time_is_over_is_never_sent() {
        let (outgoing, clock, time) = outgoing();
        let (inner, control) = service::controlled();
        let service = outgoing.layer().layer(inner);
        let request = dated(&clock, 800 * MS);
        time.advance(800 * MS);
        let Poll::Ready(Err(CallError::Rejected(over))) = poll(pin!(service.oneshot(request))) else { panic!("over") };
        assert_eq!((over.pattern(), over.reason(), over.name().as_str()), ("timeout", "deadline_passed", "payment"));
        assert_eq!(control.seen().calls, 0);
        control.assert_kept();
    }

    #[tokio::test]
    async fn errors_are_boxed_or_answered_with_a_response() {
        let (outgoing, clock, _time) = outgoing();
        let fails = service_fn(|_: Request<&str>| async { Err::<Response<()>, _>(std::io::Error::other("down")) });
        let service = outgoing.layer().boxed().layer(fails);
        let over: BoxError = service.clone().oneshot(dated(&clock, Duration::ZERO)).await.expect_err("over");
        assert!(Rejection::find(&*over).is_some());
        assert!(service.oneshot(Request::new("")).await.expect_err("down").is::<std::io::Error>());

        let served = service_fn(|_: Request<&str>| async { Ok::<_, Infallible>(Response::new("served".to_owned())) });
        let mut service = outgoing.layer().on_timeout(seawall_core::http::respond).layer(served);
        let over = service.ready().await.expect("ready").call(dated(&clock, Duration::ZERO)).await.expect("infallible");
        assert_eq!(over.status(), 503);
    }
}
