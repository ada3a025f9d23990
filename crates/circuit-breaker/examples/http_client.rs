//! An HTTP client behind a breaker: a busy server is left alone as long as it asks, and a download that breaks off counts.
//!
//! `cargo run -p seawall-circuit-breaker --features http,tower --example http_client`

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use seawall_circuit_breaker::{CircuitBreaker, Config, HalfOpen};
use seawall_core::Rejection;
use seawall_core::http::{Problem, Statuses};
use seawall_core::time::Clock;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let (clock, time) = Clock::manual();
    let config = Config::empty().name("reports").consecutive_failures(1).half_open(HalfOpen::probes(1));
    let breaker = CircuitBreaker::with_clock(config, clock)?;

    // Any tower client will do, such as that of hyper-util; this one needs no network.
    let layer = breaker.layer().statuses(Statuses::default()).until_body_end().boxed();
    let mut client = layer.layer(service_fn(reports));

    for path in ["/march", "/nowhere", "/busy", "/march", "later", "/march", "/broken", "/march"] {
        if path == "later" {
            time.advance(Duration::from_secs(7));
            continue;
        }
        let told = match download(&mut client, path).await {
            Ok((status, length)) => format!("{status}, {length} bytes"),
            Err(error) => match Rejection::find(&*error) {
                Some(refused) => passed_on(refused),
                None => error.to_string(),
            },
        };
        println!("{path:<9} {told:<49} circuit {}", breaker.state());
    }
    Ok(())
}

/// The head alone proves nothing: the call ends, for the breaker too, when the body has.
async fn download<S, B>(client: &mut S, path: &str) -> Result<(StatusCode, usize), BoxError>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let response = client.ready().await?.call(Request::get(path).body(Body::empty())?).await?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(Into::into)?;
    Ok((status, body.to_bytes().len()))
}

/// What this service's own callers are told of a refusal.
fn passed_on(refused: &Rejection) -> String {
    let answer: Response<String> = Problem::new(*refused).respond();
    let after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()).unwrap_or("unknown");
    format!("not asked; its caller is told {}, Retry-After {after}", answer.status().as_u16())
}

/// The other side.
async fn reports(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let response = Response::builder();
    let response = match request.uri().path() {
        "/march" => response.body(Body::from("31 days of sales")),
        "/busy" => response.status(StatusCode::SERVICE_UNAVAILABLE).header("retry-after", 7).body(Body::empty()),
        "/broken" => {
            let halves = stream::iter([Ok("15 days"), Err("the disk is gone")]);
            response.body(Body::from_stream(halves))
        }
        _ => response.status(StatusCode::NOT_FOUND).body(Body::empty()),
    };
    Ok(response.expect("a status and headers that can be"))
}
