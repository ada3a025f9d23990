//! What the service tells about itself is true and complete.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use http_body_util::Full;
use seawall_retry::http::{IncomingConfig, TimeoutHeader};
use serde_json::Value;

use crate::support::{Client, Engine, Exposition, Process, Shop, Storage, order_text};

each_engine!(
    the_document_lists_every_route,
    every_route_keeps_deadlines_and_says_so,
    the_document_names_the_header_that_tells_deadlines,
    the_front_page_leads_everywhere,
    the_front_page_shows_the_profile,
    the_document_describes_the_order_that_the_readme_sends,
    metrics_are_openmetrics_and_count_what_happened,
    every_answer_has_its_headers,
    a_healthy_service_says_so,
    each_limit_on_waiting_counts_under_its_name,
);

/// Every route in the document of the listener, as "METHOD path".
async fn described(client: &Client) -> BTreeSet<String> {
    let document = client.get("/openapi.json").await;
    assert_eq!(document.header("content-type"), "application/json");
    let document = document.json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "{document}");
    let mut routes = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            assert!(operation["responses"].as_object().is_some_and(|answers| !answers.is_empty()), "{method} {path}");
            routes.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    routes
}

/// Whether the listener has the route: its own "no such route" or "no such method" says no.
async fn has_route(client: &Client, route: &str) -> bool {
    let (method, path) = route.split_once(' ').expect("a method and a path");
    let path = path.replace("{id}", "unknown").replace("{name}", "unknown");
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    // Without any time, so that nothing is done.
    let request = client.request(method, &path).header("x-request-timeout-ms", "0");
    let answer = client.send(request.body(Full::default()).expect("a good request")).await;
    let no_route = answer.status == StatusCode::NOT_FOUND && answer.text().contains("there is no route");
    !no_route && answer.status != StatusCode::METHOD_NOT_ALLOWED
}

async fn the_document_lists_every_route(engine: Engine) {
    let shop = Shop::open(engine).await;
    let public = described(&shop.public).await;
    let expected = [
        "GET /",
        "GET /bulkheads",
        "GET /circuit-breakers",
        "GET /circuit-breakers/{name}",
        "GET /degradation",
        "GET /demo/load-test",
        "GET /health",
        "GET /livez",
        "GET /metrics",
        "GET /openapi.json",
        "GET /orders",
        "GET /orders/{id}",
        "GET /products",
        "GET /products/{id}",
        "GET /rate-limits",
        "GET /readyz",
        "GET /statistics",
        "GET /suggestions",
        "GET /worker-pools",
        "POST /orders",
        "POST /suggestions/feedback",
    ];
    assert_eq!(public, expected.map(str::to_owned).into());
    let admin = described(&shop.admin).await;
    let expected = [
        "GET /admin/bulkheads/{name}",
        "GET /admin/circuit-breakers/{name}/config",
        "GET /admin/load",
        "GET /admin/rate-limits/{name}",
        "GET /admin/worker-pools/{name}",
        "GET /admin/worker-pools/{name}/dead-letters",
        "GET /health",
        "GET /inventory-provider",
        "GET /livez",
        "GET /openapi.json",
        "GET /payment-provider",
        "GET /readyz",
        "POST /admin/worker-pools/{name}/redrive",
        "PUT /admin/bulkheads/{name}",
        "PUT /admin/circuit-breakers/{name}",
        "PUT /admin/circuit-breakers/{name}/config",
        "PUT /admin/load",
        "PUT /admin/rate-limits/{name}",
        "PUT /admin/worker-pools/{name}",
        "PUT /inventory-provider",
        "PUT /payment-provider",
    ];
    assert_eq!(admin, expected.map(str::to_owned).into());

    for (client, routes) in [(&shop.public, &public), (&shop.admin, &admin)] {
        for route in routes {
            assert!(has_route(client, route).await, "{route} is described but not there");
        }
        // And a path of the one listener is not on the other unless it says so.
        for route in public.union(&admin).filter(|route| !routes.contains(*route)) {
            assert!(!has_route(client, route).await, "{route} is there but not described");
        }
    }
    shop.close().await;
}

async fn every_route_keeps_deadlines_and_says_so(engine: Engine) {
    const HEADER: &str = "x-request-timeout-ms";
    let shop = Shop::open(engine).await;
    for client in [&shop.public, &shop.admin] {
        let document = client.get("/openapi.json").await.json();
        for route in described(client).await {
            let (method, path) = route.split_once(' ').expect("a method and a path");
            let operation = &document["paths"][path][method.to_lowercase()];
            let header = operation["parameters"].as_array().into_iter().flatten().find(|it| it["name"] == HEADER);
            assert!(header.is_some_and(|header| header["in"] == "header"), "{route}: {operation}");
            for (told, status, kind) in [("soon", "400", "malformed-request"), ("0", "504", "deadline-passed")] {
                let described = &operation["responses"][status]["content"]["application/problem+json"]["schema"];
                assert_eq!(described["$ref"], "#/components/schemas/Problem", "{route}: {operation}");
                let method = Method::from_bytes(method.as_bytes()).expect("a method");
                let request = client.request(method, &path.replace("{id}", "unknown").replace("{name}", "payment"));
                let request = request.header(HEADER, told).body(Full::default()).expect("a good request");
                let answer = client.send(request).await;
                assert_eq!(answer.status.as_str(), status, "{route}, {told}: {}", answer.text());
                assert_eq!(answer.problem()["type"], format!("urn:order-service:problem:{kind}"), "{route}");
            }
        }
        assert!(document["components"]["schemas"]["Problem"]["properties"]["errors"].is_object());
    }
    shop.close().await;
}

async fn the_document_names_the_header_that_tells_deadlines(engine: Engine) {
    let shop = Shop::open_with(engine, |settings| {
        settings.server.deadline = IncomingConfig::default().header(TimeoutHeader::grpc());
    })
    .await;
    let parameters = shop.public.get("/openapi.json").await.json()["paths"]["/livez"]["get"]["parameters"].clone();
    assert_eq!(parameters[0]["name"], "grpc-timeout", "{parameters}");
    shop.close().await;
}

async fn each_limit_on_waiting_counts_under_its_name(engine: Engine) {
    let shop = Shop::open_with(engine, |settings| settings.server.body_timeout = Duration::from_secs(7)).await;
    shop.public.post_order(order_text("order-1")).await;
    let metrics = shop.public.get("/metrics").await;
    let figures = Exposition::parse(metrics.text());
    assert_eq!(figures.count(r#"seawall_timeout_calls_total{name="body",end="in_time"}"#), 1);
    assert!(metrics.text().contains("seawall_timeout_limit_seconds{name=\"body\"} 7.0"), "{}", metrics.text());
    let mut names = vec!["body", "leftover-body", "shutdown", "request", "payment", "inventory", "database"];
    if engine == Engine::Postgres {
        names.extend(["postgresql-answer", "postgresql-return", "postgresql-schema"]);
        assert!(figures.count(r#"seawall_timeout_calls_total{name="postgresql-answer",end="in_time"}"#) >= 1);
    }
    for name in names {
        assert_eq!(figures.count(&format!(r#"seawall_timeout_calls_total{{name="{name}",end="elapsed"}}"#)), 0);
    }
    shop.close().await;
}

async fn the_front_page_leads_everywhere(engine: Engine) {
    let shop = Shop::open(engine).await;
    let overview = shop.public.get("/").await.json();
    assert_eq!(overview["profile"], "load");
    let links = overview["links"].as_array().expect("links");
    let mut linked: BTreeSet<_> = links.iter().filter_map(|link| link["route"].as_str().map(str::to_owned)).collect();
    linked.insert("GET /".to_owned());
    assert_eq!(linked, described(&shop.public).await);
    shop.close().await;
}

async fn the_front_page_shows_the_profile(engine: Engine) {
    let storage = Storage::new(engine);
    let config = storage.folder().join("shop.toml");
    fs::write(&config, "profile = 'load'").expect("the file can be written");
    let config = config.to_str().expect("a UTF-8 path");
    // What is said last counts.
    for (arguments, profile) in [
        (&["--profile", "load"][..], "load"),
        (&["--config", config], "load"),
        (&["--config", config, "--profile", "demo"], "demo"),
        (&[], "demo"),
    ] {
        let mut service = Process::start_as_told(&storage, arguments);
        assert_eq!(service.public.get("/").await.json()["profile"], profile, "{arguments:?}");
        service.kill();
    }
}

async fn the_document_describes_the_order_that_the_readme_sends(engine: Engine) {
    let shop = Shop::open(engine).await;
    let document = shop.public.get("/openapi.json").await.json();
    let schema = &document["components"]["schemas"]["NewOrder"];
    let fields: BTreeSet<_> = schema["properties"].as_object().expect("properties").keys().cloned().collect();
    let sent: Value = serde_json::from_str(&order_text("order-1")).expect("JSON");
    assert_eq!(fields, sent.as_object().expect("an object").keys().cloned().collect());
    assert_eq!(schema["required"].as_array().map(Vec::len), Some(5));
    assert_eq!(document["components"]["schemas"]["Amount"]["type"], "number");
    shop.close().await;
}

async fn metrics_are_openmetrics_and_count_what_happened(engine: Engine) {
    let shop = Shop::open(engine).await;
    shop.public.post_order(order_text("order-1")).await;
    shop.public.post_order("{").await;
    shop.public.get("/wp-admin/1").await;
    shop.public.get("/wp-admin/2").await;
    let answer = shop.public.get("/metrics").await;
    assert!(answer.header("content-type").starts_with("application/openmetrics-text; version=1.0.0"));
    let figures = Exposition::parse(answer.text());

    let requests = "http_server_request_duration_seconds_count";
    for (labels, count) in [
        (r#"http_request_method="POST",http_route="/orders",http_response_status_code="201""#, 1),
        (r#"http_request_method="POST",http_route="/orders",http_response_status_code="400""#, 1),
        (r#"http_request_method="GET",http_route="unmatched",http_response_status_code="404""#, 2),
    ] {
        assert_eq!(figures.count(&format!("{requests}{{{labels}}}")), count, "{labels}");
    }
    assert_eq!(figures.count("http_server_active_requests"), 1, "the scrape itself");
    assert_eq!(figures.count("orders_accepted_total"), 1);
    assert_eq!(figures.count(r#"orders_paid_total{by="request"}"#), 1);
    assert_eq!(figures.count(r#"seawall_circuit_breaker_calls_total{name="payment",outcome="success"}"#), 1);
    let system = format!(r#"db_system_name="{}""#, engine.name());
    assert!(figures.count(&format!(r#"db_client_operation_duration_seconds_count{{{system},outcome="ok"}}"#)) > 0);
    assert!(figures.count(&format!("db_client_connection_max{{{system}}}")) >= 10);
    for family in [
        "seawall_circuit_breaker_state",
        "seawall_circuit_breaker_refused",
        "seawall_circuit_breaker_transitions",
        "seawall_worker_pool_workers",
        "seawall_worker_pool_jobs",
        "seawall_bulkhead_limit",
        "seawall_bulkhead_calls",
        "seawall_bulkhead_load_ratio",
        "seawall_bulkhead_feature_on",
    ] {
        assert!(figures.families.contains_key(family) && figures.has(family), "{family}");
    }
    shop.close().await;
}

async fn every_answer_has_its_headers(engine: Engine) {
    let shop = Shop::open(engine).await;
    for path in ["/", "/orders", "/nowhere", "/orders/%ff", "/metrics", "/health"] {
        let answer = shop.public.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert!(!answer.header("x-request-id").is_empty(), "{path}");
    }
    let ids =
        [shop.public.get("/").await, shop.public.get("/").await].map(|answer| answer.header("x-request-id").to_owned());
    assert_ne!(ids[0], ids[1]);
    let request = shop.public.request(Method::GET, "/").header("x-request-id", "caller-7");
    let answer = shop.public.send(request.body(Full::default()).expect("a good request")).await;
    assert_eq!(answer.header("x-request-id"), "caller-7");
    shop.close().await;
}

async fn a_healthy_service_says_so(engine: Engine) {
    let shop = Shop::open(engine).await;
    for path in ["/health", "/livez", "/readyz"] {
        for client in [&shop.public, &shop.admin] {
            let answer = client.get(path).await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (StatusCode::OK, "application/health+json"),
                "{path}"
            );
            assert_eq!(answer.json()["status"], "pass", "{path}");
        }
    }
    let checks = shop.public.get("/health").await.json()["checks"].clone();
    for check in [
        "database:circuitBreaker",
        "database:responseTime",
        "database-writes:circuitBreaker",
        "lifecycle:state",
        "orders:paymentPending",
        "orders:storage",
        "standard:workerPool",
        "high-priority:workerPool",
        "database:bulkhead",
        "heavy:bulkhead",
        "load:level",
        "payment:circuitBreaker",
    ] {
        assert_eq!(checks[check][0]["status"], "pass", "{check} in {checks}");
    }
    assert_eq!(checks["database:responseTime"][0]["componentId"], engine.name());
    assert_eq!(shop.public.get("/livez").await.json().get("checks"), None, "liveness asks nobody");
    shop.close().await;
}
