//! Whoever waits for a slot is served, or refused at its deadline, under tokio, smol, a blocked thread and manual time.
#![cfg(not(seawall_loom))]

mod common;

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::Slots;
use seawall_core::time::Clock;
use seawall_core::{Permit, Shared};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(10);

/// One slot, held; somebody waits for it too short, and then long enough.
async fn waits_and_is_served(slots: Shared<Slots>) {
    let holder = slots.clone();
    let held = holder.try_admit().expect("free");
    assert_eq!(slots.admit_within(SHORT).await.expect_err("nobody releases").reason(), "too_late");
    let mut waiting = pin!(slots.admit_within(LONG));
    assert!(poll_once(waiting.as_mut()).await.is_pending());
    held.success();
    waiting.await.expect("released").success();
    assert_eq!((slots.queue.free(), slots.queue.waiting()), (1, 0));
}

async fn poll_once<F: Future + Unpin>(mut future: F) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(pin!(&mut future).poll(cx))).await
}

fn slots(clock: &Clock) -> Shared<Slots> {
    Shared::from_policy(Slots::new(1, 4, clock))
}

#[test]
fn under_tokio_on_many_threads_and_on_one() {
    for mut runtime in [tokio::runtime::Builder::new_multi_thread(), tokio::runtime::Builder::new_current_thread()] {
        let runtime = runtime.build().expect("a runtime, without a time driver");
        runtime.block_on(async { tokio::spawn(waits_and_is_served(slots(&Clock::system()))).await }).expect("no panic");
    }
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn under_tokios_paused_clock() {
    waits_and_is_served(slots(&Clock::tokio())).await;
}

#[test]
fn under_smol() {
    smol::block_on(smol::spawn(waits_and_is_served(slots(&Clock::system()))));
}

#[test]
fn on_a_blocked_thread() {
    let slots = slots(&Clock::system());
    let holder = slots.clone();
    let held = holder.try_admit().expect("free");
    assert_eq!(slots.admit_blocking(SHORT).expect_err("nobody releases").reason(), "too_late");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| slots.admit_blocking(LONG).map(Permit::success));
        while slots.queue.waiting() == 0 {
            std::thread::yield_now();
        }
        held.success();
        waiting.join().expect("no panic").expect("released");
    });
}

#[test]
fn on_manual_time() {
    let (clock, time) = Clock::manual();
    let slots = slots(&clock);
    let _held = slots.try_admit().expect("free");
    let mut waiting = pin!(slots.admit_within(LONG));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    time.advance(Duration::from_nanos(59_999_999_999));
    assert!(waiting.as_mut().poll(&mut cx).is_pending(), "1 ns early");
    time.advance(Duration::from_nanos(1));
    let Poll::Ready(Err(late)) = waiting.as_mut().poll(&mut cx) else { panic!("the deadline has come") };
    assert_eq!(late.reason(), "too_late");
}
