//! A pool of two to four workers: results, priorities, what a full queue says, and the end.
//!
//! `cargo run -p seawall-worker-pool --example worker_pool_quick_start`

use std::error::Error;
use std::time::Duration;

use seawall_core::spawn::Spawner;
use seawall_worker_pool::{Config, FullPolicy, JobOptions, Pool, Priority, blocking};

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(async {
        let config = Config::new(2..=4).name("kitchen").queue(3).full(FullPolicy::Reject);
        let pool = Pool::new(config, Spawner::threads())?;

        let coffee = pool.submit(async { Ok::<_, std::io::Error>("espresso") }).await?;
        println!("served: {}", coffee.await?);
        let sum = pool.submit(blocking(|_| "4.50".parse::<f64>())).await?;
        println!("to pay: {:.2}", sum.await?);

        let (open, gate) = smol::channel::bounded::<()>(1);
        let mut jobs = Vec::new();
        let refused = loop {
            let gate = gate.clone();
            let wait_in_line = async move { while gate.recv().await.is_ok() {} };
            match pool.submit(wait_in_line).await {
                Ok(job) => jobs.push(job),
                Err(refused) => break refused,
            }
        };
        println!("{} jobs were taken, then: {refused}", jobs.len());
        drop(open);
        for job in jobs {
            job.await?;
        }

        let urgent = JobOptions::new().priority(Priority::High).expires_in(Duration::from_secs(1));
        pool.with(urgent).execute(async { println!("an urgent one, whose result nobody asks for") }).await?;
        println!("{:?}", pool.drain(Duration::from_secs(1)).await);
        let seen = pool.snapshot();
        println!("{} submitted, {} completed, {} refused", seen.submitted, seen.completed, seen.refused.total());
        Ok(())
    })
}
