use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project::{pin_project, pinned_drop};

use super::{Admits, Ask, Entry, Hold, Permit, Policy};
use crate::time::{Clock, Now, Sleep, Timestamp};

/// The waiting for an admission: in the futures of the front doors and of the tower adapter.
///
/// It enters at the first poll, keeps its place, and sleeps until the policy or the deadline wants it to look again. Dropping it
/// leaves the queue.
#[pin_project(PinnedDrop)]
pub(crate) struct Admission<H: Hold> {
    /// Until the permit takes it over.
    hold: Option<H>,
    place: Option<<H::Policy as Policy>::Place>,
    max_wait: Option<Duration>,
    deadline: Option<Timestamp>,
    #[pin]
    alarm: Option<Sleep>,
    alarm_at: Option<Timestamp>,
    reserving: bool,
}

type Admitted<H> = Result<Permit<H>, <<H as Hold>::Policy as Policy>::Refusal>;

impl<H: Hold> Admission<H> {
    /// Waits at most `max_wait`, counted from the first poll; without it as long as the policy itself allows.
    pub(crate) const fn new(hold: H, max_wait: Option<Duration>) -> Self {
        Self { hold: Some(hold), place: None, max_wait, deadline: None, alarm: None, alarm_at: None, reserving: false }
    }

    /// The same for a call that may start much later.
    #[cfg(feature = "tower")]
    pub(crate) const fn reserving(mut self) -> Self {
        self.reserving = true;
        self
    }

    /// One that has entered already, and got a place.
    #[cfg(feature = "tower")]
    pub(crate) fn queued(hold: H, place: <H::Policy as Policy>::Place) -> Self {
        let mut queued = Self::new(hold, None).reserving();
        queued.place = Some(place);
        queued
    }

    pub(crate) fn poll<Call: ?Sized>(self: Pin<&mut Self>, call: &Call, cx: &mut Context<'_>) -> Poll<Admitted<H>>
    where
        H::Policy: Admits<Call>,
    {
        let mut this = self.project();
        let token = loop {
            let hold = this.hold.as_ref().expect("a future is not polled after its end");
            let now = Now::new(hold.clock());
            if this.place.is_none() {
                *this.deadline = this.max_wait.map(|wait| now.get() + wait);
            }
            let mut ask = Ask::new(call, &now).until(*this.deadline);
            if *this.reserving {
                ask = ask.reserving();
            }
            let place = if let Some(place) = this.place {
                place
            } else {
                match hold.enter(&ask)? {
                    Entry::Admitted(token) => break token,
                    Entry::Queued(place) => this.place.insert(place),
                }
            };
            if let Poll::Ready(turn) = hold.poll_place(&ask, place, cx) {
                // The policy used the place up: there is nothing left to leave.
                *this.place = None;
                this.alarm.set(None);
                break turn?;
            }
            // The policy has just looked: what is due already needs no alarm.
            let ahead = |at: &Timestamp| *at > now.get();
            let Some(at) = earlier(hold.wake_at(place).filter(ahead), this.deadline.filter(ahead)) else {
                return Poll::Pending;
            };
            if *this.alarm_at != Some(at) || this.alarm.is_none() {
                *this.alarm_at = Some(at);
                let clock = hold.clock().cloned().unwrap_or_default();
                this.alarm.set(Some(Clock::sleep_until(&clock, at)));
            }
            match this.alarm.as_mut().as_pin_mut().map(|alarm| alarm.poll(cx)) {
                Some(Poll::Ready(())) => this.alarm.set(None),
                Some(Poll::Pending) | None => return Poll::Pending,
            }
        };
        let hold = this.hold.take().expect("it has just admitted the call");
        Poll::Ready(Ok(Permit::new(hold, token)))
    }
}

#[pinned_drop]
impl<H: Hold> PinnedDrop for Admission<H> {
    #[inline]
    fn drop(self: Pin<&mut Self>) {
        let this = self.project();
        if let (Some(hold), Some(place)) = (this.hold, this.place.take()) {
            hold.leave(place);
        }
    }
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
