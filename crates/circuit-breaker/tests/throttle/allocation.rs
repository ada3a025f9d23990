//! No call allocates, admitted or refused, whether it is counted in its lane or looks at all of them.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use seawall_circuit_breaker::AdaptiveThrottle;
use seawall_circuit_breaker::throttle::Config;
use seawall_core::time::ManualTime;
use seawall_core::{Outcome, Permit};
use seawall_testkit::alloc::{self, assert_none};

use crate::{SECOND, eager, record, throttle};

const CALLS: usize = 1_000;

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Calm, throttling by few counts, and throttling by many.
fn situations() -> Vec<(&'static str, AdaptiveThrottle, ManualTime)> {
    let calm = throttle(Config::default());
    let few = throttle(eager());
    record(&few.0, Outcome::Failure, 20);
    let many = throttle(Config::default());
    record(&many.0, Outcome::Success, 10_000);
    record(&many.0, Outcome::Failure, 30_000);
    [("calm", calm), ("few", few), ("many", many)].map(|(name, (throttle, time))| (name, throttle, time)).into()
}

#[test]
fn nothing_is_proved_by_an_allocator_that_does_not_count() {
    assert_eq!(alloc::count(|| Box::new(1)).count, 1);
}

#[test]
fn a_call_does_not_allocate_however_it_is_decided_and_ends() {
    for (name, throttle, time) in situations() {
        let asked = || (0..CALLS).filter_map(|_| throttle.try_admit().ok());
        assert_none(&format!("{name}: success"), || asked().for_each(Permit::success));
        assert_none(&format!("{name}: failure"), || asked().for_each(Permit::failure));
        assert_none(&format!("{name}: ignored"), || asked().for_each(Permit::ignore));
        assert_none(&format!("{name}: cancelled"), || asked().for_each(Permit::cancel));
        assert_none(&format!("{name}: dropped"), || asked().for_each(drop));
        assert_none(&format!("{name}: recorded"), || record(&throttle, Outcome::Failure, 100));
        assert_none(&format!("{name}: across buckets"), || {
            time.advance(SECOND);
            asked().for_each(Permit::success);
        });
        assert_none(&format!("{name}: a snapshot"), || throttle.snapshot());
        assert_none(&format!("{name}: run"), || poll_once(throttle.run(async { Ok::<_, ()>(7) })).is_ready());
        throttle.hold(1.0).expect("a probability");
        assert_none(&format!("{name}: refused"), || assert_eq!(asked().count(), 0));
        assert_none(&format!("{name}: run, refused"), || poll_once(throttle.run(async { Ok::<_, ()>(7) })).is_ready());
    }
}

#[cfg(feature = "tower")]
#[test]
fn a_request_does_not_allocate_in_any_mode() {
    use seawall_core::Rejection;
    use tower::{Layer, Service, service_fn};

    fn request<S>(service: &S) -> bool
    where
        S: Service<u32, Response = u32, Error = Rejection> + Clone,
    {
        let mut service = service.clone();
        let ready = service.poll_ready(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(ready, Poll::Ready(Ok(()))));
        matches!(poll_once(service.call(7)), Poll::Ready(Ok(7)))
    }

    let inner = service_fn(|request: u32| async move { Ok::<_, Rejection>(request) });
    for (name, throttle, _time) in situations() {
        let (shed, wait) = (throttle.layer().layer(inner), throttle.layer().wait(SECOND).layer(inner));
        let backpressure = throttle.layer().backpressure().layer(inner);
        for held in [false, true] {
            if held {
                throttle.hold(1.0).expect("a probability");
            }
            let requests = |service: &dyn Fn() -> bool| (0..CALLS).filter(|_| service()).count();
            let passed = [
                alloc::count(|| requests(&|| request(&shed))).count,
                alloc::count(|| requests(&|| request(&wait))).count,
                alloc::count(|| requests(&|| request(&backpressure))).count,
            ];
            assert_eq!(passed, [0, 0, 0], "{name}, held: {held}");
        }
    }
}
