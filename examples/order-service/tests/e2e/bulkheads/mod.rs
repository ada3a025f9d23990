//! Each dependency has its room and its line, and a flood against one leaves the others alone.

mod levers;
mod room;

use std::time::Duration;

use axum::http::StatusCode;
use order_service::config::Settings;
use seawall_bulkhead::Config;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Executor};
use tokio::task::JoinHandle;

use crate::support::{Answer, Engine, Shop, eventually, order_text};

/// Far more than a test takes.
const LONG: Duration = Duration::from_mins(2);

/// So many calls at once and so many who wait, for as long as the test takes.
fn room(limit: u32, queue: usize) -> Config {
    Config::new(limit).queue(queue).max_wait(LONG)
}

/// A shop on SQLite where nobody gives up, with `change`d settings. What is full there is meant to be: nothing is switched off.
async fn shop(change: impl FnOnce(&mut Settings)) -> Shop {
    Shop::open_with(Engine::Sqlite, |settings| {
        settings.database.lock_timeout = LONG;
        settings.database.timeout = LONG;
        settings.database.acquire_timeout = LONG;
        for wait in [&mut settings.payment.patience, &mut settings.inventory.patience] {
            *wait = Duration::from_mins(1);
        }
        for timeout in [&mut settings.payment.timeout, &mut settings.inventory.timeout] {
            *timeout = LONG;
        }
        settings.degradation.queue_age = Duration::from_hours(1);
        // Calls that hang are not finished.
        settings.shutdown.grace = Duration::from_secs(1);
        // The redrive asks the database once, and then no more while the test counts who does.
        settings.payment.redrive.interval = Duration::from_hours(1);
        settings.payment.redrive.max_backoff = Duration::from_hours(1);
        change(settings);
    })
    .await
}

/// What everybody may know of the bulkhead.
async fn figures(shop: &Shop, name: &str) -> Value {
    let all = shop.public.get("/bulkheads").await.json();
    let bulkheads = all["bulkheads"].as_array().expect("a list");
    bulkheads.iter().find(|bulkhead| bulkhead["name"] == name).unwrap_or_else(|| panic!("no {name} in {all}")).clone()
}

fn count(figures: &Value, field: &str) -> u64 {
    figures.pointer(field).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {field} in {figures}"))
}

/// Waits until so many calls are in flight, and so many wait.
async fn fills(shop: &Shop, name: &str, in_flight: u64, queued: u64) {
    eventually("the bulkhead fills", async || {
        let now = figures(shop, name).await;
        ((count(&now, "/in_flight"), count(&now, "/queued")) == (in_flight, queued)).then_some(())
    })
    .await;
}

/// Somebody who asks, and waits for the answer meanwhile.
fn ask(shop: &Shop, path: &'static str) -> JoinHandle<Answer> {
    let client = shop.public.clone();
    tokio::spawn(async move { client.get(path).await })
}

/// Somebody who places an order, and waits for the answer meanwhile.
fn order(shop: &Shop, id: &'static str) -> JoinHandle<Answer> {
    let client = shop.public.clone();
    tokio::spawn(async move { client.post_order(order_text(id)).await })
}

/// There was no room for the request in this bulkhead.
fn refused_by(answer: &Answer, bulkhead: &str) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text());
    let problem = answer.problem();
    assert_eq!(problem["type"], "urn:order-service:problem:bulkhead-full");
    let detail = problem["detail"].as_str().expect("a text");
    assert!(detail.starts_with(&format!("the bulkhead {bulkhead}: ")), "{detail}");
    let seconds: u64 = answer.header("retry-after").parse().expect("whole seconds");
    assert!((1..=60).contains(&seconds), "{answer:?}");
}

/// Somebody else who writes to the service's file, so that the service itself cannot.
struct Writer(SqliteConnection);

impl Writer {
    async fn begin(shop: &Shop) -> Self {
        let file = SqliteConnectOptions::new().filename(shop.storage().folder().join("data/orders.sqlite"));
        let mut connection = file.connect().await.expect("the file is there");
        connection.execute("BEGIN IMMEDIATE").await.expect("the lock is free");
        Self(connection)
    }

    async fn end(mut self) {
        self.0.execute("ROLLBACK").await.expect("there is a transaction");
    }
}

/// The provider answers nobody from now on, or everybody.
async fn hang(shop: &Shop, provider: &str, on: bool) {
    let answer = shop.admin.put(&format!("/{provider}-provider"), &json!({"hang": on})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
}
