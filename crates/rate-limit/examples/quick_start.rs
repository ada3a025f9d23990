//! A limit that is reached, a turn that is waited for, and what a shadowed limit would have done.
//!
//! `cargo run -p seawall-rate-limit --example rate_limit_quick_start`

use std::time::Duration;

use seawall_rate_limit::{Algorithm, Config, Mode, Quota, RateLimiter};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let api = RateLimiter::new(Config::new(Quota::new(3, Duration::from_millis(800))).name("api"))?;
    for call in 1..=4 {
        match api.check() {
            Ok(grant) => println!("call {call} passes, {} more", grant.remaining()),
            Err(throttled) => println!("call {call}: {throttled}"),
        }
    }

    // Ten a second, one by one: whoever waits gets its turn in the order of the questions.
    let mail = RateLimiter::new(Config::new(Quota::per_second(10).burst(1)).name("mail").algorithm(Algorithm::Gcra))?;
    for letter in 1..=3 {
        let grant = mail.acquire(1).await?;
        println!("letter {letter} waited {:?}", grant.wait());
    }

    let strict = Config::new(Quota::per_minute(2)).name("strict").mode(Mode::Shadow);
    let strict = RateLimiter::new(strict)?;
    for _ in 0..10 {
        strict.check()?;
    }
    println!("{:#?}", strict.snapshot());
    Ok(())
}
