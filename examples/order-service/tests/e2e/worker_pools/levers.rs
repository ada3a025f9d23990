//! The pools are changed while they work, and jobs that failed are tried again, by whoever runs the service alone.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use super::{Gate, Mood, becomes_paid, count, figures, fills, order_of, payment_of, place_queued, pool, shop};
use crate::support::{Answer, Engine, Process, Shop, Storage, eventually};

const STANDARD: &str = "/admin/worker-pools/standard";

async fn post(shop: &Shop, path: &str) -> Answer {
    let request = shop.admin.request(Method::POST, path).body(Full::default()).expect("a good request");
    shop.admin.send(request).await
}

#[tokio::test]
async fn what_is_shown_can_be_put_back() {
    let shop = Shop::open(Engine::Sqlite).await;
    for name in ["standard", "high-priority"] {
        let path = format!("/admin/worker-pools/{name}");
        let config = shop.admin.get(&path).await.json();
        let shown = figures(&shop.public, name).await;
        assert_eq!((&config["name"], &config["workers"]["max"]), (&shown["name"], &shown["max"]), "{config}");
        assert_eq!(shop.admin.put(&path, &config).await.json(), config);
    }
    for path in ["/admin/worker-pools/nonsense", "/admin/worker-pools/Standard/dead-letters"] {
        let problem = shop.admin.get(path).await.problem();
        assert_eq!(problem["status"], 404);
        assert!(
            problem["detail"].as_str().is_some_and(|detail| detail.contains("standard, high-priority")),
            "{problem}"
        );
    }
    shop.close().await;
}

#[tokio::test]
async fn another_range_holds_at_once_and_interrupts_nobody() {
    let gate = Gate::closed().await;
    let shop = shop(Engine::Sqlite, &gate, |settings| settings.worker_pools.standard = pool(1..=1)).await;
    for id in ["order-0", "order-1", "order-2", "order-3", "order-4"] {
        place_queued(&shop.public, id, 2).await;
    }
    fills(&shop.public, "standard", 1, 4).await;
    let wider = json!({"workers": {"min": 3, "max": 3}, "queue": 7, "keep_alive": "10ms"});
    let after = shop.admin.put(STANDARD, &wider).await;
    assert_eq!((after.status, &after.json()["queue"]), (StatusCode::OK, &json!(7)), "{}", after.text());
    fills(&shop.public, "standard", 3, 2).await;
    let narrow = json!({"workers": {"min": 1, "max": 1}, "queue": 0, "keep_alive": "10ms"});
    assert_eq!(shop.admin.put(STANDARD, &narrow).await.status, StatusCode::OK);
    fills(&shop.public, "standard", 3, 2).await;
    gate.turn(Mood::Serve);
    shop.all_paid().await;
    eventually("the workers too many leave", async || {
        (count(&figures(&shop.public, "standard").await, "/workers") == 1).then_some(())
    })
    .await;
    let now = figures(&shop.public, "standard").await;
    assert_eq!((count(&now, "/completed"), count(&now, "/min"), count(&now, "/max")), (5, 1, 1), "{now}");
    shop.close().await;
}

#[tokio::test]
async fn a_bad_change_changes_nothing() {
    let shop = Shop::open(Engine::Sqlite).await;
    let config = shop.admin.get(STANDARD).await.json();
    let with = |field: &str, value: Value| {
        let mut body = json!({"workers": {"min": 1, "max": 2}});
        body[field] = value;
        body
    };
    for (body, field, value, told) in [
        (json!({}), "workers", "", "missing"),
        (json!({"workers": {"min": 5, "max": 3}}), "workers", "5..=3", "1 to 1048576"),
        (json!({"workers": {"min": 0, "max": 0}}), "workers", "0..=0", "1 to 1048576"),
        (json!({"workers": {"min": -1, "max": 3}}), "min", "-1", "usize"),
        (json!({"workers": {"min": 1}}), "workers.max", "", "missing"),
        (with("queue", json!(2_000_000_000)), "queue", "2000000000", "0 to 1073741824"),
        (with("queue", json!(-1)), "queue", "-1", "usize"),
        (with("keep_alive", json!("0s")), "keep_alive", "0ns", "above zero"),
        (with("max_wait", json!("367 days")), "max_wait", "31708800s", "at most 366 days"),
        (with("retry", json!({"attempts": 0})), "attempts", "0", ""),
        (with("name", json!("high-priority")), "name", "high-priority", "standard, or left out"),
        (with("colour", json!("red")), "colour", "", "unknown field"),
    ] {
        let answer = shop.admin.put(STANDARD, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", answer.text());
        let fault = answer.problem()["errors"][0].clone();
        assert!(fault["field"].as_str().is_some_and(|name| name.contains(field)), "{body}: {fault}");
        let shown = fault["value"].as_str().unwrap_or_default();
        assert!(value.is_empty() || shown == value, "{body}: {fault}");
        assert!(fault["detail"].as_str().is_some_and(|detail| detail.contains(told)), "{body}: {fault}");
        assert_eq!(shop.admin.get(STANDARD).await.json(), config, "{body}");
    }
    assert_eq!(shop.public.put(STANDARD, &config).await.status, StatusCode::NOT_FOUND);
    shop.close().await;
}

#[tokio::test]
async fn a_job_that_failed_is_kept_and_tried_again_on_demand() {
    let gate = Gate::closed().await;
    gate.turn(Mood::Fail);
    let shop = shop(Engine::Sqlite, &gate, |settings| {
        settings.worker_pools.patience = Duration::from_mins(1);
        settings.payment.redrive.interval = Duration::from_hours(1);
        settings.payment.redrive.max_backoff = Duration::from_hours(1);
    })
    .await;
    for id in ["order-1", "order-2"] {
        let placed = shop.public.post_order(order_of(id, 3)).await;
        assert_eq!((placed.status, &placed.json()["payment"]), (StatusCode::CREATED, &json!("pending")));
    }
    let letters = async || shop.admin.get(&format!("{STANDARD}/dead-letters")).await.json()["dead_letters"].clone();
    let kept = letters().await;
    assert_eq!((kept.as_array().map(Vec::len), &kept[0]["is_repeatable"]), (Some(2), &json!(true)), "{kept}");
    let error = kept[0]["history"][0]["error"].as_str().expect("a text");
    assert!(error.starts_with("order order-1 is pending: ") && error.contains("500"), "{error}");

    let job = kept[0]["job"].as_u64().expect("a number");
    for (query, status) in [("?job=999", 404), ("?job=x", 400), ("?all=yes", 400)] {
        assert_eq!(post(&shop, &format!("{STANDARD}/redrive{query}")).await.problem()["status"], status, "{query}");
    }
    gate.turn(Mood::Serve);
    assert_eq!(post(&shop, &format!("{STANDARD}/redrive?job={job}")).await.json(), json!({"redriven": 1}));
    becomes_paid(&shop.public, "order-1").await;
    assert_eq!(payment_of(&shop.public, "order-2").await, "pending");
    assert_eq!(post(&shop, &format!("{STANDARD}/redrive")).await.json(), json!({"redriven": 1}));
    becomes_paid(&shop.public, "order-2").await;
    assert_eq!(letters().await, json!([]));
    assert_eq!(gate.asked(), [("order-1".to_owned(), 2), ("order-2".to_owned(), 2)].into());
    shop.close().await;
}

#[tokio::test]
async fn a_dead_letter_of_an_order_that_was_paid_since_costs_nothing() {
    let gate = Gate::closed().await;
    gate.turn(Mood::Fail);
    let shop = shop(Engine::Sqlite, &gate, |settings| settings.worker_pools.patience = Duration::from_mins(1)).await;
    assert_eq!(shop.public.post_order(order_of("order-1", 5)).await.status, StatusCode::CREATED);
    gate.turn(Mood::Serve);
    shop.storage().execute("UPDATE orders SET retry_at = 0").await;
    becomes_paid(&shop.public, "order-1").await;
    let asked = gate.asked();
    let redriven = post(&shop, "/admin/worker-pools/high-priority/redrive").await;
    assert_eq!(redriven.json(), json!({"redriven": 1}));
    eventually("the job is over", async || {
        (count(&figures(&shop.public, "high-priority").await, "/completed") == 1).then_some(())
    })
    .await;
    assert_eq!(gate.asked(), asked, "nobody asked again");
    shop.close().await;
}

#[tokio::test]
async fn a_change_is_logged_with_what_was_before_and_after() {
    let storage = Storage::new(Engine::Sqlite);
    let service = Process::start(&storage, &[]);
    let answer = service.admin.put(STANDARD, &json!({"workers": {"min": 4, "max": 7}})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    service.admin.put(STANDARD, &json!({"workers": {"min": 7, "max": 4}})).await;
    let audited = eventually("the change is logged", async || {
        let lines = service.logged();
        let mut lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line["target"] == "order_service::audit")
    })
    .await;
    assert_eq!(audited["what"], "worker pool standard: configuration");
    for (member, min, max) in [("before", 3, 20), ("after", 4, 7)] {
        let config: Value = serde_json::from_str(audited[member].as_str().expect("a text")).expect("JSON");
        assert_eq!(config["workers"], json!({"min": min, "max": max}), "{audited}");
    }
}
