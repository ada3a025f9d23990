//! Every interleaving, with at most two preemptions, of two or three threads whose calls one hedge measures: no duration is lost,
//! none counts twice, and none is read before it is written, whether threads have lanes of their own or share the last.
//!
//! `RUSTFLAGS="--cfg seawall_loom" cargo test --release -p seawall-retry --test hedge_loom -- --nocapture`
#![cfg(seawall_loom)]

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use loom::thread;
use seawall_core::stripe::model::sit;
use seawall_core::time::Clock;
use seawall_retry::{Hedge, HedgeConfig, HedgeDelay};
use seawall_testkit::model::explore;

const MS: Duration = Duration::from_millis(1);

type Call = Pin<Box<dyn Future<Output = Result<(), ()>> + Send>>;

fn poll(call: &mut Call) -> Poll<Result<(), ()>> {
    call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// A call that is answered when it is polled for the second time.
fn begin(hedge: &Hedge) -> Call {
    let hedge = hedge.clone();
    let mut call: Call =
        Box::pin(async move {
            let mut asked = false;
            let answer = std::future::poll_fn(move |_| {
                if std::mem::replace(&mut asked, true) { Poll::Ready(Ok(())) } else { Poll::Pending }
            });
            let mut answer = Some(answer);
            hedge.run(|_| answer.take().expect("no call is hedged")).await
        });
    assert!(poll(&mut call).is_pending());
    call
}

/// Ends calls of different durations by threads on these seats, so many each, and one more at the end. No delay is known before
/// the last is gathered; then it is the mean of all.
fn all_are_gathered<const N: usize>(seats: [Option<usize>; N], each: usize) {
    let (clock, time) = Clock::manual();
    let all = u32::try_from(N * each + 1).expect("few");
    let delay = HedgeDelay::mean(1.0).window(all).warm_up(all);
    let config = HedgeConfig::default().delay(delay).without_budget();
    let hedge = Hedge::with_clock(config, clock).expect("valid");
    // Of powers of two no two sums of so many are the same.
    let mut calls: Vec<Call> = (0..all)
        .map(|call| {
            let begun = begin(&hedge);
            time.advance((1 << call) * all * MS);
            begun
        })
        .collect();
    let mut last = calls.pop().expect("there is one");
    let threads = seats.map(|seat| {
        let mut own = calls.split_off(calls.len() - each);
        thread::spawn(move || {
            sit(seat);
            for call in &mut own {
                assert!(poll(call).is_ready());
            }
            own
        })
    });
    // Dropped by one thread: how handles are dropped is explored elsewhere.
    let ended = threads.map(|thread| thread.join().expect("no thread panics"));
    assert_eq!(hedge.delay(), None, "a duration counts twice");
    assert!(poll(&mut last).is_ready());
    // The first ran through all spans of time, the next through all but the first.
    let sum: u32 = (0..all).map(|call| (call + 1) << call).sum();
    assert_eq!(hedge.delay(), Some(sum * MS), "a duration was lost");
    drop((ended, last));
}

#[test]
fn no_duration_is_lost_or_counts_twice() {
    for seats in [[Some(0), Some(1)], [Some(0), None], [None, None]] {
        explore(&format!("one each {seats:?}"), 20, move || all_are_gathered(seats, 1));
    }
    explore("three threads", 100, || all_are_gathered([Some(0), Some(1), None], 1));
}

/// A ring has two slots here.
#[test]
fn what_has_no_room_in_a_ring_is_not_lost_either() {
    explore("three each", 100, || all_are_gathered([Some(0), Some(1)], 3));
}
