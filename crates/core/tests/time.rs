//! Clocks and sleeps, under tokio, smol, no runtime, and by hand.
#![cfg(not(seawall_loom))]

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seawall_core::time::{BoxFuture, Clock, TimeDriver, Timestamp};

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

const TICK: Duration = Duration::from_millis(5);

/// The real clock, wherever it is polled: the sleep ends, and not early.
async fn sleeps_long_enough(clock: Clock) {
    let before = clock.now();
    clock.sleep(TICK).await;
    assert!(clock.now() >= before + TICK, "woken early");
}

#[test]
fn the_system_clock_sleeps_on_every_runtime() {
    smol::block_on(sleeps_long_enough(Clock::system()));
    let tokio = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without a time driver");
    tokio.block_on(sleeps_long_enough(Clock::system()));
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn tokios_clock_follows_its_pause() {
    let clock = Clock::tokio();
    let before = clock.now();
    clock.sleep(Duration::from_secs(3600)).await;
    let slept = clock.now().saturating_duration_since(before);
    assert!((3600..3602).contains(&slept.as_secs()), "{slept:?}");
    let mut never = pin!(clock.sleep_until(Timestamp::NEVER));
    assert!(poll(never.as_mut()).is_pending());
}

#[test]
fn clocks_of_a_process_are_comparable() {
    let (first, second) = (Clock::system().now(), Clock::system().now());
    assert!(second >= first);
    assert!(second.saturating_duration_since(first) < Duration::from_secs(60));
    assert!(Clock::system().is_same(&Clock::default()));
    assert!(!Clock::system().is_same(&Clock::manual().0));
}

#[test]
fn manual_sleepers_are_woken_in_the_order_of_their_deadlines_each_at_its_time() {
    let (clock, time) = Clock::manual();
    let woken = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let sleeper = |seconds| {
        struct Note(u64, Clock, Arc<parking_lot::Mutex<Vec<(u64, Timestamp)>>>);
        impl std::task::Wake for Note {
            fn wake(self: Arc<Self>) {
                self.2.lock().push((self.0, self.1.now()));
            }
        }
        let waker = Waker::from(Arc::new(Note(seconds, clock.clone(), woken.clone())));
        let mut sleep = Box::pin(clock.sleep(Duration::from_secs(seconds)));
        assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        sleep
    };
    let mut sleepers = [sleeper(3), sleeper(1), sleeper(2), sleeper(9)];
    drop(std::mem::replace(&mut sleepers[2], sleeper(4)));
    assert_eq!(time.next_wake(), Some(Timestamp::ZERO + Duration::from_secs(1)));
    time.advance(Duration::from_secs(5));
    let at = |seconds| (seconds, Timestamp::ZERO + Duration::from_secs(seconds));
    assert_eq!(*woken.lock(), [at(1), at(3), at(4)], "a dropped sleeper was woken, or the order is wrong");
    assert!(poll(sleepers[0].as_mut()).is_ready());
    assert!(poll(sleepers[3].as_mut()).is_pending());
    time.step_back(Duration::from_secs(4));
    assert_eq!(clock.now(), Timestamp::ZERO + Duration::from_secs(1));
}

#[test]
fn a_drivers_time_is_used_as_it_is() {
    struct Fixed;
    impl TimeDriver for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_nanos(42)
        }
        fn sleep_until(&self, at: Timestamp) -> BoxFuture {
            if at > self.now() { Box::pin(std::future::pending()) } else { Box::pin(std::future::ready(())) }
        }
    }
    let clock = Clock::custom(Arc::new(Fixed));
    assert_eq!(clock.now().as_nanos(), 42);
    assert!(poll(pin!(clock.sleep_until(clock.now()))).is_ready());
    assert!(poll(pin!(clock.sleep(TICK))).is_pending());
}
