//! A dependency fails, the circuit opens, the dependency recovers, the circuit closes: on a clock moved by hand.
//!
//! `cargo run -p seawall-circuit-breaker --example circuit_breaker_quick_start`

use std::time::Duration;

use seawall_circuit_breaker::{CircuitBreaker, Config};
use seawall_core::time::Clock;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (clock, time) = Clock::manual();
    let payments = CircuitBreaker::with_clock(Config::classic().name("payment"), clock)?;

    for second in 0..75 {
        let up = !(5..15).contains(&second);
        let call = payments.run_sync(|| if up { Ok("paid") } else { Err("connection refused") });
        let what = match call {
            Ok(Ok(receipt)) => receipt.to_owned(),
            Ok(Err(error)) => error.to_owned(),
            Err(open) => open.to_string(),
        };
        if !(12..=66).contains(&second) {
            println!("{second:2} s  {:9}  {what}", payments.state());
        }
        time.advance(Duration::from_secs(1));
    }
    Ok(())
}
