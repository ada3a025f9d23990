//! A call may be dropped at any point: its key's circuit hears of it, and of nothing else.

use std::cell::Cell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use seawall_circuit_breaker::{Abandoned, HalfOpen, Keyed, State};
use seawall_testkit::cancel::CancelAtEveryPoll;

use super::{INTERVAL, breakers, fragile, open, state, succeed};

/// Is ready once the gate is open for so many polls.
async fn call(gate: &Cell<usize>) -> Result<(), ()> {
    std::future::poll_fn(|_| if gate.get() < 3 { Poll::Pending } else { Poll::Ready(Ok(())) }).await
}

#[test]
fn a_probe_that_is_dropped_at_any_point_comes_back() {
    let config = fragile().abandoned(Abandoned::Ignore).half_open(HalfOpen::probes(1));
    let (hosts, time) = breakers(Keyed::new(config).capacity(2));
    open(&hosts, "a");
    time.advance(INTERVAL);
    let gate = Cell::new(0);
    let polls = CancelAtEveryPoll::new().between(|polls| gate.set(polls)).run(
        || hosts.with("a").run(call(&gate)),
        |_| {
            gate.set(0);
            let snapshot = hosts.get("a").expect("never forgotten").snapshot();
            assert!(snapshot.state == State::Closed || snapshot.probes_left == Some(1), "{snapshot:?}");
        },
    );
    assert_eq!((polls, state(&hosts, "a")), (4, Some(State::Closed)));
}

#[test]
fn a_dropped_call_counts_for_its_own_key() {
    let (hosts, _time) = breakers(Keyed::new(fragile().abandoned(Abandoned::Failure)));
    succeed(&hosts, "b");
    for _ in 0..2 {
        let running = pin!(hosts.with("a").run(std::future::pending::<Result<(), ()>>()));
        assert!(running.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!((state(&hosts, "a"), state(&hosts, "b")), (Some(State::Open), Some(State::Closed)));
}

#[test]
fn a_call_that_is_dropped_after_its_key_was_forgotten_counts_nowhere() {
    let (hosts, _time) = breakers(Keyed::new(fragile().abandoned(Abandoned::Failure)).capacity(1));
    let mut running = Box::pin(hosts.with("a").run(std::future::pending::<Result<(), ()>>()));
    assert!(running.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    succeed(&hosts, "b");
    drop(running);
    let total = hosts.get("b").expect("it took the place").snapshot().total;
    assert_eq!((total.abandoned, total.stale, total.successes), (0, 0, 1));
}

#[test]
fn a_future_that_was_never_polled_makes_no_key_known() {
    let (hosts, _time) = breakers(Keyed::new(fragile()));
    drop(hosts.with("a").run(std::future::ready(Ok::<_, ()>(()))));
    assert!(hosts.is_empty());
}
