//! Each limit holds by itself, and no more than it should.

use axum::http::StatusCode;
use order_service::config::Profile;
use seawall_rate_limit::{Config, Mode, Quota};
use serde_json::json;

use super::{ADA, BEN, CLEO, figures, get_as, per_minute, post_as, shop, violated};
use crate::support::{Engine, Shop, order_text};

each_engine!(what_was_refused_is_not_stored, with_load_every_limit_is_on_and_out_of_the_way);

const NONE: [&str; 0] = [];

#[tokio::test]
async fn an_address_without_a_key_may_ask_twenty_times() {
    let (shop, _time) = shop(|_| {}).await;
    for _ in 0..20 {
        assert_eq!(violated(&shop.public.get("/products").await), NONE);
    }
    for path in ["/products", "/products/coffee-1", "/orders", "/"] {
        assert_eq!(violated(&shop.public.get(path).await), ["address"], "{path}");
    }
    assert_eq!(violated(&get_as(&shop.public, ADA, "/products").await), NONE, "who has a key is no address");
    shop.close().await;
}

#[tokio::test]
async fn keys_that_are_tried_count_for_the_address() {
    let (shop, _time) = shop(|_| {}).await;
    for number in 0..20 {
        let answer = get_as(&shop.public, &format!("guess-{number}"), "/products").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(violated(&get_as(&shop.public, "guess-20", "/products").await), ["address"]);
    assert_eq!(violated(&shop.public.get("/products").await), ["address"]);
    assert_eq!(violated(&get_as(&shop.public, ADA, "/products").await), NONE);
    shop.close().await;
}

#[tokio::test]
async fn a_user_may_ask_a_hundred_times() {
    let (shop, _time) = shop(|_| {}).await;
    for _ in 0..100 {
        assert_eq!(violated(&get_as(&shop.public, ADA, "/").await), NONE);
    }
    assert_eq!(violated(&get_as(&shop.public, ADA, "/").await), ["user"]);
    assert_eq!(violated(&get_as(&shop.public, BEN, "/").await), NONE);
    shop.close().await;
}

#[tokio::test]
async fn an_expensive_request_may_be_made_twenty_times() {
    let (shop, _time) = shop(|_| {}).await;
    for number in 0..20 {
        assert_eq!(violated(&post_as(&shop.public, ADA, &format!("order-{number}")).await), NONE);
    }
    assert_eq!(violated(&post_as(&shop.public, ADA, "order-20").await), ["expensive"]);
    assert_eq!(violated(&get_as(&shop.public, ADA, "/orders").await), NONE, "cheap ones go on");
    assert_eq!(violated(&post_as(&shop.public, BEN, "order-20").await), NONE, "and so do others");
    shop.close().await;
}

#[tokio::test]
async fn a_tenant_has_one_limit_for_all_of_its_users() {
    let (shop, _time) = shop(|settings| settings.rate_limits.tenant = Some(per_minute(7))).await;
    for key in [ADA, BEN, ADA, BEN, ADA, BEN, ADA] {
        assert_eq!(violated(&get_as(&shop.public, key, "/").await), NONE);
    }
    for key in [ADA, BEN] {
        assert_eq!(violated(&get_as(&shop.public, key, "/").await), ["tenant"]);
    }
    assert_eq!(violated(&get_as(&shop.public, CLEO, "/").await), NONE);
    shop.close().await;
}

#[tokio::test]
async fn everybody_shares_one_limit() {
    let (shop, _time) = shop(|settings| settings.rate_limits.global = Some(per_minute(4))).await;
    for key in [ADA, BEN, CLEO] {
        assert_eq!(violated(&get_as(&shop.public, key, "/").await), NONE);
    }
    assert_eq!(violated(&shop.public.get("/").await), NONE);
    assert_eq!(violated(&get_as(&shop.public, ADA, "/").await), ["global"]);
    assert_eq!(violated(&shop.public.get("/").await), ["global"]);
    shop.close().await;
}

#[tokio::test]
async fn every_limit_that_is_reached_is_named() {
    let (shop, _time) = shop(|settings| {
        settings.rate_limits.expensive = Some(per_minute(1));
        settings.rate_limits.user = Some(per_minute(1));
        settings.rate_limits.tenant = Some(per_minute(1));
        settings.rate_limits.global = Some(per_minute(1));
    })
    .await;
    assert_eq!(violated(&post_as(&shop.public, ADA, "order-0").await), NONE);
    assert_eq!(violated(&post_as(&shop.public, ADA, "order-1").await), ["expensive", "user", "tenant", "global"]);
    assert_eq!(violated(&get_as(&shop.public, ADA, "/").await), ["user", "tenant", "global"]);
    assert_eq!(violated(&get_as(&shop.public, BEN, "/").await), ["tenant", "global"]);
    assert_eq!(violated(&shop.public.get("/").await), ["global"]);
    shop.close().await;
}

#[tokio::test]
async fn a_refused_request_takes_from_no_limit() {
    let (shop, _time) = shop(|settings| settings.rate_limits.user = Some(per_minute(3))).await;
    for _ in 0..3 {
        get_as(&shop.public, ADA, "/").await;
    }
    for _ in 0..10 {
        assert_eq!(violated(&post_as(&shop.public, ADA, "order-1").await), ["user"]);
    }
    let (user, global) = (figures(&shop, "user").await, figures(&shop, "global").await);
    assert_eq!((&user["admitted"], &user["throttled"]), (&json!(3), &json!(10)), "{user}");
    assert_eq!((&global["admitted"], &global["throttled"], &global["remaining"]), (&json!(3), &json!(0), &json!(997)));
    for name in ["tenant", "expensive"] {
        let limit = figures(&shop, name).await;
        let taken = if name == "tenant" { 3 } else { 0 };
        assert_eq!((&limit["admitted"], &limit["throttled"]), (&json!(taken), &json!(0)), "{limit}");
    }
    // Twenty expensive requests are left to the whole of them.
    assert_eq!(figures(&shop, "expensive").await["keys"], 0);
    shop.close().await;
}

#[tokio::test]
async fn a_limit_in_shadow_counts_what_it_would_refuse() {
    let shadowed = Config::new(Quota::per_minute(3)).mode(Mode::Shadow);
    let (shop, _time) = shop(|settings| settings.rate_limits.user = Some(shadowed)).await;
    for _ in 0..5 {
        assert_eq!(violated(&get_as(&shop.public, ADA, "/").await), NONE);
    }
    let user = figures(&shop, "user").await;
    assert_eq!(
        (&user["mode"], &user["admitted"], &user["shadowed"], &user["throttled"]),
        (&json!("shadow"), &json!(3), &json!(2), &json!(0)),
    );
    assert_eq!(figures(&shop, "global").await["admitted"], 5, "the others go on");
    shop.close().await;
}

async fn what_was_refused_is_not_stored(engine: Engine) {
    let shop = Shop::open_with(engine, |settings| settings.profile = Profile::Demo).await;
    let mut placed = 0;
    for number in 0..30 {
        let answer = shop.public.post_order(order_text(&format!("order-{number}"))).await;
        if violated(&answer).is_empty() {
            placed += 1;
        } else {
            assert_eq!(violated(&answer), ["expensive", "address"]);
        }
    }
    assert_eq!(placed, 20);
    let orders = get_as(&shop.public, CLEO, "/orders?limit=100").await.json();
    assert_eq!(orders["orders"].as_array().map(Vec::len), Some(placed));
    assert_eq!(shop.provider().figures().done.charges, placed as u64);
    shop.close().await;
}

async fn with_load_every_limit_is_on_and_out_of_the_way(engine: Engine) {
    let shop = Shop::open(engine).await;
    for number in 0..60 {
        assert_eq!(violated(&post_as(&shop.public, ADA, &format!("order-{number}")).await), NONE);
        assert_eq!(violated(&shop.public.get("/products").await), NONE);
    }
    for (name, limit, admitted) in [
        ("expensive", 20_000_000, 60),
        ("address", 20_000_000, 60),
        ("user", 100_000_000, 60),
        ("tenant", 500_000_000, 60),
    ] {
        let shown = figures(&shop, name).await;
        assert_eq!((&shown["quotas"][0]["limit"], &shown["admitted"]), (&json!(limit), &json!(admitted)), "{shown}");
    }
    let global = figures(&shop, "global").await;
    assert_eq!((&global["quota"]["limit"], &global["admitted"]), (&json!(1_000_000_000), &json!(120)), "{global}");
    shop.close().await;
}
