//! A process has five seconds to stop: what becomes of the jobs that it cannot finish? They go to another pool, or are written down.
//!
//! `cargo run -p seawall-worker-pool --example handover`

use std::error::Error;
use std::time::Duration;

use seawall_core::spawn::Spawner;
use seawall_worker_pool::{Config, Job, Pool};

/// A picture to be made smaller.
struct Resize(u32);

impl Job for Resize {
    type Output = u32;
    type Error = std::convert::Infallible;

    async fn run(&mut self, _attempt: &seawall_worker_pool::Attempt) -> Result<u32, Self::Error> {
        smol::Timer::after(Duration::from_millis(20)).await;
        Ok(self.0)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(async {
        let old: Pool<Resize> = Pool::of(Config::new(2..=2).name("old"), Spawner::threads())?;
        let mut pictures = Vec::new();
        for number in 0..20 {
            pictures.push(old.submit(Resize(number)).await?);
        }

        let report = old.drain(Duration::from_millis(70)).await;
        println!("{report:?}");

        let new: Pool<Resize> = Pool::of(Config::new(4..=4).name("new"), Spawner::threads())?;
        for picture in report.returned {
            new.try_resubmit(picture)?;
        }
        // Whoever waits for a picture does not learn that it was made elsewhere.
        let (mut made, mut cut_off) = (0, 0);
        for picture in pictures {
            match picture.await {
                Ok(_number) => made += 1,
                Err(error) => {
                    println!("a picture was begun and not made: {error}");
                    cut_off += 1;
                }
            }
        }
        println!("{made} pictures were made, {cut_off} cut off; the new pool made {}", new.snapshot().completed);
        Ok(())
    })
}
