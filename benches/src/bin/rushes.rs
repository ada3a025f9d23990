//! `rushes [JOBS]`: 64 producers rush one worker pool, on four kinds of executors. Prints figures, and ends with 1 when jobs were
//! lost or run twice, or when nothing has moved for ten seconds.
//!
//! So many jobs (ten million if it is not said) go through a pool of 3 to 20 workers with room for 1024, whose full policy is to
//! wait, on two threads of tokio; a quarter of them on tokio's current thread and on smol's executor, and a hundredth on plain
//! threads. The latency is that of every thousandth job, from its submission to its begin: the wait for room is part of it.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use seawall_core::spawn::{Spawn, SpawnError, Spawner, Work};
use seawall_core::time::BoxFuture;
use seawall_worker_pool::{Config, Pool};
use tokio::runtime::Builder;

const USAGE: &str = "usage: rushes [JOBS]

  JOBS  how many jobs go through the pool on tokio's threads; 10000000 if it is not said";

const PRODUCERS: u64 = 64;
const SAMPLED: u64 = 1_000;
const HOUR: Duration = Duration::from_hours(1);
const STANDSTILL: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let jobs = match &args[..] {
        [] => Ok(10_000_000),
        [jobs] => jobs.parse::<u64>(),
        _ => "too many".parse(),
    };
    let Ok(jobs) = jobs else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    println!("{:<24}{:>12}{:>12}{:>10}{:>10}{:>10}  books", "", "jobs", "jobs/s", "p50 us", "p99 us", "p99.9 us");
    let right = [
        on_tokio("tokio, 2 threads", Builder::new_multi_thread().worker_threads(2), jobs),
        on_tokio("tokio, current thread", &mut Builder::new_current_thread(), jobs / 4),
        on_smol(jobs / 4),
        rush("plain threads", jobs / 100, Spawner::threads(), smol::block_on),
    ];
    if right == [true; 4] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn on_tokio(name: &str, builder: &mut Builder, jobs: u64) -> bool {
    let runtime = builder.enable_time().build().expect("a runtime");
    rush(name, jobs, Spawner::on_tokio(runtime.handle().clone()), |course| runtime.block_on(course))
}

/// smol's executor, on two threads that run nothing else.
fn on_smol(jobs: u64) -> bool {
    let executor = Arc::new(smol::Executor::new());
    let (stop, stopped) = async_channel::bounded::<()>(1);
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (executor, stopped) = (Arc::clone(&executor), stopped.clone());
            thread::spawn(move || {
                // The channel is closed when all is over.
                let _ = smol::block_on(executor.run(stopped.recv()));
            })
        })
        .collect();
    let right = rush("smol, 2 threads", jobs, Spawner::custom(Arc::new(Smol(executor))), smol::block_on);
    drop(stop);
    for thread in threads {
        thread.join().expect("no panic");
    }
    right
}

struct Smol(Arc<smol::Executor<'static>>);

impl Spawn for Smol {
    fn spawn(&self, task: BoxFuture) -> Result<(), SpawnError> {
        self.0.spawn(task).detach();
        Ok(())
    }

    fn spawn_blocking(&self, work: Work) -> Result<(), SpawnError> {
        smol::unblock(work).detach();
        Ok(())
    }
}

/// What the jobs leave behind.
#[derive(Default)]
struct Ran {
    jobs: AtomicU64,
    /// The sum of their numbers: a job that is lost is not made up for by another that ran twice.
    numbers: AtomicU64,
    waits: Mutex<Vec<Duration>>,
    over: AtomicBool,
}

impl Ran {
    fn note(&self, number: u64, submitted: Option<Instant>) {
        if let Some(submitted) = submitted {
            self.waits.lock().unwrap_or_else(PoisonError::into_inner).push(submitted.elapsed());
        }
        self.numbers.fetch_add(number, Ordering::Relaxed);
        self.jobs.fetch_add(1, Ordering::Relaxed);
    }
}

/// Lets the producers rush the pool, and tells whether its books are right.
fn rush(name: &str, jobs: u64, spawner: Spawner, run: impl FnOnce(BoxFuture)) -> bool {
    let config = Config::new(3..=20).queue(1_024).max_wait(HOUR).name("rush");
    let pool = Pool::new(config, spawner.clone()).expect("the settings are valid");
    let ran = Arc::new(Ran::default());
    let watchdog = watch(name.to_owned(), pool.clone(), Arc::clone(&ran));
    let began = Instant::now();
    run(Box::pin(all(pool.clone(), spawner, jobs, Arc::clone(&ran))));
    let took = began.elapsed();
    let snapshot = pool.snapshot();
    ran.over.store(true, Ordering::Relaxed);
    watchdog.thread().unpark();
    watchdog.join().expect("no panic");

    let ended = snapshot.completed + snapshot.failed + snapshot.cancelled + snapshot.expired + snapshot.dropped;
    let balanced = snapshot.submitted == ended + (snapshot.queued + snapshot.running) as u64;
    let each_once = (ran.jobs.load(Ordering::Relaxed), ran.numbers.load(Ordering::Relaxed)) == (jobs, sum_below(jobs));
    let right = balanced && each_once && snapshot.completed == jobs;
    let mut waits = std::mem::take(&mut *ran.waits.lock().unwrap_or_else(PoisonError::into_inner));
    waits.sort_unstable();
    let [median, late, latest] = [0.5, 0.99, 0.999].map(|part| quantile(&waits, part).as_micros());
    println!(
        "{name:<24}{jobs:>12}{:>12.0}{median:>10}{late:>10}{latest:>10}  {}",
        jobs as f64 / took.as_secs_f64(),
        if right {
            "right".to_owned()
        } else {
            format!("WRONG: {snapshot:?}, {} ran", ran.jobs.load(Ordering::Relaxed))
        }
    );
    right
}

const fn sum_below(jobs: u64) -> u64 {
    if jobs == 0 { 0 } else { jobs * (jobs - 1) / 2 }
}

/// Starts the producers where the workers run, waits for them, and drains the pool.
async fn all(pool: Pool, spawner: Spawner, jobs: u64, ran: Arc<Ran>) {
    let (end, ends) = async_channel::unbounded::<()>();
    for nth in 0..PRODUCERS {
        let (pool, ran, end) = (pool.clone(), Arc::clone(&ran), end.clone());
        let producer = async move {
            for number in (nth..jobs).step_by(usize::try_from(PRODUCERS).expect("small")) {
                let submitted = number.is_multiple_of(SAMPLED).then(Instant::now);
                let ran = Arc::clone(&ran);
                let taken = pool.execute(async move { ran.note(number, submitted) }).await;
                taken.expect("there is room within an hour");
            }
            drop(end);
        };
        spawner.spawn(Box::pin(producer)).expect("it runs");
    }
    drop(end);
    // Nothing is sent: the channel is closed when the last producer has ended.
    let _ = ends.recv().await;
    let report = pool.drain(HOUR).await;
    assert!(report.returned.is_empty(), "jobs were given back: {report:?}");
}

/// Ends the process when nothing moves any more.
fn watch(name: String, pool: Pool, ran: Arc<Ran>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut seen = (0, Instant::now());
        while !ran.over.load(Ordering::Relaxed) {
            thread::park_timeout(Duration::from_secs(1));
            let jobs = ran.jobs.load(Ordering::Relaxed);
            if jobs != seen.0 {
                seen = (jobs, Instant::now());
            } else if seen.1.elapsed() > STANDSTILL {
                eprintln!("{name}: nothing has moved for {STANDSTILL:?}; {jobs} jobs have run");
                // Another thread: the pool's lock may be what is stuck.
                let told = thread::spawn(move || eprintln!("{pool:?}\n{:?}", pool.snapshot()));
                thread::sleep(Duration::from_secs(1));
                if !told.is_finished() {
                    eprintln!("the pool does not answer");
                }
                std::process::exit(1);
            }
        }
    })
}

fn quantile(sorted: &[Duration], part: f64) -> Duration {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
    let place = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_rush_loses_nothing_on_any_executor() {
        assert!(on_tokio("tokio", Builder::new_multi_thread().worker_threads(2), 20_000));
        assert!(on_tokio("current thread", &mut Builder::new_current_thread(), 20_000));
        assert!(on_smol(20_000));
        assert!(rush("threads", 2_000, Spawner::threads(), smol::block_on));
    }
}
