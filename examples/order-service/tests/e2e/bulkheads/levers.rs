//! Bulkheads are changed while they hold, by whoever runs the service alone.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{count, figures, fills, hang, order, room, shop};
use crate::support::{Engine, Process, Shop, Storage, eventually};

const PAYMENT: &str = "/admin/bulkheads/payment";

/// Configures a bulkhead; it must be taken.
async fn put(shop: &Shop, name: &str, body: Value) -> Value {
    let answer = shop.admin.put(&format!("/admin/bulkheads/{name}"), &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{body}: {}", answer.text());
    answer.json()
}

#[tokio::test]
async fn what_is_shown_can_be_put_back() {
    let shop = Shop::open(Engine::Sqlite).await;
    for name in ["database", "inventory", "payment", "heavy"] {
        let path = format!("/admin/bulkheads/{name}");
        let config = shop.admin.get(&path).await.json();
        let shown = figures(&shop, name).await;
        assert_eq!((&config["name"], &config["limit"]), (&shown["name"], &shown["limit"]), "{config}");
        assert_eq!(shop.admin.put(&path, &config).await.json(), config);
    }
    for path in ["/admin/bulkheads/nonsense", "/admin/bulkheads/Payment", "/admin/bulkheads/%00"] {
        let problem = shop.admin.get(path).await.problem();
        assert_eq!(problem["status"], 404);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("payment, heavy")), "{problem}");
    }
    shop.close().await;
}

#[tokio::test]
async fn more_room_lets_in_who_waits_and_less_is_taken_as_calls_end() {
    let shop = shop(|settings| settings.bulkheads.payment = room(1, 3)).await;
    hang(&shop, "payment", true).await;
    let orders = ["order-1", "order-2", "order-3"].map(|id| order(&shop, id));
    fills(&shop, "payment", 1, 2).await;
    let after = put(&shop, "payment", json!({"limit": 2, "queue": 3, "max_wait": "1m"})).await;
    assert_eq!((&after["limit"], &after["name"], &after["max_wait"]), (&json!(2), &json!("payment"), &json!("1m")));
    fills(&shop, "payment", 2, 1).await;
    put(&shop, "payment", json!({"limit": 1, "queue": 0})).await;
    // Who waits may go on waiting, and who is in flight stays there.
    fills(&shop, "payment", 2, 1).await;
    assert_eq!(count(&figures(&shop, "payment").await, "/limit"), 1);
    let [one, ..] = &orders;
    one.abort();
    eventually("a permit is withdrawn", async || {
        let now = figures(&shop, "payment").await;
        (count(&now, "/in_flight") <= 2 && count(&now, "/queued") <= 1).then_some(())
    })
    .await;
    orders.iter().for_each(tokio::task::JoinHandle::abort);
    hang(&shop, "payment", false).await;
    shop.close().await;
}

#[tokio::test]
async fn a_bad_change_changes_nothing() {
    let shop = Shop::open(Engine::Sqlite).await;
    let config = shop.admin.get(PAYMENT).await.json();
    for (body, field, value, told) in [
        (json!({"limit": 0}), "limit", "0", "1 to 4294967295"),
        (json!({"limit": -1}), "limit", "-1", "u32"),
        (json!({"limit": 4_294_967_296_u64}), "limit", "4294967296", "u32"),
        (json!({"limit": 1.5}), "limit", "1.5", "u32"),
        (json!({}), "limit", "missing", "given, unless"),
        (json!({"limit": 5, "queue": -1}), "queue", "-1", "usize"),
        (json!({"limit": 5, "max_wait": "soon"}), "max_wait", "", ""),
        (json!({"limit": 5, "max_wait": "367 days"}), "max_wait", "31708800s", "at most 366 days"),
        (json!({"limit": 5, "order": "random"}), "order", "", "fifo"),
        (json!({"limit": 5, "codel": {"target": "0s"}}), "codel.target", "0ns", "1 ns to 366 days"),
        (json!({"limit": 5, "aging": "0s"}), "aging", "0ns", "1 ns to 366 days"),
        (json!({"limit": 5, "adaptive": {"aimd": {}}}), "adaptive", "given", "left out"),
        (json!({"adaptive": {"aimd": {"min": 0}}}), "min", "0", ""),
        (json!({"adaptive": {"aimd": {"min": 50, "initial": 50, "max": 5}}}), "m", "", ""),
        (json!({"limit": 5, "name": "database"}), "name", "database", "payment, or left out"),
        (json!({"limit": 5, "permits": 1}), "permits", "", "unknown field"),
    ] {
        let answer = shop.admin.put(PAYMENT, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", answer.text());
        let fault = answer.problem()["errors"][0].clone();
        assert!(fault["field"].as_str().is_some_and(|name| name.contains(field)), "{body}: {fault}");
        let shown = fault["value"].as_str().unwrap_or_default();
        assert!(value.is_empty() || shown == value, "{body}: {fault}");
        assert!(fault["detail"].as_str().is_some_and(|detail| detail.contains(told)), "{body}: {fault}");
        assert_eq!(shop.admin.get(PAYMENT).await.json(), config, "{body}");
    }
    assert_eq!(shop.admin.put("/admin/bulkheads/nobody", &json!({"limit": 1})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(shop.public.put(PAYMENT, &json!({"limit": 1})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(shop.public.put("/bulkheads", &json!({})).await.status, StatusCode::METHOD_NOT_ALLOWED);
    shop.close().await;
}

#[tokio::test]
async fn a_change_is_logged_with_what_was_before_and_after() {
    let storage = Storage::new(Engine::Sqlite);
    let service = Process::start(&storage, &[]);
    let answer = service.admin.put(PAYMENT, &json!({"limit": 7, "queue": 3})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    service.admin.put(PAYMENT, &json!({"limit": 0})).await;
    let audited = eventually("the change is logged", async || {
        let lines = service.logged();
        let mut lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line["target"] == "order_service::audit")
    })
    .await;
    assert_eq!(audited["what"], "bulkhead payment: configuration");
    for (member, limit, queue) in [("before", 10, 100), ("after", 7, 3)] {
        let config: Value = serde_json::from_str(audited[member].as_str().expect("a text")).expect("JSON");
        assert_eq!((&config["limit"], &config["queue"]), (&json!(limit), &json!(queue)), "{audited}");
    }
}
