//! A caller with 300 ms asks a service that asks another: each limits its own call, hands on what is left, and the last one is
//! dropped in time. On a clock moved by hand.
//!
//! `cargo run -p seawall-retry --example retry_timeout`

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seawall_core::Deadline;
use seawall_core::time::{Clock, ManualTime};
use seawall_retry::{TimedOut, Timeout, TimeoutConfig};

const MS: Duration = Duration::from_millis(1);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (clock, time) = Clock::manual();
    let checkout = Timeout::with_clock(TimeoutConfig::new(1_000 * MS).name("checkout"), clock.clone())?;
    let payment = Timeout::with_clock(TimeoutConfig::new(200 * MS).name("payment"), clock.clone())?;

    for (left, bank_takes) in [(300, 80), (300, 5_000), (120, 5_000), (0, 80)] {
        let started = clock.now();
        let deadline = Deadline::after(&clock, left * MS);
        let order = checkout.run_until(deadline, async {
            clock.sleep(50 * MS).await;
            payment.run_until(deadline, clock.sleep(bank_takes * MS)).await
        });
        let what = match drive(order, &time) {
            Ok(Ok(())) => "paid".to_owned(),
            Ok(Err(timed_out)) | Err(timed_out) => TimedOut::to_string(&timed_out),
        };
        let took = clock.now().saturating_duration_since(started);
        println!("{left:4} ms left, the bank takes {bank_takes:4} ms: {what} ({took:?})");
    }
    println!("{:?}", payment.snapshot().total);
    Ok(())
}

/// Moves time from one sleeper to the next until `future` ends.
fn drive<F: Future>(future: F, time: &ManualTime) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
        time.advance_to(time.next_wake().expect("it waits for nothing but time"));
    }
}
