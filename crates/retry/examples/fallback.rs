//! Stock from a shop that is down: by a value, by another service, by what was known before.
//!
//! `cargo run -p seawall-retry --features tower --example retry_fallback`

use std::collections::HashMap;

use seawall_retry::{Fallback, FallbackConfig};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let fallback = Fallback::new(FallbackConfig::default().name("stock"))?;
    let shop = service_fn(|item: &'static str| async move {
        if item == "espresso" { Ok(12) } else { Err(BoxError::from("the shop does not answer")) }
    });

    // One call.
    let left = fallback.run(shop.oneshot("tea"), |error| async move {
        println!("{error}; the depot is asked");
        Ok::<_, BoxError>(3)
    });
    println!("tea: {} left", left.await?);

    // A service, with what was known before; where nothing was, the error is the caller's.
    let known = HashMap::from([("tea", 4)]);
    let stale = fallback.layer().stale(|item: &&'static str| *item, move |item| known.get(item).copied());
    let mut service = stale.layer(shop);
    for item in ["espresso", "tea", "cocoa"] {
        match service.ready().await?.call(item).await {
            Ok(left) => println!("{item}: {left} left"),
            Err(error) => println!("{item}: {error}"),
        }
    }
    println!("{:?}", fallback.snapshot().total);
    Ok(())
}
