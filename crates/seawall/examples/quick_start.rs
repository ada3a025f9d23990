//! A dependency that fails, a breaker that stops asking it, and time that a program moves by hand.
//!
//! `cargo run -p seawall --example seawall_quick_start`

use std::io;
use std::time::Duration;

use seawall::circuit_breaker::{CircuitBreaker, Config};
use seawall::core::time::Clock;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (clock, time) = Clock::manual();
    let payments = CircuitBreaker::with_clock(Config::classic().name("payment"), clock)?;

    let mut provider_is_up = false;
    for second in 0..75 {
        if second == 30 {
            provider_is_up = true;
        }
        match payments.run_sync(|| charge(provider_is_up)) {
            Ok(Ok(receipt)) => println!("{second:>2} s: {receipt}"),
            Ok(Err(error)) => println!("{second:>2} s: {error}"),
            Err(open) if second % 15 == 0 => println!("{second:>2} s: not asked: {open}"),
            Err(_) => {}
        }
        time.advance(Duration::from_secs(1));
    }
    Ok(())
}

fn charge(provider_is_up: bool) -> io::Result<&'static str> {
    if provider_is_up { Ok("paid") } else { Err(io::Error::other("the provider is down")) }
}
