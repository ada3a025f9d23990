//! A call that fails twice and then works, beside one whose dependency is down: the budget keeps its load low.
//!
//! `cargo run -p seawall-retry --example retry_quick_start`

use std::cell::Cell;
use std::time::Duration;

use seawall_retry::{Config, Deposits, Retry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let millisecond = Duration::from_millis(1);
    let retry = Retry::new(
        Config::default()
            .name("payment")
            .max_attempts(4)
            .exponential(millisecond, 2.0, 10 * millisecond)
            // One further attempt for ten calls, and none for free.
            .budget(Deposits::default().ratio(0.1).per_second(0.0)),
    )?;

    for _ in 0..20 {
        retry.run(|_| async { Ok::<_, &str>("paid") }).await??;
    }
    let paid = retry.run(|attempt| async move { if attempt.number < 3 { Err("reset") } else { Ok("paid") } }).await?;
    println!("the call that failed twice: {paid:?}");

    let attempts = Cell::new(0);
    for _ in 0..1_000 {
        let down = retry.run(|_| {
            attempts.set(attempts.get() + 1);
            async { Err::<(), _>("down") }
        });
        let _ = down.await?;
    }
    println!("1000 calls of a dependency that is down: {} attempts", attempts.get());
    println!("{:#?}", retry.snapshot());
    Ok(())
}
