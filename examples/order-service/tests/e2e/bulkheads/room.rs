//! Whoever finds no room is told at once; whoever uses something else never notices.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use futures_util::future::join_all;
use http_body_util::Full;
use serde_json::json;
use tokio::task::JoinHandle;

use super::{Writer, ask, count, figures, fills, hang, order, refused_by, room, shop};
use crate::support::{Answer, Engine, Exposition, Shop, order_text};

#[tokio::test]
async fn beyond_the_database_s_room_and_line_a_request_is_refused() {
    let shop = shop(|settings| settings.bulkheads.database = room(2, 1)).await;
    let writer = Writer::begin(&shop).await;
    let held = [order(&shop, "order-1"), order(&shop, "order-2")];
    fills(&shop, "database", 2, 0).await;
    let waiting = ask(&shop, "/products");
    fills(&shop, "database", 2, 1).await;
    for path in ["/products/coffee-1", "/orders", "/orders/order-1"] {
        refused_by(&shop.public.get(path).await, "database");
    }
    let full = figures(&shop, "database").await;
    assert_eq!((count(&full, "/refused/full"), count(&full, "/limit"), count(&full, "/queue")), (3, 2, 1), "{full}");
    // Who looks after the service needs no room, and is told.
    let health = shop.public.get("/health").await;
    assert_eq!((health.status, &health.json()["status"]), (StatusCode::OK, &json!("warn")), "{}", health.text());
    let check = &health.json()["checks"]["database:bulkhead"][0];
    assert_eq!((&check["status"], &check["observedValue"]), (&json!("warn"), &json!(2)));
    assert_eq!(shop.public.get("/readyz").await.status, StatusCode::OK);
    let metrics = Exposition::parse(shop.public.get("/metrics").await.text());
    assert_eq!(metrics.count(r#"seawall_bulkhead_calls_total{name="database",outcome="full"}"#), 3);
    assert_eq!(metrics.count(r#"seawall_bulkhead_in_flight{name="database"}"#), 2);
    assert_eq!(metrics.count(r#"seawall_bulkhead_queued{name="database"}"#), 1);

    writer.end().await;
    for answer in join_all(held).await {
        assert_eq!(answer.expect("it ended").status, StatusCode::CREATED);
    }
    assert_eq!(waiting.await.expect("it ended").status, StatusCode::OK);
    assert_eq!(shop.public.get("/health").await.json()["status"], "pass");
    shop.close().await;
}

#[tokio::test]
async fn an_order_takes_the_place_of_a_read_and_is_served_before_the_others() {
    let shop = shop(|settings| settings.bulkheads.database = room(1, 2)).await;
    let writer = Writer::begin(&shop).await;
    let held = order(&shop, "order-1");
    fills(&shop, "database", 1, 0).await;
    let first = ask(&shop, "/products");
    fills(&shop, "database", 1, 1).await;
    let last = ask(&shop, "/orders?limit=1");
    fills(&shop, "database", 1, 2).await;
    let urgent = order(&shop, "order-2");
    refused_by(&last.await.expect("it ended"), "database");
    assert_eq!(count(&figures(&shop, "database").await, "/refused/displaced"), 1);
    fills(&shop, "database", 1, 2).await;
    writer.end().await;
    for placed in [held, urgent] {
        assert_eq!(placed.await.expect("it ended").status, StatusCode::CREATED);
    }
    assert_eq!(first.await.expect("it ended").status, StatusCode::OK);
    shop.close().await;
}

#[tokio::test]
async fn a_request_waits_no_longer_than_its_own_deadline() {
    let shop = shop(|settings| settings.bulkheads.database = room(1, 100)).await;
    let within = async |millis: &str| {
        let request = shop.public.request(Method::GET, "/products").header("x-request-timeout-ms", millis);
        shop.public.send(request.body(Full::default()).expect("a good request")).await
    };
    let writer = Writer::begin(&shop).await;
    let held = order(&shop, "order-1");
    fills(&shop, "database", 1, 0).await;
    let late = within("50").await;
    assert!([StatusCode::GATEWAY_TIMEOUT, StatusCode::SERVICE_UNAVAILABLE].contains(&late.status), "{}", late.text());
    writer.end().await;
    assert_eq!(held.await.expect("it ended").status, StatusCode::CREATED);
    // Its place was left.
    fills(&shop, "database", 0, 0).await;
    shop.close().await;
}

#[tokio::test]
async fn few_statistics_are_counted_at_once_and_one_more_is_refused() {
    let shop = shop(|settings| {
        settings.bulkheads.database = room(1, 100);
        settings.bulkheads.heavy = room(2, 1);
    })
    .await;
    let writer = Writer::begin(&shop).await;
    let held = order(&shop, "order-1");
    fills(&shop, "database", 1, 0).await;
    let counting = [ask(&shop, "/statistics"), ask(&shop, "/statistics")];
    fills(&shop, "heavy", 2, 0).await;
    let waiting = ask(&shop, "/statistics");
    fills(&shop, "heavy", 2, 1).await;
    refused_by(&shop.public.get("/statistics").await, "heavy");
    assert_eq!(count(&figures(&shop, "database").await, "/queued"), 2, "who waits for one waits for nothing else");
    let reading = ask(&shop, "/products");
    fills(&shop, "database", 1, 3).await;
    writer.end().await;
    for answer in counting.into_iter().chain([waiting, reading]) {
        assert_eq!(answer.await.expect("it ended").status, StatusCode::OK);
    }
    assert_eq!(held.await.expect("it ended").status, StatusCode::CREATED);
    shop.close().await;
}

/// Fills the provider's room and line with orders, and gives them.
async fn flood(shop: &Shop, provider: &'static str) -> Vec<JoinHandle<Answer>> {
    hang(shop, provider, true).await;
    let orders = ["order-1", "order-2", "order-3", "order-4"].map(|id| order(shop, id)).into();
    fills(shop, provider, 2, 2).await;
    orders
}

#[tokio::test]
async fn a_flood_against_one_provider_leaves_the_rest_alone() {
    for provider in ["payment", "inventory"] {
        let shop = shop(|settings| {
            settings.bulkheads.payment = room(2, 2);
            settings.bulkheads.inventory = room(2, 2);
        })
        .await;
        let flooding = flood(&shop, provider).await;
        let before = figures(&shop, "database").await;
        for number in 0..100 {
            let path = ["/products", "/products/coffee-1", "/orders", "/orders/order-1"][number % 4];
            assert_eq!(shop.public.get(path).await.status, StatusCode::OK, "{path} while {provider} is flooded");
        }
        let after = figures(&shop, "database").await;
        assert!(count(&after, "/admitted") >= count(&before, "/admitted") + 100, "{after}");
        assert_eq!(after["waited"], before["waited"], "nobody waited");
        assert_eq!(after["refused"], before["refused"], "nobody was refused");

        // One more order finds no room there: it is stored, and what it lacks is done later.
        let placed = shop.public.post_order(order_text("order-5")).await;
        assert_eq!((placed.status, &placed.json()["payment"]), (StatusCode::CREATED, &json!("pending")));
        let full = figures(&shop, provider).await;
        assert!(count(&full, "/refused/full") >= 1, "{full}");
        assert_eq!((count(&full, "/in_flight"), count(&full, "/queued")), (2, 2), "{full}");
        let breaker = shop.public.get(&format!("/circuit-breakers/{provider}")).await.json();
        assert_eq!(breaker["state"], "closed", "too many at once are no failures: {breaker}");
        let other = if provider == "payment" { "inventory" } else { "payment" };
        assert_eq!(count(&figures(&shop, other).await, "/refused/full"), 0);

        // Those who hang up leave their orders to the workers; when the provider ends, there is room.
        flooding.iter().for_each(JoinHandle::abort);
        for caller in flooding {
            assert!(caller.await.is_err(), "nobody waits any more");
        }
        fills(&shop, provider, 2, 2).await;
        match provider {
            "payment" => shop.provider().stop().await,
            _ => shop.inventory().stop().await,
        }
        fills(&shop, provider, 0, 0).await;
        shop.close().await;
    }
}

#[tokio::test]
async fn payments_of_callers_come_before_those_that_are_tried_again() {
    let shop = shop(|settings| {
        settings.bulkheads.payment = room(1, 1);
        settings.payment.redrive.interval = Duration::from_millis(10);
        settings.payment.redrive.max_backoff = Duration::from_millis(20);
        settings.payment.patience = Duration::from_millis(500);
    })
    .await;
    let circuit = async |state: &str| {
        let answer = shop.admin.put("/admin/circuit-breakers/payment", &json!({"state": state})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    };
    circuit("forced_open").await;
    for id in ["order-1", "order-2", "order-3"] {
        let placed = shop.public.post_order(order_text(id)).await;
        assert_eq!((placed.status, &placed.json()["payment"]), (StatusCode::CREATED, &json!("pending")));
    }
    // All due at once, so that one round takes them all.
    shop.storage().execute("UPDATE orders SET retry_at = 0").await;
    hang(&shop, "payment", true).await;
    circuit("closed").await;
    // The redrive has the room and the line, and does not give up.
    fills(&shop, "payment", 1, 1).await;
    let displaced = count(&figures(&shop, "payment").await, "/refused/displaced");
    shop.public.post_order(order_text("order-4")).await;
    assert!(count(&figures(&shop, "payment").await, "/refused/displaced") > displaced, "a caller took the place");
    shop.close().await;
}

#[tokio::test]
async fn every_bulkhead_shows_its_figures() {
    let shop = Shop::open(Engine::Sqlite).await;
    shop.public.post_order(order_text("order-1")).await;
    let all = shop.public.get("/bulkheads").await.json();
    let shown: Vec<_> = all["bulkheads"].as_array().expect("a list").iter().collect();
    let limits = shown.iter().map(|one| (one["name"].as_str(), one["limit"].as_u64(), one["queue"].as_u64()));
    let limits: Vec<_> = limits.collect();
    let expected = [("database", 50, 200), ("inventory", 10, 100), ("payment", 10, 100), ("heavy", 5, 100)];
    assert_eq!(limits, expected.map(|(name, limit, queue)| (Some(name), Some(limit), Some(queue))));
    for name in ["inventory", "payment"] {
        let one = figures(&shop, name).await;
        assert_eq!((count(&one, "/admitted"), count(&one, "/in_flight"), count(&one, "/queued")), (1, 0, 0), "{one}");
    }
    shop.close().await;
}
