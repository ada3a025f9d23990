//! No call allocates, admitted or refused, by whatever door it comes.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seawall_circuit_breaker::{Abandoned, CircuitBreaker, Config, HalfOpen, State, Window};
use seawall_core::time::{Clock, ManualTime};
use seawall_core::{Outcome, Report};
use seawall_testkit::alloc::{self, CountingAllocator, assert_none};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const CALLS: usize = 100;

fn breaker(config: Config) -> (CircuitBreaker, ManualTime) {
    let (clock, time) = Clock::manual();
    (CircuitBreaker::with_clock(config, clock).expect("valid"), time)
}

/// Every rule at once, none of which is ever met.
fn watchful(window: Window) -> Config {
    Config::default()
        .window(window.minimum_calls(1))
        .failure_rate(1.0)
        .slow_calls(Duration::from_millis(5), 1.0)
        .consecutive_failures(1_000)
        .failures_in_period(1_000, Duration::from_secs(1))
        .abandoned(Abandoned::Rate(1.0))
}

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn nothing_is_proved_by_an_allocator_that_does_not_count() {
    assert_eq!(alloc::count(|| Box::new(1)).count, 1);
}

#[test]
fn an_admitted_call_does_not_allocate_however_it_ends() {
    for (name, window) in [("count", Window::count(50)), ("time", Window::time(Duration::from_secs(1)))] {
        let (breaker, time) = breaker(watchful(window));
        breaker.record(Outcome::Success, Duration::ZERO);
        let admit = || breaker.try_admit().expect("closed");
        assert_none(&format!("{name}: success"), || (0..CALLS).for_each(|_| admit().success()));
        assert_none(&format!("{name}: failure"), || {
            for _ in 0..CALLS {
                admit().failure();
                admit().success();
            }
        });
        assert_none(&format!("{name}: failure with an error and a hint"), || {
            let report = Report::failure().because(&"the bank is closed").retry_after(Duration::from_secs(1));
            for _ in 0..CALLS {
                admit().finish(report);
                admit().success();
            }
        });
        assert_none(&format!("{name}: slow"), || {
            for _ in 0..CALLS {
                let permit = admit();
                time.advance(Duration::from_millis(6));
                permit.success();
                admit().success();
            }
        });
        assert_none(&format!("{name}: ignored"), || (0..CALLS).for_each(|_| admit().ignore()));
        assert_none(&format!("{name}: cancelled"), || (0..CALLS).for_each(|_| admit().cancel()));
        assert_none(&format!("{name}: dropped"), || {
            for _ in 0..CALLS {
                drop(admit());
                admit().success();
            }
        });
        assert_none(&format!("{name}: recorded"), || {
            (0..CALLS).for_each(|_| breaker.record(Outcome::Success, Duration::ZERO));
        });
        assert_none(&format!("{name}: the state"), || breaker.state());
        assert_eq!(breaker.state(), State::Closed, "{name}: what was counted was not the closed circuit");
    }
}

#[test]
fn a_refused_call_does_not_allocate() {
    let (breaker, _time) = breaker(Config::classic());
    let refuse = || (0..CALLS).all(|_| breaker.try_admit().is_err());
    breaker.trip();
    assert_none("open", || assert!(refuse()));
    breaker.force_open();
    assert_none("forced open", || assert!(refuse()));
    breaker.trip();
    breaker.half_open().expect("open");
    let probes: Vec<_> = (0..3).map(|_| breaker.try_admit().expect("a probe")).collect();
    assert_none("half-open", || assert!(refuse()));
    drop(probes);
}

#[test]
fn a_probe_does_not_allocate() {
    let half_open = HalfOpen::probes(3).without_max();
    let (breaker, _time) = breaker(Config::classic().abandoned(Abandoned::Ignore).half_open(half_open));
    breaker.trip();
    breaker.half_open().expect("open");
    assert_none("a probe that is given back", || (0..CALLS).for_each(|_| drop(breaker.try_admit().expect("a probe"))));
    assert_eq!(breaker.snapshot().probes_left, Some(3));
}

#[test]
fn run_does_not_allocate() {
    let (breaker, _time) = breaker(watchful(Window::time(Duration::from_secs(1))));
    breaker.record(Outcome::Success, Duration::ZERO);
    let run = || poll_once(breaker.run(async { Ok::<_, ()>(7) }));
    assert_none("run", || assert_eq!(run(), Poll::Ready(Ok(Ok(7)))));
    assert_none("run that is dropped", || {
        poll_once(breaker.run(std::future::pending::<Result<(), ()>>())).is_pending()
    });
    assert_none("run_sync", || assert_eq!(breaker.run_sync(|| Ok::<_, ()>(7)), Ok(Ok(7))));
    breaker.trip();
    assert_none("run that is refused", || assert!(matches!(run(), Poll::Ready(Err(_)))));
    assert_none("run_sync that is refused", || assert!(breaker.run_sync(|| Ok::<_, ()>(7)).is_err()));
}

#[test]
fn a_clone_of_the_handle_does_not_allocate_once_its_thread_has_cloned() {
    let (breaker, _time) = breaker(Config::classic());
    assert_none("a clone where it was made", || breaker.clone());
    std::thread::scope(|scope| {
        scope.spawn(|| assert_none("a clone elsewhere", || breaker.clone()));
    });
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

    fn check<S>(mode: &str, breaker: &CircuitBreaker, service: &S)
    where
        S: Service<u32, Response = u32, Error = Rejection> + Clone,
    {
        breaker.reset();
        assert_none(&format!("{mode}: admitted"), || assert_eq!(request(service), Poll::Ready(Ok(7))));
        breaker.trip();
        assert_none(&format!("{mode}: refused"), || assert!(matches!(request(service), Poll::Ready(Err(_)))));
    }

    #[test]
    fn a_request_does_not_allocate_in_any_mode() {
        let (breaker, _time) = breaker(Config::classic());
        let inner = service_fn(|request: u32| async move { Ok::<_, Rejection>(request) });
        check("shed", &breaker, &breaker.layer().layer(inner));
        check("wait", &breaker, &breaker.layer().wait(Duration::from_secs(1)).layer(inner));
        check("backpressure", &breaker, &breaker.layer().backpressure().layer(inner));
        let answering = breaker.layer().on_rejection(|_: Rejection| 503).layer(inner);
        breaker.trip();
        assert_none("an answer instead of an error", || assert_eq!(request(&answering), Poll::Ready(Ok(503))));
    }
}
