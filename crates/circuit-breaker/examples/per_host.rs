//! One circuit for each host to which events are delivered: a host that is down is left alone, the others do not notice, and
//! however many hosts there are, memory stays where it is.
//!
//! `cargo run -p seawall-circuit-breaker --example circuit_breaker_per_host`

use std::time::Duration;

use seawall_circuit_breaker::{CircuitBreakers, Config, Event, Keyed};
use seawall_core::time::Clock;

fn deliver(host: &str) -> Result<u16, &'static str> {
    if host.starts_with("down") { Err("connection refused") } else { Ok(200) }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (clock, time) = Clock::manual();
    let each = Config::empty().name("webhook").consecutive_failures(3).open_for(Duration::from_secs(60));
    let keyed = Keyed::new(each).capacity(100).observer(|host: &String, event: &Event| {
        println!("      {host} is {} now", event.to);
    });
    let hosts = CircuitBreakers::<String>::with_clock(keyed, clock)?;

    for second in 0..5 {
        for host in ["shop.example", "down.example"] {
            let told = match hosts.with(host).run_sync(|| deliver(host)) {
                Ok(Ok(status)) => status.to_string(),
                Ok(Err(error)) => error.to_owned(),
                Err(open) => format!("not even tried: {open}"),
            };
            println!("{second:2} s  {host:13} {told}");
        }
        time.advance(Duration::from_secs(1));
    }

    // A host that was taken out of service, by hand.
    hosts.get_or_insert("moved.example").ok_or("no room")?.force_open();

    for number in 0..10_000 {
        let host = format!("host-{number}.example");
        hosts.with(&host).run_sync(|| deliver(&host))??;
    }
    let all = hosts.snapshot();
    println!("{} of at most {} hosts are known, {} were forgotten", all.len, all.capacity, all.evicted);
    for host in ["down.example", "moved.example"] {
        let known = hosts.get(host).ok_or("an open circuit is never forgotten")?.snapshot();
        println!("{host} is {} still, after {} refused deliveries", known.state, known.total.refused);
    }
    Ok(())
}
