use std::error::Error;
use std::fmt;
use std::time::Duration;

use seawall_core::{Kind, Name, Rejection};

/// Why a pool did not take a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Reason {
    /// The queue is full and every worker is busy, or as many submitters wait for room as may.
    Full,
    /// As many jobs of its priority wait as may.
    DepthLimit,
    /// Its submitter waited for room as long as it might.
    TimedOut,
    /// Its deadline had passed before it was submitted.
    Expired,
    /// The pool takes no more jobs.
    Stopped,
    /// There is no worker, and none could be started.
    NoWorker,
}

impl Reason {
    const fn kind(self) -> &'static Kind {
        static FULL: Kind = Kind::new("worker_pool", "full");
        static DEPTH_LIMIT: Kind = Kind::new("worker_pool", "depth_limit");
        static TIMED_OUT: Kind = Kind::new("worker_pool", "timed_out");
        static EXPIRED: Kind = Kind::new("worker_pool", "expired");
        static STOPPED: Kind = Kind::new("worker_pool", "stopped");
        static NO_WORKER: Kind = Kind::new("worker_pool", "no_worker");
        match self {
            Self::Full => &FULL,
            Self::DepthLimit => &DEPTH_LIMIT,
            Self::TimedOut => &TIMED_OUT,
            Self::Expired => &EXPIRED,
            Self::Stopped => &STOPPED,
            Self::NoWorker => &NO_WORKER,
        }
    }

    /// Whether the same job can be taken later.
    const fn passes(self) -> bool {
        !matches!(self, Self::Expired | Self::Stopped)
    }
}

/// The pool did not take the job, which will not run.
///
/// `Copy`, and made without an allocation. Its `source()` is the [`Rejection`], so that [`Rejection::find`] finds it behind any
/// box.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    rejection: Rejection,
    reason: Reason,
    figures: Figures,
}

/// What a pool looked like when it refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    /// How many jobs waited.
    pub(crate) queued: usize,
    /// How many might.
    pub(crate) queue: usize,
    pub(crate) workers: usize,
}

impl Refused {
    /// A refusal that says when to come back only if coming back can help.
    pub(crate) const fn new(name: Name, reason: Reason, figures: Figures, retry_after: Option<Duration>) -> Self {
        let rejection = Rejection::new(reason.kind(), name);
        let rejection = match retry_after {
            Some(after) if reason.passes() => rejection.after(after),
            Some(_) | None => rejection,
        };
        Self { rejection, reason, figures }
    }

    /// The refusal in the form that all patterns share.
    pub const fn rejection(&self) -> Rejection {
        self.rejection
    }

    /// Which pool refused.
    pub const fn name(&self) -> Name {
        self.rejection.name()
    }

    /// Why.
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// How many jobs waited.
    pub const fn queued(&self) -> usize {
        self.figures.queued
    }

    /// How many jobs might wait: those of any priority, whatever the limits of one.
    pub const fn queue(&self) -> usize {
        self.figures.queue
    }

    /// How many workers there were.
    pub const fn workers(&self) -> usize {
        self.figures.workers
    }

    /// After what time there should be room, as fast as the pool worked lately. `None` if that is not known, and always if it
    /// [stopped](Reason::Stopped) or the job [expired](Reason::Expired).
    pub const fn retry_after(&self) -> Option<Duration> {
        self.rejection.retry_after()
    }
}

impl From<Refused> for Rejection {
    fn from(refused: Refused) -> Self {
        refused.rejection
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("name", &self.name())
            .field("reason", &self.reason)
            .field("queued", &self.queued())
            .field("queue", &self.queue())
            .field("workers", &self.workers())
            .field("retry_after", &self.retry_after())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, Figures { queued, queue, workers }) = (self.name(), self.figures);
        match self.reason {
            Reason::Full => write!(f, "the worker pool `{name}` is full")?,
            Reason::DepthLimit => write!(f, "the worker pool `{name}` queues no more jobs of this priority")?,
            Reason::TimedOut => write!(f, "the worker pool `{name}` had no room in time")?,
            Reason::Expired => {
                return write!(f, "the job's deadline passed before it was submitted to the worker pool `{name}`");
            }
            Reason::Stopped => return write!(f, "the worker pool `{name}` takes no more jobs"),
            Reason::NoWorker => write!(f, "the worker pool `{name}` could not start a worker")?,
        }
        write!(f, ": {queued} of {queue} queued, workers: {workers}")?;
        match self.retry_after() {
            Some(after) => write!(f, ", retry after {after:?}"),
            None => Ok(()),
        }
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURES: Figures = Figures { queued: 5, queue: 8, workers: 3 };

    fn refused(reason: Reason) -> Refused {
        Refused::new(Name::from_static("orders"), reason, FIGURES, Some(Duration::from_secs(2)))
    }

    #[test]
    fn it_says_what_the_pool_looked_like() {
        let text = "the worker pool `orders` is full: 5 of 8 queued, workers: 3, retry after 2s";
        assert_eq!(refused(Reason::Full).to_string(), text);
        assert_eq!(refused(Reason::Stopped).to_string(), "the worker pool `orders` takes no more jobs");
    }

    #[test]
    fn coming_back_is_promised_only_where_it_helps() {
        for (reason, kind, helps) in [
            (Reason::Full, "full", true),
            (Reason::DepthLimit, "depth_limit", true),
            (Reason::TimedOut, "timed_out", true),
            (Reason::Expired, "expired", false),
            (Reason::Stopped, "stopped", false),
            (Reason::NoWorker, "no_worker", true),
        ] {
            let refused = refused(reason);
            assert_eq!(refused.retry_after().is_some(), helps, "{reason:?}");
            let rejection = Rejection::from(refused);
            assert_eq!((rejection.pattern(), rejection.reason()), ("worker_pool", kind));
            assert!(!rejection.is_over_quota());
        }
    }

    #[test]
    fn the_rejection_is_found_behind_a_box() {
        let boxed: Box<dyn Error + Send + Sync> = Box::new(refused(Reason::Full));
        assert_eq!(Rejection::find(&*boxed), Some(&refused(Reason::Full).rejection()));
    }
}
