//! Three classes of traffic share ten permits: what one leaves idle others use, and it comes back where it was borrowed.
//!
//! `cargo run -p seawall-bulkhead --example tenants`

use std::error::Error;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use seawall_bulkhead::PartitionedBulkhead;
use seawall_bulkhead::partitions::Config;

fn main() -> Result<(), Box<dyn Error>> {
    let search = PartitionedBulkhead::new(
        Config::new(10)
            .name("search")
            .partition("live", 0.6)
            .partition("batch", 0.3)
            .partition("others", 0.1)
            .default_partition("others")
            .bypass("health")
            .queue(20),
    )?;
    // At night nobody is here but batch, so that it may have everything.
    let mut batch = Vec::new();
    while let Ok(permit) = search.with("batch").try_admit() {
        batch.push(permit);
    }
    println!("batch has {}", batch.len());
    println!("live, at once: {}", search.with("live").try_admit().expect_err("nothing is free"));
    let _health = search.with("health").try_admit()?;

    // Batch asks for more, and live for its first.
    let mut cx = Context::from_waker(Waker::noop());
    let mut more = pin!(search.with("batch").admit());
    assert!(more.as_mut().poll(&mut cx).is_pending());
    let mut live = pin!(search.with("live").admit());
    assert!(live.as_mut().poll(&mut cx).is_pending());
    batch.pop();
    let Poll::Ready(Ok(_live)) = live.as_mut().poll(&mut cx) else { unreachable!("live is below its share") };
    assert!(more.as_mut().poll(&mut cx).is_pending());
    for part in &search.snapshot().partitions {
        println!("{:>7}: {} in flight, share {}, {} queued", part.name, part.in_flight, part.share, part.queued);
    }
    Ok(())
}
