//! The service puts load on itself, and reports what becomes of it.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use http_body_util::Full;
use order_service::config::Profile;
use order_service::payment::Behaviour;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{Answer, Engine, Exposition, Shop, eventually};

each_engine!(
    a_report_adds_up,
    an_answer_that_comes_late_is_late_in_the_report,
    the_limits_hold_for_it_and_whoever_asks_keeps_its_quota,
    one_runs_at_a_time,
    it_ends_with_whoever_asked_for_it,
    it_ends_with_the_service,
    a_bad_parameter_starts_nothing,
);

const PATH: &str = "/demo/load-test";

fn count(figures: &Value, name: &str) -> u64 {
    figures[name].as_u64().unwrap_or_else(|| panic!("no {name} in {figures}"))
}

/// A report that must come.
async fn report(shop: &Shop, query: &str) -> Value {
    let answer = shop.public.get(&format!("{PATH}{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()
}

/// Somebody who asks for more load than any test waits for.
async fn begin(shop: &Shop) -> JoinHandle<Answer> {
    let client = shop.public.clone();
    let asked = tokio::spawn(async move { client.get(&format!("{PATH}?rps=5&seconds=30")).await });
    eventually("it runs", async || (running(shop).await == 1).then_some(())).await;
    asked
}

async fn figures(shop: &Shop) -> Exposition {
    Exposition::parse(shop.public.get("/metrics").await.text())
}

async fn running(shop: &Shop) -> u64 {
    figures(shop).await.count("load_test_running")
}

async fn ended(shop: &Shop, outcome: &str) -> u64 {
    figures(shop).await.count(&format!(r#"load_tests_total{{outcome="{outcome}"}}"#))
}

/// Every request is somewhere, once, and none took less time for its caller than for the service.
fn adds_up(figures: &Value) {
    let by_status: u64 = figures["by_status"].as_object().expect("an object").values().filter_map(Value::as_u64).sum();
    assert_eq!(count(figures, "planned"), count(figures, "sent") + count(figures, "unsent"), "{figures}");
    assert_eq!(count(figures, "sent"), by_status + count(figures, "errors"), "{figures}");
    let (latency, service) = (&figures["latency_ms"], &figures["service_time_ms"]);
    assert_eq!(latency.is_null(), count(figures, "sent") == 0, "{figures}");
    let quantiles = ["mean", "p50", "p90", "p95", "p99", "p99_9", "max"];
    let all: Vec<_> = quantiles.iter().map(|name| (latency[name].as_f64(), service[name].as_f64())).collect();
    assert!(all.iter().all(|(latency, service)| latency >= service), "{figures}");
    assert!(all[1..].windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1), "{figures}");
}

async fn a_report_adds_up(engine: Engine) {
    let shop = Shop::open(engine).await;
    let report = report(&shop, "").await;
    assert_eq!(report["parameters"], json!({"rps": 50, "seconds": 5}));
    assert_eq!((count(&report, "planned"), &report["customer_id"]), (250, &json!("load-test")));
    adds_up(&report);
    let routes = report["routes"].as_array().expect("a list");
    let planned: Vec<_> = routes.iter().map(|route| (route["route"].as_str(), count(route, "planned"))).collect();
    let expected = [
        ("GET /products", 101),
        ("GET /suggestions", 75),
        ("GET /orders", 49),
        ("GET /statistics", 12),
        ("POST /orders", 13),
    ];
    assert_eq!(planned, expected.map(|(route, planned)| (Some(route), planned)));
    for name in ["sent", "unsent", "errors"] {
        let sum: u64 = routes.iter().map(|route| count(route, name)).sum();
        assert_eq!(sum, count(&report, name), "{name} in {report}");
    }
    routes.iter().for_each(adds_up);
    let duration = report["duration_seconds"].as_f64().expect("a number");
    let rate = report["achieved_rps"].as_f64().expect("a number");
    assert!(duration >= 5.0, "{report}");
    let answered = u32::try_from(count(&report, "sent") - count(&report, "errors")).expect("at most 250");
    assert!((rate * duration - f64::from(answered)).abs() < 0.01, "{report}");

    // What was placed is there, and goes on as any order does.
    let placed = routes[4]["by_status"]["201"].as_u64().expect("orders were placed");
    shop.all_paid().await;
    let orders = shop.all_orders().await;
    assert!(orders.iter().all(|order| order["customer_id"] == "load-test"));
    let stored = orders.len() as u64;
    assert!((placed..=placed + count(&routes[4], "errors")).contains(&stored), "{stored} orders: {report}");
    // Each went through the listener, as all requests do.
    let figures = figures(&shop).await;
    let placed_there = r#"http_server_request_duration_seconds_count{http_request_method="POST",http_route="/orders",http_response_status_code="201"}"#;
    assert!(figures.count(placed_there) >= placed);
    assert_eq!((ended(&shop, "completed").await, running(&shop).await), (1, 0));
    shop.close().await;
}

async fn an_answer_that_comes_late_is_late_in_the_report(engine: Engine) {
    let shop = Shop::open(engine).await;
    let slow = Duration::from_millis(700);
    shop.provider().behave(Behaviour::slow(slow));
    let report = report(&shop, "?rps=40&seconds=1").await;
    adds_up(&report);
    assert_eq!((count(&report, "planned"), count(&report, "unsent")), (40, 0), "nobody waits for the slow ones");
    let placing = &report["routes"][4];
    for pointer in ["/latency_ms/p50", "/service_time_ms/p50", "/latency_ms/max"] {
        let took = placing.pointer(pointer).and_then(Value::as_f64).expect("a number");
        assert!(took >= slow.as_secs_f64() * 999.0, "{pointer} in {placing}");
    }
    shop.close().await;
}

async fn the_limits_hold_for_it_and_whoever_asks_keeps_its_quota(engine: Engine) {
    const ADA: &str = "demo-harbour-ada";
    let shop = Shop::open_with(engine, |settings| settings.profile = Profile::Demo).await;
    let ask = async |path: &str| {
        let request = shop.public.request(Method::GET, path).header("x-api-key", ADA);
        shop.public.send(request.body(Full::default()).expect("a good request")).await
    };
    let answer = ask(&format!("{PATH}?rps=200&seconds=1")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let told = answer.header("ratelimit").to_owned();
    assert!(told.contains(r#""expensive";r=19"#) && told.contains(r#""user";r=99"#), "{told}");
    let report = answer.json();
    adds_up(&report);
    // A hundred requests a minute are any user's.
    let [passed, refused, others] = [&["200", "201"][..], &["429"], &["503"]]
        .map(|those| those.iter().filter_map(|status| report["by_status"][status].as_u64()).sum::<u64>());
    assert!(passed <= 100 && refused > 0, "{report}");
    let share = report["refused"]["share"].as_f64().expect("a number");
    let sent = u32::try_from(count(&report, "sent")).expect("at most 200");
    let counted = u32::try_from(refused + others).expect("no more");
    assert!((share * f64::from(sent) - f64::from(counted)).abs() < 1e-6, "{report}");
    assert_eq!(
        (count(&report["refused"], "too_many_requests"), count(&report["refused"], "unavailable")),
        (refused, others)
    );

    let told = ask("/").await.header("ratelimit").to_owned();
    assert!(told.contains(r#""user";r=98"#) && told.contains(r#""tenant";r=498"#), "two requests were Ada's: {told}");
    let told = shop.public.get("/").await.header("ratelimit").to_owned();
    assert!(told.contains(r#""address";r=19"#), "and none her address's: {told}");
    shop.close().await;
}

async fn one_runs_at_a_time(engine: Engine) {
    let shop = Shop::open(engine).await;
    let first = begin(&shop).await;
    for query in ["", "?rps=1&seconds=1"] {
        let second = shop.public.get(&format!("{PATH}{query}")).await;
        assert_eq!(second.status, StatusCode::CONFLICT, "{}", second.text());
        assert_eq!(second.problem()["type"], "urn:order-service:problem:load-test-running");
    }
    assert_eq!((ended(&shop, "refused").await, running(&shop).await), (2, 1));
    first.abort();
    eventually("there is room again", async || (running(&shop).await == 0).then_some(())).await;
    for _ in 0..2 {
        assert_eq!(count(&report(&shop, "?rps=2&seconds=1").await, "planned"), 2);
    }
    shop.close().await;
}

async fn it_ends_with_whoever_asked_for_it(engine: Engine) {
    let shop = Shop::open(engine).await;
    begin(&shop).await.abort();
    eventually("it is broken off", async || (ended(&shop, "broken_off").await == 1).then_some(())).await;

    // Nobody waits any longer than so.
    let request = shop.public.request(Method::GET, &format!("{PATH}?rps=5&seconds=30"));
    let request = request.header("x-request-timeout-ms", "50").body(Full::default()).expect("a good request");
    assert_eq!(shop.public.send(request).await.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!((ended(&shop, "broken_off").await, running(&shop).await), (2, 0));
    shop.close().await;
}

async fn it_ends_with_the_service(engine: Engine) {
    let shop = Shop::open(engine).await;
    let asked = begin(&shop).await;
    // Requests that take longer than the grace are cut off, which fails this; the test would take three times as long.
    shop.close().await;
    let answer = asked.await.expect("it ended");
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text());
    assert!(answer.problem()["detail"].as_str().is_some_and(|detail| detail.contains("the service ends")));
}

async fn a_bad_parameter_starts_nothing(engine: Engine) {
    let shop = Shop::open(engine).await;
    for (query, field, value, valid) in [
        ("rps=0", "rps", "0", "from 1 to 2000"),
        ("rps=-5", "rps", "-5", "from 1 to 2000"),
        ("rps=2001", "rps", "2001", "from 1 to 2000"),
        ("rps=NaN", "rps", "NaN", "from 1 to 2000"),
        ("rps=1.5", "rps", "1.5", "from 1 to 2000"),
        ("rps=", "rps", "", "from 1 to 2000"),
        ("rps=%ff", "rps", "\u{fffd}", "from 1 to 2000"),
        ("seconds=0", "seconds", "0", "from 1 to 30"),
        ("seconds=31", "seconds", "31", "from 1 to 30"),
        ("seconds=5s", "seconds", "5s", "from 1 to 30"),
        ("rps=5&rps=6", "rps", "6", "twice"),
        ("duration=5", "duration", "5", "`rps` and `seconds`"),
    ] {
        let answer = shop.public.get(&format!("{PATH}?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}: {}", answer.text());
        let fault = answer.problem()["errors"][0].clone();
        assert_eq!((&fault["field"], &fault["value"]), (&json!(field), &json!(value)), "{query}");
        assert!(fault["detail"].as_str().is_some_and(|detail| detail.contains(valid)), "{query}: {fault}");
    }
    let both = shop.public.get(&format!("{PATH}?rps=0&seconds=0")).await;
    assert_eq!(both.problem()["errors"].as_array().map(Vec::len), Some(2));
    let figures = figures(&shop).await;
    assert!(!figures.has("load_tests_total") && figures.count("load_test_running") == 0);
    assert_eq!(shop.count_orders().await, 0);
    shop.close().await;
}
