//! Bursts are seen, and quotas follow the load.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::join_all;
use seawall_bulkhead::load::Config as GaugeConfig;
use seawall_rate_limit::{BurstConfig, Config, Quota};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{ADA, BEN, figures, get_as, shop, violated};
use crate::support::{Engine, Process, Shop, Storage, eventually};

/// How many bursts were seen, and how many requests were beyond what is none.
async fn bursts(shop: &Shop) -> (u64, u64) {
    let burst = figures(shop, "burst").await;
    (burst["bursts"].as_u64().expect("a count"), burst["shadowed"].as_u64().expect("a count"))
}

#[tokio::test]
async fn fifty_requests_in_ten_seconds_are_no_burst_and_one_more_is() {
    let (shop, time) = shop(|_| {}).await;
    for _ in 0..50 {
        assert_eq!(get_as(&shop.public, ADA, "/").await.status, StatusCode::OK);
    }
    assert_eq!(bursts(&shop).await, (0, 0));
    get_as(&shop.public, BEN, "/").await;
    assert_eq!(bursts(&shop).await, (0, 0), "each caller by itself");
    for _ in 0..20 {
        assert_eq!(get_as(&shop.public, ADA, "/").await.status, StatusCode::OK, "told, not refused");
    }
    assert_eq!(bursts(&shop).await, (1, 20), "one burst, however long");
    // Five a second are none.
    time.advance(Duration::from_mins(1));
    for _ in 0..15 {
        get_as(&shop.public, BEN, "/").await;
        time.advance(Duration::from_secs(3));
    }
    assert_eq!(bursts(&shop).await, (1, 20));
    shop.close().await;
}

#[tokio::test]
async fn requests_that_a_limit_refuses_are_part_of_a_burst() {
    let (shop, _time) = shop(|_| {}).await;
    let answers = join_all((0..60).map(|_| shop.public.get("/"))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == StatusCode::OK).count(), 20);
    assert_eq!(bursts(&shop).await, (1, 10));
    shop.close().await;
}

#[tokio::test]
async fn a_burst_is_punished_if_it_is_configured_so() {
    let burst = BurstConfig::default().penalty(Duration::from_secs(90));
    let config = Config::new(Quota::new(50, Duration::from_secs(10))).burst(burst);
    let (shop, time) = shop(|settings| settings.rate_limits.burst = Some(config)).await;
    for _ in 0..50 {
        assert_eq!(get_as(&shop.public, ADA, "/").await.status, StatusCode::OK);
    }
    let punished = get_as(&shop.public, ADA, "/").await;
    assert_eq!(violated(&punished), ["burst"]);
    assert_eq!(punished.header("retry-after"), "90");
    assert!(violated(&get_as(&shop.public, BEN, "/").await).is_empty());
    time.advance(Duration::from_secs(89));
    assert_eq!(violated(&get_as(&shop.public, ADA, "/").await), ["burst"], "though its quotas are back");
    time.advance(Duration::from_secs(1));
    assert!(violated(&get_as(&shop.public, ADA, "/").await).is_empty());
    assert_eq!(figures(&shop, "burst").await["bursts"], 1);
    assert_eq!(figures(&shop, "global").await["throttled"], 0, "no other limit was asked");
    shop.close().await;
}

#[tokio::test]
async fn a_burst_is_logged_with_whose_it_is() {
    let storage = Storage::new(Engine::Sqlite);
    let service = Process::start_as_told(&storage, &[]);
    join_all((0..60).map(|_| get_as(&service.public, ADA, "/"))).await;
    let burst = eventually("the burst is logged", async || {
        let lines = service.logged();
        let mut lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line["target"] == "seawall::rate_limit" && line["message"] == "burst")
    })
    .await;
    assert_eq!((&burst["level"], &burst["name"], &burst["requests"]), (&json!("WARN"), &json!("burst"), &json!(50)));
    assert_eq!((&burst["span"]["user"], &burst["span"]["client"]), (&json!("ada"), &json!("127.0.0.1")), "{burst}");
}

/// The global quota that holds, and its share of the configured one.
async fn global(shop: &Shop) -> (u64, f64) {
    let global = figures(shop, "global").await;
    (global["quota"]["limit"].as_u64().expect("a number"), global["share"].as_f64().expect("a number"))
}

async fn under_way(shop: &Shop) -> u64 {
    let load = shop.public.get("/rate-limits").await.json()["load"].clone();
    // The question is one of them.
    load["requests"].as_u64().expect("a number") - 1
}

/// A request that waits for the rest of its body, as long as its connection is there.
async fn begin(shop: &Shop) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", shop.port())).await.expect("a connection");
    let head = "POST /orders HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("the head is taken");
    stream
}

#[tokio::test]
async fn quotas_fall_while_requests_pile_up_and_come_back_when_they_do_not() {
    let (shop, time) = shop(|settings| {
        settings.rate_limits.load.ceiling = 4;
        settings.degradation.gauge = GaugeConfig::default().smoothing(Duration::ZERO);
    })
    .await;
    assert_eq!(global(&shop).await, (1_000, 1.0));
    let waiting = join_all((0..4).map(|_| begin(&shop))).await;
    eventually("all requests are under way", async || (under_way(&shop).await == 4).then_some(())).await;

    // The service looks once a second.
    for (limit, share) in [(700, 0.7), (490, 0.49), (343, 0.343)] {
        time.advance(Duration::from_secs(1));
        eventually("the quota falls", async || {
            let (now, holds) = global(&shop).await;
            (now == limit && (holds - share).abs() < 1e-9).then_some(())
        })
        .await;
    }
    // What else there is is switched off by now.
    let answer = get_as(&shop.public, BEN, "/orders").await;
    assert!(answer.header("ratelimit-policy").contains(r#""global";q=343;w=60"#), "{answer:?}");
    assert_eq!(figures(&shop, "user").await["share"], 1.0, "nobody's own quota");

    drop(waiting);
    eventually("no request is under way", async || (under_way(&shop).await == 0).then_some(())).await;
    for limit in [393, 443, 493] {
        time.advance(Duration::from_secs(1));
        eventually("the quota comes back", async || (global(&shop).await.0 == limit).then_some(())).await;
    }
    shop.close().await;
}
