//! One job at a time on one thread: the worker is polled by hand.

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use seawall_core::spawn::{Spawn, SpawnError, Spawner, Work};
use seawall_core::time::BoxFuture;
use seawall_worker_pool::{Attempt, Config, FullPolicy, Job, Pool, Runs, Task};

use super::channels::Boxed;
use super::course::BOUND;
use super::ours::options;
use crate::harness::{Lane, Subject, drive_sync};

/// A place for tasks that run when they are polled.
#[derive(Default)]
struct Hall(Mutex<Vec<BoxFuture>>);

impl Spawn for Hall {
    fn spawn(&self, task: BoxFuture) -> Result<(), SpawnError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        Ok(())
    }

    fn spawn_blocking(&self, work: Work) -> Result<(), SpawnError> {
        drop(work);
        Err(SpawnError::new("there are no threads here"))
    }
}

impl Hall {
    fn only(&self) -> BoxFuture {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().expect("there is one worker")
    }
}

fn poll<F: Future + Unpin>(worker: &mut F) -> Poll<F::Output> {
    Pin::new(worker).poll(&mut Context::from_waker(Waker::noop()))
}

fn pool<R: Runs>(config: Config) -> (Pool<R>, BoxFuture) {
    let hall = Arc::new(Hall::default());
    let pool = Pool::of(config, Spawner::custom(hall.clone())).expect("the settings are valid");
    (pool, hall.only())
}

/// A job of one type, which does nothing that could be left out.
struct Number(u64);

impl Job for Number {
    type Output = ();
    type Error = Infallible;

    async fn run(&mut self, _attempt: &Attempt) -> Result<(), Infallible> {
        black_box(self.0);
        Ok(())
    }
}

/// Submits a job and polls the worker, which runs it and waits again.
pub(super) fn typed() -> Subject {
    Subject::new(|_| {
        let (pool, mut worker) = pool::<Number>(Config::new(1..=1).queue(BOUND));
        one_by_one(move |number| {
            let taken = pool.with(options(number)).try_execute(Number(number)).is_ok();
            taken & poll(&mut worker).is_pending()
        })
    })
}

pub(super) fn boxed() -> Subject {
    Subject::new(|_| {
        let (pool, mut worker) = pool::<Task>(Config::new(1..=1).queue(BOUND));
        one_by_one(move |number| {
            let work = async move {
                black_box(number);
            };
            let taken = pool.with(options(number)).try_execute(work).is_ok();
            taken & poll(&mut worker).is_pending()
        })
    })
}

pub(super) fn asynchronous_typed() -> Subject {
    Subject::new(|_| {
        let (sender, receiver) = async_channel::bounded::<Number>(BOUND);
        let mut worker = Box::pin(async move {
            while let Ok(Number(number)) = receiver.recv().await {
                black_box(number);
            }
        });
        one_by_one(move |number| sender.try_send(Number(number)).is_ok() & poll(&mut worker).is_pending())
    })
}

pub(super) fn asynchronous_boxed() -> Subject {
    Subject::new(|_| {
        let (sender, receiver) = async_channel::bounded::<Boxed>(BOUND);
        let mut worker = Box::pin(async move {
            while let Ok(work) = receiver.recv().await {
                work.await;
            }
        });
        one_by_one(move |number| {
            let work = async move {
                black_box(number);
            };
            sender.try_send(Box::pin(work)).is_ok() & poll(&mut worker).is_pending()
        })
    })
}

fn one_by_one(mut turn: impl FnMut(u64) -> bool + 'static) -> Lane {
    let mut number = 0;
    drive_sync(move || {
        number += 1;
        turn(number)
    })
}

/// The only worker has a job, and so has the only room.
pub(super) fn refuses() -> Subject {
    let config = Config::new(1..=1).queue(1).full(FullPolicy::Reject);
    let (pool, worker) = pool::<Number>(config);
    while pool.try_execute(Number(0)).is_ok() {}
    let held = Mutex::new(worker);
    Subject::new(move |_| {
        let _held = &held;
        let pool = pool.clone();
        drive_sync(move || pool.try_execute(Number(1)).is_ok())
    })
}

pub(super) fn asynchronous_refuses() -> Subject {
    let (sender, receiver) = async_channel::bounded::<Number>(1);
    while sender.try_send(Number(0)).is_ok() {}
    Subject::new(move |_| {
        let (sender, receiver) = (sender.clone(), receiver.clone());
        drive_sync(move || {
            let _open = &receiver;
            sender.try_send(Number(1)).is_ok()
        })
    })
}

pub(super) fn flume_refuses() -> Subject {
    let (sender, receiver) = flume::bounded::<Number>(1);
    while sender.try_send(Number(0)).is_ok() {}
    Subject::new(move |_| {
        let (sender, receiver) = (sender.clone(), receiver.clone());
        drive_sync(move || {
            let _open = &receiver;
            sender.try_send(Number(1)).is_ok()
        })
    })
}

pub(super) fn signals() -> Subject {
    let (pool, worker) = pool::<Number>(Config::new(1..=1).queue(BOUND));
    for number in 0..100 {
        assert!(pool.try_execute(Number(number)).is_ok());
    }
    let held = Mutex::new(worker);
    Subject::new(move |_| {
        let _held = &held;
        let pool = pool.clone();
        drive_sync(move || black_box(pool.signals()).depth == 100)
    })
}
