//! How does a pool grow under a burst, and shrink after it? On manual time, so that a minute takes none.
//!
//! `cargo run -p seawall-worker-pool --example growing_pool`

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use seawall_core::spawn::{Spawn, SpawnError, Spawner, Work};
use seawall_core::time::{BoxFuture, Clock, ManualTime};
use seawall_worker_pool::{Config, GrowthPolicy, Pool};
use smol::Executor;

/// Everything on one thread, when it is told to run.
#[derive(Default)]
struct Place(Executor<'static>);

impl Spawn for Place {
    fn spawn(&self, task: BoxFuture) -> Result<(), SpawnError> {
        self.0.spawn(task).detach();
        Ok(())
    }

    fn spawn_blocking(&self, _work: Work) -> Result<(), SpawnError> {
        Err(SpawnError::new("nothing blocks here"))
    }
}

impl Place {
    /// Lets time pass, through all that happens in it.
    fn pass(&self, time: &ManualTime, span: Duration) {
        let end = time.now() + span;
        loop {
            while self.0.try_tick() {}
            match time.next_wake().filter(|at| *at <= end) {
                Some(at) => time.advance_to(at),
                None => break,
            }
        }
        time.advance_to(end);
        while self.0.try_tick() {}
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let growth = GrowthPolicy::Age { target_latency: Duration::from_millis(100) };
    for (name, config) in [
        ("by depth: a worker for every job that waits", Config::new(3..=20)),
        ("by age: a worker when a job has waited for 100 ms", Config::new(3..=20).growth(growth)),
    ] {
        println!("{name}");
        let place = Arc::new(Place::default());
        let (clock, time) = Clock::manual();
        let config = config.queue(1_000).keep_alive(Duration::from_secs(10));
        let pool = Pool::with_clock(config, Spawner::custom(place.clone()), clock.clone())?;
        for _ in 0..200 {
            let clock = clock.clone();
            pool.try_execute(async move { clock.sleep(Duration::from_millis(100)).await })?;
        }
        for (span, step) in [(Duration::from_millis(100), 12), (Duration::from_secs(5), 4)] {
            for _ in 0..step {
                let seen = pool.snapshot();
                let bar = "#".repeat(seen.workers);
                println!("{:>9} {:>4} wait {bar:<20} {} workers", time.now().to_string(), seen.queued, seen.workers);
                place.pass(&time, span);
            }
        }
        println!();
    }
    Ok(())
}
