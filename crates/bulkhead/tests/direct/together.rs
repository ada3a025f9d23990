//! The bulkhead as one of several members.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use seawall_bulkhead::{Claiming, Config};
use seawall_core::time::{Clock, Now};
use seawall_core::{Admits, Ask, Claim, Ending, Kind, Name, Policy, Rejection, Shared, all};

use crate::{Driven, bulkhead, poll_once};

/// Refuses while it is closed, and only when it is asked.
struct Gate(Arc<AtomicBool>);

static CLOSED: Kind = Kind::new("gate", "closed");

impl Policy for Gate {
    type Token = ();
    type Place = Infallible;
    type Refusal = Rejection;

    fn clock(&self) -> Option<&Clock> {
        None
    }

    fn settle(&self, (): (), _: Ending<'_>, _: &Now<'_>) {}
}

impl<Call: ?Sized> Admits<Call> for Gate {
    fn try_admit(&self, _: &Ask<'_, Call>) -> Result<(), Rejection> {
        if self.0.load(Ordering::SeqCst) {
            return Err(Rejection::new(&CLOSED, "gate".parse::<Name>().expect("a name")));
        }
        Ok(())
    }
}

fn gate() -> (Shared<Gate>, Arc<AtomicBool>) {
    let closed = Arc::new(AtomicBool::new(false));
    (Shared::from_policy(Gate(closed.clone())), closed)
}

#[test]
fn a_refusal_of_one_of_all_is_counted_once() {
    let (bulkhead, _time) = bulkhead(Config::new(1));
    let both = all((bulkhead.clone(), gate().0));
    let running = both.try_admit().expect("free");
    for _ in 0..3 {
        assert_eq!(both.try_admit().expect_err("full").reason(), "full");
        assert!(matches!(poll_once(both.admit()), Poll::Ready(Err(_))));
    }
    assert_eq!(bulkhead.snapshot().refused.total(), 6);
    running.success();
    assert_eq!((bulkhead.snapshot().admitted, bulkhead.in_flight()), (1, 0));
}

#[test]
fn one_of_all_waits_in_the_bulkheads_queue() {
    let (bulkhead, _time) = bulkhead(Config::new(1).queue(1));
    let both = all((bulkhead.clone(), gate().0));
    let running = both.try_admit().expect("free");
    let waiting = Driven::waiting(both.admit());
    assert_eq!(bulkhead.queued(), 1);
    assert!(matches!(poll_once(both.admit()), Poll::Ready(Err(_))), "there is room for one");
    assert_eq!(bulkhead.snapshot().refused.full, 1);
    running.success();
    drop(waiting.output().expect("its turn"));
    assert_eq!((bulkhead.in_flight(), bulkhead.queued()), (0, 0));
}

#[test]
fn what_was_taken_for_a_call_that_another_member_refuses_is_given_back() {
    let (bulkhead, _time) = bulkhead(Config::new(2).queue(1));
    let (gate, closed) = gate();
    let both = all((Claiming::directly(&bulkhead), gate));
    let two = Claim::new().permits(2);
    let running = both.with(&two).try_admit().expect("free and open");
    let waiting = Driven::waiting(both.with(&two).admit());
    closed.store(true, Ordering::SeqCst);
    running.success();
    assert_eq!(waiting.output().expect_err("it closed meanwhile").reason(), "closed");
    assert_eq!(both.with(&two).try_admit().expect_err("closed").reason(), "closed");
    assert_eq!((bulkhead.available(), bulkhead.queued(), bulkhead.snapshot().refused.total()), (2, 0, 0));
    let snapshot = bulkhead.snapshot();
    assert_eq!((snapshot.admitted, snapshot.cancelled), (3, 2), "two of three never started");
    let never = both.with(&Claim::new().permits(3)).try_admit().expect_err("three of two");
    assert_eq!(never.reason(), "too_large");
}
