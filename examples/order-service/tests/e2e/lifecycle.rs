//! Starting and ending.

use std::fs;

use axum::http::StatusCode;

use crate::support::{Engine, Process, Storage, ended_with_code_1, eventually, order_text, run_to_end, run_to_end_on};

each_engine!(
    multi_thread: sigterm_first_says_not_ready_then_lets_requests_finish,
    orders_outlive_the_process,
    a_port_in_use_is_told_in_one_line,
);

async fn sigterm_first_says_not_ready_then_lets_requests_finish(engine: Engine) {
    let storage = Storage::new(engine);
    let config = storage.folder().join("shop.toml");
    // The payment takes long enough for everything below to happen meanwhile.
    let text = r#"
        [payment]
        patience = "30s"
        [payment.provider]
        latency = "6s"
        [worker_pools]
        patience = "30s"
        [shutdown]
        readiness_delay = "3s"
        grace = "60s"
    "#;
    fs::write(&config, text).expect("the file can be written");
    let mut service = Process::start(&storage, &["--config", config.to_str().expect("a UTF-8 path")]);
    assert_eq!(service.public.get("/readyz").await.status, StatusCode::OK);

    let client = service.public.clone();
    let placed = tokio::spawn(async move { client.post_order(order_text("in-flight")).await });
    eventually("the order waits for its payment", async || {
        let order = service.public.get("/orders/in-flight").await;
        (order.status == StatusCode::OK).then(|| assert_eq!(order.json()["payment"], "pending"))
    })
    .await;

    service.terminate();
    eventually("the service is not ready", async || {
        let ready = service.public.get("/readyz").await;
        (ready.status == StatusCode::SERVICE_UNAVAILABLE)
            .then(|| assert_eq!(ready.json()["checks"]["lifecycle:state"][0]["observedValue"], "draining"))
    })
    .await;
    assert_eq!(service.public.get("/livez").await.status, StatusCode::OK, "not ready is not dead");

    let placed = placed.await.expect("the caller did not panic");
    assert_eq!((placed.status, &placed.json()["payment"]), (StatusCode::CREATED, &"paid".into()));
    let status = eventually("the process ends", async || service.ended()).await;
    assert_eq!(status.code(), Some(0));
}

async fn orders_outlive_the_process(engine: Engine) {
    let storage = Storage::new(engine);
    let mut first = Process::start(&storage, &[]);
    assert!(first.public.post_order(order_text("order-1")).await.status.is_success());
    let paid = eventually("the order is paid", async || {
        let order = first.public.get("/orders/order-1").await;
        (order.json()["payment"] == "paid").then_some(order.body)
    })
    .await;
    first.terminate();
    let status = eventually("the process ends", async || first.ended()).await;
    assert_eq!(status.code(), Some(0));

    let second = Process::start(&storage, &[]);
    assert_eq!(second.public.get("/orders/order-1").await.body, paid);
    assert_eq!(second.public.post_order(order_text("order-1")).await.status, StatusCode::CONFLICT);
}

async fn a_port_in_use_is_told_in_one_line(engine: Engine) {
    let storage = Storage::new(engine);
    let running = Process::start(&storage, &[]);
    let other = Storage::new(engine);
    let port = running.port().to_string();
    for arguments in [["--port", &port, "--admin-port", "0"], ["--port", "0", "--admin-port", &port]] {
        refuses_to_start(&other, &arguments, "in use");
    }
    assert!(running.public.post_order(order_text("order-1")).await.status.is_success(), "undisturbed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_in_use_is_told_in_one_line() {
    let storage = Storage::new(Engine::Sqlite);
    let running = Process::start(&storage, &[]);
    refuses_to_start(&storage, &["--port", "0", "--admin-port", "0"], "another order-service uses it");
    let output = run_to_end(&["--port", "0", "--admin-port", "0", "--data", "/dev/null/data"]);
    ended_with_code_1(&output, "/dev/null/data cannot be used");
    assert!(running.public.post_order(order_text("order-1")).await.status.is_success(), "undisturbed");
}

/// Starts a service on `storage`, which must end by itself and tell why in one line.
fn refuses_to_start(storage: &Storage, arguments: &[&str], told: &str) {
    ended_with_code_1(&run_to_end_on(storage, arguments), told);
}
