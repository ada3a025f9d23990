//! Whatever is sent to `POST /orders`: an order, or a problem of the caller's making. Never a fault of the service.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::{Answer, Engine, Shop, order, order_text};

each_engine!(blocking: no_body_makes_the_service_fail);

/// Any bytes at all.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..256)
}

/// The good order with some of its bytes changed.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let good = order_text("damaged").into_bytes();
    let length = good.len();
    prop::collection::vec((0..length, any::<u8>()), 1..6).prop_map(move |changes| {
        let mut bytes = good.clone();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes
    })
}

/// Any JSON value, small but odd.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        (-2..12_i32).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z_]{1,8}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// The good order with any values in some of its fields.
fn misfilled() -> impl Strategy<Value = Vec<u8>> {
    const FIELDS: [&str; 10] = [
        "/id",
        "/customer_id",
        "/items",
        "/items/0",
        "/items/0/product_id",
        "/items/0/name",
        "/items/0/quantity",
        "/items/0/price",
        "/total",
        "/priority",
    ];
    prop::collection::vec((prop::sample::select(&FIELDS[..]), json_value()), 1..4).prop_map(|changes| {
        let mut body = order("misfilled");
        for (pointer, value) in changes {
            if let Some(field) = body.pointer_mut(pointer) {
                *field = value;
            }
        }
        body.to_string().into_bytes()
    })
}

fn judge(answer: &Answer) {
    match answer.status.as_u16() {
        201 => {
            let id = answer.json()["id"].clone();
            assert_eq!(answer.header("location"), format!("/orders/{}", id.as_str().expect("a text")));
        }
        400..=499 => drop(answer.problem()),
        status => panic!("{status}: {}", answer.text()),
    }
}

fn no_body_makes_the_service_fail(engine: Engine) {
    let runtime = Runtime::new().expect("a runtime");
    let shop = runtime.block_on(Shop::open(engine));
    let bodies =
        prop_oneof![noise(), damaged(), json_value().prop_map(|value| value.to_string().into_bytes()), misfilled()];
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(1024) });
    let outcome = runner.run(&bodies, |body| {
        let answer = runtime.block_on(shop.public.post_order(body));
        judge(&answer);
        Ok(())
    });
    outcome.expect("every body is answered as it deserves");
    let stored = runtime.block_on(shop.count_orders());
    assert_eq!(shop.provider().figures().charges, stored as u64, "what is stored is paid, and nothing else");
    runtime.block_on(shop.close());
}
