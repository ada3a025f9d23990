//! What an adaptive throttle makes of an overload and of an outage: how many calls a second are
//! accepted, sent in vain, and refused, drawn for two minutes of manual time.
//!
//! `cargo run -p seawall-circuit-breaker --example adaptive_throttle`

use std::time::Duration;

use seawall_circuit_breaker::AdaptiveThrottle;
use seawall_circuit_breaker::throttle::{Change, Config, Event};
use seawall_core::time::Clock;

/// How many calls the clients want to make each second.
const DEMAND: u32 = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (clock, time) = Clock::manual();
    let config = Config::default().name("search").max_rejection(0.95).seed(1).observer(|event: &Event| {
        let what = if event.change == Change::Began { "began" } else { "ended" };
        println!("     throttling {what}: {} of {} requests accepted", event.accepts, event.requests);
    });
    let search = AdaptiveThrottle::with_clock(config, clock)?;

    println!("calls: | accepted  - sent in vain  . refused");
    for second in 0..120 {
        let capacity = match second {
            20..50 => 30,
            50..70 => 0,
            _ => DEMAND,
        };
        let (mut sent, mut accepted, mut refused) = (0, 0, 0);
        for _ in 0..DEMAND {
            time.advance(Duration::from_secs(1) / DEMAND);
            let answer = search.run_sync(|| {
                sent += 1;
                // A server that is full says so (429 or 503), and that costs it as well.
                if accepted == capacity {
                    return Err("overloaded");
                }
                accepted += 1;
                Ok(())
            });
            // Outside is the throttle's refusal, inside the server's own answer.
            refused += u32::from(answer.is_err());
        }
        if second % 3 == 0 {
            let bar = |calls: u32, mark: &str| mark.repeat(usize::try_from(calls / 2).unwrap_or_default());
            let drawn = bar(accepted, "|") + &bar(sent - accepted, "-") + &bar(refused, ".");
            println!("{second:>4} s  {drawn}");
        }
    }
    let snapshot = search.snapshot();
    let total = snapshot.total;
    println!("{} calls, {} refused, {} accepted", total.requests, total.refused, total.successes);
    Ok(())
}
