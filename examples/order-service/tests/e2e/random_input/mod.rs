//! Whatever is sent to whichever route: an answer, or a problem of the caller's making. Never a fault of the service.

mod document;
mod request;

use std::cell::RefCell;
use std::env;
use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use futures_util::future::{Either, join_all, select};
use proptest::prelude::*;
use proptest::strategy::Union;
use proptest::test_runner::{Config, TestRunner};
use seawall_bulkhead::load::{Config as GaugeConfig, Hysteresis};
use seawall_core::time::Clock;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::support::{Answer, Client, Engine, Shop, eventually, order, order_text};
use document::{Operation, operations};
use request::{Odd, damaged, example, json_value, misfilled, noise, odd};

each_engine!(
    blocking: no_order_makes_the_service_fail,
    no_request_to_any_route_makes_the_service_fail,
    no_requests_to_all_routes_make_the_service_fail,
);
each_engine!(every_route_does_what_its_example_says, a_body_that_breaks_off_changes_nothing);

/// More than any answer here takes, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many requests each route is sent, and four times as many where they can change something; a longer run raises it.
fn cases() -> u32 {
    env::var("ORDER_SERVICE_RANDOM_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(48)
}

/// What is asked for at random: everything but a load test, which takes its time, and places orders that nobody here knows of. It
/// is asked for with bad parameters elsewhere.
async fn operations_at_random(client: &Client) -> Vec<Operation> {
    let all = operations(client).await.into_iter();
    all.filter(|operation| operation.path(str::to_owned) != "/demo/load-test").collect()
}

fn try_all<T: Debug>(cases: u32, inputs: &impl Strategy<Value = T>, check: impl Fn(T)) {
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(cases) });
    let outcome = runner.run(inputs, |input| {
        check(input);
        Ok(())
    });
    outcome.expect("everything is answered as it deserves");
}

/// The answer to `odd`, which must come.
async fn ask(client: &Client, odd: &Odd) -> Answer {
    let clock = Clock::system();
    match select(pin!(client.send(odd.build(client))), pin!(clock.sleep(PATIENCE))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => panic!("no answer to {odd:?}"),
    }
}

/// Whether the answer is one that a caller may get, whatever it sent.
fn judge(method: &Method, answer: &Answer) {
    let kind = answer.header("content-type");
    match answer.status.as_u16() {
        200 | 201 => {}
        // HEAD is answered without the document, but as the same.
        400..=499 | 504 if *method == Method::HEAD => assert_eq!(kind, "application/problem+json"),
        400..=499 => drop(answer.problem()),
        504 => assert_eq!(answer.problem()["type"], "urn:order-service:problem:deadline-passed"),
        // A circuit or a probe says so on purpose.
        503 if kind == "application/health+json" => {}
        503 => {
            assert_eq!(kind, "application/problem+json", "{answer:?}");
            let seconds: u64 = answer.header("retry-after").parse().expect("whole seconds");
            assert!((1..=60).contains(&seconds), "{answer:?}");
        }
        status => panic!("{status}: {}", answer.text()),
    }
}

/// Whether the path is no route's, as an odd parameter may make it.
fn has_no_route(answer: &Answer) -> bool {
    answer.status == StatusCode::NOT_FOUND && answer.text().contains("there is no route")
}

/// Where the providers' behaviour is.
const PROVIDERS: [&str; 2] = ["/payment-provider", "/inventory-provider"];

/// The limits on how often callers may ask.
const LIMITS: [&str; 7] = ["burst", "expensive", "learning", "address", "user", "tenant", "global"];

/// What bounds how much is used at once.
const BULKHEADS: [&str; 4] = ["database", "inventory", "payment", "heavy"];

/// What can be changed from outside, but the orders: as each path takes it.
async fn settings(shop: &Shop) -> Vec<(String, Value)> {
    let breakers = names(shop).await.into_iter().map(|name| format!("/admin/circuit-breakers/{name}/config"));
    let limits = LIMITS.map(|name| format!("/admin/rate-limits/{name}"));
    let bulkheads = BULKHEADS.map(|name| format!("/admin/bulkheads/{name}"));
    let load = ["/admin/load".to_owned()];
    let configs = breakers
        .chain(limits)
        .chain(bulkheads)
        .chain(load)
        .map(async |path| (path.clone(), shop.admin.get(&path).await.json()));
    let configs = join_all(configs).await;
    let behaviours =
        PROVIDERS.map(async |path| (path.to_owned(), shop.admin.get(path).await.json()["behaviour"].clone()));
    configs.into_iter().chain(join_all(behaviours).await).collect()
}

async fn names(shop: &Shop) -> Vec<String> {
    let all = shop.public.get("/circuit-breakers").await.json();
    let all = all["circuit_breakers"].as_array().expect("a list").iter();
    all.map(|one| one["name"].as_str().expect("a name").to_owned()).collect()
}

/// Makes everything as it was, and sees that the service works: an order can be placed and found, and is paid.
async fn restore(shop: &Shop, original: &[(String, Value)], id: &str) {
    let taken = async |path: &str, body: &Value| {
        let answer = shop.admin.put(path, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{path} {body}: {}", answer.text());
    };
    for (path, value) in original {
        taken(path, value).await;
    }
    for name in names(shop).await {
        taken(&format!("/admin/circuit-breakers/{name}"), &json!({"state": "closed"})).await;
    }
    eventually("everything is switched on again", async || {
        (shop.public.get("/degradation").await.json()["level"] == "normal").then_some(())
    })
    .await;
    for path in ["/health", "/readyz", "/livez"] {
        let answer = shop.public.get(path).await;
        assert_eq!((answer.status, &answer.json()["status"]), (StatusCode::OK, &json!("pass")), "{path}");
    }
    let placed = shop.public.post_order(order_text(id)).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{}", placed.text());
    // Half a second may be too little for a machine with much to do.
    eventually("the order is paid", async || {
        let found = shop.public.get(&format!("/orders/{id}")).await;
        assert_eq!(found.status, StatusCode::OK, "{}", found.text());
        (found.json()["payment"] == "paid").then_some(())
    })
    .await;
}

/// A shop whose redrive takes over soon what a request left unpaid, and where what was switched off comes back soon.
async fn quick_shop(engine: Engine) -> Shop {
    Shop::open_with(engine, |settings| {
        settings.inventory.timeout = Duration::from_millis(500);
        settings.payment.timeout = Duration::from_millis(500);
        let levels = Hysteresis::default().dwell(Duration::from_millis(1));
        let gauge = GaugeConfig::default().interval(Duration::from_millis(1)).smoothing(Duration::ZERO);
        settings.degradation.gauge = gauge.levels(levels);
    })
    .await
}

fn no_order_makes_the_service_fail(engine: Engine) {
    let runtime = Runtime::new().expect("a runtime");
    let shop = runtime.block_on(Shop::open(engine));
    let bodies = prop_oneof![
        noise(),
        damaged(order_text("damaged").into_bytes()),
        json_value().prop_map(|value| value.to_string().into_bytes()),
        misfilled(order("misfilled")),
    ];
    try_all(16 * cases(), &bodies, |body| {
        let answer = runtime.block_on(shop.public.post_order(body));
        judge(&Method::POST, &answer);
        if answer.status == StatusCode::CREATED {
            let id = answer.json()["id"].clone();
            assert_eq!(answer.header("location"), format!("/orders/{}", id.as_str().expect("a text")));
        }
    });
    let stored = runtime.block_on(shop.count_orders());
    assert_eq!(shop.provider().figures().done.charges, stored as u64, "what is stored is paid, and nothing else");
    runtime.block_on(shop.close());
}

fn no_request_to_any_route_makes_the_service_fail(engine: Engine) {
    let runtime = Runtime::new().expect("a runtime");
    let shop = runtime.block_on(quick_shop(engine));
    let original = runtime.block_on(settings(&shop));
    let mut placed = 0;
    let mut number = 0;
    for client in [&shop.public, &shop.admin] {
        for operation in runtime.block_on(operations_at_random(client)) {
            let accepted = RefCell::new(0);
            let last = RefCell::new(original.clone());
            let times = if operation.changes() { 4 } else { 1 };
            try_all(times * cases(), &odd(&operation), |odd| {
                let answer = runtime.block_on(ask(client, &odd));
                judge(&odd.method, &answer);
                if odd.method == operation.method && !has_no_route(&answer) {
                    assert!(operation.describes(answer.status), "{} is not described: {odd:?}", answer.status);
                }
                *accepted.borrow_mut() += usize::from(answer.status == StatusCode::CREATED);
                if operation.changes() && odd.method == operation.method {
                    let now = runtime.block_on(settings(&shop));
                    if !answer.status.is_success() {
                        assert_eq!(now, *last.borrow(), "{odd:?} was refused and changed something");
                    }
                    last.replace(now);
                }
            });
            number += 1;
            runtime.block_on(restore(&shop, &original, &format!("well-{number}")));
            placed += accepted.into_inner() + 1;
        }
    }
    runtime.block_on(settle(shop, placed));
}

/// One after the other, so that each meets what the others before it have changed.
fn no_requests_to_all_routes_make_the_service_fail(engine: Engine) {
    let runtime = Runtime::new().expect("a runtime");
    let shop = runtime.block_on(quick_shop(engine));
    let original = runtime.block_on(settings(&shop));
    let accepted = RefCell::new(0);
    let listeners = [&shop.public, &shop.admin];
    let requests = (0..listeners.len()).flat_map(|listener| {
        let operations = runtime.block_on(operations_at_random(listeners[listener])).into_iter();
        operations.map(move |operation| {
            let weight = if operation.changes() { 4 } else { 1 };
            (weight, odd(&operation).prop_map(move |odd| (listener, odd)).boxed())
        })
    });
    let requests = Union::new_weighted(requests.collect());
    try_all(16 * cases(), &requests, |(listener, odd)| {
        let answer = runtime.block_on(ask(listeners[listener], &odd));
        judge(&odd.method, &answer);
        *accepted.borrow_mut() += usize::from(answer.status == StatusCode::CREATED);
    });
    runtime.block_on(restore(&shop, &original, "well"));
    runtime.block_on(settle(shop, accepted.into_inner() + 1));
}

/// Every order that was accepted is there and paid, and nothing else.
async fn settle(shop: Shop, placed: usize) {
    assert_eq!(shop.count_orders().await, placed, "an order was refused and stored, or accepted and lost");
    shop.all_paid().await;
    assert_eq!(shop.provider().figures().done.charges, placed as u64, "what is stored is paid, and nothing else");
    shop.close().await;
}

async fn every_route_does_what_its_example_says(engine: Engine) {
    let shop = Shop::open(engine).await;
    assert_eq!(shop.public.post_order(order_text("order-123")).await.status, StatusCode::CREATED);
    for client in [&shop.public, &shop.admin] {
        for operation in operations(client).await {
            let answer = ask(client, &example(&operation)).await;
            // The one order that the document knows is there already.
            let taken = operation.method == Method::POST && answer.status == StatusCode::CONFLICT;
            assert!(answer.status.is_success() || taken, "{operation:?}: {}", answer.text());
        }
    }
    shop.close().await;
}

async fn a_body_that_breaks_off_changes_nothing(engine: Engine) {
    let shop = Shop::open(engine).await;
    let before = settings(&shop).await;
    for (client, port) in [(&shop.public, shop.port()), (&shop.admin, shop.admin_port())] {
        for operation in operations(client).await.iter().filter(|operation| operation.changes()) {
            break_off(port, operation).await;
        }
    }
    assert_eq!(settings(&shop).await, before);
    assert_eq!(shop.count_orders().await, 0);
    restore(&shop, &before, "well").await;
    shop.close().await;
}

/// Sends the whole example but its last byte, and hangs up.
async fn break_off(port: u16, operation: &Operation) {
    let body = operation.body.as_ref().expect("a body").to_string();
    let (method, path, length) = (&operation.method, operation.path(str::to_owned), body.len());
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    stream.write_all(head.as_bytes()).await.expect("the head is taken");
    stream.write_all(&body.as_bytes()[..length - 1]).await.expect("the body is taken");
    stream.shutdown().await.expect("the connection can be closed");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{method} {path}: {answer}");
}
