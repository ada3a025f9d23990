//! What becomes of jobs that fail again and again, and how are they run once what they need is back?
//!
//! `cargo run -p seawall-worker-pool --example dead_letters`

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use seawall_core::spawn::Spawner;
use seawall_worker_pool::{Backoff, Config, Event, Jitter, Pool, Retry, repeat};

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(async {
        let backoff = Backoff::exponential(Duration::from_millis(5), 2.0, Duration::from_millis(50))?;
        let retry = Retry::new(4).backoff(backoff.jitter(Jitter::Spread(10)));
        let config = Config::new(1..=4).name("mail").retry(retry).dead_letters(100).observer(|event: &Event| {
            if let Event::DeadLettered { job, reason, .. } = event {
                println!("job {job} is given up: {reason}");
            }
        });
        let pool = Pool::new(config, Spawner::threads())?;

        let is_up = Arc::new(AtomicBool::new(false));
        let mut mails = Vec::new();
        for customer in 1..=3 {
            let is_up = is_up.clone();
            let mail = repeat(move |attempt| {
                let is_up = is_up.clone();
                async move {
                    if is_up.load(Ordering::SeqCst) {
                        println!("mail to customer {customer}, attempt {}", attempt.number());
                        return Ok(());
                    }
                    Err(format!("customer {customer}: the mail server is down"))
                }
            });
            mails.push(pool.submit(mail).await?);
        }
        for mail in mails {
            println!("{}", mail.await.expect_err("the server is down"));
        }
        for letter in pool.dead_letters() {
            println!("job {} failed {} times, at last: {}", letter.job, letter.failures, letter.history[3].error);
        }

        is_up.store(true, Ordering::SeqCst);
        println!("the server is back; {} jobs are run again", pool.redrive_all()?);
        println!("{:?}", pool.drain(Duration::from_secs(1)).await);
        Ok(())
    })
}
