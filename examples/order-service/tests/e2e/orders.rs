//! The main job: orders are placed, paid, found and listed.

use std::collections::HashSet;

use axum::http::{Method, StatusCode};
use http_body_util::Full;
use serde_json::Value;

use crate::support::{Engine, ORDER_TOTAL, Shop, order, order_text};

each_engine!(
    an_order_is_stored_paid_and_found,
    money_is_exact_to_the_last_digit,
    an_id_is_taken_once,
    pages_show_each_order_once_newest_first,
    orders_of_one_moment_are_in_the_order_of_their_bytes,
    the_catalogue_is_seeded,
    head_is_get_without_the_body,
);

async fn an_order_is_stored_paid_and_found(engine: Engine) {
    let shop = Shop::open(engine).await;
    let placed = shop.public.post_order(order_text("order-123")).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{}", placed.text());
    assert_eq!(placed.header("location"), "/orders/order-123");
    assert_eq!(placed.header("content-type"), "application/json");

    let body = placed.json();
    for (field, value) in order("order-123").as_object().expect("an object") {
        assert_eq!(&body[field], value, "{field}");
    }
    assert_eq!(body["payment"], "paid");
    assert!(body["created_at"].as_str() <= body["paid_at"].as_str(), "{body}");
    assert_eq!(shop.provider().collected("order-123"), Some(ORDER_TOTAL));

    let found = shop.public.get(placed.header("location")).await;
    assert_eq!((found.status, found.body), (StatusCode::OK, placed.body));
    shop.close().await;
}

async fn money_is_exact_to_the_last_digit(engine: Engine) {
    let shop = Shop::open(engine).await;
    // In floats 0.1 * 3 is not 0.3, and 1.10 + 2.20 is not 3.30.
    let body = r#"{"id":"exact","customer_id":"c","items":[
        {"product_id":"a","name":"A","quantity":3,"price":0.1},
        {"product_id":"b","name":"B","quantity":1,"price":1.10},
        {"product_id":"c","name":"C","quantity":1,"price":2.20},
        {"product_id":"d","name":"D","quantity":10000,"price":999999.99}],"total":9999999903.6,"priority":5}"#;
    let placed = shop.public.post_order(body).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{}", placed.text());
    let shown = placed.text();
    assert!(shown.contains(r#""price":0.10"#) && shown.contains(r#""total":9999999903.60,"#), "{shown}");
    assert_eq!(shop.provider().collected("exact"), Some(999_999_990_360));
    shop.close().await;
}

async fn an_id_is_taken_once(engine: Engine) {
    let shop = Shop::open(engine).await;
    // All at once, so that the database decides and not an earlier look at it.
    let attempts = (0..8).map(|_| shop.public.post_order(order_text("same")));
    let answers = futures_util::future::join_all(attempts).await;
    let created = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(created, 1);
    for answer in answers.iter().filter(|answer| answer.status != StatusCode::CREATED) {
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert_eq!(answer.problem()["errors"][0]["field"], "id");
    }
    assert_eq!(shop.count_orders().await, 1);
    assert_eq!(shop.provider().figures().done.charges, 1);
    shop.close().await;
}

async fn pages_show_each_order_once_newest_first(engine: Engine) {
    let shop = Shop::open(engine).await;
    for number in 0..25 {
        shop.public.post_order(order_text(&format!("order-{number}"))).await;
    }
    let mut seen: Vec<Value> = Vec::new();
    let mut sizes = Vec::new();
    let mut path = "/orders?limit=10".to_owned();
    loop {
        let page = shop.public.get(&path).await.json();
        let orders = page["orders"].as_array().expect("a list");
        sizes.push(orders.len());
        seen.extend(orders.iter().cloned());
        // What is placed meanwhile is newer than the cursor and moves nothing.
        shop.public.post_order(order_text(&format!("late-{}", sizes.len()))).await;
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/orders?limit=10&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(sizes, [10, 10, 5]);
    let ids: HashSet<_> = seen.iter().map(|order| order["id"].as_str()).collect();
    assert_eq!(ids.len(), 25);
    assert!(seen.windows(2).all(|pair| pair[0]["created_at"].as_str() >= pair[1]["created_at"].as_str()));
    shop.close().await;
}

async fn orders_of_one_moment_are_in_the_order_of_their_bytes(engine: Engine) {
    // No language has the order of bytes, and a cursor ends a page in the database's order or in none.
    let mut ids = ["a", "A-a", "B", "9", "a_b", "10", "Z", "a.b", "A-z", "aB"];
    let shop = Shop::open(engine).await;
    for id in ids {
        assert_eq!(shop.public.post_order(order_text(id)).await.status, StatusCode::CREATED);
    }
    shop.storage().execute("UPDATE orders SET created_at = 1700000000000").await;
    let mut seen = Vec::new();
    let mut path = "/orders?limit=3".to_owned();
    loop {
        let page = shop.public.get(&path).await.json();
        let orders = page["orders"].as_array().expect("a list");
        seen.extend(orders.iter().map(|order| order["id"].as_str().expect("a text").to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/orders?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    ids.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(seen, ids);
    shop.close().await;
}

async fn the_catalogue_is_seeded(engine: Engine) {
    let shop = Shop::open(engine).await;
    let products = shop.public.get("/products").await.json();
    assert!(products.as_array().is_some_and(|products| products.len() >= 10), "{products}");
    let espresso = shop.public.get("/products/coffee-1").await;
    assert_eq!(espresso.text(), r#"{"id":"coffee-1","name":"Espresso","price":4.50}"#);
    shop.close().await;
}

async fn head_is_get_without_the_body(engine: Engine) {
    let shop = Shop::open(engine).await;
    shop.public.post_order(order_text("order-1")).await;
    let request = shop.public.request(Method::HEAD, "/orders/order-1").body(Full::default()).expect("a good request");
    let head = shop.public.send(request).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    let get = shop.public.get("/orders/order-1").await;
    assert_eq!(head.header("content-length"), get.header("content-length"));
    shop.close().await;
}
