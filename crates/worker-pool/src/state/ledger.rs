use crate::refused::Reason;
use crate::snapshot::Refusals;

/// How jobs end. Every job that was submitted is in one of these, queued, or running.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) submitted: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    pub(crate) expired: u64,
    pub(crate) dropped: u64,
    /// Attempts after the first.
    pub(crate) retried: u64,
    /// Failures that were panics.
    pub(crate) panicked: u64,
    /// Not taken.
    pub(crate) refused: Refusals,
}

/// How a job, or an attempt of it, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Failed,
    Panicked,
    /// The attempt took too long.
    TimedOut,
    Cancelled,
    /// Its deadline came while it ran.
    Expired,
}

impl End {
    /// Whether it may be tried again.
    pub(crate) const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Panicked | Self::TimedOut)
    }
}

/// How many jobs have ended, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    pub(crate) expired: u64,
}

impl Ledger {
    pub(crate) const fn ended(&self) -> Ended {
        let Self { completed, failed, cancelled, expired, .. } = *self;
        Ended { completed, failed, cancelled, expired }
    }

    /// Counts a job that was not taken.
    pub(crate) const fn refuse(&mut self, reason: Reason) {
        *match reason {
            Reason::Full => &mut self.refused.full,
            Reason::DepthLimit => &mut self.refused.depth_limit,
            Reason::TimedOut => &mut self.refused.timed_out,
            Reason::Expired => &mut self.refused.expired,
            Reason::Stopped => &mut self.refused.stopped,
            Reason::NoWorker => &mut self.refused.no_worker,
        } += 1;
    }

    /// Counts the end of a job.
    pub(crate) const fn count(&mut self, end: End) {
        match end {
            End::Completed => self.completed += 1,
            End::Failed | End::TimedOut => self.failed += 1,
            End::Panicked => {
                self.failed += 1;
                self.panicked += 1;
            }
            End::Cancelled => self.cancelled += 1,
            End::Expired => self.expired += 1,
        }
    }
}
