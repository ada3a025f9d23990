//! One limiter serves every runtime, and none: the same waits under tokio, smol and a plain `block_on`; what crosses threads is
//! `Send` and `Sync`; what is copied is small.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use seawall_core::time::Clock;
use seawall_core::{Permit, Rejection};
use seawall_rate_limit::{
    Algorithm, Config, Event, Grant, Layers, Limiter, Quota, RateLimiter, Reservation, Rule, Snapshot, Throttled, Turn,
    Weighed,
};

const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::sliding_window(), Algorithm::Gcra, Algorithm::SlidingLog, Algorithm::pacer()];

/// Ten cells, four at once: everybody has to wait for some milliseconds of real time.
fn busy(algorithm: Algorithm) -> Config {
    Config::new(Quota::new(4, Duration::from_millis(20))).algorithm(algorithm).max_wait(Duration::from_secs(60))
}

/// Every way to wait; nobody has its turn before its time.
async fn in_turn(config: Config, clock: Clock) {
    let limiter = RateLimiter::with_clock(config, clock.clone()).expect("valid");
    while limiter.check().is_ok() {}
    let turn = limiter.reserve(1, Duration::from_secs(60)).expect("in turn");
    let act_at = turn.act_at();
    assert_eq!(turn.turn().await.act_at(), act_at);
    assert!(clock.now() >= act_at);
    assert_eq!(limiter.acquire(2).await.expect("in turn").cells(), 2);
    limiter.admit().await.expect("in turn").success();
    Weighed::by(&limiter, |cells: &u32| *cells)
        .with(&3)
        .admit_within(Duration::from_secs(60))
        .await
        .expect("in turn")
        .success();
    assert_eq!(limiter.run(async { Ok::<_, ()>(7) }).await, Ok(Ok(7)));
    let snapshot = limiter.snapshot();
    assert!(snapshot.waited >= 2, "{snapshot:?}");
    assert_eq!(snapshot.throttled, 1);
}

async fn in_turn_by_all(clock: Clock) {
    for algorithm in ALGORITHMS {
        in_turn(busy(algorithm), clock.clone()).await;
    }
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
    tokio::spawn(in_turn_by_all(Clock::system())).await.expect("no panic");
}

#[tokio::test]
async fn under_tokio_with_one_thread() {
    in_turn_by_all(Clock::system()).await;
}

#[test]
fn under_smol() {
    smol::block_on(smol::spawn(in_turn_by_all(Clock::system())));
}

#[test]
fn under_no_runtime() {
    block_on(in_turn_by_all(Clock::system()));
}

#[test]
fn on_manual_time() {
    let executor = seawall_testkit::exec::Executor::new(5);
    executor.block_on(in_turn_by_all(executor.clock()));
    assert!(executor.now().as_nanos() > 20_000_000, "time was waited for");
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn on_tokios_paused_time_an_hour_passes_at_once() {
    let before = Clock::tokio().now();
    let hourly = Config::new(Quota::per_hour(4)).algorithm(Algorithm::Gcra).max_wait(Duration::from_secs(24 * 3_600));
    let limiter = RateLimiter::with_clock(hourly, Clock::tokio()).expect("valid");
    for _ in 0..8 {
        limiter.admit().await.expect("in turn").success();
    }
    assert!(Clock::tokio().now() >= before + Duration::from_secs(3_600));
}

#[test]
fn on_threads_without_any_future() {
    for algorithm in ALGORITHMS {
        let limiter = RateLimiter::new(busy(algorithm)).expect("valid");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    assert_eq!(limiter.run_sync(|| Ok::<_, ()>(7)), Ok(Ok(7)));
                    limiter.admit_blocking(Duration::from_secs(60)).expect("in turn").success();
                });
            }
        });
        assert_eq!(limiter.snapshot().admitted, 8, "{algorithm:?}");
    }
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
        assert_eq!(service.clone().oneshot(7).await.expect("in turn"), 7);
        assert_eq!(service.oneshot(8).await.expect("in turn"), 8);
    }

    #[test]
    fn every_mode_is_served_by_every_runtime() {
        let echo = service_fn(|request: u32| async move { Ok::<_, BoxError>(request) });
        for algorithm in ALGORITHMS {
            let limiter = RateLimiter::new(busy(algorithm)).expect("valid");
            let wait = limiter.layer().wait(Duration::from_secs(60)).boxed().layer(echo);
            let backpressure = limiter.layer().backpressure().boxed().layer(echo);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::spawn(two_requests(wait.clone())).await.expect("no panic");
                tokio::spawn(two_requests(backpressure.clone())).await.expect("no panic");
            });
            smol::block_on(async {
                smol::spawn(two_requests(wait.clone())).await;
                smol::spawn(two_requests(backpressure.clone())).await;
            });
            block_on(two_requests(wait));
            block_on(two_requests(backpressure));
            assert_eq!(limiter.snapshot().admitted, 12, "{algorithm:?}");
        }
    }

    fn is_shared<T: Send + Sync + 'static>(_: &T) {}

    #[test]
    fn services_and_their_futures_are_send_and_sync() {
        let limiter = RateLimiter::new(busy(Algorithm::Gcra)).expect("valid");
        let echo = service_fn(|request: u32| std::future::ready(Ok::<_, Rejection>(request)));
        let mut shed = limiter.layer().layer(echo);
        let mut wait = limiter.layer().wait(Duration::from_secs(1)).layer(echo);
        is_shared(&shed);
        is_shared(&wait);
        is_shared(&limiter.layer().backpressure().layer(echo));
        is_shared(&shed.call(1));
        is_shared(&wait.call(1));
    }
}

#[test]
fn what_crosses_threads_is_send_and_sync() {
    const fn shared<T: Send + Sync + 'static>() {}
    const fn sent<T: Send + Sync>() {}
    fn is_sent<T: Send>(_: &T) {}

    shared::<RateLimiter>();
    shared::<Limiter>();
    shared::<Layers<u32, 3>>();
    shared::<Rule<u32>>();
    shared::<Config>();
    shared::<Grant>();
    shared::<Turn>();
    shared::<Throttled>();
    shared::<Snapshot>();
    shared::<Event>();
    shared::<Permit<RateLimiter>>();
    sent::<Reservation<'_>>();
    sent::<Permit<&Limiter>>();

    let limiter = RateLimiter::new(busy(Algorithm::Gcra)).expect("valid");
    is_sent(&limiter.acquire(1));
    is_sent(&limiter.admit());
    is_sent(&limiter.run(std::future::ready(Ok::<_, ()>(()))));
}

#[test]
fn what_is_copied_is_small() {
    const fn is_copy<T: Copy>() {}

    is_copy::<Throttled>();
    assert!(size_of::<Throttled>() <= 120, "{}", size_of::<Throttled>());
    assert!(size_of::<Grant>() <= 88, "{}", size_of::<Grant>());
    assert_eq!(size_of::<RateLimiter>(), size_of::<usize>());
}
