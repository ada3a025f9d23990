//! How do urgent jobs get past a long queue? By their priority within a pool; and where other jobs are long, and hold every worker
//! when an urgent one comes, by a pool of their own behind a router.
//!
//! `cargo run -p seawall-worker-pool --example priority_router`

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seawall_core::spawn::Spawner;
use seawall_core::time::Clock;
use seawall_worker_pool::{Config, JobOptions, Pool, Priority, Router};

/// How long jobs of each kind waited at most.
#[derive(Default)]
struct Waits {
    normal: Duration,
    critical: Duration,
}

impl Waits {
    fn note(&mut self, priority: Priority, waited: Duration) {
        let worst = if priority == Priority::Critical { &mut self.critical } else { &mut self.normal };
        *worst = waited.max(*worst);
    }
}

async fn flood(router: &Router) -> Result<Waits, Box<dyn Error>> {
    let (clock, waits) = (Clock::system(), Arc::new(Mutex::new(Waits::default())));
    let mut jobs = Vec::new();
    for number in 0..40 {
        let is_urgent = number % 10 == 9;
        let priority = if is_urgent { Priority::Critical } else { Priority::Normal };
        let takes = Duration::from_millis(if is_urgent { 1 } else { 50 });
        // They come one by one, so that the workers have long jobs in hand when an urgent one comes.
        smol::Timer::after(Duration::from_millis(2)).await;
        let (clock, waits, submitted) = (clock.clone(), waits.clone(), clock.now());
        let job = async move {
            let waited = clock.now().saturating_duration_since(submitted);
            waits.lock().unwrap_or_else(PoisonError::into_inner).note(priority, waited);
            smol::Timer::after(takes).await;
        };
        jobs.push(router.with(JobOptions::new().priority(priority)).submit(job).await?);
    }
    for job in jobs {
        job.await?;
    }
    let waits = std::mem::take(&mut *waits.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(waits)
}

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(async {
        let alone = Router::new(Pool::new(Config::new(4..=4).name("all"), Spawner::threads())?);
        let standard = Pool::new(Config::new(4..=4).name("standard"), Spawner::threads())?;
        let high = Pool::new(Config::new(1..=2).name("high-priority"), Spawner::threads())?;
        let apart = Router::new(standard).route(Priority::High, high.clone()).route(Priority::Critical, high);
        for (name, router) in [("one pool with priorities", alone), ("a pool for each class", apart)] {
            let Waits { normal, critical } = flood(&router).await?;
            println!("{name}: normal jobs waited for up to {normal:.1?}, critical ones for up to {critical:.1?}");
            for pool in router.pools() {
                let seen = pool.snapshot();
                println!("    {}: {} jobs by {} workers", seen.name, seen.completed, seen.workers);
            }
        }
        Ok(())
    })
}
