//! Circuits open when what is behind them fails, are moved by hand, and close again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use http_body_util::Full;
use order_service::config::Settings;
use seawall_circuit_breaker::Config as BreakerConfig;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

use crate::support::{Answer, Engine, Shop, eventually, order_text, outage};

each_engine!(
    every_dependency_has_a_circuit,
    a_hand_opens_and_closes_the_payment_circuit,
    a_hand_keeps_every_request_from_the_database,
    what_cannot_be_noted_is_not_paid,
    a_circuit_by_hand_goes_through_every_state,
    rules_are_changed_while_they_hold,
    a_bad_change_changes_nothing,
    the_levers_are_on_the_admin_listener_alone,
);

/// The redrive leaves an order to its request for as long as that may take, and a second more. A call that is answered is
/// answered sooner than this on any machine.
fn leaves_soon(settings: &mut Settings) {
    settings.inventory.timeout = Duration::from_secs(5);
    settings.payment.timeout = Duration::from_secs(5);
}

const ALL: [&str; 4] = ["database", "database-writes", "inventory", "payment"];

/// The state of one circuit.
async fn state(shop: &Shop, name: &str) -> Value {
    shop.public.get(&format!("/circuit-breakers/{name}")).await.json()["state"].clone()
}

/// Puts a circuit into a state; it must be taken.
async fn put(shop: &Shop, name: &str, body: Value) -> Value {
    let answer = shop.admin.put(&format!("/admin/circuit-breakers/{name}"), &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{body}: {}", answer.text());
    answer.json()
}

/// The seconds after which a refused caller is to come back.
fn retry_after(answer: &Answer) -> u64 {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text());
    answer.problem();
    answer.header("retry-after").parse().expect("whole seconds")
}

async fn every_dependency_has_a_circuit(engine: Engine) {
    let shop = Shop::open(engine).await;
    let all = shop.public.get("/circuit-breakers").await.json();
    let names: Vec<_> = all["circuit_breakers"].as_array().expect("a list").iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ALL);
    for name in ALL {
        let one = shop.public.get(&format!("/circuit-breakers/{name}")).await.json();
        assert_eq!((&one["name"], &one["state"]), (&json!(name), &json!("closed")));
        let config = shop.admin.get(&format!("/admin/circuit-breakers/{name}/config")).await.json();
        assert_eq!(config["consecutive_failures"], 5, "{config}");
        assert_eq!(config["open"]["for"], "1m", "{config}");
        assert_eq!((&config["half_open"]["probes"], &config["half_open"]["successes"]), (&json!(3), &json!(3)));
    }
    for path in ["/circuit-breakers/nonsense", "/circuit-breakers/%00", "/circuit-breakers/Payment"] {
        let answer = shop.public.get(path).await;
        let problem = answer.problem();
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{problem}");
        for name in ALL {
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(name)), "{problem}");
        }
    }
    shop.close().await;
}

async fn a_hand_opens_and_closes_the_payment_circuit(engine: Engine) {
    let shop = Shop::open_with(engine, leaves_soon).await;
    assert_eq!(put(&shop, "payment", json!({"state": "forced_open"})).await["state"], "forced_open");
    let placed = shop.public.post_order(order_text("order-1")).await;
    assert_eq!((placed.status, &placed.json()["payment"]), (StatusCode::CREATED, &json!("pending")));
    assert_eq!(shop.provider().figures().requests, 0);
    let health = shop.public.get("/health").await;
    assert_eq!((health.status, &health.json()["status"]), (StatusCode::OK, &json!("warn")));

    put(&shop, "payment", json!({"state": "closed"})).await;
    let placed = shop.public.post_order(order_text("order-2")).await;
    assert_eq!(placed.json()["payment"], "paid");
    shop.all_paid().await;
    assert_eq!(shop.provider().figures().done.charges, 2);
    shop.close().await;
}

async fn a_hand_keeps_every_request_from_the_database(engine: Engine) {
    let shop = Shop::open(engine).await;
    put(&shop, "database", json!({"state": "forced_open"})).await;
    assert_eq!(retry_after(&shop.public.post_order(order_text("order-1")).await), 1);
    for path in ["/orders", "/orders/order-1", "/products", "/products/coffee-1"] {
        assert_eq!(retry_after(&shop.public.get(path).await), 1, "{path}");
    }
    let ready = shop.public.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.json()["checks"]["database:circuitBreaker"][0]["observedValue"], "forced_open");
    assert_eq!(shop.public.get("/health").await.json()["status"], "fail");
    for path in ["/livez", "/metrics", "/circuit-breakers"] {
        assert_eq!(shop.public.get(path).await.status, StatusCode::OK, "{path}");
    }

    // Only for so long, and told to nobody for longer than a minute.
    put(&shop, "database", json!({"state": "open", "for": "1h"})).await;
    assert_eq!(retry_after(&shop.public.get("/orders").await), 60);

    put(&shop, "database", json!({"state": "closed"})).await;
    assert_eq!(shop.public.get("/readyz").await.status, StatusCode::OK);
    assert_eq!(shop.count_orders().await, 0);
    assert_eq!(shop.public.post_order(order_text("order-1")).await.status, StatusCode::CREATED);

    // Without writing, what is stored can be read.
    put(&shop, "database-writes", json!({"state": "forced_open"})).await;
    retry_after(&shop.public.post_order(order_text("order-2")).await);
    assert_eq!(shop.public.get("/orders/order-1").await.status, StatusCode::OK);
    assert_eq!(shop.public.get("/readyz").await.status, StatusCode::OK);
    let health = shop.public.get("/health").await.json();
    assert_eq!(health["status"], "warn", "{health}");
    shop.close().await;
}

async fn what_cannot_be_noted_is_not_paid(engine: Engine) {
    let shop = Shop::open_with(engine, |settings| {
        leaves_soon(settings);
        settings.payment.redrive.interval = Duration::from_millis(10);
        settings.payment.redrive.max_backoff = Duration::from_millis(20);
    })
    .await;
    let asked = || shop.provider().figures().requests;
    let rounds = async |number| {
        let reads = async || {
            let breaker = shop.public.get("/circuit-breakers/database").await.json();
            breaker["total"]["successes"].as_u64().expect("a number")
        };
        let enough = reads().await + number;
        eventually("the redrive looks for what is due", async || (reads().await >= enough).then_some(())).await;
    };
    put(&shop, "payment", json!({"state": "disabled"})).await;
    shop.admin.put("/payment-provider", &outage(true)).await;
    shop.public.post_order(order_text("order-1")).await;
    eventually("the redrive has tried it", async || (asked() > 2).then_some(())).await;

    put(&shop, "database-writes", json!({"state": "forced_open"})).await;
    // One attempt may be under way.
    rounds(2).await;
    let before = asked();
    rounds(10).await;
    assert_eq!(asked(), before);

    put(&shop, "database-writes", json!({"state": "closed"})).await;
    shop.admin.put("/payment-provider", &outage(false)).await;
    shop.all_paid().await;
    shop.close().await;
}

async fn a_circuit_by_hand_goes_through_every_state(engine: Engine) {
    let shop = Shop::open(engine).await;
    for (body, shown) in [
        (json!({"state": "forced_open"}), "forced_open"),
        (json!({"state": "disabled"}), "disabled"),
        (json!({"state": "metrics_only", "for": null}), "metrics_only"),
        (json!({"state": "open"}), "open"),
        (json!({"state": "half_open"}), "half_open"),
        (json!({"state": "half_open"}), "half_open"),
        (json!({"state": "closed"}), "closed"),
        (json!({"state": "forced_open", "for": "24h"}), "open"),
        (json!({"state": "open", "for": "30s"}), "open"),
    ] {
        let snapshot = put(&shop, "payment", body.clone()).await;
        assert_eq!((&snapshot["name"], &snapshot["state"]), (&json!("payment"), &json!(shown)), "{body}");
        assert_eq!(state(&shop, "payment").await, shown, "{body}");
    }
    let left = shop.breaker().await["retry_after_seconds"].as_f64().expect("a number");
    assert!(left > 0.0 && left <= 30.0, "{left}");
    assert_eq!(state(&shop, "database").await, "closed", "the others are as they were");
    shop.close().await;
}

async fn rules_are_changed_while_they_hold(engine: Engine) {
    let shop = Shop::open(engine).await;
    let path = "/admin/circuit-breakers/payment/config";
    let mut config = shop.admin.get(path).await.json();
    config["consecutive_failures"] = json!(2);
    let answer = shop.admin.put(path, &config).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, config.clone()));
    assert_eq!(shop.admin.get(path).await.json(), config);

    shop.admin.put("/payment-provider", &outage(true)).await;
    for number in 0..2 {
        shop.public.post_order(order_text(&format!("order-{number}"))).await;
    }
    let breaker = shop.breaker().await;
    assert_eq!((&breaker["state"], &breaker["cause"]), (&json!("open"), &json!("consecutive_failures")));
    assert_eq!(shop.provider().figures().requests, 2);
    // A state by hand leaves the rules alone, and its name need not be said.
    put(&shop, "payment", json!({"state": "closed"})).await;
    assert_eq!(shop.admin.get(path).await.json(), config);
    assert_eq!(shop.admin.put(path, &json!({"failure_rate": 0.5})).await.json()["name"], "payment");
    shop.close().await;
}

async fn a_bad_change_changes_nothing(engine: Engine) {
    let shop = Shop::open(engine).await;
    let hold = "/admin/circuit-breakers/payment";
    let configure = "/admin/circuit-breakers/payment/config";
    let config = shop.admin.get(configure).await.json();
    let before = shop.breaker().await["generation"].clone();
    for (path, body, status, field, told) in [
        (hold, json!({}), 422, "state", "missing"),
        (hold, json!({"state": "ajar"}), 422, "state", "half_open"),
        (hold, json!({"state": 5}), 422, "state", "half_open"),
        (hold, json!({"state": null}), 422, "state", "half_open"),
        (hold, json!({"state": ["open"]}), 422, "state", "half_open"),
        (hold, json!({"state": "half_open"}), 409, "state", "closed"),
        (hold, json!({"state": "open", "for": "0s"}), 422, "for", "1ms to 24h"),
        (hold, json!({"state": "open", "for": "25h"}), 422, "for", "1ms to 24h"),
        (hold, json!({"state": "open", "for": "soon"}), 422, "for", "a duration"),
        (hold, json!({"state": "open", "for": -1}), 422, "for", "a duration"),
        (hold, json!({"state": "closed", "for": "1s"}), 422, "for", "left out"),
        (hold, json!({"state": "disabled", "for": "1s"}), 422, "for", "left out"),
        (hold, json!({"state": "closed", "colour": 1}), 422, "colour", "`state`"),
        (hold, json!(["closed"]), 422, ".", "an object"),
        (configure, json!({"failure_rate": 1.5}), 422, "failure_rate", "at most 1"),
        (configure, json!({"consecutive_failures": 0}), 422, "consecutive_failures", "1"),
        (configure, json!({"consecutive_failures": "5"}), 422, "consecutive_failures", "u32"),
        (configure, json!({"half_open": {"probes": 0}}), 422, "half_open.probes", "1"),
        (configure, json!({"half_open": {"probes": 1, "successes": 2}}), 422, "half_open.successes", "1"),
        (configure, json!({"open": {"for": "soon"}}), 422, "open.for", ""),
        (configure, json!({"window": {"count": {"size": 0}}}), 422, "window", "1"),
        (configure, json!({"name": "other"}), 422, "name", "payment"),
        (configure, json!({"colour": 1}), 422, "colour", ""),
        (configure, json!([]), 422, ".", "an object"),
        ("/admin/circuit-breakers/nonsense", json!({"state": "closed"}), 404, "name", "database-writes"),
        ("/admin/circuit-breakers/nonsense/config", json!({}), 404, "name", "database-writes"),
        ("/admin/circuit-breakers/%ff", json!({"state": "closed"}), 400, "name", "database-writes"),
    ] {
        let answer = shop.admin.put(path, &body).await;
        assert_eq!(answer.status.as_u16(), status, "{path} {body}: {}", answer.text());
        let fault = answer.problem()["errors"][0].clone();
        assert!(fault["field"].as_str().is_some_and(|named| named.starts_with(field)), "{path} {body}: {fault}");
        assert!(fault["detail"].as_str().is_some_and(|detail| detail.contains(told)), "{path} {body}: {fault}");
    }
    let told = shop.admin.put(hold, &json!({"state": "ajar"})).await.problem()["errors"][0]["value"].clone();
    assert_eq!(told, "ajar");
    assert_eq!(shop.admin.get(configure).await.json(), config);
    let after = shop.breaker().await;
    assert_eq!((&after["state"], &after["generation"]), (&json!("closed"), &before));
    shop.close().await;
}

async fn the_levers_are_on_the_admin_listener_alone(engine: Engine) {
    let shop = Shop::open(engine).await;
    for path in ["/admin/circuit-breakers/payment", "/admin/circuit-breakers/payment/config"] {
        let answer = shop.public.put(path, &json!({"state": "forced_open"})).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.problem()["detail"].as_str().is_some_and(|detail| detail.contains("no route")), "{path}");
    }
    let answer = shop.public.put("/circuit-breakers/payment", &json!({"state": "forced_open"})).await;
    assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD"));
    assert_eq!(state(&shop, "payment").await, "closed");
    let request = shop.admin.request(Method::PUT, "/admin/circuit-breakers/payment").body(Full::default());
    assert_eq!(shop.admin.send(request.expect("a good request")).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    shop.close().await;
}

/// The file's one lock for writing, held as long as this lives.
struct Lock(SqlitePool);

impl Lock {
    async fn take(folder: &Path) -> Self {
        let file = SqliteConnectOptions::new().filename(folder.join("orders.sqlite"));
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(file).await.expect("the file is there");
        sqlx::query("BEGIN IMMEDIATE").execute(&pool).await.expect("the lock is free");
        Self(pool)
    }

    async fn release(self) {
        sqlx::query("ROLLBACK").execute(&self.0).await.expect("the lock is held");
        self.0.close().await;
    }
}

/// A shop whose database gives up soon, and the folder of its file.
async fn impatient_shop(change: impl FnOnce(&mut Settings)) -> (Shop, PathBuf) {
    let mut folder = PathBuf::new();
    let shop = Shop::open_with(Engine::Sqlite, |settings| {
        settings.database.timeout = Duration::from_secs(1);
        leaves_soon(settings);
        settings.database.breaker = BreakerConfig::classic().open_for(Duration::from_millis(100));
        folder.clone_from(&settings.data.folder);
        change(settings);
    })
    .await;
    (shop, folder)
}

/// Places orders until they are refused without the database being asked. How many were tried in vain.
async fn place_until_refused(shop: &Shop, name: &str) -> usize {
    for number in 0.. {
        let answer = shop.public.post_order(order_text(&format!("lost-{number}"))).await;
        retry_after(&answer);
        if answer.problem()["detail"].as_str().is_some_and(|detail| detail.contains("not asked")) {
            assert_ne!(state(shop, name).await, "closed");
            return number;
        }
        assert!(number < 100, "the circuit {name} never opens");
    }
    unreachable!("numbers do not end");
}

#[tokio::test]
async fn a_database_that_cannot_write_is_left_alone_and_can_be_read() {
    let (shop, folder) = impatient_shop(|settings| {
        settings.payment.redrive.interval = Duration::from_millis(10);
        settings.database.breaker = BreakerConfig::classic();
    })
    .await;
    assert_eq!(shop.public.post_order(order_text("before")).await.status, StatusCode::CREATED);
    let lock = Lock::take(&folder).await;
    assert_eq!(place_until_refused(&shop, "database-writes").await, 5);
    assert!(retry_after(&shop.public.post_order(order_text("refused")).await) > 50);

    // The redrive reads all the while.
    assert_eq!(state(&shop, "database").await, "closed");
    assert_eq!(shop.public.get("/orders/before").await.status, StatusCode::OK);
    let health = shop.public.get("/health").await.json();
    assert_eq!(health["checks"]["database-writes:circuitBreaker"][0]["observedValue"], "open", "{health}");

    lock.release().await;
    put(&shop, "database-writes", json!({"state": "half_open"})).await;
    for number in 0..3 {
        eventually("the order is stored", async || {
            let placed = shop.public.post_order(order_text(&format!("after-{number}"))).await;
            (placed.status == StatusCode::CREATED).then_some(())
        })
        .await;
    }
    assert_eq!(state(&shop, "database-writes").await, "closed");
    assert_eq!(shop.public.get("/health").await.json()["status"], "pass");
    shop.all_paid().await;
    shop.close().await;
}

#[tokio::test]
async fn a_database_that_nothing_is_heard_of_is_left_alone_until_it_works_again() {
    // Nothing is read meanwhile, so that nothing speaks for it.
    let (shop, folder) = impatient_shop(|settings| {
        settings.payment.redrive.interval = Duration::from_hours(1);
        settings.payment.redrive.max_backoff = Duration::from_hours(1);
        settings.database.breaker = BreakerConfig::classic();
    })
    .await;
    eventually("the redrive has begun and sleeps", async || {
        let breaker = shop.public.get("/circuit-breakers/database").await.json();
        (breaker["total"]["successes"].as_u64() >= Some(2)).then_some(())
    })
    .await;
    let lock = Lock::take(&folder).await;
    assert_eq!(place_until_refused(&shop, "database").await, 5);
    assert!(retry_after(&shop.public.get("/orders").await) > 50);
    assert_eq!(shop.public.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(shop.public.get("/livez").await.status, StatusCode::OK);
    let breaker = shop.public.get("/circuit-breakers/database").await.json();
    let told = breaker["last_error"].as_str().expect("a text");
    assert!(told.starts_with("`database-writes` did not end within 1"), "{breaker}");

    lock.release().await;
    put(&shop, "database", json!({"state": "half_open"})).await;
    for _ in 0..3 {
        assert_eq!(shop.public.get("/orders").await.status, StatusCode::OK);
    }
    assert_eq!(state(&shop, "database").await, "closed");
    assert_eq!(shop.public.get("/readyz").await.status, StatusCode::OK);
    shop.close().await;
}

#[tokio::test]
async fn a_database_that_works_again_is_found_out_without_anybody_asking() {
    let (shop, folder) = impatient_shop(|settings| {
        settings.payment.redrive.interval = Duration::from_millis(10);
        settings.payment.redrive.max_backoff = Duration::from_millis(50);
    })
    .await;
    shop.admin.put("/payment-provider", &outage(true)).await;
    for number in 0..4 {
        assert_eq!(shop.public.post_order(order_text(&format!("kept-{number}"))).await.status, StatusCode::CREATED);
    }
    let lock = Lock::take(&folder).await;
    place_until_refused(&shop, "database-writes").await;

    lock.release().await;
    shop.admin.put("/payment-provider", &outage(false)).await;
    put(&shop, "payment", json!({"state": "closed"})).await;
    // The redrive alone notes the payments, and so tries the circuits.
    eventually("the circuits are closed", async || {
        (state(&shop, "database-writes").await == "closed" && state(&shop, "database").await == "closed").then_some(())
    })
    .await;
    shop.all_paid().await;
    for number in 0..4 {
        assert!(shop.provider().collected(&format!("kept-{number}")).is_some());
    }
    shop.close().await;
}
