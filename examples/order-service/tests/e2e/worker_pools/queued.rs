//! Whoever orders more than the workers can do at once is told where the order is, and gets it.

use axum::http::StatusCode;
use serde_json::json;

use super::{Gate, Mood, becomes_paid, count, figures, fills, order_of, payment_of, place_queued, pool, shop};
use crate::support::{Engine, Exposition, eventually};

each_engine!(
    an_order_that_waits_is_answered_with_its_url_and_paid_then,
    without_room_in_the_queue_orders_are_accepted_and_paid_later_once,
    a_caller_who_hangs_up_does_not_take_the_order_along,
    an_order_that_was_promised_is_not_taken_back,
);

async fn an_order_that_waits_is_answered_with_its_url_and_paid_then(engine: Engine) {
    let gate = Gate::closed().await;
    let shop = shop(engine, &gate, |settings| settings.worker_pools.standard = pool(1..=1)).await;
    place_queued(&shop.public, "first", 3).await;
    fills(&shop.public, "standard", 1, 0).await;
    let queued = place_queued(&shop.public, "second", 3).await;
    let body = queued.json();
    assert_eq!(
        (&body["id"], &body["status"], &body["payment"]),
        (&json!("second"), &json!("queued"), &json!("pending"))
    );
    assert_eq!((queued.header("location"), &body["status_url"]), ("/orders/second", &json!("/orders/second")));
    let shown = shop.public.get(queued.header("location")).await;
    assert_eq!((shown.status, &shown.json()["payment"]), (StatusCode::OK, &json!("pending")));
    assert_eq!(shown.json()["created_at"], body["created_at"]);
    let again = shop.public.post_order(order_of("second", 3)).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "it is accepted already: {}", again.text());
    let metrics = Exposition::parse(shop.public.get("/metrics").await.text());
    assert_eq!((metrics.count("orders_accepted_total"), metrics.count("orders_queued_total")), (2, 2));

    gate.turn(Mood::Serve);
    becomes_paid(&shop.public, "second").await;
    assert_eq!(gate.asked(), [("first".to_owned(), 1), ("second".to_owned(), 1)].into());
    shop.close().await;
}

async fn without_room_in_the_queue_orders_are_accepted_and_paid_later_once(engine: Engine) {
    let gate = Gate::closed().await;
    let shop = shop(engine, &gate, |settings| settings.worker_pools.standard = pool(1..=1).queue(2)).await;
    let ids = ["order-0", "order-1", "order-2", "order-3", "order-4"];
    place_queued(&shop.public, ids[0], 3).await;
    fills(&shop.public, "standard", 1, 0).await;
    for id in &ids[1..] {
        assert_eq!(place_queued(&shop.public, id, 3).await.json()["status"], "queued");
    }
    let full = figures(&shop.public, "standard").await;
    assert_eq!(
        (count(&full, "/depth"), count(&full, "/refused/full"), count(&full, "/submitted")),
        (2, 2, 3),
        "{full}"
    );
    let health = shop.public.get("/health").await.json();
    assert_eq!(health["checks"]["standard:workerPool"][0]["status"], "warn", "{health}");
    for id in ids {
        assert_eq!(payment_of(&shop.public, id).await, "pending");
    }
    // Everything is due at once: the redrive waits for room with those that nobody has in hand, and leaves the others alone.
    shop.storage().execute("UPDATE orders SET retry_at = 0").await;
    eventually("the redrive finds no room", async || {
        (count(&figures(&shop.public, "standard").await, "/refused/timed_out") > 0).then_some(())
    })
    .await;
    assert_eq!(gate.asked(), [("order-0".to_owned(), 1)].into());

    gate.turn(Mood::Serve);
    shop.all_paid().await;
    assert_eq!(gate.asked(), ids.map(|id| (id.to_owned(), 1)).into(), "each was paid once");
    shop.close().await;
}

async fn a_caller_who_hangs_up_does_not_take_the_order_along(engine: Engine) {
    let gate = Gate::closed().await;
    let shop = shop(engine, &gate, |settings| settings.worker_pools.patience = std::time::Duration::from_mins(1)).await;
    let client = shop.public.clone();
    let caller = tokio::spawn(async move { client.post_order(order_of("order-1", 4)).await });
    fills(&shop.public, "high-priority", 1, 0).await;
    caller.abort();
    assert!(caller.await.is_err(), "nobody waits any more");
    eventually("the request has ended", async || {
        let metrics = Exposition::parse(shop.public.get("/metrics").await.text());
        (metrics.count("http_server_active_requests") == 1).then_some(())
    })
    .await;
    fills(&shop.public, "high-priority", 1, 0).await;
    gate.turn(Mood::Serve);
    becomes_paid(&shop.public, "order-1").await;
    assert_eq!(gate.asked(), [("order-1".to_owned(), 1)].into());
    shop.close().await;
}

async fn an_order_that_was_promised_is_not_taken_back(engine: Engine) {
    let (gate, stock) = (Gate::closed().await, Gate::closed().await);
    let shop = shop(engine, &gate, |settings| {
        settings.inventory.url = Some(stock.url());
        settings.payment.redrive.interval = std::time::Duration::from_hours(1);
        settings.payment.redrive.max_backoff = std::time::Duration::from_hours(1);
    })
    .await;
    place_queued(&shop.public, "order-1", 3).await;
    stock.turn(Mood::OutOfStock);
    eventually("the job is over", async || {
        (count(&figures(&shop.public, "standard").await, "/failed") == 1).then_some(())
    })
    .await;
    assert_eq!(payment_of(&shop.public, "order-1").await, "pending", "it waits until there is what it needs");
    assert!(gate.asked().is_empty(), "nothing is paid before it is set aside");
    shop.close().await;
}
