//! A service behind a proxy whose callers are limited by address and by key, as one decision.
//!
//! `cargo run -p seawall-rate-limit --features http,tower --example rate_limit_http`

use std::convert::Infallible;
use std::net::IpAddr;

use http::{Request, Response};
use seawall_rate_limit::http::{AddressPrefix, ClientAddress, ClientAddressConfig, RateLimitHeaders};
use seawall_rate_limit::{Config, Keyed, KeyedRateLimiter, Layers, Quota, RateLimiter, Rule};
use tower::{ServiceBuilder, ServiceExt, service_fn};

/// Where a request came from: what a server puts into its extensions.
#[derive(Clone, Copy)]
struct Peer(IpAddr);

fn api_key(request: &Request<String>) -> Option<&str> {
    request.headers().get("x-api-key")?.to_str().ok()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Only the proxy may say whom it speaks for.
    let client = ClientAddress::new(ClientAddressConfig::default().trusted_proxies(["10.0.0.0/8".parse()?]))?;
    let address = move |request: &Request<String>| {
        let Peer(peer) = request.extensions().get()?;
        Some(AddressPrefix::of(client.of(*peer, request.headers())))
    };

    let addresses =
        KeyedRateLimiter::<AddressPrefix>::new(Keyed::new(Config::new(Quota::per_minute(3)).name("address")))?;
    let keys = KeyedRateLimiter::<str>::new(Keyed::new(Config::new(Quota::per_minute(2)).name("key")))?;
    let everybody = RateLimiter::new(Config::new(Quota::per_minute(1_000)).name("global"))?;
    let limits = Layers::of([Rule::by(&keys, api_key), Rule::by_value(&addresses, address), Rule::all(&everybody)])?;

    let headers = RateLimitHeaders::default();
    let service = ServiceBuilder::new()
        .layer(limits.layer().conclude(headers.on_grants()).on_refusal(move |refusal| headers.answer(&refusal)))
        .service(service_fn(|request: Request<String>| async move {
            Ok::<_, Infallible>(Response::new(request.into_body()))
        }));

    // The first header line is the client's own word, which nobody believes.
    for (forged, key) in
        [("6.6.6.1", "ada"), ("6.6.6.2", "ada"), ("6.6.6.3", "ada"), ("6.6.6.4", "ben"), ("6.6.6.5", "cleo")]
    {
        let mut request = Request::new(format!("hello {key}"));
        request.extensions_mut().insert(Peer("10.0.0.1".parse()?));
        request.headers_mut().append("x-forwarded-for", forged.parse()?);
        request.headers_mut().append("x-forwarded-for", "203.0.113.9".parse()?);
        request.headers_mut().insert("x-api-key", key.parse()?);
        let response = service.clone().oneshot(request).await?;
        let told = response.headers().get("ratelimit").and_then(|value| value.to_str().ok()).unwrap_or_default();
        println!("{} {told}\n    {}", response.status(), response.body());
    }
    Ok(())
}
