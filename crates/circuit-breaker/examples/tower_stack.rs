//! A breaker in a tower stack: outside of it whatever makes calls late, inside of it the client.
//!
//! `cargo run -p seawall-circuit-breaker --features tower --example tower_stack`

use seawall_circuit_breaker::{CircuitBreaker, Config};
use seawall_core::Rejection;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let inventory = CircuitBreaker::new(Config::empty().name("inventory").consecutive_failures(2))?;
    let mut client = ServiceBuilder::new().concurrency_limit(8).layer(inventory.layer().boxed()).service(service_fn(
        |item: &'static str| async move {
            if item == "espresso" { Ok(3) } else { Err(std::io::Error::other("no such shelf")) }
        },
    ));

    for item in ["espresso", "tea", "tea", "espresso"] {
        match client.ready().await?.call(item).await {
            Ok(left) => println!("{item}: {left} left"),
            Err(error) => match Rejection::find(&*error) {
                Some(refused) => println!("{item}: {refused}"),
                None => println!("{item}: {error}"),
            },
        }
    }
    Ok(())
}
