//! `hoards [JOBS]`: what memory jobs take that wait in a worker pool, beyond themselves. Prints figures, judges nothing.
//!
//! So many jobs (a million if it is not said) are queued for a worker that never runs. What is told is the memory that the
//! allocator has been asked for and not given back, by the job and without the size of the job's future or value.

use std::alloc::System;
use std::convert::Infallible;
use std::hint::black_box;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use cap::Cap;
use seawall_core::spawn::Spawner;
use seawall_worker_pool::{Attempt, Config, Job, JobOptions, Pool, Priority, Runs, Work};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const USAGE: &str = "usage: hoards [JOBS]

  JOBS  how many jobs wait; 1000000 if it is not said";

/// What a job carries.
type Load = [u64; 4];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let jobs = match &args[..] {
        [] => Ok(1_000_000),
        [jobs] => jobs.parse::<usize>(),
        _ => "too many".parse(),
    };
    let Ok(jobs) = jobs else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    println!("{jobs} jobs wait");
    println!("{:<40}{:>10}{:>14}", "", "job bytes", "bytes beyond");
    let plain = JobOptions::new();
    let rich = plain.priority(Priority::High).expires_in(Duration::from_hours(1));
    for (name, options) in [("", plain), (", priority and deadline", rich)] {
        let future = size_of_val(&carry([0; 4]));
        pool(&format!("future{name}"), jobs, future, options, |number| carry([number; 4]));
        pool::<Carrier, _>(&format!("typed{name}"), jobs, size_of::<Carrier>(), options, |number| Carrier([number; 4]));
    }
    handles(jobs);
    channel(jobs);
    spawned(jobs);
    ExitCode::SUCCESS
}

async fn carry(load: Load) {
    std::future::ready(()).await;
    black_box(load);
}

struct Carrier(Load);

impl Job for Carrier {
    type Output = ();
    type Error = Infallible;

    async fn run(&mut self, _attempt: &Attempt) -> Result<(), Infallible> {
        black_box(self.0);
        Ok(())
    }
}

/// A runtime that is never driven.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

fn waiting_pool<R: Runs>(jobs: usize, runtime: &tokio::runtime::Runtime) -> Pool<R> {
    Pool::of(Config::new(1..=1).queue(jobs), Spawner::on_tokio(runtime.handle().clone()))
        .expect("the settings are valid")
}

fn pool<R: Runs, W: Work<R>>(name: &str, jobs: usize, size: usize, options: JobOptions, make: impl Fn(u64) -> W) {
    let runtime = runtime();
    let pool = waiting_pool::<R>(jobs, &runtime);
    report(name, jobs, size, || {
        for number in 0..jobs {
            pool.with(options).try_execute(make(number as u64)).expect("there is room");
        }
    });
}

/// The handles are kept: what waits for a result is counted, the handle itself is not.
fn handles(jobs: usize) {
    let runtime = runtime();
    let pool = waiting_pool(jobs, &runtime);
    let mut handles = Vec::with_capacity(jobs);
    report("future, with a handle", jobs, size_of_val(&carry([0; 4])), || {
        for number in 0..jobs {
            handles.push(pool.try_submit(carry([number as u64; 4])).expect("there is room"));
        }
    });
}

fn channel(jobs: usize) {
    let mut kept = None;
    report("async-channel of boxed futures", jobs, size_of_val(&carry([0; 4])), || {
        let (sender, receiver) = async_channel::bounded::<Pin<Box<dyn Future<Output = ()> + Send>>>(jobs);
        for number in 0..jobs {
            assert!(sender.try_send(Box::pin(carry([number as u64; 4]))).is_ok());
        }
        kept = Some((sender, receiver));
    });
}

fn spawned(jobs: usize) {
    let runtime = runtime();
    report("tokio spawn", jobs, size_of_val(&carry([0; 4])), || {
        for number in 0..jobs {
            runtime.spawn(carry([number as u64; 4]));
        }
    });
}

fn report(name: &str, jobs: usize, size: usize, hoard: impl FnOnce()) {
    let before = ALLOCATOR.allocated();
    hoard();
    let live = ALLOCATOR.allocated().saturating_sub(before);
    println!("{name:<40}{size:>10}{:>14.1}", live as f64 / jobs as f64 - size as f64);
}
