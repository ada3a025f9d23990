//! The payment provider fails; the service does not.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::join_all;
use order_service::config::Settings;
use order_service::payment::Behaviour;
use seawall_circuit_breaker::Config as BreakerConfig;

use crate::support::{Engine, Exposition, Nowhere, ORDER_TOTAL, Shop, eventually, order_text, outage};

each_engine!(
    an_open_breaker_leaves_the_provider_alone,
    after_an_outage_everything_is_paid_once_without_anybody_asking,
    a_slow_provider_is_not_waited_for_and_charges_once,
    a_provider_slower_than_callers_wait_is_paid_all_the_same,
    half_of_all_payments_failing_loses_nothing,
    a_provider_that_is_not_there_is_an_outage,
    a_lever_moves_the_provider,
);

/// Opens after five failures in a row, for so long.
fn opens_for(interval: Duration) -> BreakerConfig {
    BreakerConfig::classic().name("payment").open_for(interval)
}

/// The redrive leaves an order to its request for as long as that may take, and a second more. A call that is answered is
/// answered sooner than this on any machine.
fn leaves_soon(settings: &mut Settings) {
    settings.inventory.timeout = Duration::from_secs(5);
    settings.payment.timeout = Duration::from_secs(5);
}

async fn scrape(shop: &Shop) -> Exposition {
    Exposition::parse(shop.public.get("/metrics").await.text())
}

/// Tries pending payments as often as can be set.
fn eager_redrive(settings: &mut Settings) {
    settings.payment.redrive.interval = Duration::from_millis(10);
    settings.payment.redrive.max_backoff = Duration::from_millis(100);
}

/// Places `number` orders one after the other; each must be accepted with its payment pending.
async fn place_unpaid(shop: &Shop, number: usize) {
    for index in 0..number {
        let answer = shop.public.post_order(order_text(&format!("order-{index}"))).await;
        assert_eq!((answer.status, &answer.json()["payment"]), (StatusCode::CREATED, &"pending".into()));
    }
}

async fn an_open_breaker_leaves_the_provider_alone(engine: Engine) {
    let shop = Shop::open_with(engine, |settings| {
        eager_redrive(settings);
        leaves_soon(settings);
        settings.payment.breaker = opens_for(Duration::from_hours(1));
    })
    .await;
    shop.admin.put("/payment-provider", &outage(true)).await;
    place_unpaid(&shop, 100).await;
    // 95 of the orders, and then the redrive: its attempts are refused too.
    let refused = async || scrape(&shop).await.count(r#"payment_attempts_total{outcome="refused"}"#);
    eventually("the redrive has tried", async || (refused().await > 100).then_some(())).await;

    // Five calls found out; nobody has asked since.
    assert_eq!(shop.provider().figures().requests, 5);
    let breaker = shop.breaker().await;
    assert_eq!(breaker["state"], "open", "{breaker}");
    assert!(breaker["last_error"].as_str().is_some_and(|text| text.contains("503")), "{breaker}");
    assert_eq!(shop.count_orders().await, 100);

    let health = shop.public.get("/health").await;
    assert_eq!((health.status, &health.json()["status"]), (StatusCode::OK, &"warn".into()));
    assert_eq!(health.json()["checks"]["payment:circuitBreaker"][0]["observedValue"], "open");
    assert_eq!(shop.public.get("/readyz").await.status, StatusCode::OK);

    let figures = scrape(&shop).await;
    assert_eq!(figures.count("orders_payment_pending"), 100);
    assert_eq!(figures.count(r#"seawall_circuit_breaker_state{name="payment",state="open"}"#), 1);
    shop.close().await;
}

async fn after_an_outage_everything_is_paid_once_without_anybody_asking(engine: Engine) {
    let shop = Shop::open_with(engine, |settings| {
        eager_redrive(settings);
        settings.payment.breaker = opens_for(Duration::from_millis(50));
        leaves_soon(settings);
    })
    .await;
    shop.provider().behave(Behaviour::outage());
    place_unpaid(&shop, 30).await;
    eventually("the breaker opened", async || (shop.breaker().await["total"]["opened"] != 0).then_some(())).await;

    shop.provider().behave(Behaviour::default());
    shop.all_paid().await;
    eventually("the breaker closed", async || (shop.breaker().await["state"] == "closed").then_some(())).await;

    assert_eq!(shop.count_orders().await, 30);
    assert_eq!(shop.provider().figures().done.charges, 30);
    for index in 0..30 {
        assert_eq!(shop.provider().collected(&format!("order-{index}")), Some(ORDER_TOTAL));
    }
    let figures = scrape(&shop).await;
    assert_eq!(figures.count(r#"orders_paid_total{by="redrive"}"#), 30);
    assert_eq!(figures.count("orders_payment_pending"), 0);
    let order = shop.public.get("/orders/order-0").await.json();
    assert!(order["paid_at"].as_str() > order["created_at"].as_str(), "{order}");

    let next = shop.public.post_order(order_text("after")).await.json();
    assert_eq!(next["payment"], "paid");
    shop.close().await;
}

async fn a_slow_provider_is_not_waited_for_and_charges_once(engine: Engine) {
    let shop = Shop::open_with(engine, |settings| {
        eager_redrive(settings);
        leaves_soon(settings);
        settings.payment.timeout = Duration::from_millis(100);
        settings.payment.breaker = opens_for(Duration::from_millis(50));
    })
    .await;
    // The charge is made, its answer never comes: the worst of both.
    shop.provider().behave(Behaviour::slow(Duration::from_mins(1)));
    place_unpaid(&shop, 3).await;
    // A request that had no time to ask has left it to the redrive.
    eventually("everything is charged", async || (shop.provider().figures().done.charges == 3).then_some(())).await;

    shop.provider().behave(Behaviour::default());
    shop.all_paid().await;
    let figures = shop.provider().figures();
    assert_eq!(figures.done.charges, 3, "{figures:?}");
    assert!(figures.done.replays >= 3, "{figures:?}");
    assert!(scrape(&shop).await.count(r#"payment_attempts_total{outcome="timed_out"}"#) >= 3);
    shop.close().await;
}

async fn a_provider_slower_than_callers_wait_is_paid_all_the_same(engine: Engine) {
    let shop = Shop::open_with(engine, |settings| {
        eager_redrive(settings);
        leaves_soon(settings);
        settings.payment.patience = Duration::from_millis(100);
        settings.payment.timeout = Duration::from_secs(20);
    })
    .await;
    shop.provider().behave(Behaviour::slow(Duration::from_millis(500)));
    place_unpaid(&shop, 3).await;
    // The provider gets no quicker, but the redrive has the time that it takes.
    shop.all_paid().await;
    assert_eq!(shop.provider().behaviour().latency, Duration::from_millis(500));
    assert_eq!(shop.provider().figures().done.charges, 3);
    assert_eq!(scrape(&shop).await.count(r#"payment_attempts_total{outcome="timed_out"}"#), 3);
    shop.close().await;
}

async fn half_of_all_payments_failing_loses_nothing(engine: Engine) {
    let shop = Shop::open_with(engine, |settings| {
        eager_redrive(settings);
        leaves_soon(settings);
        settings.payment.breaker = opens_for(Duration::from_millis(20));
    })
    .await;
    let behaviour = Behaviour { failure_rate: 0.5, ..Behaviour::default() };
    shop.provider().behave(behaviour);
    let orders: Vec<_> = (0..60).map(|index| order_text(&format!("order-{index}"))).collect();
    for answer in join_all(orders.into_iter().map(|order| shop.public.post_order(order))).await {
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    }
    shop.provider().behave(Behaviour::default());
    shop.all_paid().await;
    assert_eq!((shop.count_orders().await, shop.provider().figures().done.charges), (60, 60));
    shop.close().await;
}

async fn a_provider_that_is_not_there_is_an_outage(engine: Engine) {
    let nowhere = Nowhere::new();
    let shop = Shop::open_with(engine, |settings| settings.payment.url = Some(nowhere.url("http"))).await;
    place_unpaid(&shop, 6).await;
    let breaker = shop.breaker().await;
    assert_eq!((&breaker["state"], &breaker["cause"]), (&"open".into(), &"consecutive_failures".into()), "{breaker}");
    assert_eq!(shop.admin.get("/payment-provider").await.problem()["status"], 404);
    shop.close().await;
}

async fn a_lever_moves_the_provider(engine: Engine) {
    let shop = Shop::open(engine).await;
    let answer =
        shop.admin.put("/payment-provider", &serde_json::json!({"failure_rate": 0.25, "latency": "5ms"})).await;
    assert_eq!(
        answer.json()["behaviour"],
        serde_json::json!({"failure_rate": 0.25, "latency": "5ms", "outage": false, "hang": false})
    );
    let told = Behaviour { failure_rate: 0.25, latency: Duration::from_millis(5), ..Behaviour::default() };
    assert_eq!(shop.provider().behaviour(), told);

    for (body, field) in [
        (serde_json::json!({"failure_rate": 1.5}), "failure_rate"),
        (serde_json::json!({"failure_rate": -1}), "failure_rate"),
        (serde_json::json!({"latency": "2h"}), "latency"),
        (serde_json::json!({"latency": 5}), "latency"),
        (serde_json::json!({"mood": "bad"}), "mood"),
    ] {
        let answer = shop.admin.put("/payment-provider", &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(answer.problem()["errors"][0]["field"], field, "{body}");
    }
    assert_eq!(shop.provider().behaviour(), told, "a bad behaviour changes nothing");
    shop.close().await;
}
