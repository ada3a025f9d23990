//! The end of attempts by time: the keeper watches for all workers, so that a job that waits costs no timer of its own.

use std::cmp::Reverse;
use std::sync::Arc;

use seawall_core::time::Timestamp;

use super::{Calls, State, Ticket};
use crate::seat::Seat;

impl<U> State<U> {
    /// The attempt on this seat is to end at `until`.
    pub(crate) fn watch(&mut self, seat: u32, ticket: Ticket, until: Timestamp, calls: &mut Calls) {
        self.crew.watch(seat, Some((until, ticket.id)));
        self.cuts.push(Reverse((until, seat, ticket.id)));
        if self.cuts.len() > 2 * self.crew.busy() + 64 {
            let crew = &self.crew;
            self.cuts.retain(|Reverse((until, seat, job))| crew.watched(*seat, *until, *job).is_some());
        }
        self.ask_keeper(until, calls);
    }

    /// When the next attempt ends, if one does.
    pub(super) fn next_cut(&mut self) -> Option<Timestamp> {
        while let Some(Reverse((until, seat, job))) = self.cuts.peek() {
            if self.crew.watched(*seat, *until, *job).is_some() {
                return Some(*until);
            }
            self.cuts.pop();
        }
        None
    }

    /// Tells one worker that the time of its job is up, if it is; it is to be woken.
    pub(super) fn cut(&mut self, now: Timestamp) -> Option<Arc<Seat>> {
        self.next_cut().filter(|until| *until <= now)?;
        let Reverse((until, at, job)) = self.cuts.pop()?;
        let seat = self.crew.watched(at, until, job)?.clone();
        seat.tell_late(job);
        self.crew.watch(at, None);
        Some(seat)
    }

    /// The workers whose attempts are watched: nobody does any more.
    pub(crate) fn unwatched(&self) -> Vec<Arc<Seat>> {
        let watched = self.cuts.iter().filter_map(|Reverse((until, seat, job))| self.crew.watched(*seat, *until, *job));
        watched.cloned().collect()
    }
}
