//! PostgreSQL is killed, stopped in its tracks, restarted, or not there: requests are answered, no order is lost, and all is
//! well again by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use order_service::config::Settings;
use parking_lot::Mutex;
use seawall_circuit_breaker::Config as BreakerConfig;
use seawall_core::time::Clock;
use seawall_testkit::server::{self, Server};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};
use tokio::task::{JoinSet, block_in_place};

use crate::support::{Answer, Client, Exposition, ORDER_TOTAL, Shop, Storage, eventually, order_text};

const CALLERS: usize = 8;
const ENOUGH: usize = 30;

/// Fewer connections than callers, and no long waits for anything.
fn impatient(settings: &mut Settings) {
    settings.database.max_connections = 4;
    settings.database.acquire_timeout = Duration::from_millis(300);
    settings.database.lock_timeout = Duration::from_millis(300);
    settings.database.statement_timeout = Duration::from_millis(300);
    // Longer than any test: the bounds above must do.
    settings.database.timeout = Duration::from_mins(5);
    settings.database.breaker = BreakerConfig::classic().open_for(Duration::from_millis(100));
    // How long the redrive leaves an order to its request.
    settings.payment.patience = Duration::from_millis(500);
    settings.payment.redrive.interval = Duration::from_millis(20);
    settings.payment.redrive.max_backoff = Duration::from_millis(100);
}

fn start_server() -> Server {
    block_in_place(server::postgres).unwrap_or_else(|error| panic!("{error}"))
}

async fn open_shop(server: &Server) -> Shop {
    Shop::open_on(Storage::at(Some(server.url().to_owned())), impatient).await
}

/// Callers who order one thing after the other and repeat what was refused, and what they were told.
struct Rush {
    told: Arc<Told>,
    callers: JoinSet<()>,
}

#[derive(Default)]
struct Told {
    accepted: Mutex<BTreeSet<String>>,
    refused: AtomicUsize,
    closing: AtomicBool,
}

impl Rush {
    fn begin(shop: &Shop) -> Self {
        let told = Arc::new(Told::default());
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            callers.spawn(order_on_and_on(shop.public.clone(), format!("order-{caller}"), told.clone()));
        }
        Self { told, callers }
    }

    /// Waits until so many more orders are accepted.
    async fn more_accepted(&self, number: usize) {
        let count = || self.told.accepted.lock().len();
        let enough = count() + number;
        eventually("more orders are accepted", async || (count() >= enough).then_some(())).await;
    }

    /// Waits until so many more requests are refused.
    async fn more_refused(&self, number: usize) {
        let count = || self.told.refused.load(Ordering::Relaxed);
        let enough = count() + number;
        eventually("more requests are refused", async || (count() >= enough).then_some(())).await;
    }

    /// Lets the callers go, and says which orders were accepted.
    async fn end(mut self) -> BTreeSet<String> {
        self.told.closing.store(true, Ordering::Relaxed);
        while let Some(ended) = self.callers.join_next().await {
            ended.expect("every answer was as it should be");
        }
        std::mem::take(&mut self.told.accepted.lock())
    }
}

async fn order_on_and_on(client: Client, prefix: String, told: Arc<Told>) {
    let clock = Clock::system();
    let mut number = 0;
    let mut repeated = false;
    while !told.closing.load(Ordering::Relaxed) {
        let id = format!("{prefix}-{number}");
        let answer = client.post_order(order_text(&id)).await;
        // Stored when it was first asked for, though the answer was lost.
        let known = repeated && answer.status == StatusCode::CONFLICT;
        if answer.status == StatusCode::CREATED || known {
            told.accepted.lock().insert(id);
            number += 1;
            repeated = false;
        } else {
            assert_unavailable(&answer);
            told.refused.fetch_add(1, Ordering::Relaxed);
            repeated = true;
            clock.sleep(Duration::from_millis(5)).await;
        }
    }
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text());
    answer.problem();
    assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{answer:?}");
}

/// Everybody is told that the database is away, and nobody takes it for the service's own death.
async fn is_told_unready(shop: &Shop) {
    eventually("the service is not ready", async || {
        (shop.public.get("/readyz").await.status == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    assert_eq!(shop.public.get("/livez").await.status, StatusCode::OK);
    for path in ["/orders", "/orders/order-0-0", "/products"] {
        assert_unavailable(&shop.public.get(path).await);
    }
}

/// No connection is kept for a server that does not answer: the pool is whole when it does again.
async fn connections_are_given_up(shop: &Shop) {
    eventually("no connection is in use", async || {
        let figures = Exposition::parse(shop.public.get("/metrics").await.text());
        let used = r#"db_client_connection_count{db_system_name="postgresql",state="used"}"#;
        assert!(figures.has(used));
        (figures.count(used) == 0).then_some(())
    })
    .await;
}

async fn is_ready_by_itself(shop: &Shop) {
    eventually("the service is ready", async || {
        (shop.public.get("/readyz").await.status == StatusCode::OK).then_some(())
    })
    .await;
}

/// What was accepted is there, and what is there is paid once.
async fn nothing_is_lost_or_doubled(shop: &Shop, accepted: &BTreeSet<String>) {
    shop.all_paid().await;
    let orders = shop.all_orders().await;
    let stored: BTreeSet<_> = orders.iter().map(|order| order["id"].as_str().expect("a text").to_owned()).collect();
    assert_eq!(stored.len(), orders.len(), "an order is listed twice");
    let lost: Vec<_> = accepted.difference(&stored).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    // Those besides are what a caller who went away did not wait to hear of.
    assert!(stored.len() <= accepted.len() + CALLERS);
    assert_eq!(shop.provider().figures().done.charges, stored.len() as u64);
    assert!(stored.iter().all(|id| shop.provider().collected(id) == Some(ORDER_TOTAL)));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql: apt-get install postgresql"]
async fn a_killed_server_loses_no_accepted_order() {
    let mut server = start_server();
    let shop = open_shop(&server).await;
    let rush = Rush::begin(&shop);
    rush.more_accepted(ENOUGH).await;
    block_in_place(|| server.kill());
    // It stays dead until every caller was answered, and answered again.
    rush.more_refused(3 * CALLERS).await;
    is_told_unready(&shop).await;
    connections_are_given_up(&shop).await;

    block_in_place(|| server.restart()).expect("the server recovers");
    rush.more_accepted(ENOUGH).await;
    is_ready_by_itself(&shop).await;
    nothing_is_lost_or_doubled(&shop, &rush.end().await).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql: apt-get install postgresql"]
async fn a_server_that_is_stuck_is_not_waited_for() {
    let mut server = start_server();
    let shop = open_shop(&server).await;
    let rush = Rush::begin(&shop);
    rush.more_accepted(ENOUGH).await;
    // It takes connections, and says nothing on them.
    block_in_place(|| server.pause());
    rush.more_refused(3 * CALLERS).await;
    is_told_unready(&shop).await;
    connections_are_given_up(&shop).await;

    block_in_place(|| server.resume());
    rush.more_accepted(ENOUGH).await;
    is_ready_by_itself(&shop).await;
    nothing_is_lost_or_doubled(&shop, &rush.end().await).await;

    // Nor is it when the service ends.
    block_in_place(|| server.pause());
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql: apt-get install postgresql"]
async fn a_server_is_restarted_under_load() {
    let mut server = start_server();
    let shop = open_shop(&server).await;
    let rush = Rush::begin(&shop);
    for _ in 0..2 {
        rush.more_accepted(ENOUGH).await;
        block_in_place(|| server.restart()).expect("the server starts again");
    }
    rush.more_accepted(ENOUGH).await;
    is_ready_by_itself(&shop).await;
    nothing_is_lost_or_doubled(&shop, &rush.end().await).await;
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql: apt-get install postgresql"]
async fn a_service_starts_beside_a_server_that_is_stuck_and_is_ready_when_that_moves() {
    let mut server = start_server();
    block_in_place(|| server.pause());
    let shop = open_shop(&server).await;
    is_told_unready(&shop).await;
    block_in_place(|| server.resume());
    is_ready_by_itself(&shop).await;
    let storage = shop.storage().shared();
    shop.close().await;

    // It answers, and somebody keeps the service from looking at the schema.
    let mut other = PgConnection::connect(storage.url()).await.expect("the server takes connections");
    other.execute("BEGIN; LOCK TABLE _sqlx_migrations").await.expect("nobody has the table");
    let shop = open_shop(&server).await;
    is_told_unready(&shop).await;
    other.execute("ROLLBACK").await.expect("a transaction ends");
    is_ready_by_itself(&shop).await;
    assert_eq!(shop.public.post_order(order_text("order-1")).await.status, StatusCode::CREATED);
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql: apt-get install postgresql"]
async fn a_service_starts_without_its_server_and_is_ready_when_that_is() {
    let mut server = start_server();
    block_in_place(|| server.stop());
    // As it is by default: what is not there yet has not failed, so no circuit opens for a minute.
    let shop = Shop::open_on(Storage::at(Some(server.url().to_owned())), |_| {}).await;
    is_told_unready(&shop).await;
    let health = shop.public.get("/readyz").await.json();
    let output = health["checks"]["database:responseTime"][0]["output"].as_str().unwrap_or_default().to_owned();
    assert!(output.contains("not connected yet") && output.contains("refused"), "{health}");
    for number in 0..20 {
        assert_unavailable(&shop.public.post_order(order_text(&format!("early-{number}"))).await);
    }

    let breaker = shop.public.get("/circuit-breakers/database").await.json();
    assert_eq!(breaker["state"], "closed", "{breaker}");

    block_in_place(|| server.restart()).expect("the server starts");
    is_ready_by_itself(&shop).await;
    assert_eq!(shop.public.post_order(order_text("order-1")).await.status, StatusCode::CREATED);
    assert_eq!(shop.count_orders().await, 1);
    shop.close().await;
}
