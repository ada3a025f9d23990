//! What the state tells those who do what follows from it.

use std::sync::Arc;
use std::task::Waker;

use seawall_core::time::Timestamp;
use seawall_core::wait::Place;

use super::{End, Terms, Ticket, Waiting};
use crate::refused::Reason;
use crate::seat::Seat;

/// Whom to wake, and whom to start, when the lock is released.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Calls {
    pub(crate) worker: Option<Waker>,
    /// One who waited for room.
    pub(crate) submitter: Option<Waker>,
    pub(crate) keeper: Option<Waker>,
    pub(crate) start: Option<Arc<Seat>>,
    /// One whose attempt has taken too long.
    pub(crate) late: Option<Arc<Seat>>,
    /// There is no keeper, and one is needed.
    pub(crate) keep: bool,
    /// The pool takes no more jobs: what is left of it is to be seen to.
    pub(crate) tend: bool,
}

impl Calls {
    /// Whether there is nothing to do.
    #[inline(always)]
    pub(crate) const fn is_empty(&self) -> bool {
        let nobody = self.worker.is_none() && self.submitter.is_none() && self.keeper.is_none();
        nobody && self.start.is_none() && self.late.is_none() && !self.keep && !self.tend
    }
}

/// A job that was not taken.
#[derive(Debug)]
pub(crate) struct Turned<U> {
    pub(crate) unit: U,
    pub(crate) terms: Terms,
    pub(crate) reason: Reason,
}

/// A place among those who wait for room.
#[derive(Debug)]
pub(crate) struct Entered {
    pub(crate) place: Place,
    /// How long it waits.
    pub(crate) until: Timestamp,
    pub(crate) calls: Calls,
}

/// What a worker that asks for work gets.
#[derive(Debug)]
pub(crate) enum Next<U> {
    Job {
        ticket: Ticket,
        job: Waiting<U>,
        /// When its attempt is cut off.
        until: Timestamp,
    },
    /// A job whose deadline has passed, counted as expired; ask again.
    Expired(Waiting<U>),
    /// There is nothing to do.
    Nothing,
    /// The worker is not needed any more, and not counted any more.
    Leave,
}

/// What becomes of an attempt that did not succeed.
#[derive(Debug)]
pub(crate) enum Verdict<U> {
    /// It waits for its next attempt.
    Again(Ticket),
    /// It was the last; counted.
    Final(U, Terms, End),
}

/// What becomes of a job that is to be cancelled.
#[derive(Debug)]
pub(crate) enum Cancel<U> {
    /// It had not begun, and will not.
    Out(Waiting<U>, Option<Waker>),
    /// It runs here; the order was given, wake the worker.
    Running(Arc<Seat>),
    /// It has ended.
    Gone,
}

/// Where an attempt ran.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ran {
    OnSeat(u32, Ticket),
    /// Where it was submitted; the number of the job.
    Elsewhere(u64),
}

/// An attempt that did not succeed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) end: End,
    pub(crate) error: String,
    pub(crate) repeatable: bool,
}
