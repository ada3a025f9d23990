//! Several policies as one decision.
#![cfg(not(seawall_loom))]

mod common;

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{Blocklist, Meter, Slots, Switch};
use seawall_core::time::Clock;
use seawall_core::{Shared, all};

const SECOND: Duration = Duration::from_secs(1);

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn what_one_gave_is_returned_when_another_refuses() {
    let (clock, _time) = Clock::manual();
    let meter = Shared::from_policy(Meter::new(&clock));
    let slots = Shared::from_policy(Slots::new(1, 0, &clock));
    let switch = Shared::from_policy(Switch::default());
    let every = all((meter.clone(), switch.clone(), slots.clone()));

    let taken = slots.try_admit().expect("free");
    let before = meter.next();
    assert_eq!(every.try_admit().expect_err("no slot").reason(), "full");
    assert_eq!(meter.next(), before, "a refused call was charged");
    assert_eq!(switch.cancelled.load(Ordering::SeqCst), switch.admitted.load(Ordering::SeqCst));
    drop(taken);
    every.try_admit().expect("all admit").success();
    assert_eq!(slots.queue.free(), 1);
    assert_eq!(switch.finished.load(Ordering::SeqCst), 1);
}

#[test]
fn a_closed_member_refuses_before_anything_is_taken_or_waited_for() {
    let (clock, _time) = Clock::manual();
    let meter = Shared::from_policy(Meter::new(&clock));
    let switch = Shared::from_policy(Switch::default());
    switch.off.store(true, Ordering::SeqCst);
    let both = all((meter.clone(), switch));
    let mut waiting = pin!(both.admit());
    let refused = match poll(waiting.as_mut()) {
        Poll::Ready(refused) => refused.expect_err("off"),
        Poll::Pending => panic!("waited for nothing"),
    };
    assert_eq!(refused.pattern(), "switch");
    assert_eq!(meter.next().as_nanos(), 0);
}

#[test]
fn members_are_waited_for_in_order_and_renewed_before_the_answer() {
    let (clock, time) = Clock::manual();
    let meter = Shared::from_policy(Meter::new(&clock));
    let slots = Shared::from_policy(Slots::new(1, 4, &clock));
    let switch = Shared::from_policy(Switch::default());
    // The switch stands first, but never waits: it is asked last, so nothing of it is held in a queue.
    let every = all((switch.clone(), meter.clone(), slots.clone()));
    every.try_admit().expect("all admit").success();
    let slot = slots.try_admit().expect("free");

    let mut waiting = pin!(every.admit());
    assert!(poll(waiting.as_mut()).is_pending());
    assert_eq!(slots.queue.waiting(), 0, "the slot is asked for only after the meter's turn");
    time.advance(SECOND);
    assert!(poll(waiting.as_mut()).is_pending());
    assert_eq!(slots.queue.waiting(), 1);
    assert_eq!(switch.admitted.load(Ordering::SeqCst), 1);
    drop(slot);
    switch.off.store(true, Ordering::SeqCst);
    let Poll::Ready(Err(refused)) = poll(waiting.as_mut()) else { panic!("it went off meanwhile") };
    assert_eq!(refused.pattern(), "switch");
    assert_eq!(slots.queue.free(), 1, "the slot was not given back");
}

#[test]
fn dropping_at_any_moment_gives_everything_back() {
    let (clock, time) = Clock::manual();
    let meter = Shared::from_policy(Meter::new(&clock));
    let slots = Shared::from_policy(Slots::new(1, 4, &clock));
    let both = all((meter.clone(), slots.clone()));
    both.try_admit().expect("free").success();
    {
        let mut waiting = pin!(both.admit());
        assert!(poll(waiting.as_mut()).is_pending());
    }
    assert_eq!(meter.next().as_nanos(), 1_000_000_000, "the turn of a dropped call is free again");
    let slot = slots.try_admit().expect("free");
    time.advance(SECOND);
    {
        let mut waiting = pin!(both.admit());
        assert!(poll(waiting.as_mut()).is_pending());
        assert_eq!(slots.queue.waiting(), 1);
    }
    assert_eq!(slots.queue.waiting(), 0);
    drop(slot);
    assert_eq!(slots.queue.free(), 1);
}

#[test]
fn a_turn_beyond_the_deadline_is_refused_at_once_and_charged_nothing() {
    let (clock, time) = Clock::manual();
    let meter = Shared::from_policy(Meter::new(&clock));
    let slots = Shared::from_policy(Slots::new(1, 4, &clock));
    let both = all((meter.clone(), slots.clone()));
    both.try_admit().expect("free").success();
    let before = meter.next();
    let mut waiting = pin!(both.admit_within(SECOND / 2));
    let Poll::Ready(Err(refused)) = poll(waiting.as_mut()) else { panic!("known to be too late") };
    assert_eq!(refused.retry_after(), Some(SECOND));
    assert_eq!(meter.next(), before);

    time.advance(SECOND);
    let slot = slots.try_admit().expect("free");
    let mut waiting = pin!(both.admit_within(SECOND / 2));
    assert!(poll(waiting.as_mut()).is_pending(), "nobody knows when a slot is free");
    time.advance(SECOND / 2);
    let Poll::Ready(Err(refused)) = poll(waiting.as_mut()) else { panic!("the deadline has come") };
    assert_eq!(refused.reason(), "too_late");
    drop(slot);
    assert_eq!((slots.queue.free(), slots.queue.waiting()), (1, 0));
}

#[test]
fn members_over_keys_and_absent_ones_are_members_too() {
    struct Request {
        user: Option<String>,
    }
    let blocklist = Shared::from_policy(Blocklist(vec!["mallory".into()]));
    let switch = Shared::from_policy(Switch::default());
    let absent: Option<Shared<Switch>> = None;
    let by_user = blocklist.by(|request: &Request| request.user.as_deref());
    let every = all((by_user, switch.clone(), absent));
    let ask = |user: Option<&str>| {
        let request = Request { user: user.map(Into::into) };
        every.with(&request).try_admit().map(seawall_core::Permit::success)
    };
    assert!(ask(Some("alice")).is_ok());
    assert!(ask(None).is_ok(), "whom it does not concern");
    assert!(ask(Some("mallory")).is_err());
    assert_eq!(switch.finished.load(Ordering::SeqCst), 2);
}

#[test]
fn a_key_function_that_panics_leaves_nothing_taken() {
    let (clock, _time) = Clock::manual();
    let slots = Shared::from_policy(Slots::new(1, 1, &clock));
    let switch = Shared::from_policy(Switch::default());
    let blocklist = Shared::from_policy(Blocklist::default());
    let keyless = blocklist.by(|(): &()| -> Option<&str> { panic!("no key") });
    let at_once = all((switch.clone(), keyless.clone()));
    let in_line = all((keyless, slots.clone()));
    for attempt in 0..2 {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match attempt {
            0 => drop(at_once.try_admit()),
            _ => drop(poll(pin!(in_line.admit()))),
        }));
        assert!(caught.is_err());
    }
    assert_eq!(switch.cancelled.load(Ordering::SeqCst), 1, "what the switch gave was lost");
    assert_eq!(slots.queue.free(), 1, "the slot was lost");
}

#[test]
#[should_panic(expected = "must share one clock")]
fn members_by_different_clocks_are_a_mistake() {
    let ((one, _), (other, _)) = (Clock::manual(), Clock::manual());
    let _ = all((Shared::from_policy(Meter::new(&one)), Shared::from_policy(Slots::new(1, 1, &other))));
}
