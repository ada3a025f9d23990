//! From one service to the next.

use std::pin::pin;
use std::task::Poll;

use http::{Request, Response};
use seawall_core::http::Statuses;
use seawall_core::time::{Clock, ManualTime};
use seawall_core::{Jitter, Rejection};
use seawall_retry::http::{
    BoxedStatuses, Idempotent, InExtensions, Incoming, IncomingConfig, Outgoing, OutgoingConfig,
};
use seawall_retry::{Config, Retry, Timeout, TimeoutConfig};
use seawall_testkit::drive::poll;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt, service_fn};

use crate::MS;

const HEADER: &str = "x-request-timeout-ms";

type Next = BoxCloneSyncService<Request<String>, Response<String>, BoxError>;

/// The last one: answers with what it was told.
fn last() -> Next {
    let answer = |request: Request<String>| async move {
        let told = request.headers().get(HEADER).map_or("nothing", |value| value.to_str().expect("text"));
        Ok::<_, BoxError>(Response::new(told.to_owned()))
    };
    BoxCloneSyncService::new(service_fn(answer))
}

/// A service that works for 100 ms and asks `next`, on a clock of its own that began at another time.
fn hop(next: Next, own: u32, time: ManualTime, clock: Clock) -> Next {
    let incoming = Incoming::with_clock(IncomingConfig::default(), clock.clone()).expect("valid");
    let timeout = Timeout::with_clock(TimeoutConfig::new(own * MS), clock.clone()).expect("valid");
    let outgoing = Outgoing::with_clock(OutgoingConfig::default().margin(10 * MS), clock).expect("valid");
    let asks = outgoing.layer().boxed().layer(next);
    let works = service_fn(move |request: Request<String>| {
        time.advance(100 * MS);
        let mut onward = Request::new(String::new());
        *onward.extensions_mut() = request.extensions().clone();
        asks.clone().oneshot(onward)
    });
    let stack = ServiceBuilder::new()
        .layer(incoming.layer())
        .layer(timeout.layer().deadlines(InExtensions).boxed())
        .service(works);
    BoxCloneSyncService::new(stack)
}

fn chain(own: [u32; 3]) -> Next {
    own.into_iter().enumerate().fold(last(), |next, (hops, own)| {
        let (clock, time) = Clock::manual();
        time.advance(u32::try_from(hops).expect("few") * 12_345 * MS);
        hop(next, own, time, clock)
    })
}

fn ask(service: &Next, left: Option<&'static str>) -> Result<String, BoxError> {
    let mut request = Request::new(String::new());
    if let Some(left) = left {
        request.headers_mut().insert(HEADER, left.parse().expect("a header"));
    }
    match poll(pin!(service.clone().oneshot(request))) {
        Poll::Ready(answer) => answer.map(Response::into_body),
        Poll::Pending => panic!("everything answers at once"),
    }
}

#[test]
fn each_hop_has_less_time_than_the_one_before() {
    let service = chain([60_000; 3]);
    assert_eq!(ask(&service, Some("1000")).expect("in time"), "670", "three times 100 ms of work and 10 of margin");
    assert_eq!(ask(&service, Some("331")).expect("in time"), "1");
    // The last hop that would be told nothing is not asked.
    for left in ["330", "200", "1", "0"] {
        let error = ask(&service, Some(left)).expect_err(left);
        assert_eq!(Rejection::find(&*error).expect("a rejection").reason(), "deadline_passed", "{left}");
    }
}

#[test]
fn the_shortest_time_on_the_way_counts() {
    // From the last hop to the first.
    assert_eq!(ask(&chain([60_000, 300, 60_000]), Some("10000")).expect("in time"), "80");
    assert_eq!(ask(&chain([60_000, 300, 60_000]), None).expect("in time"), "80");
    assert_eq!(ask(&chain([60_000; 3]), None).expect("in time"), "59670");
}

#[test]
fn each_attempt_tells_what_is_left_and_which_it_is() {
    let (clock, time) = Clock::manual();
    let config = Config::default().max_attempts(3).fixed(50 * MS).jitter(Jitter::None).without_budget();
    let retry = Retry::with_clock(config.attempt_timeout(400 * MS), clock.clone()).expect("valid");
    let outgoing = Outgoing::with_clock(OutgoingConfig::default(), clock.clone()).expect("valid");
    let requests = Idempotent::default().outgoing(outgoing).attempt_header("x-attempt").expect("a name");

    let (told, hands) = (std::sync::Arc::new(std::sync::Mutex::new(Vec::new())), time.clone());
    let seen = told.clone();
    let busy = service_fn(move |request: Request<&'static str>| {
        let header = |name| request.headers()[name].to_str().expect("text").to_owned();
        seen.lock().expect("no panic").push((header("x-attempt"), header(HEADER)));
        hands.advance(100 * MS);
        async { Ok::<_, BoxError>(Response::builder().status(503).body(()).expect("valid")) }
    });
    let layer = retry.layer().judge(BoxedStatuses(Statuses::default())).requests(requests).boxed();
    let mut call = pin!(layer.layer(busy).oneshot(crate::dated(&clock, 600 * MS)));
    let response = loop {
        match poll(call.as_mut()) {
            Poll::Ready(response) => break response.expect("the last attempt's"),
            Poll::Pending => time.advance(50 * MS),
        }
    };
    assert_eq!(response.status(), 503);
    let pairs = [("1", "400"), ("2", "400"), ("3", "300")].map(|(number, left)| (number.to_owned(), left.to_owned()));
    assert_eq!(*told.lock().expect("no panic"), pairs);
}
