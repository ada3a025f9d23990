//! Dropping after every poll finds what it should, and says so.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{pending, poll_fn, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use seawall_testkit::cancel::{CancelAtEveryPoll, cancel_at_every_poll};
use seawall_testkit::exec::yield_now;

async fn yields(times: usize) {
    for _ in 0..times {
        yield_now().await;
    }
}

#[test]
fn the_polls_to_completion_are_counted() {
    assert_eq!(cancel_at_every_poll(|| ready(()), |_| ()), 1);
    assert_eq!(cancel_at_every_poll(|| yields(3), |_| ()), 4);
}

#[test]
fn the_future_is_dropped_at_every_point_and_checked_each_time() {
    let mut made = 0;
    let mut checked = Vec::new();
    cancel_at_every_poll(
        || {
            made += 1;
            yields(2)
        },
        |polls| checked.push(polls),
    );
    assert_eq!(checked, [0, 1, 2, 3]);
    assert_eq!(made, 4);
}

#[test]
fn with_an_event_each_poll_has_two_points_to_drop_at() {
    let events = RefCell::new(Vec::new());
    let mut seen = Vec::new();
    CancelAtEveryPoll::new().between(|polls| events.borrow_mut().push(polls)).run(
        || yields(2),
        |polls| {
            seen.push((polls, events.take()));
        },
    );
    assert_eq!(
        seen,
        [(0, vec![]), (1, vec![]), (1, vec![1]), (2, vec![1]), (2, vec![1, 2]), (3, vec![1, 2])],
        "never polled; after each poll before and after the event; completed"
    );
}

#[test]
#[should_panic(expected = "still pending after 50 polls")]
fn a_future_that_never_finishes_is_told() {
    CancelAtEveryPoll::new().limit(50).run(pending::<()>, |_| ());
}

#[test]
#[should_panic(expected = "pending after poll 1 and nothing woke it")]
fn a_wake_up_that_never_comes_is_told() {
    let polls = Cell::new(0);
    CancelAtEveryPoll::new().only_when_woken().run(
        || {
            polls.set(0);
            poll_fn(|_| {
                polls.set(polls.get() + 1);
                if polls.get() < 2 { Poll::Pending } else { Poll::Ready(()) }
            })
        },
        |_| (),
    );
}

#[test]
#[should_panic(expected = "nothing woke it (10 events)")]
fn events_that_wake_nobody_are_told() {
    CancelAtEveryPoll::new().between(|_| ()).only_when_woken().limit(10).run(pending::<()>, |_| ());
}

#[test]
fn a_queue_that_passes_on_what_the_dropped_waiter_was_given_holds() {
    assert_eq!(try_permits(OnDrop::PassOn), 2);
}

#[test]
#[should_panic(expected = "a permit is lost")]
fn a_queue_that_forgets_what_the_dropped_waiter_was_given_is_found() {
    try_permits(OnDrop::Forget);
}

/// Waits for the one permit, which is taken when the waiter is made and comes back between its polls.
fn try_permits(on_drop: OnDrop) -> usize {
    let permits = Permits::new(on_drop);
    CancelAtEveryPoll::new().between(|_| permits.give_back()).only_when_woken().run(
        || {
            assert!(permits.try_take());
            permits.acquire()
        },
        |polls| {
            permits.give_back();
            assert!(permits.is_whole(), "a permit is lost after {polls} polls");
        },
    )
}

#[derive(Clone, Copy, PartialEq)]
enum OnDrop {
    PassOn,
    Forget,
}

/// One permit, handed straight to the first waiter.
#[derive(Clone)]
struct Permits {
    free: Rc<Cell<usize>>,
    out: Rc<Cell<bool>>,
    queue: Rc<RefCell<VecDeque<Rc<Place>>>>,
    on_drop: OnDrop,
}

#[derive(Default)]
struct Place {
    granted: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Permits {
    fn new(on_drop: OnDrop) -> Self {
        Self { free: Rc::new(Cell::new(1)), out: Rc::default(), queue: Rc::default(), on_drop }
    }

    fn is_whole(&self) -> bool {
        self.free.get() == 1 && self.queue.borrow().is_empty()
    }

    fn try_take(&self) -> bool {
        let took = self.free.get() > 0;
        if took {
            self.free.set(self.free.get() - 1);
            self.out.set(true);
        }
        took
    }

    /// What the test took itself comes back.
    fn give_back(&self) {
        if self.out.replace(false) {
            self.release();
        }
    }

    fn release(&self) {
        match self.queue.borrow_mut().pop_front() {
            Some(place) => {
                place.granted.set(true);
                place.waker.take().into_iter().for_each(Waker::wake);
            }
            None => self.free.set(self.free.get() + 1),
        }
    }

    fn acquire(&self) -> Acquire {
        Acquire { permits: self.clone(), place: None }
    }
}

struct Acquire {
    permits: Permits,
    place: Option<Rc<Place>>,
}

impl Future for Acquire {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.place.is_none() {
            let place = Rc::new(Place::default());
            self.permits.queue.borrow_mut().push_back(place.clone());
            self.place = Some(place);
        }
        let place = self.place.as_ref().expect("it was just made");
        if place.granted.get() {
            return Poll::Ready(());
        }
        place.waker.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else { return };
        if place.granted.get() {
            if self.permits.on_drop == OnDrop::PassOn {
                self.permits.release();
            }
        } else {
            self.permits.queue.borrow_mut().retain(|other| !Rc::ptr_eq(other, &place));
        }
    }
}
