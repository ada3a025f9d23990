//! Orders are processed by pools of workers, which grow, shrink, keep order, and lose nothing.

mod gate;
mod growth;
mod levers;
mod lost;
mod queued;

use std::time::Duration;

use axum::http::StatusCode;
use order_service::config::Settings;
use seawall_circuit_breaker::Config as BreakerConfig;
use seawall_worker_pool::Config;
use serde_json::Value;

use gate::{Gate, Mood};

use crate::support::{Answer, Client, Engine, Shop, Storage, eventually, order_text};

/// Between so many workers and so many.
fn pool(workers: std::ops::RangeInclusive<usize>) -> Config {
    Config::new(workers)
}

/// A shop whose payments are `gate`'s, whose callers do not wait, and whose redrive asks all the time.
async fn shop(engine: Engine, gate: &Gate, change: impl FnOnce(&mut Settings)) -> Shop {
    shop_on(Storage::new(engine), gate, change).await
}

/// The same, with its orders in `storage`.
async fn shop_on(storage: Storage, gate: &Gate, change: impl FnOnce(&mut Settings)) -> Shop {
    Shop::open_on(storage, |settings| {
        settings.payment.url = Some(gate.url());
        settings.payment.breaker = BreakerConfig::classic().consecutive_failures(1_000_000);
        settings.payment.redrive.interval = Duration::from_millis(10);
        settings.payment.redrive.max_backoff = Duration::from_millis(100);
        settings.worker_pools.patience = Duration::from_millis(1);
        change(settings);
    })
    .await
}

/// The text of an order of this priority.
fn order_of(id: &str, priority: u8) -> String {
    order_text(id).replace(r#""priority":3"#, &format!(r#""priority":{priority}"#))
}

/// Places an order, which must be accepted before it is processed.
async fn place_queued(client: &Client, id: &str, priority: u8) -> Answer {
    let answer = client.post_order(order_of(id, priority)).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    answer
}

/// What everybody may know of the pool.
async fn figures(client: &Client, name: &str) -> Value {
    let all = client.get("/worker-pools").await.json();
    let pools = all["worker_pools"].as_array().expect("a list");
    pools.iter().find(|pool| pool["name"] == name).unwrap_or_else(|| panic!("no {name} in {all}")).clone()
}

fn count(figures: &Value, field: &str) -> u64 {
    figures.pointer(field).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {field} in {figures}"))
}

/// Waits until so many jobs run, and so many wait.
async fn fills(client: &Client, name: &str, active: u64, depth: u64) {
    eventually("the pool fills", async || {
        let now = figures(client, name).await;
        ((count(&now, "/active"), count(&now, "/depth")) == (active, depth)).then_some(())
    })
    .await;
}

/// The order is there, and its payment has come so far.
async fn payment_of(client: &Client, id: &str) -> String {
    let answer = client.get(&format!("/orders/{id}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{id} was lost: {}", answer.text());
    answer.json()["payment"].as_str().expect("a text").to_owned()
}

/// Waits until the order is paid.
async fn becomes_paid(client: &Client, id: &str) {
    eventually("the order is paid", async || (payment_of(client, id).await == "paid").then_some(())).await;
}
