//! A scarce policy that lets calls wait: core's queue, and nothing else.

use std::error::Error;
use std::fmt;
use std::task::{Context, Poll};

use seawall_core::time::{Clock, Now};
use seawall_core::{Admits, Ask, Claim, Ending, Entry, Kind, Name, Place, Policy, Rejection, Turn, WaitQueue};

/// At most so many calls at once, and at most so many that wait.
pub(crate) struct Slots {
    clock: Clock,
    limit: u32,
    queue: WaitQueue,
}

/// All slots are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Slots {
    pub(crate) fn new(clock: &Clock, slots: u32, most_waiting: usize) -> Self {
        Self { clock: clock.clone(), limit: slots, queue: WaitQueue::new(slots, most_waiting) }
    }

    pub(crate) fn taken(&self) -> u32 {
        self.limit - self.queue.free()
    }
}

impl Policy for Slots {
    type Token = ();
    /// Empty once the turn came or the wait was over.
    type Place = Option<Place>;
    type Refusal = Full;

    const WAITS: bool = true;
    const SCARCE: bool = true;

    fn clock(&self) -> Option<&Clock> {
        Some(&self.clock)
    }

    fn settle(&self, _slot: (), _ending: Ending<'_>, now: &Now<'_>) {
        self.queue.release(now);
    }

    fn peek(&self, _now: &Now<'_>) -> Result<(), Full> {
        if self.queue.free() == 0 { Err(Full) } else { Ok(()) }
    }

    fn leave(&self, place: Option<Place>) {
        if let Some(place) = place {
            self.queue.leave(place, &Now::new(self.clock()));
        }
    }
}

impl<Call: ?Sized> Admits<Call> for Slots {
    fn try_admit(&self, _ask: &Ask<'_, Call>) -> Result<(), Full> {
        if self.queue.try_take() { Ok(()) } else { Err(Full) }
    }

    fn enter(&self, ask: &Ask<'_, Call>) -> Result<Entry<(), Option<Place>>, Full> {
        match self.queue.enter(Claim::new().until(ask.deadline), ask.now) {
            Turn::Now => Ok(Entry::Admitted(())),
            Turn::Later(place) => Ok(Entry::Queued(Some(place))),
            Turn::Full | Turn::TooLate(_) | Turn::Never => Err(Full),
        }
    }

    fn poll_place(
        &self,
        ask: &Ask<'_, Call>,
        place: &mut Option<Place>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Full>> {
        if place.as_ref().is_none_or(|place| self.queue.poll(place, cx).is_ready()) {
            return Poll::Ready(Ok(()));
        }
        if ask.deadline.is_some_and(|deadline| deadline <= ask.now.get()) {
            self.leave(place.take());
            return Poll::Ready(Err(Full));
        }
        Poll::Pending
    }
}

impl From<Full> for Rejection {
    fn from(_: Full) -> Self {
        static FULL: Kind = Kind::new("slots", "full");
        Self::new(&FULL, Name::from_static("test"))
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all slots are taken")
    }
}

impl Error for Full {}
