//! Small policies to compose: scarce slots over the wait queue, a meter that lets one call pass a second, and a switch.
#![allow(dead_code, reason = "each test uses its own part")]

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Admits, Ask, Claim, Ending, Entry, Kind, Name, Place, Policy, Rejection, Turn, WaitQueue};

fn refusal(kind: &'static Kind) -> Rejection {
    Rejection::new(kind, Name::from_static("test"))
}

/// At most so many calls at once; the others wait in line.
pub(crate) struct Slots {
    pub(crate) queue: WaitQueue,
    clock: Clock,
}

impl Slots {
    pub(crate) fn new(slots: u32, bound: usize, clock: &Clock) -> Self {
        Self { queue: WaitQueue::new(slots, bound), clock: clock.clone() }
    }
}

pub(crate) struct SlotPlace(Option<Place>);

impl Policy for Slots {
    type Token = ();
    type Place = SlotPlace;
    type Refusal = Rejection;
    const WAITS: bool = true;
    const SCARCE: bool = true;

    fn clock(&self) -> Option<&Clock> {
        Some(&self.clock)
    }

    fn settle(&self, (): (), _ending: Ending<'_>, now: &Now<'_>) {
        self.queue.release(now);
    }

    fn leave(&self, place: SlotPlace) {
        if let Some(place) = place.0 {
            self.queue.leave(place, &Now::new(self.clock()));
        }
    }
}

static FULL: Kind = Kind::new("slots", "full");
static LATE: Kind = Kind::new("slots", "too_late");

impl<Call: ?Sized> Admits<Call> for Slots {
    fn try_admit(&self, _ask: &Ask<'_, Call>) -> Result<(), Rejection> {
        self.queue.try_take().then_some(()).ok_or_else(|| refusal(&FULL))
    }

    fn enter(&self, ask: &Ask<'_, Call>) -> Result<Entry<(), SlotPlace>, Rejection> {
        match self.queue.enter(Claim::new().until(ask.deadline), ask.now) {
            Turn::Now => Ok(Entry::Admitted(())),
            Turn::Later(place) => Ok(Entry::Queued(SlotPlace(Some(place)))),
            Turn::Full | Turn::TooLate(_) | Turn::Never => Err(refusal(&FULL)),
        }
    }

    fn poll_place(
        &self,
        ask: &Ask<'_, Call>,
        place: &mut SlotPlace,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Rejection>> {
        if let Some(waiting) = &place.0
            && self.queue.poll(waiting, cx).is_ready()
        {
            place.0 = None;
            return Poll::Ready(Ok(()));
        }
        if ask.deadline.is_some_and(|deadline| ask.now.get() >= deadline) {
            self.leave(SlotPlace(place.0.take()));
            return Poll::Ready(Err(refusal(&LATE)));
        }
        Poll::Pending
    }
}

/// One call a second; a call that comes early gets the next free second as its place.
pub(crate) struct Meter {
    next: parking_lot::Mutex<Timestamp>,
    clock: Clock,
}

impl Meter {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self { next: parking_lot::Mutex::new(Timestamp::ZERO), clock: clock.clone() }
    }

    /// When the next call may pass.
    pub(crate) fn next(&self) -> Timestamp {
        *self.next.lock()
    }
}

const SECOND: Duration = Duration::from_secs(1);
static THROTTLED: Kind = Kind::new("meter", "throttled");

impl Policy for Meter {
    type Token = Timestamp;
    type Place = Timestamp;
    type Refusal = Rejection;
    const WAITS: bool = true;

    fn clock(&self) -> Option<&Clock> {
        Some(&self.clock)
    }

    fn settle(&self, turn: Timestamp, ending: Ending<'_>, _now: &Now<'_>) {
        if matches!(ending, Ending::Cancelled) {
            self.leave(turn);
        }
    }

    fn wake_at(&self, place: &Timestamp) -> Option<Timestamp> {
        Some(*place)
    }

    /// Only the last turn can be given back.
    fn leave(&self, turn: Timestamp) {
        let mut next = self.next.lock();
        if *next == turn + SECOND {
            *next = turn;
        }
    }
}

impl<Call: ?Sized> Admits<Call> for Meter {
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<Timestamp, Rejection> {
        let (now, mut next) = (ask.now.get(), self.next.lock());
        if *next > now {
            return Err(refusal(&THROTTLED).after(next.saturating_duration_since(now)));
        }
        *next = now + SECOND;
        Ok(now)
    }

    fn enter(&self, ask: &Ask<'_, Call>) -> Result<Entry<Timestamp, Timestamp>, Rejection> {
        let (now, mut next) = (ask.now.get(), self.next.lock());
        let turn = now.max(*next);
        if ask.deadline.is_some_and(|deadline| turn > deadline) {
            return Err(refusal(&THROTTLED).after(turn.saturating_duration_since(now)));
        }
        *next = turn + SECOND;
        Ok(if turn == now { Entry::Admitted(turn) } else { Entry::Queued(turn) })
    }

    fn poll_place(
        &self,
        ask: &Ask<'_, Call>,
        place: &mut Timestamp,
        _cx: &mut Context<'_>,
    ) -> Poll<Result<Timestamp, Rejection>> {
        if ask.now.get() >= *place { Poll::Ready(Ok(*place)) } else { Poll::Pending }
    }
}

/// Refuses while it is off; counts what it admitted and what was cancelled.
#[derive(Default)]
pub(crate) struct Switch {
    pub(crate) off: AtomicBool,
    pub(crate) admitted: AtomicUsize,
    pub(crate) cancelled: AtomicUsize,
    pub(crate) abandoned: AtomicUsize,
    pub(crate) panicked: AtomicUsize,
    pub(crate) finished: AtomicUsize,
}

static OFF: Kind = Kind::new("switch", "off");

impl Switch {
    fn check(&self) -> Result<(), Rejection> {
        if self.off.load(Ordering::SeqCst) { Err(refusal(&OFF)) } else { Ok(()) }
    }
}

impl Policy for Switch {
    type Token = ();
    type Place = Infallible;
    type Refusal = Rejection;

    fn clock(&self) -> Option<&Clock> {
        None
    }

    fn settle(&self, (): (), ending: Ending<'_>, _now: &Now<'_>) {
        let count = match ending {
            Ending::Cancelled => &self.cancelled,
            Ending::Abandoned => &self.abandoned,
            Ending::Panicked => &self.panicked,
            _ => &self.finished,
        };
        count.fetch_add(1, Ordering::SeqCst);
    }

    fn peek(&self, _now: &Now<'_>) -> Result<(), Rejection> {
        self.check()
    }

    fn renew(&self, (): &mut (), _now: &Now<'_>) -> Result<(), Rejection> {
        self.check()
    }
}

impl<Call: ?Sized> Admits<Call> for Switch {
    fn try_admit(&self, _ask: &Ask<'_, Call>) -> Result<(), Rejection> {
        self.check()?;
        self.admitted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// Each key has its own switch.
#[derive(Default)]
pub(crate) struct Blocklist(pub(crate) Vec<String>);

impl Policy for Blocklist {
    type Token = ();
    type Place = Infallible;
    type Refusal = Rejection;

    fn clock(&self) -> Option<&Clock> {
        None
    }

    fn settle(&self, (): (), _ending: Ending<'_>, _now: &Now<'_>) {}
}

impl Admits<str> for Blocklist {
    fn try_admit(&self, ask: &Ask<'_, str>) -> Result<(), Rejection> {
        if self.0.iter().any(|key| key == ask.call) { Err(refusal(&OFF)) } else { Ok(()) }
    }
}
