//! Everything that a caller can get wrong: refused with a problem document that names what is wrong, and nothing stored.

use std::time::Duration;

use axum::http::{Method, StatusCode, header};
use bytes::Bytes;
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Engine, Exposition, Shop, order, order_text};

each_engine!(
    a_bad_order_names_its_field_and_leaves_no_trace,
    all_mistakes_are_told_at_once,
    an_order_is_read_as_json_only,
    bad_paths_and_parameters_are_told,
    a_body_that_never_ends_is_not_waited_for,
    a_body_without_length_is_bounded_too,
    an_answer_reaches_a_caller_that_is_still_sending,
    what_is_not_http_harms_nobody,
);

/// The good order with one value replaced, given as JSON text so that it can be any number.
fn with(pointer: &str, replacement: &str) -> Bytes {
    let marker = "\u{1}marker";
    let mut body = order("bad");
    *body.pointer_mut(pointer).expect("a field of the order") = json!(marker);
    body.to_string().replace(&json!(marker).to_string(), replacement).into()
}

/// The good order with one more field in the object at `pointer`.
fn with_extra(pointer: &str, field: &str) -> Bytes {
    let mut body = order("bad");
    body.pointer_mut(pointer).expect("an object of the order")[field] = json!(1);
    body.to_string().into()
}

/// The good order without one field.
fn without(pointer: &str, field: &str) -> Bytes {
    let mut body = order("bad");
    body.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object of the order").remove(field);
    body.to_string().into()
}

fn items(number: usize) -> Bytes {
    let mut body = order("bad");
    body["items"] = vec![body["items"][0].clone(); number].into();
    body.to_string().into()
}

async fn a_bad_order_names_its_field_and_leaves_no_trace(engine: Engine) {
    const UNPROCESSABLE: u16 = 422;
    let long = format!("\"{}\"", "x".repeat(65));
    let long_name = format!("\"{}\"", "é".repeat(201));
    let nested = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    let cases: Vec<(&str, Bytes, u16, &str)> = vec![
        ("no body", "".into(), 400, ""),
        ("half a body", order_text("bad")[..40].to_owned().into(), 400, ""),
        ("two bodies", order_text("bad").repeat(2).into(), 400, ""),
        (
            "invalid UTF-8",
            Bytes::from(
                order_text("bad")
                    .replace("Espresso", "\u{0}")
                    .into_bytes()
                    .into_iter()
                    .map(|byte| if byte == 0 { 0xff } else { byte })
                    .collect::<Vec<_>>(),
            ),
            400,
            "",
        ),
        ("half a surrogate pair", with("/items/0/name", r#""\ud800""#), 400, ""),
        ("a byte order mark", format!("\u{feff}{}", order_text("bad")).into(), 400, ""),
        ("endless nesting", nested.into(), UNPROCESSABLE, "."),
        ("nesting in a number's place", with("/total", &"[".repeat(10_000)), 400, ""),
        ("a number as body", "7".into(), UNPROCESSABLE, "."),
        ("a list as body", format!("[{}]", order_text("bad")).into(), UNPROCESSABLE, "."),
        ("the fields as a list", r#"["bad","c",[],0,1]"#.into(), UNPROCESSABLE, "."),
        ("an unknown field", with_extra("", "colour"), UNPROCESSABLE, "colour"),
        ("an unknown field of an item", with_extra("/items/0", "colour"), UNPROCESSABLE, "items[0].colour"),
        ("a missing field", without("", "total"), UNPROCESSABLE, "total"),
        ("a missing field of an item", without("/items/0", "price"), UNPROCESSABLE, "items[0].price"),
        ("a field given twice", order_text("bad").replacen('{', r#"{"id":"other","#, 1).into(), UNPROCESSABLE, "id"),
        ("an empty id", with("/id", r#""""#), UNPROCESSABLE, "id"),
        ("an id with a slash", with("/id", r#""a/b""#), UNPROCESSABLE, "id"),
        ("an id with a quote", with("/id", r#""a'--""#), UNPROCESSABLE, "id"),
        ("an id that is too long", with("/id", &long), UNPROCESSABLE, "id"),
        ("a number as id", with("/id", "7"), UNPROCESSABLE, "id"),
        ("no id", with("/id", "null"), UNPROCESSABLE, "id"),
        ("a bad customer", with("/customer_id", r#"" ""#), UNPROCESSABLE, "customer_id"),
        ("no items", with("/items", "[]"), UNPROCESSABLE, "items"),
        ("items as object", with("/items", "{}"), UNPROCESSABLE, "items"),
        ("an item as list", with("/items/0", r#"["coffee-1","Espresso",2,4.5]"#), UNPROCESSABLE, "items[0]"),
        ("501 items", items(501), UNPROCESSABLE, "items"),
        ("10 000 items", items(10_000), UNPROCESSABLE, "items"),
        ("a bad product", with("/items/0/product_id", r#""..""#), UNPROCESSABLE, "items[0].product_id"),
        ("an empty name", with("/items/0/name", r#""""#), UNPROCESSABLE, "items[0].name"),
        ("a name that is too long", with("/items/0/name", &long_name), UNPROCESSABLE, "items[0].name"),
        ("a name with a NUL", with("/items/0/name", r#""a\u0000b""#), UNPROCESSABLE, "items[0].name"),
        ("a negative quantity", with("/items/0/quantity", "-2"), UNPROCESSABLE, "items[0].quantity"),
        ("a quantity of zero", with("/items/0/quantity", "0"), UNPROCESSABLE, "items[0].quantity"),
        ("half a quantity", with("/items/0/quantity", "1.5"), UNPROCESSABLE, "items[0].quantity"),
        ("a quantity in scientific notation", with("/items/0/quantity", "2e0"), UNPROCESSABLE, "items[0].quantity"),
        ("a quantity beyond the limit", with("/items/0/quantity", "10001"), UNPROCESSABLE, "items[0].quantity"),
        ("a quantity beyond 32 bits", with("/items/0/quantity", "4294967298"), UNPROCESSABLE, "items[0].quantity"),
        (
            "a quantity beyond 64 bits",
            with("/items/0/quantity", "18446744073709551618"),
            UNPROCESSABLE,
            "items[0].quantity",
        ),
        ("a quantity beyond floats", with("/items/0/quantity", &"9".repeat(400)), UNPROCESSABLE, "items[0].quantity"),
        ("a quantity as text", with("/items/0/quantity", r#""2""#), UNPROCESSABLE, "items[0].quantity"),
        ("a negative price", with("/items/0/price", "-4.50"), UNPROCESSABLE, "items[0].price"),
        ("a price with three decimals", with("/items/0/price", "4.505"), UNPROCESSABLE, "items[0].price"),
        ("a price in scientific notation", with("/items/0/price", "45e-1"), UNPROCESSABLE, "items[0].price"),
        ("a price beyond the limit", with("/items/0/price", "1000000.01"), UNPROCESSABLE, "items[0].price"),
        ("a price that overflows", with("/items/0/price", "92233720368547758.08"), UNPROCESSABLE, "items[0].price"),
        ("a price beyond floats", with("/items/0/price", &"9".repeat(400)), UNPROCESSABLE, "items[0].price"),
        ("a price as text", with("/items/0/price", r#""4.50""#), UNPROCESSABLE, "items[0].price"),
        ("a price as object", with("/items/0/price", r#"{"amount":4.5}"#), UNPROCESSABLE, "items[0].price"),
        ("a total that does not add up", with("/total", "9.01"), UNPROCESSABLE, "total"),
        ("a total that overflows", with("/total", "92233720368547758.08"), UNPROCESSABLE, "total"),
        ("a negative total", with("/total", "-9.00"), UNPROCESSABLE, "total"),
        ("priority 0", with("/priority", "0"), UNPROCESSABLE, "priority"),
        ("priority 6", with("/priority", "6"), UNPROCESSABLE, "priority"),
        ("priority 256", with("/priority", "259"), UNPROCESSABLE, "priority"),
        ("half a priority", with("/priority", "2.5"), UNPROCESSABLE, "priority"),
        ("a priority as text", with("/priority", r#""high""#), UNPROCESSABLE, "priority"),
        ("a body of 5 MiB", " ".repeat(5 * 1024 * 1024).into(), 413, ""),
        ("a body of more than 1 MiB", " ".repeat(1024 * 1024 + 1).into(), 413, ""),
    ];

    let shop = Shop::open(engine).await;
    for (name, body, status, field) in cases {
        let answer = shop.public.post_order(body).await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {}", answer.text());
        let problem = answer.problem();
        assert_eq!(problem["errors"][0]["field"].as_str().unwrap_or_default(), field, "{name}: {problem}");
        assert_eq!(shop.count_orders().await, 0, "{name} was stored");
    }
    assert_eq!(shop.provider().figures().requests, 0);
    assert_eq!(shop.public.post_order(order_text("bad")).await.status, StatusCode::CREATED, "good all along");
    shop.close().await;
}

async fn all_mistakes_are_told_at_once(engine: Engine) {
    let shop = Shop::open(engine).await;
    let body = r#"{"id":"","customer_id":"c","items":[
        {"product_id":"a","name":"A","quantity":1,"price":1.00},
        {"product_id":"b","name":"B","quantity":-1,"price":0.001}],"total":1e2,"priority":9}"#;
    let problem = shop.public.post_order(body).await.problem();
    let faults: Vec<_> =
        problem["errors"].as_array().expect("a list").iter().map(|fault| (&fault["field"], &fault["value"])).collect();
    let expected =
        [("id", ""), ("priority", "9"), ("total", "1e2"), ("items[1].quantity", "-1"), ("items[1].price", "0.001")]
            .map(|(field, value)| (json!(field), json!(value)));
    assert_eq!(faults, expected.iter().map(|(field, value)| (field, value)).collect::<Vec<_>>());
    shop.close().await;
}

async fn an_order_is_read_as_json_only(engine: Engine) {
    let shop = Shop::open(engine).await;
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonp"),
        Some(""),
        Some("\u{e9}"),
    ] {
        let mut request = shop.public.request(Method::POST, "/orders");
        if let Some(value) = content_type {
            request = request.header(header::CONTENT_TYPE, value.as_bytes());
        }
        let answer =
            shop.public.send(request.body(Full::new(order_text("typed").into())).expect("a good request")).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type:?}");
        assert_eq!(answer.problem()["errors"][0]["field"], "Content-Type", "{content_type:?}");
    }
    assert_eq!(shop.count_orders().await, 0);
    for (number, content_type) in
        ["application/json; charset=utf-8", "Application/JSON", "application/vnd.shop+json"].iter().enumerate()
    {
        let request = shop.public.request(Method::POST, "/orders").header(header::CONTENT_TYPE, *content_type);
        let body = Full::new(order_text(&format!("typed-{number}")).into());
        assert_eq!(shop.public.send(request.body(body).expect("a good request")).await.status, StatusCode::CREATED);
    }
    shop.close().await;
}

async fn bad_paths_and_parameters_are_told(engine: Engine) {
    let shop = Shop::open(engine).await;
    for (method, path, status, field) in [
        (Method::GET, "/nowhere", 404, ""),
        (Method::GET, "/orders/", 404, ""),
        (Method::GET, "//", 404, ""),
        (Method::POST, "/orders/order-1/cancel", 404, ""),
        (Method::GET, "/orders/unknown", 404, ""),
        (Method::GET, "/products/unknown", 404, ""),
        (Method::GET, "/orders/a%20b", 400, "id"),
        (Method::GET, "/orders/%ff", 400, "id"),
        (Method::GET, "/orders/a%2Fb", 400, "id"),
        (Method::GET, "/orders/%00", 400, "id"),
        (Method::GET, "/products/..%2f", 400, "id"),
        (Method::GET, "/orders?limit=0", 400, "limit"),
        (Method::GET, "/orders?limit=many", 400, "limit"),
        (Method::GET, "/orders?cursor=nonsense", 400, "cursor"),
        (Method::GET, "/orders?cursor=%ff", 400, "cursor"),
        (Method::GET, "/orders?page=2", 400, "page"),
        (Method::DELETE, "/orders", 405, ""),
        (Method::POST, "/health", 405, ""),
        (Method::from_bytes(b"BREW").expect("a method"), "/orders", 405, ""),
    ] {
        let request = shop.public.request(method.clone(), path).body(Full::default()).expect("a good request");
        let answer = shop.public.send(request).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", answer.text());
        let problem = answer.problem();
        assert_eq!(problem["errors"][0]["field"].as_str().unwrap_or_default(), field, "{method} {path}");
        if status == 405 {
            assert!(answer.header("allow").contains("GET"), "{method} {path}: {:?}", answer.headers);
        }
    }
    shop.close().await;
}

async fn a_body_that_never_ends_is_not_waited_for(engine: Engine) {
    let shop = Shop::open_with(engine, |settings| settings.server.body_timeout = Duration::from_millis(100)).await;
    let mut stream = TcpStream::connect(("127.0.0.1", shop.port())).await.expect("a connection");
    let head = "POST /orders HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("the head is taken");
    let mut answer = vec![0; 1024];
    let length = stream.read(&mut answer).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("application/problem+json"), "{answer}");
    let figures = Exposition::parse(shop.public.get("/metrics").await.text());
    assert_eq!(figures.count(r#"seawall_timeout_calls_total{name="body",end="elapsed"}"#), 1);
    assert_eq!(shop.count_orders().await, 0);
    shop.close().await;
}

async fn a_body_without_length_is_bounded_too(engine: Engine) {
    let shop = Shop::open(engine).await;
    let mut stream = TcpStream::connect(("127.0.0.1", shop.port())).await.expect("a connection");
    let head =
        "POST /orders HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("the head is taken");
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..17 {
        stream.write_all(chunk.as_bytes()).await.expect("the body is taken");
    }
    stream.write_all(b"0\r\n\r\n").await.expect("the body's end is taken");
    let mut answer = vec![0; 1024];
    let length = stream.read(&mut answer).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("application/problem+json"), "{answer}");
    assert_eq!(shop.count_orders().await, 0);
    shop.close().await;
}

async fn an_answer_reaches_a_caller_that_is_still_sending(engine: Engine) {
    let body = vec![b' '; 4 * 1024 * 1024];
    let shop = Shop::open(engine).await;
    let mut stream = TcpStream::connect(("127.0.0.1", shop.port())).await.expect("a connection");
    // All on one connection, which each answer leaves usable.
    for (request, status) in [
        ("POST /orders HTTP/1.1\r\ncontent-type: text/plain", 415),
        ("POST /nowhere HTTP/1.1", 404),
        ("DELETE /orders HTTP/1.1", 405),
        ("GET /livez HTTP/1.1", 200),
    ] {
        let head = format!("{request}\r\nhost: shop\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.expect("the head is taken");
        stream.write_all(&body).await.expect("the body is taken");
        let mut answer = vec![0; 4096];
        let length = stream.read(&mut answer).await.expect("an answer");
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
    }
    shop.close().await;
}

async fn what_is_not_http_harms_nobody(engine: Engine) {
    let shop = Shop::open(engine).await;
    for bytes in [
        &b"\0\0\0\0"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /orders HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        &vec![0xff; 70_000],
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", shop.port())).await.expect("a connection");
        // Either side may hang up first.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(shop.public.post_order(order_text("order-1")).await.status, StatusCode::CREATED);
    shop.close().await;
}
