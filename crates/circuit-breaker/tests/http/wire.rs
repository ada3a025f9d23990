//! A real server and a real client over loopback: neither polls every body to its end.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::header::CONTENT_LENGTH;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use seawall_circuit_breaker::{Abandoned, Breaker, CircuitBreaker, Config, State};
use seawall_core::http::{Statuses, UntilBodyEnd, respond};
use seawall_core::time::Clock;
use seawall_core::tower::{Boxed, Service, Shed};
use seawall_core::{Rejection, Shared};
use seawall_testkit::watch::{Account, Ledger, Watched, watched};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tower::{Layer, ServiceExt};

use crate::{CHUNK, Download, SECOND, Then, answer, touchy};

/// Serves `routes` for as long as the test runs.
async fn serve(routes: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

fn routes() -> Router {
    let streamed = |chunks, then| move || async move { Body::new(Download::new(chunks, then)) };
    let of_known_length = || async {
        let length = CHUNK.len() * 2;
        (
            [(CONTENT_LENGTH, length)].map(|(name, length)| (name, length.to_string())),
            Body::new(Download::new(2, Then::End)),
        )
    };
    Router::new()
        .route("/whole", get(|| async { "a text whose length is known" }))
        .route("/streamed", get(streamed(3, Then::End)))
        .route("/proxied", get(of_known_length))
        .route("/endless", get(streamed(u8::MAX, Then::Hang)))
        .route("/broken", get(streamed(2, Then::Fail)))
        .route("/nothing", get(|| async { StatusCode::NO_CONTENT }))
        .route("/busy", get(|| async { answer(503, Some("7"), Body::empty()) }))
}

/// What comes back on a connection of its own, until the server closes it.
async fn exchange(server: SocketAddr, method: &Method, path: &str) -> String {
    let mut connection = TcpStream::connect(server).await.expect("a server");
    let request = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.expect("it reads");
    let mut response = String::new();
    let _ = connection.read_to_string(&mut response).await;
    response
}

type WatchedBreaker = Shared<Watched<Breaker>>;

/// A server behind a breaker; each call ends with its body.
async fn behind(config: Config) -> (SocketAddr, WatchedBreaker, CircuitBreaker, Ledger) {
    let (breaker, _time) = touchy(config);
    let (watched, ledger) = watched(breaker.clone());
    let layer = watched.layer().statuses(Statuses::default()).until_body_end().on_rejection(respond);
    (serve(routes().layer(layer)).await, watched, breaker, ledger)
}

#[tokio::test]
async fn a_served_response_is_a_success_however_the_server_stops_reading_it() {
    let (server, _watched, breaker, ledger) = behind(Config::empty().abandoned(Abandoned::Failure)).await;
    let calls = [
        (Method::GET, "/whole", "a text whose length is known"),
        (Method::GET, "/streamed", "5\r\nchunk\r\n5\r\nchunk\r\n5\r\nchunk\r\n0\r\n\r\n"),
        (Method::GET, "/proxied", "content-length: 10"),
        (Method::GET, "/nothing", "HTTP/1.1 204"),
        (Method::GET, "/nowhere", "HTTP/1.1 404"),
        (Method::HEAD, "/whole", "content-length: 28"),
        (Method::HEAD, "/streamed", "HTTP/1.1 200"),
        (Method::HEAD, "/proxied", "content-length: 10"),
    ];
    for (done, (method, path, part)) in (1..).zip(&calls) {
        let response = exchange(server, method, path).await;
        assert!(response.contains(part), "{method} {path}: {response}");
        let all_well = Account { admitted: done, succeeded: done, ..Account::default() };
        assert_eq!(ledger.account(), all_well, "{method} {path}");
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn a_caller_that_hangs_up_abandons_its_call() {
    let opened = Arc::new(Notify::new());
    let observer = {
        let opened = opened.clone();
        move |_: &_| opened.notify_one()
    };
    let (server, _watched, breaker, _ledger) =
        behind(Config::empty().abandoned(Abandoned::Failure).observer(observer)).await;
    let mut caller = TcpStream::connect(server).await.expect("a server");
    caller.write_all(b"GET /endless HTTP/1.1\r\nhost: test\r\n\r\n").await.expect("it reads");
    let mut beginning = [0; 256];
    caller.read_exact(&mut beginning).await.expect("it answers");
    assert_eq!(breaker.state(), State::Closed);
    drop(caller);
    tokio::select! {
        () = opened.notified() => {}
        () = Clock::system().sleep(60 * SECOND) => panic!("the server keeps a call that nobody listens to"),
    }
    assert_eq!(breaker.snapshot().total.abandoned, 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_while_it_is_served_is_a_failure() {
    let (server, _watched, breaker, ledger) = behind(Config::empty().name("api")).await;
    exchange(server, &Method::GET, "/broken").await;
    assert_eq!((ledger.account().failed, breaker.state()), (1, State::Open));
    let refused = exchange(server, &Method::GET, "/whole").await;
    for part in ["HTTP/1.1 503", "content-type: application/problem+json", "retry-after: 30", "\"name\":\"api\""] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
}

type HttpClient = Client<HttpConnector, Body>;

/// A client behind a breaker; each call ends with its body.
fn client(breaker: &CircuitBreaker) -> Service<HttpClient, Breaker, Shed, UntilBodyEnd<Statuses>, Boxed> {
    let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    breaker.layer().statuses(Statuses::default()).until_body_end().boxed().layer(client)
}

fn request(server: SocketAddr, path: &str) -> Request<Body> {
    Request::get(format!("http://{server}{path}")).body(Body::empty()).expect("a request")
}

#[tokio::test]
async fn a_clients_call_ends_as_its_body_does() {
    let server = serve(routes()).await;
    let (breaker, _time) = touchy(Config::empty().abandoned(Abandoned::Ignore));
    let client = client(&breaker);
    let get = |path| client.clone().oneshot(request(server, path));
    let total = || breaker.snapshot().total;

    for (done, path) in (1..).zip(["/whole", "/streamed", "/proxied", "/nothing", "/nowhere"]) {
        let response = get(path).await.expect("an answer");
        response.into_body().collect().await.expect("a whole body");
        assert_eq!((total().successes, total().abandoned), (done, 0), "{path}");
    }
    drop(get("/endless").await.expect("an answer"));
    assert_eq!((total().successes, total().abandoned), (6, 0), "whoever reads nothing takes the head's word");
    let mut endless = get("/endless").await.expect("an answer").into_body();
    endless.frame().await.expect("a frame").expect("no error");
    drop(endless);
    assert_eq!((total().successes, total().abandoned), (6, 1));

    get("/broken").await.expect("an answer").into_body().collect().await.expect_err("it breaks off");
    assert_eq!((total().failures, breaker.state()), (1, State::Open));
    assert!(breaker.snapshot().last_error.is_some_and(|text| text.contains("body")));
}

#[tokio::test]
async fn a_client_leaves_a_busy_server_alone_as_long_as_it_asks() {
    let server = serve(routes()).await;
    let (breaker, time) = touchy(Config::empty());
    let client = client(&breaker);
    let busy = client.clone().oneshot(request(server, "/busy")).await.expect("an answer");
    busy.into_body().collect().await.expect("a whole body");
    let refused = client.clone().oneshot(request(server, "/whole")).await.expect_err("refused");
    assert_eq!(Rejection::find(&*refused).expect("a rejection").retry_after(), Some(7 * SECOND));
    time.advance(7 * SECOND);
    let probe = client.oneshot(request(server, "/whole")).await.expect("an answer");
    probe.into_body().collect().await.expect("a whole body");
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn nobody_connects_for_a_refused_request() {
    let (breaker, _time) = touchy(Config::empty());
    breaker.force_open();
    let nowhere = "127.0.0.1:1".parse().expect("an address");
    let refused = client(&breaker).oneshot(request(nowhere, "/")).await.expect_err("refused");
    assert!(Rejection::find(&*refused).is_some(), "{refused}");
}
