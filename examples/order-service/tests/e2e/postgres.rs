//! What only a server can do: refuse a service, have several of them, let one wait for another.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::join_all;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};

use crate::support::{Engine, Shop, Storage, ended_with_code_1, eventually, order_text, run_to_end_on};

const FREE_PORTS: [&str; 4] = ["--port", "0", "--admin-port", "0"];

/// Starts a service on `storage`, which must end by itself and tell why in one line, without the password.
fn is_refused(storage: &Storage, told: &str) {
    let output = run_to_end_on(storage, &FREE_PORTS);
    ended_with_code_1(&output, told);
    ended_with_code_1(&output, "the database at postgres://");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("secret"), "{output:?}");
}

#[test]
#[ignore = "needs postgresql: apt-get install postgresql"]
fn a_server_that_refuses_the_service_is_told_in_one_line() {
    let url = Storage::new(Engine::Postgres).url().to_owned();
    let (server, _database) = url.rsplit_once('/').expect("the URL ends with a database");
    is_refused(&Storage::at(Some(format!("{server}/nowhere"))), "database \"nowhere\" does not exist");
    let other = url.replace("postgres@", "nobody:secret@");
    is_refused(&Storage::at(Some(other)), "role \"nobody\" does not exist");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql: apt-get install postgresql"]
async fn a_schema_from_the_future_is_not_touched() {
    let shop = Shop::open(Engine::Postgres).await;
    let storage = shop.storage().shared();
    shop.close().await;
    storage.execute("INSERT INTO _sqlx_migrations VALUES (99, 'wonders', now(), true, '', 0)").await;
    is_refused(&storage, "migration 99 was previously applied but is missing");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql: apt-get install postgresql"]
async fn services_that_start_at_once_share_one_database() {
    let storage = Storage::new(Engine::Postgres);
    let shops = join_all((0..3).map(|_| Shop::open_on(storage.shared(), |_| {}))).await;
    let attempts = shops
        .iter()
        .flat_map(|shop| (0..4).map(|number| shop.public.post_order(order_text(&format!("order-{number}")))));
    let answers = join_all(attempts).await;
    let created = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    let refused = answers.iter().filter(|answer| answer.status == StatusCode::CONFLICT).count();
    assert_eq!((created, refused), (4, 8), "each id is taken once, whoever is asked");
    for shop in shops {
        assert_eq!(shop.count_orders().await, 4);
        shop.close().await;
    }
}

#[tokio::test]
#[ignore = "needs postgresql: apt-get install postgresql"]
async fn a_lock_is_not_waited_for_without_end() {
    let shop = Shop::open_with(Engine::Postgres, |settings| {
        settings.database.lock_timeout = Duration::from_secs(1);
        settings.database.statement_timeout = Duration::from_mins(1);
    })
    .await;
    waits_in_vain(&shop, "canceling statement due to lock timeout").await;
    shop.close().await;
}

#[tokio::test]
#[ignore = "needs postgresql: apt-get install postgresql"]
async fn the_server_ends_a_statement_that_takes_too_long() {
    let shop = Shop::open_with(Engine::Postgres, |settings| {
        settings.database.lock_timeout = Duration::from_mins(1);
        settings.database.statement_timeout = Duration::from_secs(1);
    })
    .await;
    waits_in_vain(&shop, "canceling statement due to statement timeout").await;
    shop.close().await;
}

/// Orders while somebody else has the table: refused in the end, the server says why, and all is well afterwards.
async fn waits_in_vain(shop: &Shop, told: &str) {
    let mut other = PgConnection::connect(shop.storage().url()).await.expect("the server takes connections");
    other.execute("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE").await.expect("nobody has the table");
    let answer = shop.public.post_order(order_text("order-1")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text());
    assert!(!answer.header("retry-after").is_empty());
    answer.problem();
    let breaker = shop.public.get("/circuit-breakers/database-writes").await.json();
    assert!(breaker["last_error"].as_str().is_some_and(|error| error.contains(told)), "{breaker}");
    assert_eq!(shop.public.get("/products").await.status, StatusCode::OK, "other tables are free");

    other.execute("ROLLBACK").await.expect("a transaction ends");
    eventually("the order is stored", async || {
        let placed = shop.public.post_order(order_text("order-1")).await;
        (placed.status == StatusCode::CREATED).then_some(())
    })
    .await;
    other.close().await.expect("the server lets go");
}
