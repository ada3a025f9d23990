use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project::pin_project;

use super::{Admits, Ask, Entry, Hold, Permit, Policy, Ticket};
use crate::time::{Clock, Now, Sleep, Timestamp};

/// The waiting for an admission, driven by whoever holds it: the futures of the front doors and of the tower adapter.
///
/// It enters at the first poll, keeps the ticket, and sleeps until the ticket or the deadline wants to be looked at again.
#[pin_project]
pub(crate) struct Admission<H: Hold> {
    max_wait: Option<Duration>,
    deadline: Option<Timestamp>,
    ticket: Option<Ticket<H>>,
    #[pin]
    alarm: Option<Sleep>,
    alarm_at: Option<Timestamp>,
    reserving: bool,
}

type Admitted<H> = Result<Permit<H>, <<H as Hold>::Policy as Policy>::Refusal>;

impl<H: Hold> Admission<H> {
    /// Waits at most `max_wait`, counted from the first poll; without it as long as the policy itself allows.
    pub(crate) const fn new(max_wait: Option<Duration>) -> Self {
        Self { max_wait, deadline: None, ticket: None, alarm: None, alarm_at: None, reserving: false }
    }

    /// The same for a call that may start much later.
    #[cfg(feature = "tower")]
    pub(crate) const fn reserving(mut self) -> Self {
        self.reserving = true;
        self
    }

    /// One that has entered already, and got a place.
    #[cfg(feature = "tower")]
    pub(crate) fn queued(ticket: Ticket<H>) -> Self {
        let mut queued = Self::new(None).reserving();
        queued.ticket = Some(ticket);
        queued
    }

    pub(crate) fn poll<Call: ?Sized>(
        self: Pin<&mut Self>,
        hold: &H,
        call: &Call,
        cx: &mut Context<'_>,
    ) -> Poll<Admitted<H>>
    where
        H::Policy: Admits<Call>,
    {
        let mut this = self.project();
        loop {
            let now = Now::new(hold.clock());
            if this.ticket.is_none() {
                *this.deadline = this.max_wait.map(|wait| now.get() + wait);
            }
            let mut ask = Ask::new(call, &now).until(*this.deadline);
            if *this.reserving {
                ask = ask.reserving();
            }
            let ticket = if let Some(ticket) = this.ticket.as_mut() {
                ticket
            } else {
                match hold.enter(&ask) {
                    Ok(Entry::Admitted(token)) => return Poll::Ready(Ok(Permit::new(hold.clone(), token))),
                    Ok(Entry::Queued(place)) => this.ticket.insert(Ticket::new(hold.clone(), place)),
                    Err(refusal) => return Poll::Ready(Err(refusal)),
                }
            };
            if let Poll::Ready(turn) = ticket.poll(&ask, cx) {
                *this.ticket = None;
                this.alarm.set(None);
                return Poll::Ready(turn.map(|token| Permit::new(hold.clone(), token)));
            }
            // The policy has just looked: what is due already needs no alarm.
            let ahead = |at: &Timestamp| *at > now.get();
            let Some(at) = earlier(ticket.wake_at().filter(ahead), this.deadline.filter(ahead)) else {
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
        }
    }
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
