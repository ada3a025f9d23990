//! Under load the service leaves undone what can be left undone, tells so, and comes back step by step.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use futures_util::future::join_all;
use http_body_util::Full;
use order_service::config::Settings;
use seawall_bulkhead::Config as BulkheadConfig;
use seawall_bulkhead::load::Config as GaugeConfig;
use seawall_core::time::{Clock, ManualTime};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{Answer, Engine, Exposition, Process, Shop, Storage, eventually, order_text};

/// The least time between two changes of the level.
const DWELL: Duration = Duration::from_secs(5);

/// What can be asked for at every load.
const ALWAYS: [&str; 13] = [
    "/orders",
    "/orders/order-1",
    "/health",
    "/livez",
    "/readyz",
    "/metrics",
    "/circuit-breakers",
    "/circuit-breakers/payment",
    "/rate-limits",
    "/bulkheads",
    "/degradation",
    "/openapi.json",
    "/orders?limit=5",
];

/// A shop where no time passes but by hand, and whose load is what its signals say this moment; it has one order.
async fn shop(change: impl FnOnce(&mut Settings)) -> (Shop, ManualTime) {
    let (clock, time) = Clock::manual();
    let shop = Shop::open_at(clock, Storage::new(Engine::Sqlite), |settings| {
        settings.degradation.gauge = GaugeConfig::default().smoothing(Duration::ZERO);
        change(settings);
    })
    .await;
    assert_eq!(shop.public.post_order(order_text("order-1")).await.status, StatusCode::CREATED);
    (shop, time)
}

async fn pull(shop: &Shop, load: f64) {
    let answer = shop.admin.put("/admin/load", &json!({"load": load})).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"load": load})));
}

async fn level(shop: &Shop) -> String {
    shop.public.get("/degradation").await.json()["level"].as_str().expect("a level").to_owned()
}

/// Waits until the level is `wanted`, while so much time passes before each look.
async fn becomes(shop: &Shop, time: &ManualTime, step: Duration, wanted: &str) {
    eventually("the level changes", async || {
        time.advance(step);
        (level(shop).await == wanted).then_some(())
    })
    .await;
}

/// The request was refused because the feature is off.
fn off(answer: &Answer, feature: &str) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text());
    let problem = answer.problem();
    assert_eq!(problem["type"], "urn:order-service:problem:switched-off");
    let detail = problem["detail"].as_str().expect("a text");
    assert!(detail.starts_with(&format!("the feature {feature} is switched off")), "{detail}");
    let seconds: u64 = answer.header("retry-after").parse().expect("whole seconds");
    assert!((1..=60).contains(&seconds), "{answer:?}");
}

async fn extras_are_off(shop: &Shop) {
    for path in ["/suggestions", "/suggestions?product=coffee-1", "/suggestions?nonsense"] {
        off(&shop.public.get(path).await, "suggestions");
    }
    off(&shop.public.get("/statistics").await, "statistics");
    let request = shop.public.request(Method::POST, "/suggestions/feedback").header("content-type", "application/json");
    let body = json!({"product_id": "coffee-1", "useful": true}).to_string();
    off(&shop.public.send(request.body(Full::new(body.into())).expect("a good request")).await, "suggestions");
}

async fn all_work(shop: &Shop, paths: &[&str]) {
    for path in paths {
        assert_eq!(shop.public.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn features_go_off_by_level_and_come_back_step_by_step() {
    let (shop, time) = shop(|_| {}).await;
    all_work(&shop, &["/", "/products", "/suggestions", "/statistics"]).await;
    assert_eq!(level(&shop).await, "normal");

    pull(&shop, 0.8).await;
    assert_eq!(level(&shop).await, "elevated");
    extras_are_off(&shop).await;
    assert_eq!(shop.public.get("/statistics").await.header("retry-after"), "5", "the level may end then");
    all_work(&shop, &["/", "/products", "/products/coffee-1"]).await;

    // No sooner than a dwell time later.
    pull(&shop, 1.0).await;
    assert_eq!(level(&shop).await, "elevated");
    time.advance(DWELL);
    becomes(&shop, &time, Duration::ZERO, "critical").await;
    extras_are_off(&shop).await;
    for path in ["/", "/products", "/products/coffee-1"] {
        off(&shop.public.get(path).await, "browsing");
    }
    all_work(&shop, &ALWAYS).await;
    let placed = shop.public.post_order(order_text("order-2")).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{}", placed.text());
    let health = shop.public.get("/health").await.json();
    assert_eq!(
        (&health["status"], &health["checks"]["load:level"][0]["observedValue"]),
        (&json!("warn"), &json!("critical"))
    );
    assert_eq!(shop.admin.get("/admin/load").await.json(), json!({"load": 1.0}));
    let figures = Exposition::parse(shop.public.get("/metrics").await.text());
    assert_eq!(figures.count(r#"seawall_bulkhead_feature_on{name="load",feature="browsing"}"#), 0);
    assert!(
        figures.count(r#"seawall_bulkhead_feature_calls_total{name="load",feature="browsing",outcome="switched_off"}"#)
            >= 3
    );
    assert_eq!(figures.count(r#"seawall_bulkhead_load_level{name="load",level="critical"}"#), 1);

    pull(&shop, 0.0).await;
    assert_eq!(level(&shop).await, "critical", "no sooner than a dwell time later");
    time.advance(DWELL);
    becomes(&shop, &time, Duration::ZERO, "elevated").await;
    all_work(&shop, &["/", "/products"]).await;
    extras_are_off(&shop).await;
    time.advance(DWELL);
    becomes(&shop, &time, Duration::ZERO, "normal").await;
    all_work(&shop, &["/suggestions", "/statistics"]).await;

    let told = shop.public.get("/degradation").await.json();
    let history = told["history"].as_array().expect("a list");
    let levels: Vec<_> =
        history.iter().rev().filter(|change| change["what"] == "level").map(|change| &change["to"]).collect();
    assert_eq!(levels, ["elevated", "critical", "elevated", "normal"]);
    let switched = |on: bool| {
        let features = history.iter().rev().filter(|change| change["what"] == "feature" && change["on"] == on);
        features.map(|change| change["feature"].as_str().expect("a name")).collect::<Vec<_>>()
    };
    assert_eq!(switched(false).len(), 3, "{told}");
    assert_eq!(switched(true)[0], "browsing", "first what went last: {told}");
    assert!(told["features"].as_array().is_some_and(|features| features.iter().all(|feature| feature["on"] == true)));
    shop.close().await;
}

#[tokio::test]
async fn what_is_switched_off_uses_up_no_quota_and_no_word_of_the_caller_turns_it_on() {
    let (shop, _time) = shop(|settings| settings.profile = order_service::config::Profile::Demo).await;
    pull(&shop, 0.9).await;
    for _ in 0..30 {
        let request = shop.public.request(Method::GET, "/suggestions");
        let request =
            [("x-priority", "critical"), ("priority", "u=0"), ("x-load-level", "normal"), ("x-feature", "on")]
                .into_iter()
                .fold(request, |request, (name, value)| request.header(name, value));
        off(&shop.public.send(request.body(Full::default()).expect("a good request")).await, "suggestions");
    }
    assert_eq!(shop.public.get("/products").await.status, StatusCode::OK, "twenty would have been too many");
    let limits = shop.public.get("/rate-limits").await.json()["rate_limits"].clone();
    let global = limits.as_array().expect("a list").iter().find(|limit| limit["name"] == "global").expect("a limit");
    assert_eq!(global["admitted"], 2, "the order and the catalogue: {global}");
    shop.close().await;
}

/// A request that waits for the rest of its body, as long as its connection is there.
async fn begin(shop: &Shop) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", shop.port())).await.expect("a connection");
    let head = "POST /orders HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("the head is taken");
    stream
}

#[tokio::test]
async fn requests_that_pile_up_are_a_load() {
    let (shop, time) = shop(|settings| settings.rate_limits.load.ceiling = 10).await;
    let waiting = join_all((0..10).map(|_| begin(&shop))).await;
    becomes(&shop, &time, Duration::from_millis(250), "critical").await;
    off(&shop.public.get("/products").await, "browsing");
    assert_eq!(shop.public.get("/orders/order-1").await.status, StatusCode::OK);
    let signals = shop.public.get("/degradation").await.json()["signals"].clone();
    assert_eq!((&signals[0]["name"], &signals[0]["value"]), (&json!("requests"), &json!(1.0)), "{signals}");
    drop(waiting);
    becomes(&shop, &time, Duration::from_secs(1), "normal").await;
    all_work(&shop, &["/", "/products", "/suggestions", "/statistics"]).await;
    shop.close().await;
}

#[tokio::test]
async fn a_line_of_the_database_that_does_not_empty_is_a_load() {
    let (shop, time) = shop(|settings| {
        settings.database.lock_timeout = Duration::from_mins(2);
        let long = Duration::from_hours(1);
        settings.bulkheads.database = BulkheadConfig::new(1).queue(10).max_wait(long);
        settings.database.timeout = Duration::from_mins(5);
    })
    .await;
    let file = SqliteConnectOptions::new().filename(shop.storage().folder().join("data/orders.sqlite"));
    let mut other = file.connect().await.expect("the file is there");
    other.execute("BEGIN IMMEDIATE").await.expect("the lock is free");
    let held = {
        let client = shop.public.clone();
        tokio::spawn(async move { client.post_order(order_text("order-2")).await })
    };
    let in_line = async |field: &str, number: u64| {
        eventually("the database is in use", async || {
            let database = shop.public.get("/bulkheads").await.json()["bulkheads"][0].clone();
            (database[field] == number).then_some(())
        })
        .await;
    };
    in_line("in_flight", 1).await;
    let waiting = {
        let client = shop.public.clone();
        tokio::spawn(async move { client.get("/products").await })
    };
    in_line("queued", 1).await;
    assert_eq!(level(&shop).await, "normal");
    time.advance(Duration::from_secs(2));
    becomes(&shop, &time, Duration::ZERO, "critical").await;
    off(&shop.public.get("/products").await, "browsing");
    extras_are_off(&shop).await;
    other.execute("ROLLBACK").await.expect("there is a transaction");
    assert_eq!(held.await.expect("it ended").status, StatusCode::CREATED);
    assert_eq!(waiting.await.expect("it ended").status, StatusCode::OK, "it was let in before");
    becomes(&shop, &time, Duration::from_secs(1), "normal").await;
    shop.close().await;
}

#[tokio::test]
async fn limits_that_adapt_go_by_the_same_load() {
    let (shop, time) = shop(|_| {}).await;
    pull(&shop, 1.0).await;
    let share = async || {
        let limits = shop.public.get("/rate-limits").await.json();
        let global = limits["rate_limits"].as_array().expect("a list").iter().find(|limit| limit["name"] == "global");
        (limits["load"]["load"].clone(), global.expect("a limit")["share"].as_f64().expect("a number"))
    };
    assert_eq!(share().await, (json!(1.0), 1.0));
    time.advance(Duration::from_secs(1));
    eventually("the quota falls", async || (share().await.1 < 0.75).then_some(())).await;
    shop.close().await;
}

#[tokio::test]
async fn a_bad_pull_moves_nothing() {
    let (shop, _time) = shop(|_| {}).await;
    pull(&shop, 0.25).await;
    for (body, field, value) in [
        (json!({"load": 1.5}), "load", "1.5"),
        (json!({"load": -0.1}), "load", "-0.1"),
        (json!({"load": "high"}), "load", "high"),
        (json!({"load": null}), "load", "null"),
        (json!({}), "load", ""),
        (json!({"load": 0.5, "level": "normal"}), "level", ""),
    ] {
        let answer = shop.admin.put("/admin/load", &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", answer.text());
        let fault = answer.problem()["errors"][0].clone();
        assert_eq!((&fault["field"], fault["value"].as_str().unwrap_or_default()), (&json!(field), value), "{body}");
        assert_eq!(shop.admin.get("/admin/load").await.json(), json!({"load": 0.25}), "{body}");
    }
    assert_eq!(shop.public.put("/admin/load", &json!({"load": 1.0})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(shop.public.put("/degradation", &json!({"load": 1.0})).await.status, StatusCode::METHOD_NOT_ALLOWED);
    shop.close().await;
}

#[tokio::test]
async fn each_change_is_logged() {
    let storage = Storage::new(Engine::Sqlite);
    let service = Process::start(&storage, &[]);
    service.admin.put("/admin/load", &json!({"load": 0.9})).await;
    let found = async |message: &'static str| {
        eventually("it is logged", async || {
            let lines = service.logged();
            let mut lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.find(|line| line["message"] == message)
        })
        .await
    };
    let audited = found("changed by hand").await;
    assert_eq!((&audited["what"], &audited["after"]), (&json!("load: lever"), &json!("0.9")), "{audited}");
    let changed = found("load level changed").await;
    assert_eq!((&changed["level"], &changed["to"]), (&json!("WARN"), &json!("elevated")), "{changed}");
    let switched = found("feature switched").await;
    assert_eq!((&switched["on"], &switched["target"]), (&json!(false), &json!("seawall::bulkhead")), "{switched}");
}
