use std::time::Duration;

use http::{Method, Request};
use seawall_core::Deadline;
use seawall_core::time::Clock;
use seawall_retry::http::{Idempotent, InExtensions, Outgoing, OutgoingConfig};
use seawall_retry::{Deadlines, Requests};

use crate::MS;

#[test]
fn a_method_says_whether_a_request_may_be_made_again() {
    let request = |method: &Method| Request::builder().method(method).uri("/orders").body("espresso").expect("valid");
    let idempotent = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];
    let others = ["POST", "PATCH", "CONNECT", "PURGE", "get"];
    for (methods, may) in [(&idempotent[..], true), (&others[..], false)] {
        for method in methods {
            let request = request(&method.parse().expect("a method"));
            assert_eq!(Idempotent::default().copy(&request).is_some(), may, "{method}");
        }
    }
}

#[test]
fn a_request_with_a_key_may_be_made_again_and_keeps_it() {
    let order = || Request::post("/orders");
    let keyed = order().header("Idempotency-Key", "\"order-7\"").body("espresso").expect("valid");
    let copy = Idempotent::default().copy(&keyed).expect("it may");
    assert_eq!(
        (copy.method(), copy.uri(), copy.headers(), copy.body()),
        (keyed.method(), keyed.uri(), keyed.headers(), keyed.body())
    );
    let empty = order().header("idempotency-key", "").body("espresso").expect("valid");
    assert!(Idempotent::default().copy(&empty).is_none(), "no key is no key");
}

#[test]
fn a_deadline_is_read_from_the_extensions_and_written_there_and_into_the_header() {
    let (clock, time) = Clock::manual();
    let outgoing = Outgoing::with_clock(OutgoingConfig::default().margin(5 * MS), clock.clone()).expect("valid");
    let idempotent = Idempotent::default().outgoing(outgoing);
    let mut request = Request::get("/stock").body(()).expect("valid");
    assert_eq!(idempotent.deadline(&request), None);
    let deadline = Deadline::after(&clock, 800 * MS);
    time.advance(52 * MS);
    idempotent.set_deadline(&mut request, deadline);
    assert_eq!(idempotent.deadline(&request), Some(deadline));
    assert_eq!(InExtensions.deadline(&request), Some(deadline));
    assert_eq!(request.headers()["x-request-timeout-ms"], "743");
    let copy = idempotent.copy(&request).expect("a GET");
    assert_eq!(idempotent.deadline(&copy), Some(deadline));
    // What is over says so, and never less than nothing.
    time.advance(Duration::from_secs(3));
    idempotent.set_deadline(&mut request, deadline);
    assert_eq!(request.headers()["x-request-timeout-ms"], "0");
}

#[test]
fn the_header_can_be_left_to_others() {
    let mut request = Request::get("/stock").body(()).expect("valid");
    let deadline = Deadline::after(&Clock::system(), 800 * MS);
    Idempotent::default().without_deadline_header().set_deadline(&mut request, deadline);
    assert!(request.headers().is_empty());
    assert_eq!(InExtensions.deadline(&request), Some(deadline));
}

#[test]
fn what_cannot_be_a_headers_name_is_named() {
    let error = Idempotent::default().attempt_header("x attempt").expect_err("a space");
    let valid = "a header's name: letters, digits, hyphens";
    assert_eq!(error.to_string(), format!("`attempt_header` is \"x attempt\", must be {valid}"));
}
