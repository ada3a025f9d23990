//! How jobs and attempts end.

use std::task::Waker;

use seawall_core::time::Timestamp;

use super::{Calls, Cancel, End, Failed, Found, Phase, Ran, State, Terms, Ticket, Verdict};
use crate::dead::Failure;
use crate::retry::Retry;

impl<U> State<U> {
    /// A job succeeded.
    #[inline]
    pub(crate) fn complete(&mut self, seat: u32, ticket: Ticket, now: Timestamp, calls: &mut Calls) {
        self.free(seat, ticket, now, calls);
        self.ledger.completed += 1;
    }

    /// An attempt ended without success.
    pub(crate) fn fail(
        &mut self,
        ran: Ran,
        job: (U, Terms),
        failed: Failed,
        now: Timestamp,
        calls: &mut Calls,
    ) -> Verdict<U> {
        let (unit, mut terms) = job;
        let mut end = failed.end;
        let ordered = match ran {
            Ran::OnSeat(seat, ticket) => self.crew.at_work(seat).is_some_and(|seat| seat.is_stopped(ticket.id)),
            Ran::Elsewhere(_) => false,
        };
        if ordered && end.is_failure() {
            end = End::Cancelled;
        }
        if end.is_failure() {
            Self::note(&mut terms, failed.error, now);
            if let Some(due) = self.next_attempt(&terms, end, failed.repeatable, now) {
                self.ledger.retried += 1;
                let ticket = match ran {
                    Ran::OnSeat(seat, ticket) => {
                        self.release(seat, now, calls);
                        self.jobs.delay(ticket, unit, terms, due);
                        ticket
                    }
                    Ran::Elsewhere(id) => {
                        self.leave_elsewhere(id);
                        self.jobs.push_delayed(id, unit, terms, due)
                    }
                };
                self.ask_keeper(due, calls);
                return Verdict::Again(ticket);
            }
        }
        match ran {
            Ran::OnSeat(seat, ticket) => self.free(seat, ticket, now, calls),
            Ran::Elsewhere(id) => self.leave_elsewhere(id),
        }
        self.ledger.count(end);
        calls.tend |= self.phase != Phase::Open;
        Verdict::Final(unit, terms, end)
    }

    /// Adds a failure to what is known of a job.
    fn note(terms: &mut Terms, error: String, now: Timestamp) {
        let extra = terms.extra.get_or_insert_default();
        extra.failures = extra.failures.saturating_add(1);
        if extra.history.len() == Failure::MOST {
            extra.history.remove(0);
        }
        extra.history.push(Failure { attempt: extra.failures, at: now, error });
    }

    /// When a job that has failed is tried again, if it is.
    fn next_attempt(&mut self, terms: &Terms, end: End, repeatable: bool, now: Timestamp) -> Option<Timestamp> {
        let own = terms.extra.as_ref().and_then(|extra| extra.retry);
        let retry: Retry = own.unwrap_or(self.config.retry);
        let failures = terms.failures();
        let allowed = repeatable
            && self.phase != Phase::Ending
            && failures < retry.attempts()
            && (end != End::Panicked || retry.retries_panics())
            && self.jobs.delayed() < self.config.retrying;
        let due = now + retry.delay(failures, self.random.next());
        (allowed && due < terms.deadline).then_some(due)
    }

    fn free(&mut self, seat: u32, ticket: Ticket, now: Timestamp, calls: &mut Calls) {
        self.jobs.end(ticket);
        self.release(seat, now, calls);
    }

    /// The worker may take another job, or somebody else's job may have its place.
    #[inline]
    fn release(&mut self, seat: u32, now: Timestamp, calls: &mut Calls) {
        let since = self.crew.finish(seat);
        self.meter.ended(since, now);
        self.grant_into(calls);
        calls.tend |= self.phase != Phase::Open;
    }

    /// Cancels a job.
    pub(crate) fn cancel(&mut self, ticket: Ticket) -> Cancel<U> {
        match self.jobs.find(ticket) {
            Found::Waiting(job) => {
                self.ledger.cancelled += 1;
                let submitter = self.grant();
                Cancel::Out(job, submitter)
            }
            Found::Running(at) => match self.crew.at_work(at) {
                Some(seat) => {
                    seat.order_stop(ticket.id);
                    Cancel::Running(seat.clone())
                }
                None => Cancel::Gone,
            },
            Found::Gone => Cancel::Gone,
        }
    }

    /// A worker is no more, which nobody asked it to. Tells whether it was counted.
    pub(crate) fn lose(&mut self, seat: u32, job: Option<Ticket>, now: Timestamp) -> (bool, Option<Waker>) {
        if let Some(ticket) = job {
            self.jobs.end(ticket);
            self.ledger.failed += 1;
        }
        if self.crew.at_work(seat).is_some() {
            let since = self.crew.finish(seat);
            self.meter.ended(since, now);
        }
        self.crew.leave(seat)
    }
}
