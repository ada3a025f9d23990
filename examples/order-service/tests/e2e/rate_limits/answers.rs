//! What callers are told of how they stand.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use http_body_util::Full;
use seawall_rate_limit::http::{QuotaPolicy, ServiceLimit};
use serde_json::{Value, json};

use super::{ADA, figures, get, get_as, per_minute, post_as, shop, violated};
use crate::support::{Answer, Client};

/// The limits that an answer tells of: name, quota and what remains.
fn told(answer: &Answer) -> Vec<(String, u64, u64)> {
    let limits = ServiceLimit::read(&answer.headers).unwrap_or_else(|| panic!("{answer:?}"));
    let policies = QuotaPolicy::read(&answer.headers).unwrap_or_else(|| panic!("{answer:?}"));
    assert_eq!(limits.len(), policies.len(), "{answer:?}");
    let told = limits.into_iter().zip(policies).map(|(limit, policy)| {
        assert_eq!((&limit.policy, policy.window), (&policy.name, Some(Duration::from_mins(1))));
        assert!(limit.reset_after.is_some_and(|after| (1..=68).contains(&after.as_secs())), "{limit:?}");
        (policy.name, policy.quota, limit.remaining)
    });
    told.collect()
}

fn of(name: &str, quota: u64, remaining: u64) -> (String, u64, u64) {
    (name.to_owned(), quota, remaining)
}

#[tokio::test]
async fn every_answer_tells_how_the_caller_stands() {
    let (shop, _time) = shop(|_| {}).await;
    let answer = shop.public.get("/products").await;
    assert_eq!(answer.header("ratelimit-policy"), r#""address";q=20;w=60, "global";q=1000;w=60"#);
    assert_eq!(told(&answer), [of("address", 20, 19), of("global", 1_000, 999)]);
    let answer = get_as(&shop.public, ADA, "/products").await;
    assert_eq!(told(&answer), [of("user", 100, 99), of("tenant", 500, 499), of("global", 1_000, 998)]);
    let answer = post_as(&shop.public, ADA, "order-1").await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(
        told(&answer),
        [of("expensive", 20, 19), of("user", 100, 98), of("tenant", 500, 498), of("global", 1_000, 997)]
    );
    shop.close().await;
}

#[tokio::test]
async fn an_answer_that_is_an_error_tells_it_too() {
    let (shop, _time) = shop(|_| {}).await;
    let post = async |body: &str| {
        let request = shop.public.request(Method::POST, "/orders").header("content-type", "application/json");
        shop.public.send(request.body(Full::new(body.to_owned().into())).expect("a good request")).await
    };
    let answers = [
        (get(&shop.public, "/orders/nowhere", &[]).await, 404),
        (get(&shop.public, "/orders/%ff", &[]).await, 400),
        (get(&shop.public, "/orders?limit=x", &[]).await, 400),
        (post("{").await, 400),
        (post("{}").await, 422),
        (get(&shop.public, "/products", &[("x-api-key", "unknown")]).await, 401),
        (get(&shop.public, "/products", &[("x-api-key", ADA), ("x-api-key", ADA)]).await, 400),
        (get(&shop.public, "/products", &[("x-request-timeout-ms", "0")]).await, 504),
        (get(&shop.public, "/products", &[("x-request-timeout-ms", "soon")]).await, 400),
    ];
    for (taken, (answer, status)) in (1..).zip(&answers) {
        assert_eq!(answer.status.as_u16(), *status, "{}", answer.text());
        answer.problem();
        let told = told(answer);
        assert!(told.contains(&of("address", 20, 20 - taken)), "{status}: {told:?}");
        assert!(told.contains(&of("global", 1_000, 1_000 - taken)), "{status}: {told:?}");
    }
    shop.close().await;
}

#[tokio::test]
async fn who_is_refused_is_told_when_to_come_back_and_passes_then() {
    let (shop, time) = shop(|_| {}).await;
    for _ in 0..20 {
        shop.public.get("/products").await;
    }
    let request = shop.public.request(Method::GET, "/products").header("x-request-id", "caller-7");
    let refused = shop.public.send(request.body(Full::default()).expect("a good request")).await;
    let problem = refused.problem();
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(problem["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    assert_eq!(problem["violated-policies"], json!(["address"]));
    assert_eq!(refused.header("cache-control"), "no-store");
    assert_eq!(refused.header("x-request-id"), "caller-7");
    assert_eq!(refused.header("x-content-type-options"), "nosniff");
    assert_eq!(told(&refused), [of("address", 20, 0), of("global", 1_000, 980)]);
    let wait: u64 = refused.header("retry-after").parse().expect("whole seconds");
    assert!((60..=68).contains(&wait), "a period, and what is left of a bucket: {wait}");
    assert_eq!(problem["retry_after"], wait);

    time.advance(Duration::from_secs(wait - 1));
    assert_eq!(violated(&shop.public.get("/products").await), ["address"]);
    time.advance(Duration::from_secs(1));
    assert_eq!(shop.public.get("/products").await.status, StatusCode::OK);
    shop.close().await;
}

/// Every operation of the listener, and what the document says of it.
async fn operations(client: &Client) -> Vec<(Method, String, Value)> {
    let document = client.get("/openapi.json").await.json();
    let mut found = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let method = method.to_uppercase().parse().expect("a method");
            found.push((method, path.replace("{id}", "unknown").replace("{name}", "payment"), operation.clone()));
        }
    }
    found
}

#[tokio::test]
async fn what_tells_of_the_service_is_never_limited() {
    let (shop, _time) = shop(|settings| {
        settings.rate_limits.address = Some(per_minute(1));
        settings.rate_limits.global = Some(per_minute(1));
    })
    .await;
    assert_eq!(shop.public.get("/products").await.status, StatusCode::OK);
    let mut limited = Vec::new();
    for client in [&shop.public, &shop.admin] {
        for (method, path, operation) in operations(client).await {
            for _ in 0..3 {
                let request = client.request(method.clone(), &path).body(Full::default());
                let answer = client.send(request.expect("a good request")).await;
                let is_limited = answer.status == StatusCode::TOO_MANY_REQUESTS;
                assert_eq!(answer.headers.contains_key("ratelimit"), is_limited, "{method} {path}");
                // The document says exactly where there are limits.
                assert_eq!(operation["responses"]["429"].is_object(), is_limited, "{method} {path}");
                if is_limited && limited.last() != Some(&format!("{method} {path}")) {
                    limited.push(format!("{method} {path}"));
                }
            }
        }
    }
    let expected = [
        "GET /",
        "GET /demo/load-test",
        "GET /orders",
        "POST /orders",
        "GET /orders/unknown",
        "GET /products",
        "GET /products/unknown",
        "GET /statistics",
        "GET /suggestions",
        "POST /suggestions/feedback",
    ];
    assert_eq!(limited, expected);
    assert_eq!(figures(&shop, "global").await["admitted"], 1);
    shop.close().await;
}
