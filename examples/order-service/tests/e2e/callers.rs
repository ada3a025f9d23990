//! Callers are told apart by their keys, and no key is ever told on.

use std::fs;
use std::time::Duration;

use axum::http::{HeaderValue, Method, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Answer, Client, Engine, Exposition, Nowhere, Process, Shop, Storage, eventually, order_text};

each_engine!(
    a_known_key_is_let_pass_and_so_is_none,
    an_unknown_key_is_refused_wherever_callers_matter_and_nowhere_else,
    no_odd_key_is_taken_for_a_good_one,
    a_key_given_twice_is_refused,
    a_key_is_known_and_forgotten_as_the_database_has_it,
    keys_that_cannot_be_read_again_still_count,
    a_row_that_is_no_key_harms_no_other,
    the_log_names_users_and_tenants_and_no_key,
);

/// Every key that the manual names, with its user and tenant.
const KEYS: [(&str, &str, &str); 4] = [
    ("demo-harbour-ada", "ada", "harbour"),
    ("demo-harbour-ben", "ben", "harbour"),
    ("demo-station-cleo", "cleo", "station"),
    ("demo-station-dan", "dan", "station"),
];

/// What has to be asked for without being known.
const FOR_EVERYBODY: [&str; 8] = [
    "/health",
    "/livez",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/rate-limits",
    "/circuit-breakers",
    "/circuit-breakers/payment",
];

async fn ask(client: &Client, method: Method, path: &str, keys: &[&[u8]]) -> Answer {
    let request = client.request(method, path);
    let request = keys.iter().fold(request, |request, key| {
        request.header("x-api-key", HeaderValue::from_bytes(key).expect("a header's value"))
    });
    client.send(request.body(Full::default()).expect("a good request")).await
}

async fn get(client: &Client, path: &str, key: &str) -> Answer {
    ask(client, Method::GET, path, &[key.as_bytes()]).await
}

async fn post_order(client: &Client, id: &str, key: &str) -> Answer {
    let request = client.request(Method::POST, "/orders").header("content-type", "application/json");
    let body = Full::new(order_text(id).into());
    client.send(request.header("x-api-key", key).body(body).expect("a good request")).await
}

/// The answer tells that the key is unknown, and does not repeat it.
fn assert_unknown(answer: &Answer, key: &[u8]) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text());
    assert_eq!(answer.problem()["type"], "urn:order-service:problem:unknown-caller");
    assert_eq!(answer.header("www-authenticate"), r#"ApiKey realm="order-service""#);
    let key = String::from_utf8_lossy(key);
    assert!(key.len() < 3 || !answer.text().contains(&*key), "{}", answer.text());
}

async fn a_known_key_is_let_pass_and_so_is_none(engine: Engine) {
    let shop = Shop::open(engine).await;
    for (number, (key, ..)) in KEYS.into_iter().enumerate() {
        assert_eq!(get(&shop.public, "/products", key).await.status, StatusCode::OK, "{key}");
        assert_eq!(
            post_order(&shop.public, &format!("order-{number}"), key).await.status,
            StatusCode::CREATED,
            "{key}"
        );
    }
    assert_eq!(shop.public.post_order(order_text("without-a-key")).await.status, StatusCode::CREATED);
    assert_eq!(shop.count_orders().await, KEYS.len() + 1);
    shop.close().await;
}

async fn an_unknown_key_is_refused_wherever_callers_matter_and_nowhere_else(engine: Engine) {
    const UNKNOWN: &str = "demo-harbour-eve";
    let shop = Shop::open(engine).await;
    assert_unknown(&post_order(&shop.public, "order-1", UNKNOWN).await, UNKNOWN.as_bytes());
    assert_eq!(shop.count_orders().await, 0);

    let mut refusing = Vec::new();
    for client in [&shop.public, &shop.admin] {
        let document = client.get("/openapi.json").await.json();
        for (path, operations) in document["paths"].as_object().expect("paths") {
            for (method, operation) in operations.as_object().expect("operations") {
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
                let target = path.replace("{id}", "unknown").replace("{name}", "payment");
                let answer = ask(client, method.clone(), &target, &[UNKNOWN.as_bytes()]).await;
                let is_refused = answer.status == StatusCode::UNAUTHORIZED;
                // The document says exactly where a key is looked at, and that it may be left out.
                let described = if is_refused { json!([{}, {"api_key": []}]) } else { Value::Null };
                assert_eq!(operation["security"], described, "{method} {path}: {operation}");
                assert_eq!(operation["responses"]["401"].is_object(), is_refused, "{method} {path}");
                if is_refused {
                    assert_unknown(&answer, UNKNOWN.as_bytes());
                    refusing.push(format!("{method} {path}"));
                }
            }
        }
        let scheme = &document["components"]["securitySchemes"]["api_key"];
        let described = (&scheme["type"], &scheme["in"], &scheme["name"]);
        if client.get("/orders").await.status == StatusCode::OK {
            assert_eq!(described, (&json!("apiKey"), &json!("header"), &json!("X-Api-Key")));
        } else {
            assert_eq!(scheme, &Value::Null, "nobody needs a key here");
        }
    }
    let expected = [
        "GET /",
        "GET /demo/load-test",
        "GET /orders",
        "POST /orders",
        "GET /orders/{id}",
        "GET /products",
        "GET /products/{id}",
        "GET /statistics",
        "GET /suggestions",
        "POST /suggestions/feedback",
    ];
    assert_eq!(refusing, expected);
    for path in FOR_EVERYBODY {
        assert_eq!(get(&shop.public, path, UNKNOWN).await.status, StatusCode::OK, "{path}");
    }
    shop.close().await;
}

async fn no_odd_key_is_taken_for_a_good_one(engine: Engine) {
    let shop = Shop::open(engine).await;
    let good = KEYS[0].0;
    let long = "x".repeat(10_000);
    let padded = format!("{good}{}", " x".repeat(5_000));
    let fingerprint = "f74f9bc1e5400b86e8389c07ae6a58e2f7e47f1342ed677f33500ccf7e484e64";
    let upper = good.to_uppercase();
    let list = format!("{good}, {good}");
    for key in [
        &b""[..],
        b" ",
        b"\t",
        b"a\tb",
        b"\xff\xfe\xfd",
        "schlüssel".as_bytes(),
        "demo-harbour-ada\u{200b}".as_bytes(),
        b"' OR ''='",
        b"%00",
        long.as_bytes(),
        padded.as_bytes(),
        fingerprint.as_bytes(),
        upper.as_bytes(),
        list.as_bytes(),
        &good.as_bytes()[1..],
    ] {
        assert_unknown(&ask(&shop.public, Method::GET, "/orders", &[key]).await, key);
    }
    // What cannot be a header's value is no request at all. The spaces around one do not belong to it.
    for (key, status) in
        [("demo\0ada", "400"), ("demo\u{1}ada", "400"), ("demo\u{7f}ada", "400"), ("  demo-harbour-ada ", "200")]
    {
        let mut stream = TcpStream::connect(("127.0.0.1", shop.port())).await.expect("a connection");
        let head = format!("GET /orders HTTP/1.1\r\nhost: shop\r\nconnection: close\r\nx-api-key: {key}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("the head is taken");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{key:?}: {answer}");
    }
    shop.close().await;
}

async fn a_key_given_twice_is_refused(engine: Engine) {
    let shop = Shop::open(engine).await;
    let (ada, ben) = (KEYS[0].0.as_bytes(), KEYS[1].0.as_bytes());
    for keys in [&[ada, ben][..], &[ada, ada], &[b"", ada], &[ada, ben, ada]] {
        let answer = ask(&shop.public, Method::GET, "/orders", keys).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
        let problem = answer.problem();
        assert_eq!(problem["errors"][0]["field"], "X-Api-Key", "{problem}");
        assert!(!answer.text().contains("demo-"), "{problem}");
    }
    shop.close().await;
}

fn refreshed_often(settings: &mut order_service::config::Settings) {
    settings.callers.refresh = Duration::from_millis(20);
}

async fn a_key_is_known_and_forgotten_as_the_database_has_it(engine: Engine) {
    let shop = Shop::open_with(engine, refreshed_often).await;
    let ben = async |status| (get(&shop.public, "/orders", "demo-harbour-ben").await.status == status).then_some(());
    ben(StatusCode::OK).await.expect("a known key");
    shop.storage().execute("DELETE FROM api_keys WHERE user_id = 'ben'").await;
    eventually("the key is forgotten", async || ben(StatusCode::UNAUTHORIZED).await).await;
    // SHA-256 of "a-new-key", as `printf a-new-key | sha256sum` has it, in upper case.
    let insert = "INSERT INTO api_keys VALUES (upper('c4525048dd44890acfade92453368372bd2afeee710b8f511da95af95a469c1b'), 'ben')";
    shop.storage().execute(insert).await;
    let new = async || (get(&shop.public, "/orders", "a-new-key").await.status == StatusCode::OK).then_some(());
    eventually("the new key is known", new).await;
    assert_eq!(
        get(&shop.public, "/orders", "demo-harbour-ada").await.status,
        StatusCode::OK,
        "the others are as they were"
    );
    shop.close().await;
}

async fn keys_that_cannot_be_read_again_still_count(engine: Engine) {
    let shop = Shop::open_with(engine, refreshed_often).await;
    shop.storage().execute("ALTER TABLE api_keys RENAME TO elsewhere").await;
    let series =
        format!(r#"db_client_operation_duration_seconds_count{{db_system_name="{}",outcome="fault"}}"#, engine.name());
    eventually("reading the keys failed, and again", async || {
        let figures = Exposition::parse(shop.public.get("/metrics").await.text());
        (figures.count(&series) > 2).then_some(())
    })
    .await;
    assert_eq!(get(&shop.public, "/orders", KEYS[0].0).await.status, StatusCode::OK);
    assert_unknown(&get(&shop.public, "/orders", "demo-harbour-eve").await, b"demo-harbour-eve");
    let breaker = shop.public.get("/circuit-breakers/database").await.json();
    assert_eq!((&breaker["state"], &breaker["total"]["failures"]), (&json!("closed"), &json!(0)), "it only looks");
    shop.storage().execute("ALTER TABLE elsewhere RENAME TO api_keys").await;
    shop.storage().execute("DELETE FROM api_keys").await;
    eventually("the keys are read again", async || {
        (get(&shop.public, "/orders", KEYS[0].0).await.status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    shop.close().await;
}

async fn a_row_that_is_no_key_harms_no_other(engine: Engine) {
    let shop = Shop::open_with(engine, refreshed_often).await;
    // As long as one, but not hexadecimal: somebody stored a key in clear.
    let insert =
        "INSERT INTO api_keys VALUES ('a-key-in-clear-that-has-sixty-four-characters-as-a-hash-has-them', 'ben')";
    shop.storage().execute(insert).await;
    shop.storage().execute("DELETE FROM api_keys WHERE user_id = 'dan'").await;
    eventually("the keys are read again", async || {
        (get(&shop.public, "/orders", "demo-station-dan").await.status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    assert_eq!(get(&shop.public, "/orders", KEYS[0].0).await.status, StatusCode::OK);
    let clear = "a-key-in-clear-that-has-sixty-four-characters-as-a-hash-has-them";
    assert_unknown(&get(&shop.public, "/orders", clear).await, clear.as_bytes());
    shop.close().await;
}

#[tokio::test]
async fn a_key_waits_for_a_database_that_was_never_there() {
    let nowhere = Nowhere::new();
    let storage = Storage::at(Some(format!("{}/orders", nowhere.url("postgres"))));
    let shop = Shop::open_on(storage, |settings| settings.database.acquire_timeout = Duration::from_millis(100)).await;
    let answer = get(&shop.public, "/", KEYS[0].0).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text());
    answer.problem();
    assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{answer:?}");
    // Nothing has to be looked up for the others.
    assert_eq!(shop.public.get("/").await.status, StatusCode::OK);
    assert_eq!(get(&shop.public, "/livez", KEYS[0].0).await.status, StatusCode::OK);
    shop.close().await;
}

async fn the_log_names_users_and_tenants_and_no_key(engine: Engine) {
    let storage = Storage::new(engine);
    let config = storage.folder().join("shop.toml");
    fs::write(&config, "[log]\nlevel = 'trace'").expect("the file can be written");
    let service = Process::start(&storage, &["--config", config.to_str().expect("a UTF-8 path")]);
    for (key, ..) in KEYS {
        assert_eq!(get(&service.public, "/products", key).await.status, StatusCode::OK);
    }
    assert_unknown(&get(&service.public, "/products", "a-secret-of-mine").await, b"a-secret-of-mine");
    ask(&service.public, Method::GET, "/products", &[b"a-secret-of-mine", b"another-secret"]).await;
    get(&service.public, "/health", "a-secret-of-mine").await;
    service.public.get("/orders").await;

    // The last request is logged after all others.
    let lines = eventually("everything is logged", async || {
        let lines = service.logged();
        lines.iter().any(|line| line.contains("answered") && line.contains("/orders")).then_some(lines)
    })
    .await;
    let answered: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"))
        .filter(|line| line["message"] == "answered")
        .collect();
    for (_, user, tenant) in KEYS {
        let by = answered.iter().find(|line| line["span"]["user"] == user);
        assert_eq!(by.map(|line| &line["span"]["tenant"]), Some(&json!(tenant)), "{answered:?}");
    }
    assert_eq!(answered.iter().filter(|line| line["span"].get("user").is_some()).count(), KEYS.len());
    for line in &lines {
        assert!(!line.contains("demo-") && !line.contains("secret"), "{line}");
    }
}
