//! User code in awkward places: wakers that come back, policies that ask to be looked at, futures polled by destructors.
#![cfg(not(seawall_loom))]

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Admits, Ask, Claim, Ending, Entry, Kind, Name, Policy, Rejection, Shared, Turn, WaitQueue};

const SECOND: Duration = Duration::from_secs(1);

/// Whether `work` ends at all: a deadlock does not.
fn ends(work: impl FnOnce() + Send + 'static) -> bool {
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        work();
        let _ = done.send(());
    });
    ended.recv_timeout(Duration::from_secs(30)).is_ok()
}

/// Looks at the queue when it is woken, and when it is dropped.
struct Nosy(Arc<WaitQueue>);

impl Wake for Nosy {
    fn wake(self: Arc<Self>) {
        let _ = self.0.waiting();
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        let _ = self.0.waiting();
    }
}

fn now() -> Now<'static> {
    Now::at(Timestamp::ZERO)
}

fn queued_with_a_nosy_waker() -> (Arc<WaitQueue>, seawall_core::Place) {
    let queue = Arc::new(WaitQueue::new(1, 4));
    assert!(queue.try_take());
    let Turn::Later(place) = queue.enter(Claim::new(), &now()) else { panic!("nothing is free") };
    let waker = Waker::from(Arc::new(Nosy(queue.clone())));
    assert!(queue.poll(&place, &mut Context::from_waker(&waker)).is_pending());
    (queue, place)
}

#[test]
fn wakers_may_come_back_to_the_queue() {
    let (queue, place) = queued_with_a_nosy_waker();
    assert!(ends(move || queue.release(&now())), "woken under the lock");
    let _ = place;
    let (queue, place) = queued_with_a_nosy_waker();
    assert!(ends(move || queue.leave(place, &now())), "dropped under the lock");
}

#[test]
fn any_number_of_permits_can_be_set_at_once() {
    let queue = Arc::new(WaitQueue::new(u32::MAX, 4));
    let shrunk = queue.clone();
    assert!(ends(move || shrunk.resize(10, &now())), "one step for each permit");
    assert_eq!(queue.free(), 10);
    let grown = queue.clone();
    assert!(ends(move || grown.resize(1 << 30, &now())), "one step for each permit");
    assert_eq!(queue.free(), 1 << 30);
}

/// Asks to be looked at after one second, and from then on waits to be woken.
struct Peeks(Clock);

static LATE: Kind = Kind::new("peeks", "too_late");

impl Policy for Peeks {
    type Token = ();
    type Place = Timestamp;
    type Refusal = Rejection;
    const WAITS: bool = true;

    fn clock(&self) -> Option<&Clock> {
        Some(&self.0)
    }

    fn settle(&self, (): (), _ending: Ending<'_>, _now: &Now<'_>) {}

    fn wake_at(&self, place: &Timestamp) -> Option<Timestamp> {
        Some(*place)
    }
}

impl Admits for Peeks {
    fn try_admit(&self, _ask: &Ask<'_>) -> Result<(), Rejection> {
        Err(Rejection::new(&LATE, Name::from_static("test")))
    }

    fn enter(&self, ask: &Ask<'_>) -> Result<Entry<(), Timestamp>, Rejection> {
        Ok(Entry::Queued(ask.now.get() + SECOND))
    }

    fn poll_place(&self, ask: &Ask<'_>, _place: &mut Timestamp, _cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        if ask.deadline.is_some_and(|deadline| ask.now.get() >= deadline) {
            Poll::Ready(self.try_admit(ask))
        } else {
            Poll::Pending
        }
    }
}

#[test]
fn a_deadline_is_kept_after_an_earlier_alarm() {
    let (clock, time) = Clock::manual();
    let peeks = Shared::from_policy(Peeks(clock));
    let mut waiting = std::pin::pin!(peeks.admit_within(10 * SECOND));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    time.advance(SECOND);
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    assert_eq!(time.next_wake(), Some(Timestamp::ZERO + 10 * SECOND), "nobody would wake it at its deadline");
    time.advance(9 * SECOND);
    assert!(waiting.as_mut().poll(&mut cx).is_ready());
}

/// As axum asks of layers, and of services behind them.
#[cfg(feature = "tower")]
#[test]
fn a_layer_is_cloned_whatever_its_policy() {
    fn is_shared_by_axum<T: Clone + Send + Sync + 'static>(_: &T) {}
    let layer = Shared::from_policy(Peeks(Clock::system())).layer();
    is_shared_by_axum(&layer);
    is_shared_by_axum(&tower_layer::Layer::layer(&layer.wait(SECOND).boxed(), ()));
}

#[derive(Default)]
struct Endings(parking_lot::Mutex<Vec<&'static str>>);

impl Policy for Endings {
    type Token = ();
    type Place = std::convert::Infallible;
    type Refusal = Rejection;

    fn clock(&self) -> Option<&Clock> {
        None
    }

    fn settle(&self, (): (), ending: Ending<'_>, _now: &Now<'_>) {
        self.0.lock().push(if matches!(ending, Ending::Finished(_)) { "finished" } else { "not finished" });
    }
}

impl Admits for Endings {
    fn try_admit(&self, _ask: &Ask<'_>) -> Result<(), Rejection> {
        Ok(())
    }
}

#[test]
fn a_call_polled_by_a_destructor_goes_on_after_the_panic() {
    type Call = Pin<Box<dyn Future<Output = bool>>>;
    thread_local!(static CALL: RefCell<Option<Call>> = const { RefCell::new(None) });
    fn poll_call() -> Poll<bool> {
        CALL.with_borrow_mut(|call| {
            call.as_mut().expect("there is one").as_mut().poll(&mut Context::from_waker(Waker::noop()))
        })
    }
    struct PollsWhenDropped;
    impl Drop for PollsWhenDropped {
        fn drop(&mut self) {
            assert!(poll_call().is_pending());
        }
    }
    let endings = Shared::from_policy(Endings::default());
    let handle = endings.clone();
    let mut polls = 0;
    let second_time = std::future::poll_fn(move |_| {
        polls += 1;
        if polls < 2 { Poll::Pending } else { Poll::Ready(Ok::<_, ()>(())) }
    });
    CALL.set(Some(Box::pin(async move { handle.run(second_time).await.is_ok() })));
    let unrelated = std::panic::catch_unwind(|| {
        let _polls = PollsWhenDropped;
        panic!("unrelated");
    });
    assert!(unrelated.is_err());
    assert_eq!(poll_call(), Poll::Ready(true));
    assert_eq!(*endings.0.lock(), ["finished"]);
}
