//! Suggestions and statistics are counted from the orders.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use http_body_util::Full;
use order_service::config::Profile;
use seawall_core::time::Clock;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Engine, Exposition, Shop, Storage, order_text, outage};

each_engine!(
    what_goes_together_is_suggested,
    what_customers_say_counts,
    statistics_are_exact,
    a_bad_question_is_told,
    suggestions_outlive_the_database,
);

/// An order of one of each.
fn basket(id: &str, customer: &str, products: &[&str]) -> String {
    let items: Vec<_> = products
        .iter()
        .map(|product| format!(r#"{{"product_id":"{product}","name":"x","quantity":1,"price":2.50}}"#))
        .collect();
    let total = 250 * products.len();
    format!(
        r#"{{"id":"{id}","customer_id":"{customer}","items":[{}],"total":{}.{:02},"priority":3}}"#,
        items.join(","),
        total / 100,
        total % 100
    )
}

async fn place(shop: &Shop, baskets: &[(&str, &[&str])]) {
    for (number, (customer, products)) in baskets.iter().enumerate() {
        let placed = shop.public.post_order(basket(&format!("{customer}-{number}"), customer, products)).await;
        assert_eq!(placed.status, StatusCode::CREATED, "{}", placed.text());
    }
}

/// The ids that are suggested, each with its number of orders.
async fn suggested(shop: &Shop, query: &str) -> Vec<(String, u64)> {
    let answer = shop.public.get(&format!("/suggestions{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let answer = answer.json();
    let list = answer["suggestions"].as_array().expect("a list");
    let one = |one: &Value| {
        let id = one["product"]["id"].as_str().expect("an id").to_owned();
        (id, one["orders"].as_u64().expect("a number"))
    };
    list.iter().map(one).collect()
}

fn pairs(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    pairs.iter().map(|(id, orders)| ((*id).to_owned(), *orders)).collect()
}

async fn feedback(client: &Client, body: &Value) -> Answer {
    let request = client.request(Method::POST, "/suggestions/feedback").header("content-type", "application/json");
    client.send(request.body(Full::new(body.to_string().into())).expect("a good request")).await
}

async fn what_goes_together_is_suggested(engine: Engine) {
    let (clock, time) = Clock::manual();
    let shop = Shop::open_at(clock, Storage::new(engine), |_| {}).await;
    let first = suggested(&shop, "").await;
    assert_eq!(first, pairs(&[("coffee-1", 0), ("coffee-2", 0), ("coffee-3", 0)]), "nothing was ordered yet");
    place(
        &shop,
        &[
            ("ann", &["coffee-1", "pastry-1"]),
            ("bob", &["coffee-1", "pastry-1", "not-in-the-catalogue"]),
            ("cid", &["coffee-1", "pastry-2"]),
            ("dee", &["tea-1", "pastry-2"]),
        ],
    )
    .await;
    assert_eq!(suggested(&shop, "").await, first, "for five seconds what was read is good enough");
    time.advance(Duration::from_secs(5));
    let goes_with_coffee = pairs(&[("pastry-1", 2), ("pastry-2", 1), ("tea-1", 0)]);
    assert_eq!(suggested(&shop, "?product=coffee-1").await, goes_with_coffee);
    assert_eq!(suggested(&shop, "?product=coffee-1").await, goes_with_coffee, "always the same");
    assert_eq!(suggested(&shop, "?customer=dee&limit=1").await, pairs(&[("coffee-1", 1)]));
    assert_eq!(suggested(&shop, "?customer=nobody&limit=2").await, pairs(&[("coffee-1", 3), ("pastry-1", 2)]));
    assert_eq!(suggested(&shop, "?limit=20").await.len(), 12, "the whole catalogue");
    let bulkheads = shop.public.get("/bulkheads").await.json();
    assert!(bulkheads["bulkheads"][0]["admitted"].as_u64().is_some_and(|calls| calls > 0), "{bulkheads}");
    shop.close().await;
}

async fn what_customers_say_counts(engine: Engine) {
    let (clock, time) = Clock::manual();
    let shop = Shop::open_at(clock, Storage::new(engine), |settings| settings.profile = Profile::Demo).await;
    for _ in 0..9 {
        let said = feedback(&shop.public, &json!({"product_id": "tea-2", "useful": true})).await;
        assert_eq!((said.status, said.json()["useful"].clone()), (StatusCode::OK, json!(true)), "{}", said.text());
    }
    let said = feedback(&shop.public, &json!({"product_id": "coffee-1", "useful": false})).await;
    assert_eq!(said.status, StatusCode::OK);
    // Ten a minute, so that nobody decides for all.
    let refused = feedback(&shop.public, &json!({"product_id": "tea-2", "useful": true})).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.json()["violated-policies"], json!(["learning"]));
    assert_eq!(suggested(&shop, "?limit=20").await[0].0, "tea-2");
    assert_eq!(suggested(&shop, "?limit=20").await[11].0, "coffee-1", "last");
    time.advance(Duration::from_mins(2));
    assert_eq!(feedback(&shop.public, &json!({"product_id": "tea-2", "useful": true})).await.status, StatusCode::OK);
    shop.close().await;
}

async fn statistics_are_exact(engine: Engine) {
    let shop = Shop::open(engine).await;
    let empty = shop.public.get("/statistics").await.json();
    assert_eq!((&empty["paid"], &empty["days"]), (&json!({"orders": 0, "total": 0.0}), &json!([])), "{empty}");
    place(&shop, &[("ann", &["coffee-1"]), ("bob", &["coffee-1", "tea-1"])]).await;
    shop.admin.put("/payment-provider", &outage(true)).await;
    assert_eq!(shop.public.post_order(order_text("order-1")).await.json()["payment"], "pending");
    let answer = shop.public.get("/statistics").await;
    // As it is written: money is no float.
    for part in [r#""pending":{"orders":1,"total":9.00}"#, r#""paid":{"orders":2,"total":7.50}"#] {
        assert!(answer.text().contains(part), "{}", answer.text());
    }
    let counted = answer.json();
    let days = counted["days"].as_array().expect("a list");
    let orders: u64 = days.iter().map(|day| day["orders"].as_u64().expect("a number")).sum();
    assert_eq!((orders, days.len() <= 2), (3, true), "of one day, unless it is midnight: {counted}");
    assert!(counted["as_of"].as_str().is_some_and(|at| days[0]["day"].as_str().is_some_and(|day| at.starts_with(day))));
    // More money than fits into what it is kept in, order by order.
    shop.storage().execute("UPDATE orders SET total = 9223372036854775807").await;
    let counted = shop.public.get("/statistics").await;
    assert_eq!(counted.status, StatusCode::OK, "{}", counted.text());
    assert!(counted.text().contains("92233720368547758.07"), "{}", counted.text());
    let figures = Exposition::parse(shop.public.get("/metrics").await.text());
    assert_eq!(figures.count(r#"seawall_bulkhead_calls_total{name="heavy",outcome="admitted"}"#), 3);
    shop.close().await;
}

async fn a_bad_question_is_told(engine: Engine) {
    let shop = Shop::open(engine).await;
    for (query, field) in [("?limit=0", "limit"), ("?product=%20", "product"), ("?user=7", "user")] {
        let answer = shop.public.get(&format!("/suggestions{query}")).await;
        assert_eq!((answer.status, &answer.problem()["errors"][0]["field"]), (StatusCode::BAD_REQUEST, &json!(field)));
    }
    assert_eq!(shop.public.get("/suggestions?product=unknown").await.status, StatusCode::NOT_FOUND);
    for (body, field) in [
        (json!({"product_id": "unknown", "useful": true}), "product_id"),
        (json!({"product_id": "a b", "useful": true}), "product_id"),
        (json!({"product_id": "coffee-1"}), "useful"),
        (json!({"product_id": "coffee-1", "useful": 1}), "useful"),
        (json!({"product_id": "coffee-1", "useful": true, "stars": 5}), "stars"),
    ] {
        let answer = feedback(&shop.public, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", answer.text());
        assert_eq!(answer.problem()["errors"][0]["field"], field, "{body}");
    }
    shop.close().await;
}

async fn suggestions_outlive_the_database(engine: Engine) {
    let (clock, time) = Clock::manual();
    let shop = Shop::open_at(clock, Storage::new(engine), |_| {}).await;
    let held = |state: &str| json!({"state": state});
    shop.admin.put("/admin/circuit-breakers/database", &held("forced_open")).await;
    assert_eq!(shop.public.get("/suggestions").await.status, StatusCode::SERVICE_UNAVAILABLE, "nothing was read yet");
    shop.admin.put("/admin/circuit-breakers/database", &held("closed")).await;
    let read = suggested(&shop, "").await;
    shop.admin.put("/admin/circuit-breakers/database", &held("forced_open")).await;
    time.advance(Duration::from_mins(1));
    assert_eq!(suggested(&shop, "").await, read);
    assert_eq!(shop.public.get("/statistics").await.status, StatusCode::SERVICE_UNAVAILABLE);
    shop.close().await;
}
