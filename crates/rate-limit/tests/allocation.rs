//! No decision allocates, whatever it is and by whatever door it is asked for.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seawall_core::time::{Clock, ManualTime};
use seawall_rate_limit::{
    AdaptiveConfig, Algorithm, BurstConfig, Config, Layers, Mode, Quota, RateLimiter, Rule, Scaling,
};
use seawall_testkit::alloc::{self, CountingAllocator, assert_none};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const CALLS: u32 = 100;

/// All whose state has one size. A log remembers every call.
fn algorithms() -> [Algorithm; 7] {
    [
        Algorithm::sliding_window(),
        Algorithm::Gcra,
        Algorithm::WindowCounter,
        Algorithm::fixed_window(),
        Algorithm::TokenSteps,
        Algorithm::warm_up(Duration::from_micros(2)),
        Algorithm::pacer(),
    ]
}

fn limiter(config: Config) -> (RateLimiter, ManualTime) {
    let (clock, time) = Clock::manual();
    (RateLimiter::with_clock(config, clock).expect("valid"), time)
}

/// Of which a call passes each millisecond, whatever the algorithm.
fn wide(algorithm: Algorithm) -> Config {
    Config::new(Quota::per_second(1_000_000)).algorithm(algorithm)
}

/// Of which the second call is refused.
fn narrow(algorithm: Algorithm) -> Config {
    Config::new(Quota::per_day(1)).algorithm(algorithm)
}

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn nothing_is_proved_by_an_allocator_that_does_not_count() {
    assert_eq!(alloc::count(|| Box::new(1)).count, 1);
}

#[test]
fn an_admitted_call_does_not_allocate() {
    for algorithm in algorithms() {
        let watched = BurstConfig::default().requests(1_000_000);
        for config in [wide(algorithm), wide(algorithm).burst(watched), wide(algorithm).mode(Mode::Shadow)] {
            let (limiter, time) = limiter(config);
            let each = |door: &str, call: &dyn Fn()| {
                assert_none(&format!("{algorithm:?}: {door}"), || {
                    for _ in 0..CALLS {
                        time.advance(Duration::from_millis(1));
                        call();
                    }
                });
            };
            each("check", &|| _ = limiter.check().expect("admitted"));
            each("check_n", &|| _ = limiter.check_n(3).expect("admitted"));
            each("peek", &|| _ = limiter.peek());
            each("take_up_to", &|| _ = limiter.take_up_to(3));
            each("refund", &|| limiter.refund(limiter.check().expect("admitted")));
            each("reserve", &|| _ = limiter.reserve(1, Duration::ZERO).expect("admitted").keep());
            each("reserve that is dropped", &|| drop(limiter.reserve(1, Duration::ZERO)));
            each("try_admit", &|| limiter.try_admit().expect("admitted").success());
            each("cancel", &|| limiter.try_admit().expect("admitted").cancel());
            each("run", &|| assert_eq!(poll_once(limiter.run(async { Ok::<_, ()>(7) })), Poll::Ready(Ok(Ok(7)))));
            each("acquire", &|| assert!(poll_once(limiter.acquire(1)).is_ready()));
        }
    }
}

#[test]
fn a_refused_call_does_not_allocate() {
    for algorithm in algorithms().into_iter().chain([Algorithm::SlidingLog]) {
        let watched = BurstConfig::default().requests(1_000_000);
        for config in [narrow(algorithm), narrow(algorithm).burst(watched)] {
            let (limiter, _time) = limiter(config);
            limiter.check().expect("the only one");
            let each = |door: &str, call: &dyn Fn() -> bool| {
                assert_none(&format!("{algorithm:?}: {door}"), || assert!((0..CALLS).all(|_| call()), "{door}"));
            };
            each("check", &|| limiter.check().is_err());
            each("too long a wait", &|| limiter.reserve(1, Duration::from_secs(1)).is_err());
            each("try_admit", &|| limiter.try_admit().is_err());
            each("admit_within", &|| {
                matches!(poll_once(limiter.admit_within(Duration::from_secs(1))), Poll::Ready(Err(_)))
            });
            each("run", &|| matches!(poll_once(limiter.run(async { Ok::<_, ()>(7) })), Poll::Ready(Err(_))));
        }
        let (shadow, _time) = limiter(narrow(algorithm).mode(Mode::Shadow));
        assert_none("a shadow", || assert!((0..CALLS).all(|_| shadow.check().is_ok())));
    }
}

#[test]
fn a_punished_call_does_not_allocate() {
    let burst = BurstConfig::default().requests(3).penalty(Duration::from_secs(3_600));
    let (limiter, _time) = limiter(wide(Algorithm::Gcra).burst(burst));
    (0..5).for_each(|_| drop(limiter.check()));
    assert_none("punished", || assert!((0..CALLS).all(|_| limiter.check().is_err())));
}

#[test]
fn leased_cells_do_not_allocate() {
    let (limiter, time) = limiter(wide(Algorithm::Gcra).scaling(Scaling::Sharded));
    assert_none("sharded", || {
        for _ in 0..10 * CALLS {
            time.advance(Duration::from_micros(100));
            limiter.check().expect("admitted");
        }
    });
}

#[test]
fn a_share_that_moves_does_not_allocate() {
    let (limiter, _time) = limiter(wide(Algorithm::Gcra).adaptive(AdaptiveConfig::default()));
    assert_none("no change", || assert!(limiter.adapt(0.1).is_ok()));
}

#[test]
fn several_limits_as_one_do_not_allocate() {
    let (clock, time) = Clock::manual();
    let make = |config: Config, name| RateLimiter::with_clock(config.name(name), clock.clone()).expect("valid");
    let narrow = make(narrow(Algorithm::sliding_window()), "narrow");
    let wide = make(wide(Algorithm::Gcra), "wide");
    let limits = Layers::of([Rule::all(&narrow).when(|call: &u32| *call == 7), Rule::all(&wide)]).expect("valid");
    assert_none("admitted", || {
        for _ in 0..CALLS {
            time.advance(Duration::from_millis(1));
            limits.with(&1).try_admit().expect("it does not concern the narrow one").success();
        }
    });
    limits.with(&7).try_admit().expect("the only one").success();
    assert_none("refused", || assert!((0..CALLS).all(|_| limits.with(&7).try_admit().is_err())));
}

#[cfg(feature = "tower")]
mod layers {
    use super::*;
    use seawall_core::Rejection;
    use tower::{Layer, Service, service_fn};

    /// One request as axum makes it: a clone of the service, its readiness, the call.
    fn request<S>(service: &S) -> Poll<Result<u32, Rejection>>
    where
        S: Service<u32, Response = u32, Error = Rejection> + Clone,
    {
        let mut service = service.clone();
        let ready = service.poll_ready(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(ready, Poll::Ready(Ok(()))));
        poll_once(service.call(7))
    }

    fn check<S>(mode: &str, limiter: &RateLimiter, service: &S)
    where
        S: Service<u32, Response = u32, Error = Rejection> + Clone,
    {
        limiter.reset();
        assert_none(&format!("{mode}: admitted"), || {
            limiter.reset();
            assert_eq!(request(service), Poll::Ready(Ok(7)));
        });
        let _ = limiter.check();
        assert_none(&format!("{mode}: refused"), || assert!(matches!(request(service), Poll::Ready(Err(_)))));
    }

    #[test]
    fn a_request_does_not_allocate_in_any_mode() {
        for algorithm in [Algorithm::sliding_window(), Algorithm::Gcra, Algorithm::WindowCounter] {
            let (limiter, _time) = limiter(narrow(algorithm));
            let inner = service_fn(|request: u32| async move { Ok::<_, Rejection>(request) });
            check("shed", &limiter, &limiter.layer().layer(inner));
            check("wait", &limiter, &limiter.layer().wait(Duration::from_secs(1)).layer(inner));
            check("layered", &limiter, &{
                let limits = Layers::of([Rule::<u32>::all(&limiter)]).expect("valid");
                limits.layer().layer(inner)
            });
        }
    }
}
