//! What the tests share: a shop to order from, ways to speak HTTP, and patience.

mod cluster;
#[macro_use]
mod engine;
mod http;
mod nowhere;
mod openmetrics;
mod process;
mod shop;

use std::time::Duration;

use seawall_core::time::Clock;
use serde_json::{Value, json};

pub(crate) use engine::{Engine, Storage};
pub(crate) use http::{Answer, Client};
pub(crate) use nowhere::Nowhere;
pub(crate) use openmetrics::Exposition;
pub(crate) use process::{Process, ended_with_code_1, run_to_end, run_to_end_on, run_to_end_with};
pub(crate) use shop::Shop;

/// More than anything here takes, on the slowest machine.
const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// A good order: two espressos.
pub(crate) fn order(id: &str) -> Value {
    serde_json::from_str(&order_text(id)).expect("a good order is JSON")
}

/// The same as it is sent, with money written as people write it.
pub(crate) fn order_text(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","customer_id":"customer-456","items":[{{"product_id":"coffee-1","name":"Espresso","quantity":2,"price":4.50}}],"total":9.00,"priority":3}}"#
    )
}

/// What [`order`] costs, in hundredths.
pub(crate) const ORDER_TOTAL: i64 = 900;

/// Waits until `condition` gives something; fails the test when it never does.
pub(crate) async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let clock = Clock::system();
    let deadline = clock.now() + PATIENCE;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(clock.now() < deadline, "never happened: {what}");
        clock.sleep(POLL).await;
    }
}

/// A provider's behaviour, as its lever takes it.
pub(crate) fn outage(on: bool) -> Value {
    json!({ "outage": on })
}
