use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use seawall_core::Deadline;
use seawall_core::time::{BoxFuture, Clock, TimeDriver, Timestamp};
use seawall_retry::{Timeout, TimeoutConfig};
use seawall_testkit::alloc::assert_none;
use seawall_testkit::drive::poll;

use crate::{MS, timeout};

#[test]
fn a_call_that_ends_at_once_does_not_allocate() {
    for timeout in [timeout(100 * MS).0, Timeout::new(TimeoutConfig::new(100 * MS)).expect("valid")] {
        assert_none("run", || assert_eq!(poll(pin!(timeout.run(async { 7 }))), Poll::Ready(Ok(7))));
        assert_none("run that is refused", || {
            let refused = timeout.run_until(Deadline::at(Timestamp::ZERO), async { 7 });
            assert!(matches!(poll(pin!(refused)), Poll::Ready(Err(_))));
        });
        assert_none("a call that is dropped before its first poll", || drop(timeout.run(async { 7 })));
    }
}

#[cfg(feature = "tower")]
#[test]
fn a_request_that_ends_at_once_does_not_allocate() {
    use seawall_core::Rejection;
    use seawall_testkit::drive::make_ready;
    use tower::{Layer, Service, service_fn};

    let (timeout, ..) = timeout(100 * MS);
    let inner = service_fn(|request: u32| async move { Ok::<_, Rejection>(request) });
    let deadlines = (|request: &u32| (*request == 0).then_some(Deadline::at(Timestamp::ZERO)), |_: &mut u32, _| ());
    let service = timeout.layer().deadlines(deadlines).layer(inner);
    for (what, number) in [("in time", 7), ("refused", 0)] {
        assert_none(what, || {
            let mut service = service.clone();
            make_ready(&mut service);
            assert_eq!(poll(pin!(service.call(number))).map(|result| result.is_ok()), Poll::Ready(number == 7));
        });
    }
}

/// Counts how often it is read.
#[derive(Default)]
struct Counting(AtomicUsize);

impl TimeDriver for Counting {
    fn now(&self) -> Timestamp {
        self.0.fetch_add(1, Ordering::SeqCst);
        Timestamp::from_nanos(1)
    }

    fn sleep_until(&self, _at: Timestamp) -> BoxFuture {
        panic!("a call that ends at once needs no timer");
    }
}

#[test]
fn a_call_that_ends_at_once_reads_the_clock_once_and_sets_no_timer() {
    let driver = Arc::new(Counting::default());
    let timeout = Timeout::with_clock(TimeoutConfig::new(100 * MS), Clock::custom(driver.clone())).expect("valid");
    let mut calls = 0;
    let mut ends = |result: bool| {
        calls += 1;
        assert!(result);
        assert_eq!(driver.0.load(Ordering::SeqCst), calls);
    };
    ends(poll(pin!(timeout.run(async {}))).is_ready());
    ends(poll(pin!(timeout.run_until(Deadline::at(Timestamp::NEVER), async {}))).is_ready());
}

#[test]
fn the_future_is_the_call_and_a_little() {
    let (timeout, ..) = timeout(100 * MS);
    let call = || async {
        let large = [7_u8; 4_096];
        std::future::ready(()).await;
        large
    };
    let (alone, timed) = (size_of_val(&call()), size_of_val(&timeout.run(call())));
    assert!(timed <= alone + 256, "{alone} bytes become {timed}");
}
