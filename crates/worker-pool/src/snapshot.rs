use seawall_core::Name;

use crate::meter::Signals;
use crate::pool::Pool;
use crate::state::Phase;
use crate::task::Runs;

/// All that is known of a pool at one moment, read under its lock: the figures belong together. With feature `serde` it is
/// written to any format.
///
/// Every job that was taken is counted once: `submitted = completed + failed + cancelled + expired + dropped + queued +
/// running`, at every moment.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// Which instance.
    pub name: Name,
    /// Whether it takes jobs.
    pub is_open: bool,
    /// How many workers there are.
    pub workers: usize,
    /// The fewest there may be.
    pub min_workers: usize,
    /// The most there may be.
    pub max_workers: usize,
    /// How many there are to be, if [`scale_to`](Pool::scale_to) said so.
    pub scaled_to: Option<usize>,
    /// Workers without a job.
    pub idle: usize,
    /// Jobs that run.
    pub running: usize,
    /// Jobs that wait: those that may start, and those that wait for their next attempt.
    pub queued: usize,
    /// Jobs of those queued that wait for their next attempt.
    pub delayed: usize,
    /// How many jobs may wait for a worker.
    pub queue: usize,
    /// Submitters that wait for room.
    pub submitters: usize,
    /// Jobs that were taken.
    pub submitted: u64,
    /// Jobs that succeeded.
    pub completed: u64,
    /// Jobs that failed for the last time.
    pub failed: u64,
    /// Jobs of those failed whose last attempt panicked.
    pub panicked: u64,
    /// Jobs that were cancelled.
    pub cancelled: u64,
    /// Jobs whose deadline passed before they began, or while they ran.
    pub expired: u64,
    /// Jobs that gave way to others in a full queue, or were given back by a drain.
    pub dropped: u64,
    /// Attempts after the first.
    pub retried: u64,
    /// Jobs that were not taken.
    pub refused: Refusals,
    /// Jobs that failed for the last time and are kept.
    pub dead_letters: usize,
    /// What can be measured: rates, times, utilisation, demand.
    pub signals: Signals,
}

/// How many jobs were not taken, by [`Reason`](crate::Reason).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Refusals {
    /// There was no room.
    pub full: u64,
    /// There was no room for their priority.
    pub depth_limit: u64,
    /// Their submitters waited for room as long as they might.
    pub timed_out: u64,
    /// Their deadline had passed.
    pub expired: u64,
    /// The pool took no more jobs.
    pub stopped: u64,
    /// No worker could be started.
    pub no_worker: u64,
}

impl Refusals {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.full + self.depth_limit + self.timed_out + self.expired + self.stopped + self.no_worker
    }
}

impl<R: Runs> Pool<R> {
    /// All that is known at this moment. Takes the pool's lock for a moment.
    pub fn snapshot(&self) -> Snapshot {
        let engine = self.engine();
        let now = engine.now();
        let state = engine.state.lock();
        let ledger = &state.ledger;
        Snapshot {
            name: engine.name,
            is_open: state.phase() == Phase::Open,
            workers: state.crew.live(),
            min_workers: *state.config.workers.start(),
            max_workers: *state.config.workers.end(),
            scaled_to: state.pinned(),
            idle: state.crew.available(),
            running: state.running(),
            queued: state.jobs.ready() + state.jobs.delayed(),
            delayed: state.jobs.delayed(),
            queue: state.config.queue,
            submitters: state.submitters(),
            submitted: ledger.submitted,
            completed: ledger.completed,
            failed: ledger.failed,
            panicked: ledger.panicked,
            cancelled: ledger.cancelled,
            expired: ledger.expired,
            dropped: ledger.dropped,
            retried: ledger.retried,
            refused: ledger.refused,
            dead_letters: state.dead.len(),
            signals: state.signals(now),
        }
    }
}
