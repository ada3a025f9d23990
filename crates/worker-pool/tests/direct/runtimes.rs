use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use seawall_core::spawn::{Spawn, SpawnError, Spawner, Work};
use seawall_core::time::BoxFuture;
use seawall_worker_pool::{
    Backoff, Config, FullPolicy, GrowthPolicy, JobError, JobOptions, Pool, Priority, Retry, blocking, repeat,
};

use crate::desk::assert_all_accounted;

struct OnSmol;

impl Spawn for OnSmol {
    fn spawn(&self, task: BoxFuture) -> Result<(), SpawnError> {
        smol::spawn(task).detach();
        Ok(())
    }

    fn spawn_blocking(&self, work: Work) -> Result<(), SpawnError> {
        smol::unblock(work).detach();
        Ok(())
    }
}

/// Jobs of all kinds from several sides at once, and nothing is lost.
async fn bustle(spawner: Spawner) {
    let retry = Retry::new(3).backoff(Backoff::fixed(Duration::from_millis(1)));
    let config =
        Config::new(2..=6).queue(16).max_wait(Duration::from_secs(60)).retry(retry).grace(Duration::from_secs(30));
    let pool = Pool::new(config, spawner).expect("valid");
    let ran = Arc::new(AtomicU32::new(0));
    let submit = |side: u32| {
        let (pool, ran) = (pool.clone(), ran.clone());
        async move {
            for number in 0..100_u32 {
                let options = JobOptions::new().priority(Priority::ALL[(number % 4) as usize]);
                let ran = ran.clone();
                let count = move || ran.fetch_add(1, Ordering::SeqCst);
                match number % 5 {
                    0 => {
                        let job = async move {
                            count();
                            Ok::<_, String>(side)
                        };
                        assert!(
                            matches!(pool.with(options).submit(job).await.expect("room").await, Ok(given) if given == side)
                        );
                    }
                    1 => {
                        let job = async move {
                            count();
                            assert!(number == 0, "as it should");
                        };
                        let end = pool.with(options).submit(job).await.expect("room").await;
                        assert!(matches!(end, Err(JobError::Panicked(_))), "{end:?}");
                    }
                    2 => {
                        let job = repeat(move |attempt| {
                            let is_last = attempt.number() == 3;
                            if is_last {
                                count();
                            }
                            async move { if is_last { Ok(()) } else { Err("not yet".to_owned()) } }
                        });
                        pool.with(options).submit(job).await.expect("room").await.expect("the third succeeds");
                    }
                    3 => {
                        let job = blocking(move |_| {
                            count();
                            Ok::<_, String>(number)
                        });
                        assert!(matches!(pool.run(job).await.expect("room"), Ok(given) if given == number));
                    }
                    _ => {
                        let job = pool.with(options).submit(std::future::pending::<()>()).await.expect("room");
                        job.cancel();
                        assert!(matches!(job.await, Err(JobError::Cancelled)));
                        count();
                    }
                }
                assert_all_accounted(&pool);
            }
        }
    };
    let sides = [submit(0), submit(1), submit(2), submit(3)];
    let mut threads = Vec::new();
    for side in sides {
        threads.push(std::thread::spawn(move || smol::block_on(side)));
    }
    while threads.iter().any(|thread| !thread.is_finished()) {
        pool.scale_to(5).expect("within");
        smol::future::yield_now().await;
        pool.resize(1..=6).expect("valid");
        pool.scale_by_policy();
        pool.resize(2..=6).expect("valid");
        smol::future::yield_now().await;
        smol::Timer::after(Duration::from_millis(1)).await;
    }
    for thread in threads {
        thread.join().expect("no panic");
    }
    let report = pool.drain(Duration::from_secs(60)).await;
    assert_eq!((report.returned.len(), report.running), (0, 0));
    let snapshot = assert_all_accounted(&pool);
    assert_eq!(ran.load(Ordering::SeqCst), 400);
    assert_eq!((snapshot.submitted, snapshot.completed, snapshot.failed, snapshot.cancelled), (400, 240, 80, 80));
    assert_eq!((snapshot.retried, snapshot.panicked), (160, 80));
}

#[test]
fn nothing_is_lost_on_threads() {
    smol::block_on(bustle(Spawner::threads()));
}

#[test]
fn nothing_is_lost_on_smol() {
    smol::block_on(bustle(Spawner::custom(Arc::new(OnSmol))));
}

#[cfg(feature = "tokio")]
#[test]
fn nothing_is_lost_on_one_thread_of_tokio() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { bustle(Spawner::tokio().expect("here")).await });
}

#[cfg(feature = "tokio")]
#[test]
fn nothing_is_lost_on_several_threads_of_tokio() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().expect("a runtime");
    runtime.block_on(async { bustle(Spawner::tokio().expect("here")).await });
}

#[test]
fn a_job_may_submit_to_its_own_pool_whatever_the_policy() {
    for policy in
        [FullPolicy::Wait, FullPolicy::Reject, FullPolicy::DropOldest, FullPolicy::DropLowest, FullPolicy::CallerRuns]
    {
        let config =
            Config::new(1..=1).queue(0).full(policy).max_wait(Duration::from_millis(20)).growth(GrowthPolicy::ByHand);
        let pool = Pool::new(config, Spawner::threads()).expect("valid");
        let inside = pool.clone();
        let job = smol::block_on(pool.submit(async move {
            let within = inside.submit(async { Ok::<_, String>(1) }).await.map_err(|refused| refused.reason());
            match within {
                Ok(handle) => Ok(handle.await.ok()),
                Err(reason) => Err(format!("{reason:?}")),
            }
        }));
        let end = smol::block_on(job.expect("the worker is free"));
        match policy {
            FullPolicy::CallerRuns => assert!(matches!(end, Ok(Some(1))), "{end:?}"),
            FullPolicy::Wait => {
                assert!(matches!(&end, Err(JobError::Failed(reason)) if reason == "TimedOut"), "{end:?}");
            }
            _ => assert!(matches!(&end, Err(JobError::Failed(reason)) if reason == "Full"), "{end:?}"),
        }
        assert_all_accounted(&pool);
    }
}
