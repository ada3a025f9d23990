//! The handle: one state, however it is cloned, and how its calls end.
#![cfg(not(seawall_loom))]

mod common;

use std::pin::pin;
use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{Slots, Switch};
use seawall_core::time::Clock;
use seawall_core::{Ending, Policy, Rejection, Report, Shared};

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

struct Witness(#[allow(dead_code, reason = "it is there to be dropped")] Arc<()>);

#[test]
fn clones_of_clones_on_other_threads_share_one_policy_and_the_last_one_ends_it() {
    let alive = Arc::new(());
    let weak: Weak<()> = Arc::downgrade(&alive);
    let handle = Shared::from_policy(Witness(alive));
    let kept = Arc::new(Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let own = handle.clone();
                let (first, kept) = (handle.clone(), kept.clone());
                assert!(own.is_same(&first));
                std::thread::scope(|scope| {
                    scope.spawn(move || {
                        let second = own.clone();
                        let third =
                            std::thread::scope(|scope| scope.spawn(|| second.clone()).join()).expect("no panic");
                        assert!(third.is_same(&first));
                        kept.lock().expect("not poisoned").push((third.clone(), second, third));
                    });
                });
            });
        }
    });
    drop(handle);
    assert!(weak.upgrade().is_some(), "a handle is left");
    kept.lock().expect("not poisoned").clear();
    assert!(weak.upgrade().is_none(), "the policy outlived its last handle");
}

#[test]
fn each_ending_is_told_as_what_it_is() {
    let switch = Shared::from_policy(Switch::default());
    let read = |count: &std::sync::atomic::AtomicUsize| count.load(Ordering::SeqCst);
    switch.try_admit().expect("on").success();
    switch.try_admit().expect("on").cancel();
    drop(switch.try_admit());
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _permit = switch.try_admit();
        panic!("while the permit is held");
    }));
    assert_eq!(
        [read(&switch.finished), read(&switch.cancelled), read(&switch.abandoned), read(&switch.panicked)],
        [1, 1, 1, 1]
    );
}

#[test]
fn a_call_dropped_while_another_panic_unwinds_is_abandoned_not_panicked() {
    let switch = Shared::from_policy(Switch::default());
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut call = Box::pin(switch.run(std::future::pending::<Result<(), ()>>()));
        assert!(poll(call.as_mut()).is_pending());
        panic!("not the call's own");
    }));
    assert_eq!(switch.abandoned.load(Ordering::SeqCst), 1);
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut call = Box::pin(switch.run(async { panic!("the call's own") as Result<(), ()> }));
        let _ = poll(call.as_mut());
    }));
    assert_eq!(switch.panicked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_classifier_judges_what_run_returns() {
    struct Last(Mutex<Option<seawall_core::Outcome>>);
    impl Policy for Last {
        type Token = ();
        type Place = std::convert::Infallible;
        type Refusal = Rejection;
        fn clock(&self) -> Option<&Clock> {
            None
        }
        fn settle(&self, (): (), ending: Ending<'_>, _now: &seawall_core::time::Now<'_>) {
            if let Ending::Finished(report) = ending {
                *self.0.lock().expect("not poisoned") = Some(report.outcome());
            }
        }
    }
    impl seawall_core::Admits for Last {
        fn try_admit(&self, _ask: &seawall_core::Ask<'_>) -> Result<(), Rejection> {
            Ok(())
        }
    }
    let last = Shared::from_policy(Last(Mutex::new(None)));
    for (status, outcome) in [(200, seawall_core::Outcome::Success), (503, seawall_core::Outcome::Failure)] {
        let mut call = pin!(last.run_classified(async move { status }, |status| {
            if *status < 500 { Report::success() } else { Report::failure() }
        }));
        assert!(matches!(poll(call.as_mut()), Poll::Ready(Ok(seen)) if seen == status));
        assert_eq!(*last.0.lock().expect("not poisoned"), Some(outcome));
    }
}

#[test]
fn an_owned_permit_outlives_the_handle_that_gave_it() {
    let clock = Clock::manual().0;
    let slots = Shared::from_policy(Slots::new(1, 1, &clock));
    let watch = slots.clone();
    let permit = {
        let slots = slots;
        slots.try_admit_owned().expect("one slot is free")
    };
    let mut waiting = Box::pin(watch.admit_owned());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    drop(permit);
    let Poll::Ready(Ok(permit)) = waiting.as_mut().poll(&mut cx) else { panic!("its turn has come") };
    assert_eq!(watch.queue.free(), 0);
    permit.success();
    assert_eq!(watch.queue.free(), 1);
    drop(watch.admit_within_owned(Duration::ZERO));
    assert_eq!(watch.queue.free(), 1, "a future that was never polled took a slot");
}
