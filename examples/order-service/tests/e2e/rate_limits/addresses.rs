//! Whose request it is: the other end of the connection, unless that is a proxy which is trusted.

use std::fs;

use axum::http::StatusCode;
use futures_util::future::join_all;
use order_service::config::Settings;
use seawall_rate_limit::{Config, Quota};
use serde_json::Value;

use super::{figures, get, per_minute, shop, violated};
use crate::support::{Engine, Process, Shop, Storage, eventually};

const HEADER: &str = "x-forwarded-for";

fn behind_a_proxy(settings: &mut Settings) {
    settings.client_address =
        std::mem::take(&mut settings.client_address).trusted_proxies(["127.0.0.1".parse().expect("an address")]);
}

/// Whether a request is let pass that a proxy says came by these ways.
async fn passes(shop: &Shop, forwarded: &[&str]) -> bool {
    let headers: Vec<_> = forwarded.iter().map(|line| (HEADER, *line)).collect();
    let violated = violated(&get(&shop.public, "/", &headers).await);
    assert!(violated.is_empty() || violated == ["address"], "{violated:?}");
    violated.is_empty()
}

#[tokio::test]
async fn a_peer_that_is_not_trusted_cannot_name_another_address() {
    let (shop, _time) = shop(|_| {}).await;
    for number in 0..20 {
        let forged = format!("203.0.113.{number}");
        let headers = [HEADER, "forwarded", "x-real-ip", "cf-connecting-ip", "true-client-ip"];
        let headers = headers.map(|name| (name, &*forged));
        assert_eq!(violated(&get(&shop.public, "/products", &headers).await), [""; 0]);
    }
    for forged in ["203.0.113.99", "127.0.0.2", "::1", "unknown", "", "203.0.113.1, 203.0.113.2"] {
        assert!(!passes(&shop, &[forged]).await, "{forged}");
    }
    let address = figures(&shop, "address").await;
    assert_eq!((&address["keys"], &address["admitted"]), (&1.into(), &20.into()), "one address, whatever it says");
    shop.close().await;
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_is_limited_by_itself() {
    let (shop, _time) = shop(behind_a_proxy).await;
    for _ in 0..20 {
        assert!(passes(&shop, &["203.0.113.1"]).await);
    }
    assert!(!passes(&shop, &["203.0.113.1"]).await);
    assert!(passes(&shop, &["203.0.113.2"]).await);
    // Further left is what the client said itself.
    for spoofed in ["203.0.113.7, 203.0.113.1", "127.0.0.1, 203.0.113.1", "unknown, 203.0.113.1", "::ffff:203.0.113.1"]
    {
        assert!(!passes(&shop, &[spoofed]).await, "{spoofed}");
    }
    assert!(!passes(&shop, &["203.0.113.8", "203.0.113.1"]).await, "several lines are one list");
    assert!(!passes(&shop, &["203.0.113.1, 127.0.0.1"]).await, "through two proxies");
    let headers = [("forwarded", "for=203.0.113.9"), ("x-real-ip", "203.0.113.9"), (HEADER, "203.0.113.1")];
    assert_eq!(violated(&get(&shop.public, "/", &headers).await), ["address"], "no other header is read");
    // A proxy that says nothing is a client itself.
    assert!(passes(&shop, &[]).await);
    assert_eq!(figures(&shop, "address").await["keys"], 3);
    shop.close().await;
}

#[tokio::test]
async fn a_network_of_ipv6_is_one_client() {
    let (shop, _time) = shop(behind_a_proxy).await;
    for number in 0..20 {
        assert!(passes(&shop, &[&format!("2001:db8:1:2:{number:x}::{number:x}")]).await);
    }
    assert!(!passes(&shop, &["2001:db8:1:2:ffff:ffff:ffff:ffff"]).await);
    assert!(!passes(&shop, &["[2001:db8:1:2::7]:443"]).await);
    assert!(passes(&shop, &["2001:db8:1:3::1"]).await);
    shop.close().await;
}

#[tokio::test]
async fn a_flood_of_addresses_frees_nobody_and_fills_no_memory() {
    let (shop, _time) = shop(|settings| {
        behind_a_proxy(settings);
        settings.rate_limits.keys = 1_024;
        settings.rate_limits.global = Some(Config::new(Quota::per_second(1_000_000)));
    })
    .await;
    let limited = ["203.0.113.1", "203.0.113.2", "2001:db8:1:2::1"];
    for address in limited {
        for _ in 0..20 {
            assert!(passes(&shop, &[address]).await);
        }
    }
    let before = figures(&shop, "address").await;
    join_all((0..8).map(async |lane| {
        for number in 0..1_250 {
            let address = format!("198.{}.{}.{}", 18 + lane, number / 250, number % 250);
            let answer = get(&shop.public, "/", &[(HEADER, &address)]).await;
            // A newcomer may find that others have used up what there is to know callers by, and nothing worse.
            assert!(answer.status == StatusCode::OK || violated(&answer) == ["address"], "{}", answer.text());
        }
    }))
    .await;
    for address in limited {
        assert!(!passes(&shop, &[address]).await, "{address} is let pass again");
    }
    let after = figures(&shop, "address").await;
    assert_eq!((&after["memory"], &after["capacity"]), (&before["memory"], &1_024.into()));
    assert!(after["keys"].as_u64().is_some_and(|keys| (900..=1_024).contains(&keys)), "{after}");
    for counted in ["evicted_live", "inherited"] {
        assert!(before[counted] == 0 && after[counted].as_u64() > Some(1_000), "{after}");
    }
    shop.close().await;
}

#[tokio::test]
async fn without_room_for_more_than_one_key_the_limits_hold_all_the_same() {
    let (shop, _time) = shop(|settings| {
        behind_a_proxy(settings);
        settings.rate_limits.keys = 1;
        settings.rate_limits.address = Some(per_minute(2));
    })
    .await;
    for number in 0..50 {
        passes(&shop, &[&format!("203.0.113.{number}")]).await;
    }
    for number in 0..50 {
        let address = format!("203.0.113.{number}");
        let mut passed = 0;
        for _ in 0..3 {
            passed += u32::from(passes(&shop, &[&address]).await);
        }
        assert!(passed < 3, "{address}");
    }
    shop.close().await;
}

#[tokio::test]
async fn the_log_names_the_client_and_not_its_proxy() {
    let storage = Storage::new(Engine::Sqlite);
    let config = storage.folder().join("shop.toml");
    let text = "[log]\nlevel = 'debug'\n[client_address]\ntrusted_proxies = ['127.0.0.0/8']\nheader = 'Forwarded'";
    fs::write(&config, text).expect("the file can be written");
    let service = Process::start(&storage, &["--config", config.to_str().expect("a UTF-8 path")]);
    for (path, forwarded) in [("/products", "for=6.6.6.6, for=203.0.113.9"), ("/health", "for=\"[2001:db8::9]:80\"")] {
        get(&service.public, path, &[("forwarded", forwarded), (HEADER, "6.6.6.6")]).await;
    }
    let lines = eventually("both requests are logged", async || {
        let answered = |line: &String| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["message"] == "answered").then(|| line["span"].clone())
        };
        let lines: Vec<_> = service.logged().iter().filter_map(answered).collect();
        (lines.len() == 2).then_some(lines)
    })
    .await;
    let named: Vec<_> = lines.iter().map(|span| (&span["route"], &span["client"])).collect();
    let expected: [(&Value, &Value); 2] =
        [(&"/products".into(), &"203.0.113.9".into()), (&"/health".into(), &"2001:db8::9".into())];
    assert_eq!(named, expected);
}
