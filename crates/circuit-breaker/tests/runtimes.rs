//! One breaker serves every runtime, and none: the same calls under tokio, smol and a plain `block_on`; what crosses threads
//! is `Send` and `Sync`; what is copied is small.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use seawall_circuit_breaker::{
    Breaker, CircuitBreaker, Config, Event, HalfOpen, NotOpen, Open, Snapshot, State, Token,
};
use seawall_core::time::Clock;
use seawall_core::{Permit, Rejection};

/// Opens at the first failure, for a moment of real time.
fn brittle() -> Config {
    Config::empty().consecutive_failures(1).open_for(Duration::from_millis(5)).half_open(HalfOpen::probes(1))
}

/// Through all states and back, on `clock`.
async fn there_and_back(config: Config, clock: Clock) {
    let breaker = CircuitBreaker::with_clock(config, clock.clone()).expect("valid");
    let call = |fails: bool| async move { if fails { Err("down") } else { Ok("up") } };
    assert_eq!(breaker.run(call(false)).await, Ok(Ok("up")));
    assert_eq!(breaker.run(call(true)).await, Ok(Err("down")));
    loop {
        // However slow the machine is, the last refusal says when to come again.
        match breaker.run(call(false)).await {
            Ok(result) => break assert_eq!(result, Ok("up")),
            Err(open) => clock.sleep(open.retry_after().expect("known")).await,
        }
    }
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().total.opened, 1);
    breaker.admit().await.expect("closed").failure();
    let refused = breaker.admit_within(Duration::from_secs(1)).await.map(Permit::cancel);
    let seen = (refused.is_err(), breaker.state());
    assert!(matches!(seen, (true, State::Open | State::HalfOpen) | (false, State::HalfOpen)), "{seen:?}");
}

/// Drives a future with nothing but the thread that it is on.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_tokio_with_threads() {
    tokio::spawn(there_and_back(brittle(), Clock::system())).await.expect("no panic");
}

#[tokio::test]
async fn under_tokio_with_one_thread() {
    there_and_back(brittle(), Clock::system()).await;
}

#[test]
fn under_smol() {
    smol::block_on(smol::spawn(there_and_back(brittle(), Clock::system())));
}

#[test]
fn under_no_runtime() {
    block_on(there_and_back(brittle(), Clock::system()));
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn on_tokios_paused_time_an_hour_passes_at_once() {
    let hour = Duration::from_secs(3_600);
    let before = Clock::tokio().now();
    there_and_back(brittle().open_for(hour), Clock::tokio()).await;
    assert!(Clock::tokio().now() >= before + hour);
}

#[test]
fn on_threads_without_any_future() {
    let breaker = CircuitBreaker::new(Config::classic()).expect("valid");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for call in 0..1_000 {
                    assert_eq!(breaker.run_sync(|| Ok::<_, ()>(call)), Ok(Ok(call)));
                }
                breaker.admit_blocking(Duration::from_secs(1)).expect("closed").success();
            });
        }
    });
    assert_eq!(breaker.snapshot().total.successes, 4_004);
    breaker.force_open();
    assert!(breaker.run_sync(|| Ok::<_, ()>(())).is_err());
    assert!(breaker.admit_blocking(Duration::from_secs(1)).is_err(), "a breaker does not wait");
}

#[cfg(feature = "tower")]
mod layers {
    use super::*;
    use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

    async fn two_requests<S>(service: S)
    where
        S: Service<u32, Response = u32, Error = BoxError> + Clone + Send + 'static,
        S::Future: Send,
    {
        assert_eq!(service.clone().oneshot(7).await.expect("closed"), 7);
        assert_eq!(service.oneshot(8).await.expect("closed"), 8);
    }

    #[test]
    fn every_mode_is_served_by_every_runtime() {
        let breaker = CircuitBreaker::new(Config::classic()).expect("valid");
        let echo = service_fn(|request: u32| async move { Ok::<_, BoxError>(request) });
        let shed = breaker.layer().boxed().layer(echo);
        let wait = breaker.layer().wait(Duration::from_secs(1)).boxed().layer(echo);
        let backpressure = breaker.layer().backpressure().boxed().layer(echo);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            tokio::spawn(two_requests(shed.clone())).await.expect("no panic");
            tokio::spawn(two_requests(wait.clone())).await.expect("no panic");
            tokio::spawn(two_requests(backpressure.clone())).await.expect("no panic");
        });
        smol::block_on(async {
            smol::spawn(two_requests(shed.clone())).await;
            smol::spawn(two_requests(wait.clone())).await;
            smol::spawn(two_requests(backpressure.clone())).await;
        });
        block_on(two_requests(shed));
        block_on(two_requests(wait));
        block_on(two_requests(backpressure));
        assert_eq!(breaker.snapshot().total.successes, 18);
    }

    fn is_shared<T: Send + Sync + 'static>(_: &T) {}

    #[test]
    fn services_and_their_futures_are_send_and_sync() {
        let breaker = CircuitBreaker::new(Config::classic()).expect("valid");
        let echo = service_fn(|request: u32| std::future::ready(Ok::<_, Rejection>(request)));
        let mut shed = breaker.layer().layer(echo);
        let mut wait = breaker.layer().wait(Duration::from_secs(1)).layer(echo);
        let mut backpressure = breaker.layer().backpressure().layer(echo);
        is_shared(&breaker.layer());
        is_shared(&shed);
        is_shared(&wait);
        is_shared(&backpressure);
        is_shared(&shed.call(1));
        is_shared(&wait.call(1));
        is_shared(&backpressure.call(1));
    }
}

#[test]
fn what_crosses_threads_is_send_and_sync() {
    const fn shared<T: Send + Sync + 'static>() {}
    const fn sent<T: Send + Sync>() {}
    fn is_sent<T: Send>(_: &T) {}

    shared::<CircuitBreaker>();
    shared::<Breaker>();
    shared::<Config>();
    shared::<Token>();
    shared::<Open>();
    shared::<NotOpen>();
    shared::<Rejection>();
    shared::<Snapshot>();
    shared::<Event>();
    shared::<Permit<CircuitBreaker>>();
    sent::<Permit<&Breaker>>();

    let breaker = CircuitBreaker::new(Config::classic()).expect("valid");
    is_sent(&breaker.run(std::future::ready(Ok::<_, ()>(()))));
    is_sent(&breaker.admit());
    is_sent(&breaker.admit_within(Duration::ZERO));
}

#[test]
fn what_is_copied_is_small() {
    const fn is_copy<T: Copy>() {}

    assert!(size_of::<Open>() <= 56, "{}", size_of::<Open>());
    assert!(size_of::<Rejection>() <= 56, "{}", size_of::<Rejection>());
    assert!(size_of::<Token>() <= 16, "{}", size_of::<Token>());
    assert_eq!(size_of::<Option<Token>>(), size_of::<Token>(), "a permit needs no flag beside its token");
    assert!(size_of::<Permit<&Breaker>>() <= 24, "{}", size_of::<Permit<&Breaker>>());
    assert_eq!(size_of::<CircuitBreaker>(), size_of::<usize>());
    is_copy::<Open>();
    is_copy::<Rejection>();
}
