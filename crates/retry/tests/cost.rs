//! A call whose first attempt is good allocates nothing, by whatever door it comes.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seawall_core::time::Clock;
use seawall_retry::{Config, Hedge, HedgeConfig, HedgeDelay, Retry};
use seawall_testkit::alloc::{self, CountingAllocator, assert_none};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const CALLS: usize = 100;
const SECOND: Duration = Duration::from_secs(1);

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn retries() -> Vec<(&'static str, Retry)> {
    let clock = Clock::manual().0;
    let make = |config| Retry::with_clock(config, clock.clone()).expect("valid");
    vec![
        ("no limits", make(Config::default().without_budget())),
        ("a budget", make(Config::default())),
        ("all limits", make(Config::default().within(SECOND).attempt_timeout(SECOND))),
    ]
}

fn hedges() -> Vec<(&'static str, Hedge)> {
    let clock = Clock::manual().0;
    let make = |config| Hedge::with_clock(config, clock.clone()).expect("valid");
    vec![
        ("a fixed delay", make(HedgeConfig::default().delay(SECOND))),
        ("no budget", make(HedgeConfig::default().delay(SECOND).without_budget())),
        ("a measured delay", make(HedgeConfig::default().delay(HedgeDelay::quantile(0.9).window(32).warm_up(1)))),
    ]
}

#[test]
fn nothing_is_proved_by_an_allocator_that_does_not_count() {
    assert_eq!(alloc::count(|| Box::new(1)).count, 1);
}

#[test]
fn a_good_first_attempt_allocates_nothing() {
    for (name, retry) in retries() {
        let call = || assert!(poll_once(retry.run(|_| async { Ok::<_, ()>(1) })).is_ready());
        call();
        assert_none(name, || (0..CALLS).for_each(|_| call()));
    }
}

#[test]
fn a_result_that_is_final_allocates_nothing_either() {
    let (_, retry) = retries().remove(0);
    let is_final = |_: &Result<(), ()>| seawall_retry::Verdict::is_final();
    let call = || assert!(poll_once(retry.run_judged(|_| async { Err(()) }, is_final, None)).is_ready());
    call();
    assert_none("a final result", || (0..CALLS).for_each(|_| call()));
}

#[test]
fn a_call_that_is_answered_before_a_hedge_is_due_allocates_nothing() {
    for (name, hedge) in hedges() {
        let call = || assert!(poll_once(hedge.run(|_| async { Ok::<_, ()>(1) })).is_ready());
        (0..CALLS).for_each(|_| call());
        assert_none(name, || (0..CALLS).for_each(|_| call()));
    }
}

#[cfg(feature = "tower")]
mod layers {
    use tower::{Layer, Service, service_fn};

    use super::{CALLS, assert_none, hedges, poll_once, retries};

    fn drive<S: Service<u32>>(name: &str, mut service: S) {
        let mut call = || {
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(service.poll_ready(&mut cx).is_ready());
            assert!(poll_once(service.call(7)).is_ready());
        };
        (0..CALLS).for_each(|_| call());
        assert_none(name, || (0..CALLS).for_each(|_| call()));
    }

    #[test]
    fn nor_through_a_service() {
        let echo = || service_fn(|request: u32| std::future::ready(Ok::<_, std::io::Error>(request)));
        for (name, retry) in retries() {
            drive(name, retry.layer().boxed().layer(echo()));
        }
        for (name, hedge) in hedges() {
            drive(name, hedge.layer().layer(echo()));
        }
    }
}
