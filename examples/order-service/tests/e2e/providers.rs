//! Two providers, called through deadline, retry with a budget, circuit breaker and timeout.

use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::post;
use order_service::config::Settings;
use order_service::payment::Behaviour;
use seawall_circuit_breaker::Config as BreakerConfig;
use seawall_core::time::Clock;
use seawall_retry::{Config as RetryConfig, Deposits};
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{Answer, Engine, Exposition, ORDER_TOTAL, Shop, eventually, order_text, outage};

each_engine!(
    a_budget_bounds_what_an_outage_is_asked,
    a_failure_now_and_then_is_not_noticed,
    a_deadline_is_kept_and_handed_on,
    a_deadline_that_cannot_be_kept_is_a_problem_and_stores_nothing,
    a_caller_in_a_hurry_does_not_open_the_circuit,
    a_provider_refuses_what_comes_too_late,
    without_the_inventory_orders_are_accepted_and_served_later,
    what_is_out_of_stock_is_refused_and_costs_nothing,
    an_accepted_order_waits_for_stock_and_is_reserved_once,
    the_figures_of_the_patterns_are_exported,
    a_receipt_that_cannot_be_stored_is_the_providers_failure,
);

const ORDERS: u64 = 50;

/// Four attempts, without a wait in between.
fn insistent() -> RetryConfig {
    RetryConfig::default().max_attempts(4).fixed(Duration::ZERO)
}

/// No circuit opens, and nobody but callers asks.
fn only_retries(settings: &mut Settings) {
    settings.payment.breaker = BreakerConfig::classic().consecutive_failures(1_000_000);
    settings.payment.redrive.interval = Duration::from_hours(1);
    settings.payment.redrive.max_backoff = Duration::from_hours(1);
}

fn eager_redrive(settings: &mut Settings) {
    settings.payment.redrive.interval = Duration::from_millis(10);
    settings.payment.redrive.max_backoff = Duration::from_millis(100);
}

/// The redrive leaves an order to its request for as long as that may take, and a second more. A call that is answered is
/// answered sooner than this on any machine.
fn leaves_soon(settings: &mut Settings) {
    eager_redrive(settings);
    settings.inventory.patience = Duration::from_secs(5);
    settings.payment.patience = Duration::from_secs(5);
}

/// How many requests the payment provider counts while it is down.
async fn asked_in_an_outage(engine: Engine, retry: RetryConfig) -> u64 {
    let shop = Shop::open_with(engine, |settings| {
        only_retries(settings);
        settings.payment.retry = retry;
    })
    .await;
    shop.admin.put("/payment-provider", &outage(true)).await;
    for index in 0..ORDERS {
        let answer = shop.public.post_order(order_text(&format!("order-{index}"))).await;
        assert_eq!((answer.status, &answer.json()["payment"]), (StatusCode::CREATED, &json!("pending")));
    }
    let asked = shop.admin.get("/payment-provider").await.json()["figures"]["requests"].as_u64().expect("a count");
    shop.close().await;
    asked
}

async fn a_budget_bounds_what_an_outage_is_asked(engine: Engine) {
    // A fifth, and three in any case.
    let budget = Deposits::default().ratio(0.2).per_second(0.05).ttl(Duration::from_mins(1));
    let most = ORDERS + ORDERS / 5 + 3;
    let with = asked_in_an_outage(engine, insistent().budget(budget)).await;
    assert!((ORDERS + 1..=most).contains(&with), "{with} requests for {ORDERS} orders, at most {most} are paid for");
    // Three times as much again.
    assert_eq!(asked_in_an_outage(engine, insistent().without_budget()).await, 4 * ORDERS);
}

async fn a_failure_now_and_then_is_not_noticed(engine: Engine) {
    let shop = Shop::open_with(engine, |settings| {
        only_retries(settings);
        settings.payment.retry = insistent().max_attempts(50).without_budget();
    })
    .await;
    shop.provider().behave(Behaviour { failure_rate: 0.5, ..Behaviour::default() });
    for index in 0..20 {
        let answer = shop.public.post_order(order_text(&format!("order-{index}"))).await;
        assert_eq!(answer.json()["payment"], "paid", "{}", answer.text());
    }
    let figures = shop.provider().figures();
    assert_eq!(figures.done.charges, 20);
    assert!(figures.requests > 20, "{figures:?}");
    shop.close().await;
}

/// Places an order for a caller who waits so long.
async fn post_within(shop: &Shop, id: &str, left: &str) -> Answer {
    let request = shop.public.request(axum::http::Method::POST, "/orders");
    let request = request.header("content-type", "application/json").header("x-request-timeout-ms", left);
    shop.public.send(request.body(http_body_util::Full::new(order_text(id).into())).expect("a good request")).await
}

async fn a_deadline_is_kept_and_handed_on(engine: Engine) {
    let shop = Shop::open(engine).await;
    assert_eq!(post_within(&shop, "in-time", "30000").await.json()["payment"], "paid");
    let [reserved, paid] = [shop.inventory().figures().last_timeout_ms, shop.provider().figures().last_timeout_ms];
    let (reserved, paid) = (reserved.expect("a deadline"), paid.expect("a deadline"));
    // The service's own patience is less than the caller's.
    assert!(paid <= 20_000 && reserved <= 20_000, "{reserved} {paid}");
    assert_eq!(post_within(&shop, "in-less-time", "15000").await.json()["payment"], "paid");
    let [reserved, paid] = [shop.inventory().figures().last_timeout_ms, shop.provider().figures().last_timeout_ms];
    let (reserved, paid) = (reserved.expect("a deadline"), paid.expect("a deadline"));
    assert!(paid <= reserved && reserved < 15_000, "{reserved} {paid}: less is left at each hop");

    // The order is stored, so it stands, whoever waits for its payment.
    shop.provider().behave(Behaviour::hanging());
    let clock = Clock::system();
    let started = clock.now();
    let answer = post_within(&shop, "hurried", "2000").await;
    assert!([StatusCode::CREATED, StatusCode::ACCEPTED].contains(&answer.status), "{}", answer.text());
    assert_eq!(answer.json()["payment"], "pending");
    let took = clock.now().saturating_duration_since(started);
    assert!((Duration::from_millis(1_900)..Duration::from_secs(15)).contains(&took), "{took:?} of a patience of 20 s");
    shop.close().await;
}

async fn a_deadline_that_cannot_be_kept_is_a_problem_and_stores_nothing(engine: Engine) {
    let shop = Shop::open(engine).await;
    let late = post_within(&shop, "late", "0").await;
    assert_eq!(
        (late.status, &late.problem()["type"]),
        (StatusCode::GATEWAY_TIMEOUT, &json!("urn:order-service:problem:deadline-passed"))
    );
    for odd in ["soon", "-1", "1.5", ""] {
        let answer = post_within(&shop, "odd", odd).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{odd}");
        assert!(answer.problem()["detail"].as_str().is_some_and(|text| text.contains("x-request-timeout-ms")), "{odd}");
    }
    assert_eq!(shop.count_orders().await, 0);
    shop.close().await;
}

async fn a_caller_in_a_hurry_does_not_open_the_circuit(engine: Engine) {
    let shop = Shop::open_with(engine, only_retries).await;
    shop.inventory().behave(Behaviour::slow(Duration::from_mins(1)));
    for index in 0..8 {
        let answer = post_within(&shop, &format!("hurried-{index}"), "300").await;
        let in_time = [StatusCode::CREATED, StatusCode::ACCEPTED, StatusCode::GATEWAY_TIMEOUT];
        assert!(in_time.contains(&answer.status), "{}", answer.text());
    }
    let breaker = shop.public.get("/circuit-breakers/inventory").await.json();
    assert_eq!((&breaker["state"], &breaker["total"]["failures"]), (&json!("closed"), &json!(0)), "{breaker}");
    shop.close().await;
}

async fn a_provider_refuses_what_comes_too_late(engine: Engine) {
    let shop = Shop::open(engine).await;
    let url: std::net::SocketAddr = shop.provider().url().trim_start_matches("http://").parse().expect("an address");
    let provider = crate::support::Client::new(url);
    let request = provider.request(axum::http::Method::POST, "/charges").header("content-type", "application/json");
    let request = request.header("x-request-timeout-ms", "0");
    let body = json!({"order_id": "late", "amount": 1}).to_string();
    let answer = provider.send(request.body(http_body_util::Full::new(body.into())).expect("a good request")).await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    let figures = shop.provider().figures();
    assert_eq!((figures.requests, figures.expired, figures.done.charges), (1, 1, 0));
    shop.close().await;
}

async fn without_the_inventory_orders_are_accepted_and_served_later(engine: Engine) {
    let shop = Shop::open_with(engine, |settings| {
        leaves_soon(settings);
        settings.inventory.breaker = BreakerConfig::classic().open_for(Duration::from_millis(50));
    })
    .await;
    shop.admin.put("/inventory-provider", &outage(true)).await;
    for index in 0..10 {
        let answer = shop.public.post_order(order_text(&format!("order-{index}"))).await;
        assert_eq!((answer.status, &answer.json()["payment"]), (StatusCode::CREATED, &json!("pending")));
    }
    assert_eq!(shop.provider().figures().requests, 0, "nothing is paid before it is set aside");
    let health = shop.public.get("/health").await.json();
    assert_ne!(health["checks"]["inventory:circuitBreaker"][0]["status"], "pass", "{health}");
    assert_eq!(shop.public.get("/readyz").await.status, StatusCode::OK);

    shop.admin.put("/inventory-provider", &outage(false)).await;
    shop.all_paid().await;
    assert_eq!(shop.inventory().figures().done.reservations, 10);
    assert_eq!(shop.provider().figures().done.charges, 10);
    shop.close().await;
}

async fn what_is_out_of_stock_is_refused_and_costs_nothing(engine: Engine) {
    let shop = Shop::open_with(engine, |settings| settings.inventory.stock = [("coffee-1".to_owned(), 3)].into()).await;
    // Two for each order.
    assert_eq!(shop.public.post_order(order_text("first")).await.json()["payment"], "paid");
    let refused = shop.public.post_order(order_text("second")).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let problem = refused.problem();
    assert_eq!(problem["type"], "urn:order-service:problem:out-of-stock");
    assert_eq!(problem["errors"][0]["field"], "items[0].product_id");
    assert_eq!(problem["errors"][0]["value"], "coffee-1");
    assert_eq!((shop.count_orders().await, shop.inventory().left("coffee-1")), (1, Some(1)));
    assert_eq!(shop.provider().figures().done.charges, 1);
    assert_eq!(shop.provider().collected("second"), None);

    shop.inventory().count("coffee-1", 2);
    assert_eq!(shop.public.post_order(order_text("second")).await.json()["payment"], "paid");
    assert_eq!(shop.inventory().left("coffee-1"), Some(0));
    let duplicate = shop.public.post_order(order_text("second")).await.problem();
    assert_eq!(duplicate["type"], "urn:order-service:problem:duplicate-order");
    shop.close().await;
}

async fn an_accepted_order_waits_for_stock_and_is_reserved_once(engine: Engine) {
    let shop = Shop::open_with(engine, |settings| {
        leaves_soon(settings);
        settings.inventory.stock = [("coffee-1".to_owned(), 0)].into();
    })
    .await;
    // Nobody could tell the caller that there is nothing left.
    shop.inventory().behave(Behaviour::outage());
    assert_eq!(shop.public.post_order(order_text("accepted")).await.status, StatusCode::CREATED);
    shop.inventory().behave(Behaviour::default());
    eventually("the redrive asked", async || (shop.inventory().figures().done.out_of_stock > 1).then_some(())).await;
    assert_eq!((shop.count_orders().await, shop.provider().figures().requests), (1, 0));

    // The payment fails for a while, and what is set aside stays so.
    shop.provider().behave(Behaviour::outage());
    shop.inventory().count("coffee-1", 5);
    eventually("it was asked again", async || (shop.inventory().figures().done.replays > 1).then_some(())).await;
    assert_eq!(shop.inventory().left("coffee-1"), Some(3));
    shop.provider().behave(Behaviour::default());
    shop.admin.put("/admin/circuit-breakers/payment", &json!({"state": "closed"})).await;
    shop.all_paid().await;
    assert_eq!(shop.inventory().left("coffee-1"), Some(3));
    assert_eq!(shop.provider().collected("accepted"), Some(ORDER_TOTAL));
    shop.close().await;
}

async fn the_figures_of_the_patterns_are_exported(engine: Engine) {
    let shop = Shop::open_with(engine, |settings| {
        only_retries(settings);
        settings.payment.retry = insistent();
    })
    .await;
    shop.provider().behave(Behaviour::outage());
    shop.public.post_order(order_text("order-1")).await;
    let figures = Exposition::parse(shop.public.get("/metrics").await.text());
    assert_eq!(figures.count(r#"seawall_retry_calls_total{name="payment",end="exhausted"}"#), 1);
    assert_eq!(figures.count(r#"seawall_retry_retries_total{name="payment"}"#), 3);
    assert_eq!(figures.count(r#"seawall_retry_calls_total{name="inventory",end="first_good"}"#), 1);
    assert_eq!(figures.count(r#"seawall_retry_budget_spent_total{name="payment"}"#), 3);
    assert_eq!(figures.count(r#"seawall_timeout_calls_total{name="payment",end="in_time"}"#), 4);
    assert!(figures.count(r#"seawall_timeout_calls_total{name="database-writes",end="in_time"}"#) >= 1);
    assert_eq!(figures.count(r#"payment_attempts_total{outcome="failed"}"#), 4);
    assert_eq!(figures.count(r#"inventory_attempts_total{outcome="succeeded"}"#), 1);
    shop.close().await;
}

async fn a_receipt_that_cannot_be_stored_is_the_providers_failure(engine: Engine) {
    let odd = axum::Router::new().route("/charges", post(async || axum::Json(json!({"charge_id": "charge\u{0}1"}))));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let provider = tokio::spawn(async move { axum::serve(listener, odd).await });
    let shop = Shop::open_with(engine, |settings| {
        only_retries(settings);
        settings.payment.url = Some(url);
    })
    .await;
    let answer = shop.public.post_order(order_text("order-1")).await;
    assert_eq!((answer.status, &answer.json()["payment"]), (StatusCode::CREATED, &json!("pending")));
    assert_eq!(shop.breaker().await["total"]["failures"], 1);
    let database = shop.public.get("/circuit-breakers/database-writes").await.json();
    assert_eq!(database["total"]["failures"], 0, "nothing was asked of the database that it cannot do: {database}");
    shop.close().await;
    provider.abort();
}
