//! Which results are failures: by status, with the dependency's own word on when to come back.
//!
//! `cargo run -p seawall-circuit-breaker --example classify`

use std::time::Duration;

use seawall_circuit_breaker::{CircuitBreaker, Config};
use seawall_core::Report;
use seawall_core::time::Clock;

struct Response {
    status: u16,
    retry_after: Option<Duration>,
}

/// A caller's mistake says nothing about the dependency; being told to slow down is a failure with a hint.
fn judge(response: &Result<Response, std::io::Error>) -> Report<'_> {
    match response {
        Ok(Response { status: 429 | 503, retry_after: Some(after) }) => Report::failure().retry_after(*after),
        Ok(Response { status: 500.., .. }) => Report::failure(),
        Ok(Response { status: 400.., .. }) => Report::ignored(),
        Ok(_) => Report::success(),
        Err(error) => Report::failure().because(error),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (clock, _time) = Clock::manual();
    let bank = CircuitBreaker::with_clock(Config::empty().name("bank").consecutive_failures(1), clock)?;

    let not_found = async { Ok(Response { status: 404, retry_after: None }) };
    bank.run_classified(not_found, judge).await??;
    println!("after a 404: {}", bank.state());

    let busy = async { Ok(Response { status: 503, retry_after: Some(Duration::from_secs(7)) }) };
    let answer = bank.run_classified(busy, judge).await??;
    println!("after a {}: {}", answer.status, bank.state());
    println!("{}", bank.try_admit().expect_err("the circuit is open"));
    Ok(())
}
