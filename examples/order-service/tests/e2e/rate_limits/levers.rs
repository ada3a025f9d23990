//! Limits are changed while they hold, by whoever runs the service alone.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{ADA, BEN, figures, get_as, shop, violated};
use crate::support::{Engine, Exposition, Process, Shop, Storage, eventually};

const USER: &str = "/admin/rate-limits/user";

/// Configures a limit; it must be taken.
async fn put(shop: &Shop, name: &str, body: Value) -> Value {
    let answer = shop.admin.put(&format!("/admin/rate-limits/{name}"), &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{body}: {}", answer.text());
    answer.json()
}

#[tokio::test]
async fn every_limit_shows_its_figures_and_its_configuration() {
    let (shop, _time) = shop(|_| {}).await;
    get_as(&shop.public, ADA, "/").await;
    let all = shop.public.get("/rate-limits").await.json();
    let limits = all["rate_limits"].as_array().expect("a list");
    let shown: Vec<_> = limits.iter().map(|limit| (&limit["name"], &limit["per"])).collect();
    let expected = [
        ("burst", "caller"),
        ("expensive", "caller"),
        ("learning", "caller"),
        ("address", "address"),
        ("user", "user"),
        ("tenant", "tenant"),
        ("global", "service"),
    ];
    let expected = expected.map(|(name, per)| (json!(name), json!(per)));
    assert_eq!(shown, expected.iter().map(|(name, per)| (name, per)).collect::<Vec<_>>());
    for limit in limits {
        for field in ["mode", "share", "admitted", "throttled", "shadowed", "bursts"] {
            assert!(!limit[field].is_null(), "no {field} in {limit}");
        }
        for field in ["keys", "capacity", "memory", "evicted_live", "inherited"] {
            assert_eq!(limit[field].is_null(), limit["name"] == "global", "{field} in {limit}");
        }
        let path = format!("/admin/rate-limits/{}", limit["name"].as_str().expect("a name"));
        let config = shop.admin.get(&path).await.json();
        assert_eq!((&config["name"], &config["mode"]), (&limit["name"], &limit["mode"]), "{config}");
        // What is shown can be put back.
        assert_eq!(shop.admin.put(&path, &config).await.json(), config);
    }
    let global = figures(&shop, "global").await;
    assert_eq!((&global["remaining"], &global["quota"]), (&json!(999), &json!({"limit": 1000, "period": "1m"})));
    let load = &all["load"];
    assert_eq!((&load["requests"], &load["ceiling"]), (&json!(1), &json!(200)), "the request itself");
    assert!(load["load"].as_f64().is_some_and(|load| (0.0..=0.005).contains(&load)), "{load}");
    for path in ["/admin/rate-limits/nonsense", "/admin/rate-limits/User", "/admin/rate-limits/%00"] {
        let problem = shop.admin.get(path).await.problem();
        assert_eq!(problem["status"], 404);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("tenant, global")), "{problem}");
    }
    shop.close().await;
}

#[tokio::test]
async fn a_change_holds_at_once_and_keeps_what_was_taken() {
    let (shop, time) = shop(|_| {}).await;
    for _ in 0..3 {
        assert!(violated(&get_as(&shop.public, ADA, "/").await).is_empty());
    }
    let after = put(&shop, "user", json!({"quota": {"limit": 3, "period": "1m"}})).await;
    assert_eq!((&after["quota"]["limit"], &after["name"]), (&json!(3), &json!("user")), "{after}");
    let refused = get_as(&shop.public, ADA, "/").await;
    assert_eq!(violated(&refused), ["user"]);
    assert!(refused.header("ratelimit-policy").contains(r#""user";q=3;w=60"#), "{refused:?}");
    assert!(violated(&get_as(&shop.public, BEN, "/").await).is_empty());

    put(&shop, "user", json!({"quota": {"limit": 3, "period": "1m"}, "mode": "shadow"})).await;
    assert!(violated(&get_as(&shop.public, ADA, "/").await).is_empty());
    put(&shop, "user", json!({"quota": {"limit": 4, "period": "1m"}})).await;
    assert!(violated(&get_as(&shop.public, ADA, "/").await).is_empty(), "one more is free");
    assert_eq!(violated(&get_as(&shop.public, ADA, "/").await), ["user"]);
    // A minute's quota as an hour's.
    put(&shop, "user", json!({"quota": {"limit": 4, "period": "1h"}})).await;
    time.advance(Duration::from_mins(5));
    assert_eq!(violated(&get_as(&shop.public, ADA, "/").await), ["user"]);
    put(&shop, "user", json!({"quota": {"limit": 4, "period": "1h"}, "carry": "reset"})).await;
    assert!(violated(&get_as(&shop.public, ADA, "/").await).is_empty());
    shop.close().await;
}

#[tokio::test]
async fn a_bad_change_changes_nothing() {
    let (shop, _time) = shop(|_| {}).await;
    for _ in 0..99 {
        get_as(&shop.public, ADA, "/").await;
    }
    let config = shop.admin.get(USER).await.json();
    let quota = json!({"limit": 10, "period": "1m"});
    for (body, field, value, told) in [
        (json!({"quota": {"limit": 0, "period": "1m"}}), "quota.limit", "0", "1 to 4294967295"),
        (json!({"quota": {"limit": -1, "period": "1m"}}), "quota.limit", "-1", "u32"),
        (json!({"quota": {"limit": 4_294_967_296_u64, "period": "1m"}}), "quota.limit", "4294967296", "u32"),
        (json!({"quota": {"limit": 1.5, "period": "1m"}}), "quota.limit", "1.5", "u32"),
        (json!({"quota": {"limit": 10, "period": "0s"}}), "quota.period", "0ns", "1µs to 366 days"),
        (json!({"quota": {"limit": 10, "period": "367 days"}}), "quota.period", "31708800s", "1µs to 366 days"),
        (
            json!({"quota": {"limit": 10, "period": "999999999999999 years"}}),
            "quota.period",
            "999999999999999 years",
            "",
        ),
        (json!({"quota": {"limit": 10, "period": "-1s"}}), "quota.period", "-1s", "duration"),
        (json!({"quota": {"limit": 10, "period": "1m", "burst": 5}}), "quota.burst", "5", "must be absent"),
        (json!({"quota": {"limit": 10, "period": "1m", "colour": 1}}), "quota.colour", "", "unknown field"),
        (json!({}), "quota", "", "is missing"),
        (json!({"quota": quota, "mode": "loud"}), "mode", "loud", "enforce"),
        (json!({"quota": quota, "algorithm": "gcra"}), "algorithm", "gcra", "sliding_window"),
        (json!({"quota": quota, "algorithm": "magic"}), "algorithm", "", "sliding_window"),
        (json!({"quota": quota, "scaling": "sharded"}), "scaling", "Sharded", "Strict"),
        (json!({"quota": quota, "name": "tenant"}), "name", "tenant", "user, or left out"),
        (json!({"quota": quota, "adaptive": {"floor": 2.0}}), "adaptive.floor", "2", "at most the ceiling"),
        (json!({"quota": quota, "adaptive": {"decrease": -0.5}}), "adaptive.decrease", "-0.5", "above 0"),
        (json!({"quota": quota, "adaptive": {"target": "NaN"}}), "adaptive.target", "NaN", "f64"),
        (json!({"quota": quota, "burst": {"requests": 0}}), "burst.requests", "0", "1 to"),
        (json!({"quota": quota, "burst": {"penalty": "0s"}}), "burst.penalty", "0ns", "1µs"),
        (json!({"quota": quota, "keys": 1}), "keys", "", "unknown field"),
    ] {
        let answer = shop.admin.put(USER, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", answer.text());
        let fault = answer.problem()["errors"][0].clone();
        assert_eq!(fault["field"], field, "{body}: {fault}");
        assert_eq!(fault["value"].as_str().unwrap_or_default(), value, "{body}: {fault}");
        assert!(fault["detail"].as_str().is_some_and(|detail| detail.contains(told)), "{body}: {fault}");
        assert_eq!(shop.admin.get(USER).await.json(), config, "{body}");
    }
    let answer = shop.admin.put("/admin/rate-limits/nobody", &json!({"quota": quota})).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(shop.public.put("/rate-limits", &json!({})).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(shop.public.put(USER, &json!({"quota": quota})).await.status, StatusCode::NOT_FOUND);
    assert!(violated(&get_as(&shop.public, ADA, "/").await).is_empty(), "the hundredth");
    assert_eq!(violated(&get_as(&shop.public, ADA, "/").await), ["user"], "and no more, as before");
    shop.close().await;
}

#[tokio::test]
async fn a_change_is_logged_with_what_was_before_and_after() {
    let storage = Storage::new(Engine::Sqlite);
    let service = Process::start_as_told(&storage, &[]);
    let answer = service.admin.put(USER, &json!({"quota": {"limit": 7, "period": "30s"}})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    service.admin.put(USER, &json!({"quota": {"limit": 0, "period": "30s"}})).await;
    service.admin.put("/admin/rate-limits/tenant", &answer_without_name(&answer.json())).await;
    let audited = eventually("both changes are logged", async || {
        let lines =
            service.logged().iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect::<Vec<_>>();
        let audited: Vec<_> = lines.into_iter().filter(|line| line["target"] == "order_service::audit").collect();
        (audited.len() >= 2).then_some(audited)
    })
    .await;
    assert_eq!(audited.len(), 2, "what was refused is no change: {audited:?}");
    let first = &audited[0];
    assert_eq!(first["what"], "rate limit user: configuration");
    assert!(first["who"].as_str().is_some_and(|who| who.starts_with("127.0.0.1:")), "{first}");
    for (member, limit) in [("before", 100), ("after", 7)] {
        let config: Value = serde_json::from_str(first[member].as_str().expect("a text")).expect("JSON");
        assert_eq!(config["quota"]["limit"], limit, "{first}");
    }
    assert_eq!(audited[1]["what"], "rate limit tenant: configuration");
}

fn answer_without_name(config: &Value) -> Value {
    let mut config = config.clone();
    config.as_object_mut().expect("an object").remove("name");
    config
}

#[tokio::test]
async fn the_figures_of_each_limit_are_exported() {
    let (shop, _time) = shop(|_| {}).await;
    for _ in 0..21 {
        shop.public.get("/").await;
    }
    let figures = Exposition::parse(shop.public.get("/metrics").await.text());
    for (name, outcome, calls) in [
        ("address", "admitted", 20),
        ("address", "throttled", 1),
        ("global", "admitted", 20),
        ("global", "throttled", 0),
        ("user", "admitted", 0),
        ("burst", "admitted", 21),
    ] {
        let series = format!(r#"seawall_rate_limit_calls_total{{name="{name}",outcome="{outcome}"}}"#);
        assert!(figures.has(&series), "{series}");
        assert_eq!(figures.count(&series), calls, "{series}");
    }
    assert_eq!(figures.count(r#"seawall_rate_limit_remaining{name="global"}"#), 980);
    assert_eq!(figures.count(r#"seawall_rate_limit_keys{name="address"}"#), 1);
    shop.close().await;
}
