//! At most two calls at once, one that waits, and what the others are told.
//!
//! `cargo run -p seawall-bulkhead --example bulkhead_quick_start`

use std::error::Error;
use std::time::Duration;

use seawall_bulkhead::{Bulkhead, Config};

fn main() -> Result<(), Box<dyn Error>> {
    let payments = Bulkhead::new(Config::new(2).name("payments").queue(1).max_wait(Duration::from_millis(20)))?;
    let first = payments.try_admit()?;
    let _second = payments.try_admit()?;
    println!("two calls are in flight; a third: {}", payments.try_admit().expect_err("both permits are out"));
    println!("a third that waits: {}", payments.admit_blocking(Duration::from_millis(20)).expect_err("nobody leaves"));
    drop(first);
    let answer = payments.run_sync(|| Ok::<_, std::io::Error>("paid"))??;
    println!("the first has ended, so a third was {answer}: {:?}", payments.snapshot());
    Ok(())
}
