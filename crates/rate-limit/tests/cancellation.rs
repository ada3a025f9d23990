//! A wait that is dropped at any poll gives back what it was promised, and a call that is dropped has used its cells.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::time::Duration;

use seawall_core::time::{Clock, ManualTime};
use seawall_core::{Outcome, Rejection, Shared};
use seawall_rate_limit::{Algorithm, Config, Quota, RateLimiter, Weighed};
use seawall_testkit::cancel::CancelAtEveryPoll;

const SECOND: Duration = Duration::from_secs(1);

type Wait<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A way to wait for two cells.
type Door = (&'static str, fn(&RateLimiter) -> Wait<'_>);

fn doors() -> Vec<Door> {
    let direct: [Door; 5] = [
        ("acquire", |limiter| Box::pin(async { _ = limiter.acquire(2).await.expect("in turn") })),
        ("reserve and turn", |limiter| {
            Box::pin(async { _ = limiter.reserve(2, 100 * SECOND).expect("in turn").turn().await })
        }),
        ("admit", |limiter| {
            Box::pin(async { weighed(limiter).with(&2).admit().await.expect("in turn").end_as(Outcome::Success) })
        }),
        ("admit_within", |limiter| {
            Box::pin(async { weighed(limiter).with(&2).admit_within(50 * SECOND).await.expect("in turn").success() })
        }),
        ("run", |limiter| {
            Box::pin(async {
                let call = async { Ok::<_, Rejection>(()) };
                weighed(limiter).with(&2).run(call).await.expect("in turn").expect("it does nothing");
            })
        }),
    ];
    direct.into()
}

trait EndAs {
    fn end_as(self, outcome: Outcome);
}

impl<H: seawall_core::Hold> EndAs for seawall_core::Permit<H> {
    fn end_as(self, outcome: Outcome) {
        self.finish(outcome);
    }
}

fn limiter(algorithm: Algorithm) -> (RateLimiter, ManualTime) {
    let (clock, time) = Clock::manual();
    time.advance(10 * SECOND);
    let config = Config::new(Quota::per_second(4)).algorithm(algorithm).max_wait(100 * SECOND);
    (RateLimiter::with_clock(config, clock).expect("valid"), time)
}

/// A call that is a number of cells.
type Weigh = fn(&u32) -> u32;

/// The same limiter for calls that are numbers of cells.
fn weighed(limiter: &RateLimiter) -> Shared<Weighed<Weigh>> {
    Weighed::by(limiter, |cells: &u32| *cells)
}

/// What a limiter promises who asks now, in whole.
fn promised(limiter: &RateLimiter) -> Duration {
    let turn = limiter.reserve(2, 1_000 * SECOND).expect("in turn");
    turn.wait()
}

#[test]
fn a_wait_that_is_dropped_at_any_poll_gives_back_its_turn() {
    for algorithm in
        [Algorithm::Gcra, Algorithm::SlidingLog, Algorithm::TokenSteps, Algorithm::pacer(), Algorithm::sliding_window()]
    {
        for (door, wait) in doors() {
            let (limiter, time) = limiter(algorithm);
            let began = Cell::new(time.now());
            let before = RefCell::new((limiter.snapshot(), Duration::ZERO));
            let mut points = 0;
            let polls =
                CancelAtEveryPoll::new().between(|_| time.advance(Duration::from_millis(50))).only_when_woken().run(
                    || {
                        // A long time later nothing of the last round counts; then the limit is reached.
                        time.advance(100 * SECOND);
                        while limiter.check().is_ok() {}
                        began.set(time.now());
                        *before.borrow_mut() = (limiter.snapshot(), promised(&limiter));
                        wait(&limiter)
                    },
                    |polls| {
                        points += 1;
                        let (before, turn) = &*before.borrow();
                        let after = limiter.snapshot();
                        let passed = time.now().saturating_duration_since(began.get());
                        match polls {
                            0 => {
                                assert_eq!(promised(&limiter), *turn, "{algorithm:?} {door}: it has not begun");
                                assert_eq!(after.admitted, before.admitted + 1, "{algorithm:?} {door}");
                            }
                            1 if passed < *turn => {
                                let left = turn.saturating_sub(passed);
                                assert_eq!(promised(&limiter), left, "{algorithm:?} {door}: it gave back its turn");
                                assert!(after.given_back > before.given_back, "{algorithm:?} {door}");
                            }
                            _ => assert!(passed >= *turn, "{algorithm:?} {door}: woken before its turn"),
                        }
                    },
                );
            assert_eq!((polls, points), (2, 4), "{algorithm:?} {door}: it is polled when it asks, and in its turn");
        }
    }
}

/// Nobody has been told that the turn has come, so nobody has used it.
#[test]
fn a_turn_that_came_to_somebody_who_had_gone_is_given_back() {
    let (limiter, time) = limiter(Algorithm::sliding_window());
    let limiter = &limiter;
    let mut waiting =
        Box::pin(async move { weighed(limiter).with(&4).admit().await.map(seawall_core::Permit::success) });
    limiter.check_n(4).expect("all of it");
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    time.advance(2 * SECOND);
    drop(waiting);
    assert_eq!(limiter.peek().remaining(), 4);
}

#[test]
fn a_call_that_began_has_used_its_cells_however_it_ends() {
    for algorithm in [Algorithm::Gcra, Algorithm::sliding_window(), Algorithm::WindowCounter] {
        let (limiter, _time) = limiter(algorithm);
        let dropped = limiter.run(std::future::pending::<Result<(), ()>>());
        let mut dropped = Box::pin(dropped);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(dropped.as_mut().poll(&mut cx).is_pending());
        drop(dropped);
        assert_eq!(limiter.peek().remaining(), 3, "{algorithm:?}: abandoned");
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            limiter.run_sync(|| -> Result<(), ()> { panic!() })
        }));
        panicked.expect_err("it panics");
        assert_eq!(limiter.peek().remaining(), 2, "{algorithm:?}: panicked");
        drop(limiter.try_admit().expect("two left"));
        assert_eq!(limiter.peek().remaining(), 1, "{algorithm:?}: dropped");
        limiter.try_admit().expect("one left").cancel();
        assert_eq!(limiter.peek().remaining(), 1, "{algorithm:?}: never began");
    }
}

#[cfg(feature = "tower")]
mod layers {
    use super::*;
    use std::task::{Context, Poll, Waker};
    use tower::{Layer, Service, service_fn};

    fn echo() -> impl Service<u32, Response = u32, Error = Rejection, Future: Send> + Clone + Send + 'static {
        service_fn(|request: u32| async move { Ok::<_, Rejection>(request) })
    }

    fn layered(limiter: &RateLimiter, time: &ManualTime, mode: &str, make: impl Fn() -> Wait<'static>) {
        let turn = Cell::new(Duration::ZERO);
        let began = Cell::new(time.now());
        let polls =
            CancelAtEveryPoll::new().between(|_| time.advance(Duration::from_millis(50))).only_when_woken().run(
                || {
                    time.advance(100 * SECOND);
                    while limiter.check().is_ok() {}
                    began.set(time.now());
                    turn.set(limiter.reserve(1, 100 * SECOND).expect("in turn").wait());
                    make()
                },
                |polls| {
                    let passed = time.now().saturating_duration_since(began.get());
                    if polls < 2 && passed < turn.get() {
                        let left = limiter.reserve(1, 100 * SECOND).expect("in turn").wait();
                        assert_eq!(left, turn.get().saturating_sub(passed), "{mode}");
                    }
                },
            );
        assert_eq!(polls, 2, "{mode}");
    }

    #[test]
    fn a_wait_behind_a_layer_gives_back_its_turn() {
        for algorithm in [Algorithm::Gcra, Algorithm::SlidingLog, Algorithm::pacer()] {
            let (limiter, time) = limiter(algorithm);
            let service = limiter.layer().wait(50 * SECOND).layer(echo());
            layered(&limiter, &time, "wait", || {
                let mut service = service.clone();
                let ready = service.poll_ready(&mut Context::from_waker(Waker::noop()));
                assert!(matches!(ready, Poll::Ready(Ok(()))));
                let response = service.call(7);
                Box::pin(async { assert_eq!(response.await.expect("in turn"), 7) })
            });
            let service = limiter.layer().backpressure().layer(echo());
            layered(&limiter, &time, "backpressure", || {
                let mut service = service.clone();
                Box::pin(async move {
                    std::future::poll_fn(|cx| service.poll_ready(cx)).await.expect("ready in turn");
                    assert_eq!(service.call(7).await.expect("it has its turn"), 7);
                })
            });
        }
    }
}
