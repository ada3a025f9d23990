//! Workers come with a burst and leave after it, and orders that matter more have workers of their own.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::join_all;
use serde_json::Value;

use super::{Gate, Mood, becomes_paid, count, figures, fills, order_of, payment_of, place_queued, pool, shop};
use crate::support::{Engine, Exposition, Shop, eventually};

each_engine!(
    a_burst_grows_the_pool_and_calm_shrinks_it,
    urgent_orders_have_workers_of_their_own,
    every_pool_shows_its_figures,
);

async fn a_burst_grows_the_pool_and_calm_shrinks_it(engine: Engine) {
    const ORDERS: u64 = 40;
    let gate = Gate::closed().await;
    let shop = shop(engine, &gate, |settings| {
        settings.worker_pools.standard = pool(2..=8).queue(100).keep_alive(Duration::from_millis(50));
    })
    .await;
    let workers = async || count(&figures(&shop.public, "standard").await, "/workers");
    assert_eq!(workers().await, 2);

    let ids: Vec<_> = (0..ORDERS).map(|number| format!("order-{number}")).collect();
    join_all(ids.iter().map(|id| place_queued(&shop.public, id, 3))).await;
    // Every worker has a payment that is not answered; nobody else may come.
    fills(&shop.public, "standard", 8, ORDERS - 8).await;
    let burst = figures(&shop.public, "standard").await;
    assert_eq!((count(&burst, "/workers"), count(&burst, "/idle"), count(&burst, "/submitted")), (8, 0, ORDERS));
    let age = burst["oldest_age_seconds"].as_f64().expect("a number");
    assert!(age > 0.0 && burst["arrival_rate"].as_f64() > Some(0.0), "{burst}");
    let other = figures(&shop.public, "high-priority").await;
    assert_eq!((count(&other, "/workers"), count(&other, "/submitted")), (2, 0), "{other}");

    gate.turn(Mood::Serve);
    shop.all_paid().await;
    eventually("the pool shrinks", async || (workers().await == 2).then_some(())).await;
    let calm = figures(&shop.public, "standard").await;
    assert_eq!((count(&calm, "/completed"), count(&calm, "/depth"), count(&calm, "/active")), (ORDERS, 0, 0), "{calm}");
    for field in ["throughput", "service_time_seconds", "wait_time_seconds", "utilisation", "demand"] {
        assert!(calm[field].as_f64() > Some(0.0), "{field} in {calm}");
    }
    assert!(gate.asked().values().all(|times| *times == 1), "{:?}", gate.asked());
    shop.close().await;
}

async fn urgent_orders_have_workers_of_their_own(engine: Engine) {
    let gate = Gate::closed().await;
    let shop = shop(engine, &gate, |settings| {
        settings.worker_pools.standard = pool(1..=1);
        settings.worker_pools.high_priority = pool(1..=1);
    })
    .await;
    for priority in 1..=3 {
        place_queued(&shop.public, &format!("standard-{priority}"), priority).await;
    }
    fills(&shop.public, "standard", 1, 2).await;
    fills(&shop.public, "high-priority", 0, 0).await;
    for priority in 4..=5 {
        place_queued(&shop.public, &format!("urgent-{priority}"), priority).await;
    }
    fills(&shop.public, "high-priority", 1, 1).await;
    fills(&shop.public, "standard", 1, 2).await;
    gate.turn(Mood::Serve);
    shop.all_paid().await;
    for (name, orders) in [("standard", 3), ("high-priority", 2)] {
        let now = figures(&shop.public, name).await;
        assert_eq!((count(&now, "/submitted"), count(&now, "/completed")), (orders, orders), "{now}");
    }
    shop.close().await;
}

async fn every_pool_shows_its_figures(engine: Engine) {
    let shop = Shop::open(engine).await;
    for priority in 1..=5 {
        let placed = shop.public.post_order(order_of(&format!("order-{priority}"), priority)).await;
        assert_eq!(placed.status, StatusCode::CREATED, "{}", placed.text());
    }
    let all = shop.public.get("/worker-pools").await.json();
    let shown = all["worker_pools"].as_array().expect("a list").iter();
    let limits: Vec<_> = shown.map(|one| (one["name"].as_str(), count(one, "/min"), count(one, "/max"))).collect();
    assert_eq!(limits, [(Some("standard"), 3, 20), (Some("high-priority"), 2, 10)]);
    let identity = |one: &Value| {
        let ends = ["/completed", "/failed", "/cancelled", "/expired", "/dropped", "/depth", "/active"];
        ends.iter().map(|field| count(one, field)).sum::<u64>() == count(one, "/submitted")
    };
    assert!(all["worker_pools"].as_array().expect("a list").iter().all(identity), "{all}");

    let metrics = Exposition::parse(shop.public.get("/metrics").await.text());
    for (name, jobs, most) in [("standard", 3, 20), ("high-priority", 2, 10)] {
        assert_eq!(metrics.count(&format!(r#"seawall_worker_pool_submitted_total{{name="{name}"}}"#)), jobs);
        assert_eq!(metrics.count(&format!(r#"seawall_worker_pool_max_workers{{name="{name}"}}"#)), most);
    }
    let health = shop.public.get("/health").await.json();
    for name in ["standard", "high-priority"] {
        assert_eq!(health["checks"][format!("{name}:workerPool")][0]["status"], "pass", "{health}");
    }
    assert_eq!(payment_of(&shop.public, "order-1").await, "paid");
    becomes_paid(&shop.public, "order-5").await;
    shop.close().await;
}
