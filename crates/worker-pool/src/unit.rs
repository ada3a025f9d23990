//! What the workers handle: a job with whoever waits for its result.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use seawall_core::spawn::Spawner;

use crate::error::{JobError, Panic};
use crate::job::{Attempt, Job};
use crate::reply::Giver;

/// Why a job ends without what its last attempt gave.
#[derive(Debug)]
pub enum Why {
    Panicked(Box<dyn Any + Send>),
    TimedOut,
    Cancelled,
    Expired,
    Dropped,
    Lost,
}

impl<E> From<Why> for JobError<E> {
    fn from(why: Why) -> Self {
        match why {
            Why::Panicked(payload) => Self::Panicked(Panic::new(payload)),
            Why::TimedOut => Self::TimedOut,
            Why::Cancelled => Self::Cancelled,
            Why::Expired => Self::Expired,
            Why::Dropped => Self::Dropped,
            Why::Lost => Self::Lost,
        }
    }
}

/// How an attempt ended that was not cut off and did not panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    Succeeded,
    Failed,
    /// There was nothing to run, or no thread to run it.
    Lost,
}

/// An answer that is given later.
pub(crate) type Parting = Box<dyn FnOnce() + Send>;

/// What the workers handle. Users name it only in [`Report::returned`](crate::Report::returned).
pub trait Unit: Send + 'static {
    /// One attempt. What it gave is kept.
    fn attempt(&mut self, attempt: &Attempt, spawner: &Spawner) -> impl Future<Output = Tried> + Send;

    /// Whether it may be tried again.
    fn is_repeatable(&self) -> bool;

    /// Whether an attempt ends when its future is dropped.
    fn is_divisible(&self) -> bool {
        true
    }

    /// The text of the error that the last attempt gave.
    fn complaint(&self) -> String;

    /// Answers with what the last attempt gave, or says why there is none.
    fn conclude(&mut self, why: Option<Why>);

    /// The same, to be done later, if anybody wants it.
    fn parting(&mut self, why: Option<Why>) -> Option<Parting>;
}

/// Answers and drops a job whose worker goes on, whatever the user's code does in its drop.
pub(crate) fn dismiss<U: Unit>(mut unit: U, why: Option<Why>) {
    quietly(move || {
        unit.conclude(why);
        drop(unit);
    });
}

/// Does what calls the user's code where nobody is left to tell of its panic.
pub(crate) fn quietly(act: impl FnOnce()) {
    let _payload = catch_unwind(AssertUnwindSafe(act));
}

/// What the last attempt gave, and whoever waits for it.
#[derive(Debug)]
pub(crate) struct Answer<T, E> {
    outcome: Option<Result<T, E>>,
    giver: Giver<T, E>,
}

impl<T: Send + 'static, E: fmt::Display + Send + 'static> Answer<T, E> {
    pub(crate) const fn new(giver: Giver<T, E>) -> Self {
        Self { outcome: None, giver }
    }

    /// Keeps what an attempt gave.
    #[inline]
    pub(crate) fn keep(&mut self, outcome: Result<T, E>) -> Tried {
        let tried = if outcome.is_ok() { Tried::Succeeded } else { Tried::Failed };
        self.outcome = Some(outcome);
        tried
    }

    pub(crate) fn complaint(&self) -> String {
        match &self.outcome {
            Some(Err(error)) => error.to_string(),
            Some(Ok(_)) | None => String::new(),
        }
    }

    #[inline]
    pub(crate) fn conclude(&mut self, why: Option<Why>) {
        if self.giver.is_nobody() {
            self.outcome = None;
            return;
        }
        if let Some(result) = self.result(why) {
            self.giver.give(result);
        }
    }

    pub(crate) fn parting(&mut self, why: Option<Why>) -> Option<Parting> {
        let result = self.result(why)?;
        let mut giver = self.giver.take()?;
        Some(Box::new(move || giver.give(result)))
    }

    #[inline]
    fn result(&mut self, why: Option<Why>) -> Option<Result<T, JobError<E>>> {
        let outcome = self.outcome.take();
        match why {
            Some(why) => Some(Err(why.into())),
            None => outcome.map(|outcome| outcome.map_err(JobError::Failed)),
        }
    }
}

/// A job of a pool of one type, and whoever waits for its result.
pub struct Typed<J: Job> {
    job: J,
    answer: Answer<J::Output, J::Error>,
}

impl<J: Job> Typed<J> {
    pub(crate) const fn new(job: J, giver: Giver<J::Output, J::Error>) -> Self {
        Self { job, answer: Answer::new(giver) }
    }

    /// The job. Whoever waits for its result is told that it was dropped.
    pub fn into_job(self) -> J {
        self.job
    }
}

impl<J: Job> Unit for Typed<J> {
    async fn attempt(&mut self, attempt: &Attempt, _spawner: &Spawner) -> Tried {
        let outcome = self.job.run(attempt).await;
        self.answer.keep(outcome)
    }

    fn is_repeatable(&self) -> bool {
        self.job.is_repeatable()
    }

    fn complaint(&self) -> String {
        self.answer.complaint()
    }

    fn conclude(&mut self, why: Option<Why>) {
        self.answer.conclude(why);
    }

    fn parting(&mut self, why: Option<Why>) -> Option<Parting> {
        self.answer.parting(why)
    }
}

impl<J: Job> fmt::Debug for Typed<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed").finish_non_exhaustive()
    }
}
