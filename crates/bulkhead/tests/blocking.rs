//! Work that blocks a thread, under a bulkhead: on tokio, on smol, and on plain threads.

use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::thread;

use seawall_bulkhead::{Bulkhead, Claim, Claiming, Config, Full};
use seawall_core::spawn::{BlockingError, Spawn, SpawnError, Spawner, Work};
use seawall_core::time::BoxFuture;
use seawall_core::{Rejection, Report};

fn bulkhead(limit: u32) -> Bulkhead {
    Bulkhead::new(Config::new(limit).name("hashing").queue(8)).expect("valid")
}

/// Keeps what it is given until the test takes it.
#[derive(Default)]
struct Shelf(Mutex<Vec<Work>>);

impl Spawn for Shelf {
    fn spawn(&self, _task: BoxFuture) -> Result<(), SpawnError> {
        Err(SpawnError::new("no tasks here"))
    }

    fn spawn_blocking(&self, work: Work) -> Result<(), SpawnError> {
        self.0.lock().expect("no panic").push(work);
        Ok(())
    }
}

impl Shelf {
    fn spawner() -> (Arc<Self>, Spawner) {
        let shelf = Arc::new(Self::default());
        (shelf.clone(), Spawner::custom(shelf))
    }

    fn take(&self) -> Work {
        self.0.lock().expect("no panic").pop().expect("some work")
    }
}

/// A spawner that has shut down.
struct Shut;

impl Spawn for Shut {
    fn spawn(&self, _task: BoxFuture) -> Result<(), SpawnError> {
        Err(SpawnError::new("shut"))
    }

    fn spawn_blocking(&self, _work: Work) -> Result<(), SpawnError> {
        Err(SpawnError::new("shut"))
    }
}

/// Smol's pool of blocking threads, as a user would bring it.
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

/// What the work does in each place: runs elsewhere, one at a time, in turn, and panics without a trace.
async fn work_runs_elsewhere_one_at_a_time(spawner: Spawner) {
    let hashing = bulkhead(1);
    let here = thread::current().id();
    let there = hashing.run_blocking(&spawner, || Ok::<_, Infallible>(thread::current().id())).await;
    assert_ne!(
        there.expect("admitted").expect("infallible"),
        here,
        "work that blocks does not run on the caller's thread"
    );

    // While the first is out, the second waits in the queue and has not begun.
    let (go, wait) = channel();
    let (begun, begins) = channel();
    let first = hashing.run_blocking(&spawner, move || {
        begun.send(()).expect("the test waits");
        wait.recv()
    });
    let mut first = pin!(first);
    poll(first.as_mut());
    begins.recv().expect("it begins");
    let second = hashing.run_blocking(&spawner, || "7".parse::<u8>());
    let mut second = pin!(second);
    poll(second.as_mut());
    assert_eq!((hashing.in_flight(), hashing.queued()), (1, 1));
    go.send(()).expect("it waits");
    first.await.expect("admitted").expect("sent");
    assert_eq!(second.await.expect("its turn came").expect("a number"), 7);
    assert_eq!(hashing.in_flight(), 0, "the permit is back when the result is");

    let panicking = hashing.run_blocking(&spawner, || -> Result<(), Infallible> { std::panic::panic_any("spoilt") });
    let payload = panic_of(panicking).await;
    assert_eq!(payload.downcast_ref(), Some(&"spoilt"), "the panic is the caller's, payload and all");
    assert_eq!(hashing.in_flight(), 0);
    assert!(hashing.try_admit().is_ok());
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) {
    assert!(future.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

async fn panic_of(future: impl Future) -> Box<dyn Any + Send> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(|_| panic!("it returned")),
        Err(payload) => std::task::Poll::Ready(payload),
    })
    .await
}

#[test]
fn work_runs_on_plain_threads() {
    smol::block_on(work_runs_elsewhere_one_at_a_time(Spawner::threads()));
}

#[test]
fn work_runs_on_smols_pool() {
    smol::block_on(work_runs_elsewhere_one_at_a_time(Spawner::custom(Arc::new(OnSmol))));
}

#[cfg(feature = "tokio")]
mod on_tokio {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn work_runs_on_the_blocking_pool_of_many_threads() {
        let spawner = Spawner::tokio().expect("inside a runtime");
        // Spawned, because the future must be sendable.
        tokio::spawn(work_runs_elsewhere_one_at_a_time(spawner)).await.expect("no panic");
    }

    #[tokio::test]
    async fn work_runs_on_the_blocking_pool_of_one_thread() {
        work_runs_elsewhere_one_at_a_time(Spawner::tokio().expect("inside a runtime")).await;
    }

    #[test]
    fn outside_of_a_runtime_there_is_no_spawner() {
        assert!(Spawner::tokio().is_err());
    }

    #[test]
    fn work_for_a_runtime_that_has_shut_down_is_an_error_and_gives_its_permit_back() {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let spawner = Spawner::on_tokio(runtime.handle().clone());
        drop(runtime);
        let hashing = bulkhead(1);
        let error = smol::block_on(hashing.run_blocking(&spawner, || Ok::<_, Infallible>(()))).expect_err("shut down");
        assert!(matches!(error, BlockingError::NotSpawned(_)), "{error:?}");
        assert_eq!(hashing.in_flight(), 0);
        drop(spawner.spawn(Box::pin(async {})));
    }
}

#[test]
fn tasks_run_wherever_the_spawner_says() {
    let mut spawners = vec![Spawner::threads(), Spawner::custom(Arc::new(OnSmol))];
    #[cfg(feature = "tokio")]
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    #[cfg(feature = "tokio")]
    spawners.push(Spawner::on_tokio(runtime.handle().clone()));
    for spawner in spawners.drain(..) {
        let (done, wait) = channel();
        spawner.spawn(Box::pin(async move { done.send(()).expect("the test waits") })).expect("started");
        wait.recv().expect("it ran");
    }
}

#[test]
fn work_holds_its_permit_to_its_end_though_nobody_waits_for_it_any_more() {
    let hashing = bulkhead(1);
    let (begun, begins): (Sender<()>, Receiver<()>) = channel();
    let (go, wait) = channel();
    let (over, ends): (Sender<()>, Receiver<()>) = channel();
    {
        let spawner = Spawner::threads();
        let mut call = pin!(hashing.run_blocking(&spawner, move || {
            begun.send(()).expect("the test waits");
            let sent: Result<(), _> = wait.recv();
            drop(over);
            sent
        }));
        poll(call.as_mut());
        begins.recv().expect("it begins");
    }
    assert_eq!(hashing.in_flight(), 1);
    assert!(hashing.try_admit().is_err());
    go.send(()).expect("it still waits");
    ends.recv().expect_err("it has dropped its end");
    drop(smol::block_on(hashing.admit()).expect("the permit comes back when the work has ended"));
    assert_eq!(hashing.snapshot().abandoned, 1, "only the permit that was dropped here: the work finished its own");
}

#[test]
fn work_that_nobody_waits_for_any_more_does_not_begin() {
    let hashing = bulkhead(1);
    let (shelf, spawner) = Shelf::spawner();
    let (ran, runs) = channel();
    {
        let mut call = pin!(hashing.run_blocking(&spawner, move || ran.send(())));
        poll(call.as_mut());
        assert_eq!(hashing.in_flight(), 1);
    }
    assert_eq!(hashing.in_flight(), 1, "the work is still on the shelf, with its permit");
    shelf.take()();
    assert!(runs.recv().is_err(), "it did not run");
    assert_eq!(hashing.in_flight(), 0);
    assert_eq!(hashing.snapshot().abandoned, 0, "a call that never began was cancelled");
}

#[test]
fn a_future_dropped_while_it_queues_leaves_the_queue_and_runs_nothing() {
    let hashing = bulkhead(1);
    let held = hashing.try_admit().expect("free");
    let (shelf, spawner) = Shelf::spawner();
    {
        let mut call = pin!(hashing.run_blocking(&spawner, || Ok::<_, Infallible>(())));
        poll(call.as_mut());
        assert_eq!(hashing.queued(), 1);
    }
    assert_eq!(hashing.queued(), 0);
    drop(held);
    assert!(shelf.0.lock().expect("no panic").is_empty());
    assert_eq!(hashing.in_flight(), 0);
}

#[test]
fn a_spawner_that_takes_nothing_is_an_error_and_the_permit_comes_back() {
    let hashing = bulkhead(1);
    let spawner = Spawner::custom(Arc::new(Shut));
    let error = smol::block_on(hashing.run_blocking(&spawner, || Ok::<_, Infallible>(()))).expect_err("shut");
    assert_eq!(error.to_string(), "not started: shut");
    assert_eq!((hashing.in_flight(), hashing.snapshot().abandoned), (0, 0), "the call was cancelled");
    assert!(error.into_rejection().is_none());
}

#[test]
fn work_that_its_spawner_drops_is_an_error_and_the_permit_comes_back() {
    let hashing = bulkhead(1);
    let (shelf, spawner) = Shelf::spawner();
    let mut call = pin!(hashing.run_blocking(&spawner, || Ok::<_, Infallible>(())));
    poll(call.as_mut());
    drop(shelf.take());
    assert_eq!(hashing.in_flight(), 0);
    let error = smol::block_on(call).expect_err("dropped");
    assert_eq!(error.to_string(), "not started: dropped before it began");
}

#[test]
fn a_refusal_is_the_bulkheads_own_and_the_work_does_not_run() {
    let hashing = Bulkhead::new(Config::new(1).name("hashing")).expect("valid");
    let _held = hashing.try_admit().expect("free");
    let (ran, runs) = channel();
    let spawner = Spawner::threads();
    let call = hashing.run_blocking(&spawner, move || ran.send(()));
    let error: BlockingError<Full> = smol::block_on(call).expect_err("full");
    assert!(runs.recv().is_err());
    let BlockingError::Refused(full) = &error else { panic!("{error:?}") };
    assert_eq!((full.in_flight(), full.limit()), (1, 1));
    let boxed: Box<dyn std::error::Error> = Box::new(error.clone());
    assert_eq!(Rejection::find(&*boxed).map(Rejection::reason), Some("full"));
    assert_eq!(error.into_rejection().map(|rejection| rejection.name().to_string()), Some("hashing".into()));
}

#[test]
fn work_takes_as_many_permits_as_its_call_claims() {
    let hashing = bulkhead(4);
    let (claims, spawner) = (Claiming::directly(&hashing), Spawner::threads());
    let (three, five) = (Claim::new().permits(3), Claim::new().permits(5));
    let seen = {
        let hashing = hashing.clone();
        move || Ok::<_, Infallible>(hashing.in_flight())
    };
    let call = claims.run_blocking_for(&three, &spawner, seen);
    assert_eq!(smol::block_on(call).expect("three of four").expect("infallible"), 3);
    let call = claims.run_blocking_for(&five, &spawner, || Ok::<_, Infallible>(()));
    let Err(BlockingError::Refused(full)) = smol::block_on(call) else { panic!("five of four") };
    assert!(full.is_never());
}

#[test]
fn a_result_is_judged_by_the_callers_classifier_whose_panic_is_the_callers_too() {
    let hashing = bulkhead(1);
    let judged = Arc::new(Mutex::new(None));
    let tell = judged.clone();
    let spawner = Spawner::threads();
    let call = hashing.run_blocking_classified(
        &spawner,
        || 3,
        move |result: &u8| {
            *tell.lock().expect("no panic") = Some(*result);
            Report::failure()
        },
    );
    assert_eq!(smol::block_on(call).expect("admitted"), 3);
    assert_eq!(*judged.lock().expect("no panic"), Some(3));
    let call = hashing.run_blocking_classified(&spawner, || 3, |_: &u8| std::panic::panic_any(5_u32));
    assert_eq!(smol::block_on(panic_of(call)).downcast_ref(), Some(&5_u32));
    assert_eq!(hashing.in_flight(), 0);
}
