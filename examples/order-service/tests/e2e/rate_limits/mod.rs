//! How often callers may ask: each limit holds, tells how the caller stands, and is moved while it holds.

mod addresses;
mod answers;
mod levers;
mod quotas;
mod watching;

use axum::http::{Method, StatusCode};
use http_body_util::Full;
use order_service::config::{Profile, Settings};
use seawall_core::time::{Clock, ManualTime};
use seawall_rate_limit::{Config, Quota};
use serde_json::Value;

use crate::support::{Answer, Client, Engine, Shop, Storage, order_text};

const ADA: &str = "demo-harbour-ada";
const BEN: &str = "demo-harbour-ben";
const CLEO: &str = "demo-station-cleo";

/// A shop with the quotas of the manual, where no time passes but by hand.
async fn shop(change: impl FnOnce(&mut Settings)) -> (Shop, ManualTime) {
    let (clock, time) = Clock::manual();
    let shop = Shop::open_at(clock, Storage::new(Engine::Sqlite), |settings| {
        settings.profile = Profile::Demo;
        change(settings);
    })
    .await;
    (shop, time)
}

/// So many requests a minute.
fn per_minute(limit: u32) -> Config {
    Config::new(Quota::per_minute(limit))
}

/// The answer to a GET with these headers.
async fn get(client: &Client, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = client.request(Method::GET, path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    client.send(request.body(Full::default()).expect("a good request")).await
}

/// The answer to a GET by whoever has this key.
async fn get_as(client: &Client, key: &str, path: &str) -> Answer {
    get(client, path, &[("x-api-key", key)]).await
}

/// Has somebody with this key place an order.
async fn post_as(client: &Client, key: &str, id: &str) -> Answer {
    let request = client.request(Method::POST, "/orders").header("content-type", "application/json");
    let body = Full::new(order_text(id).into());
    client.send(request.header("x-api-key", key).body(body).expect("a good request")).await
}

/// The limits that the answer says are reached: nothing if it was let pass.
fn violated(answer: &Answer) -> Vec<String> {
    if answer.status != StatusCode::TOO_MANY_REQUESTS {
        assert!(answer.status.is_success(), "{}", answer.text());
        return Vec::new();
    }
    let problem = answer.problem();
    let policies = problem["violated-policies"].as_array().unwrap_or_else(|| panic!("{problem}"));
    policies.iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
}

/// What everybody may know of the limit.
async fn figures(shop: &Shop, name: &str) -> Value {
    let all = shop.public.get("/rate-limits").await.json();
    let limits = all["rate_limits"].as_array().expect("a list");
    limits.iter().find(|limit| limit["name"] == name).unwrap_or_else(|| panic!("no {name} in {all}")).clone()
}
