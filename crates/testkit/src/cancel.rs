//! Dropping a future at every point where it can be dropped.
//!
//! Whoever awaits may go away at any await point, and what was taken must come back. Most leaks of permits, places in
//! queues and probes are found by trying every such point: make the future, poll it `k` times, drop it, look.
//!
//! ```
//! use seawall_testkit::cancel::{CancelAtEveryPoll, cancel_at_every_poll};
//! use std::cell::Cell;
//!
//! let polls = cancel_at_every_poll(|| std::future::ready(()), |_polls| ());
//! assert_eq!(polls, 1);
//!
//! let gate = Cell::new(0);
//! let polls = CancelAtEveryPoll::new()
//!     .between(|polls| gate.set(polls))
//!     .run(
//!         || std::future::poll_fn(|_| if gate.get() < 2 { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }),
//!         |_polls| gate.set(0),
//!     );
//! assert_eq!(polls, 3);
//! ```

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Drops the futures of `make` after 0, 1, 2, … polls, each time with `check`, until one completes; how many polls that took.
///
/// The future must make progress by being polled alone; one that needs something to happen between its polls is tried
/// by [`CancelAtEveryPoll`].
pub fn cancel_at_every_poll<F: Future>(make: impl FnMut() -> F, check: impl FnMut(usize)) -> usize {
    CancelAtEveryPoll::new().run(make, check)
}

/// The same as [`cancel_at_every_poll`] with an event between two polls: time moves, a permit comes back.
///
/// With an event there are two points at which a future can be dropped after each poll, and both are tried: before the
/// event, and after it without another poll. The second finds what was handed to a waiter that never learnt of it.
#[derive(Clone)]
pub struct CancelAtEveryPoll<B = fn(usize)> {
    between: Option<B>,
    only_when_woken: bool,
    limit: usize,
}

impl CancelAtEveryPoll {
    /// No event, at most 1000 polls.
    pub fn new() -> Self {
        Self { between: None, only_when_woken: false, limit: 1000 }
    }
}

impl<B: FnMut(usize)> CancelAtEveryPoll<B> {
    /// What happens between two polls; the argument is how many polls there were.
    pub fn between<C: FnMut(usize)>(self, event: C) -> CancelAtEveryPoll<C> {
        CancelAtEveryPoll { between: Some(event), only_when_woken: self.only_when_woken, limit: self.limit }
    }

    /// Polls again only after the future's waker was called, as an executor does: a lost wake-up becomes a panic.
    ///
    /// The event is repeated until the waker is called. Not for futures that another thread wakes.
    pub fn only_when_woken(mut self) -> Self {
        self.only_when_woken = true;
        self
    }

    /// After how many polls (and, with [`only_when_woken`](Self::only_when_woken), events after one poll) a future counts as one that never finishes.
    pub fn limit(mut self, polls: usize) -> Self {
        self.limit = polls;
        self
    }

    /// Drops the futures of `make` at every point, with `check` after each drop; how many polls completion took.
    ///
    /// `check` gets the number of polls that the dropped future had. It also runs after the completed one.
    ///
    /// # Panics
    ///
    /// When a future does not finish within the limit, or waits and is never woken.
    pub fn run<F: Future>(mut self, mut make: impl FnMut() -> F, mut check: impl FnMut(usize)) -> usize {
        for polls in 0..=self.limit {
            for point in [Point::BeforeEvent, Point::AfterEvent] {
                if point == Point::AfterEvent && (self.between.is_none() || polls == 0) {
                    continue;
                }
                let place = Place { polls, point };
                let completed = self.drop_at(make(), &place);
                check(completed.unwrap_or(polls));
                if let Some(took) = completed {
                    return took;
                }
            }
        }
        panic!(
            "the future is still pending after {} polls: it never finishes, or it needs an event between polls",
            self.limit
        )
    }

    /// Polls `future` up to `place` and drops it; the number of polls when it was done by then.
    fn drop_at<F: Future>(&mut self, future: F, place: &Place) -> Option<usize> {
        let wakes = Arc::new(Wakes::default());
        let task = Waker::from(Arc::clone(&wakes));
        let mut future = pin!(future);
        for poll in 1..=place.polls {
            let before = wakes.count();
            if let Poll::Ready(_output) = future.as_mut().poll(&mut Context::from_waker(&task)) {
                return Some(poll);
            }
            if poll < place.polls || place.point == Point::AfterEvent {
                self.pass_event(poll, || wakes.count() > before);
            }
        }
        None
    }

    fn pass_event(&mut self, poll: usize, woken: impl Fn() -> bool) {
        let mut events = 0;
        loop {
            if let Some(event) = &mut self.between {
                event(poll);
            }
            if !self.only_when_woken || woken() {
                return;
            }
            events += 1;
            assert!(
                self.between.is_some() && events < self.limit,
                "the future is pending after poll {poll} and nothing woke it ({events} events): on an executor it would hang"
            );
        }
    }
}

impl Default for CancelAtEveryPoll {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> fmt::Debug for CancelAtEveryPoll<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelAtEveryPoll")
            .field("between", &self.between.is_some())
            .field("only_when_woken", &self.only_when_woken)
            .field("limit", &self.limit)
            .finish()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Point {
    BeforeEvent,
    AfterEvent,
}

/// Where the future is dropped: said when an assertion fails there.
struct Place {
    polls: usize,
    point: Point,
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let point = match self.point {
                Point::BeforeEvent => "",
                Point::AfterEvent => " and the event after the last",
            };
            eprintln!("this happened with the future that is dropped after {} polls{point}", self.polls);
        }
    }
}

/// Counts how often a task is woken.
#[derive(Debug, Default)]
struct Wakes(AtomicUsize);

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
