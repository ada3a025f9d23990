//! Starting and ending.

use std::fs;

use axum::http::StatusCode;
use tempfile::TempDir;

use crate::support::{Process, eventually, order_text, run_to_end};

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_first_says_not_ready_then_lets_requests_finish() {
    let folder = TempDir::new().expect("a temporary folder");
    let config = folder.path().join("shop.toml");
    // The payment takes long enough for everything below to happen meanwhile.
    let text = r#"
        [payment]
        timeout = "30s"
        [payment.provider]
        latency = "3s"
        [shutdown]
        readiness_delay = "1500ms"
        grace = "60s"
    "#;
    fs::write(&config, text).expect("the file can be written");
    let mut service =
        Process::start(&folder.path().join("data"), &["--config", config.to_str().expect("a UTF-8 path")]);
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

#[tokio::test(flavor = "multi_thread")]
async fn orders_outlive_the_process() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut first = Process::start(folder.path(), &[]);
    let placed = first.public.post_order(order_text("order-1")).await;
    first.terminate();
    let status = eventually("the process ends", async || first.ended()).await;
    assert_eq!(status.code(), Some(0));

    let second = Process::start(folder.path(), &[]);
    assert_eq!(second.public.get("/orders/order-1").await.body, placed.body);
    assert_eq!(second.public.post_order(order_text("order-1")).await.status, StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_is_told_in_one_line() {
    let folder = TempDir::new().expect("a temporary folder");
    let data = folder.path().join("data");
    let running = Process::start(&data, &[]);
    let data = data.to_str().expect("a UTF-8 path");
    let other = folder.path().join("other");
    let other = other.to_str().expect("a UTF-8 path");
    let health = running.public.get("/health").await;
    assert_eq!(health.status, StatusCode::OK);
    let port = running.port().to_string();

    for (arguments, told) in [
        (["--port", &port, "--admin-port", "0", "--data", other], "in use"),
        (["--port", "0", "--admin-port", &port, "--data", other], "in use"),
        (["--port", "0", "--admin-port", "0", "--data", data], "another order-service uses it"),
        (["--port", "0", "--admin-port", "0", "--data", "/dev/null/data"], "/dev/null/data cannot be used"),
    ] {
        let output = run_to_end(&arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let complaint = String::from_utf8(output.stderr).expect("UTF-8");
        let lines: Vec<_> = complaint.lines().collect();
        assert!(
            matches!(lines[..], [line] if line.starts_with("order-service: ") && line.contains(told)),
            "{complaint}"
        );
    }
    assert_eq!(running.public.post_order(order_text("order-1")).await.status, StatusCode::CREATED, "undisturbed");
}
