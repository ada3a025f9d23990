use std::any::Any;
use std::error::Error;
use std::fmt;

use seawall_core::sync::Mutex;

/// Why a job has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobError<E> {
    /// Its last attempt ended with this error.
    Failed(E),
    /// Its last attempt panicked.
    Panicked(Panic),
    /// Its last attempt took longer than its timeout.
    TimedOut,
    /// It was cancelled: by its handle, or by a drain that could not wait.
    Cancelled,
    /// Its deadline passed before it ended, or before it began.
    Expired,
    /// It did not run to its end: it gave way to another job when the queue was full, or it was given back by a drain and nobody ran
    /// it elsewhere.
    Dropped,
    /// Its worker was ended from outside: the runtime shut down, or no worker can be started.
    Lost,
}

impl<E> JobError<E> {
    /// The job's own error, if it ended with one.
    pub fn into_failure(self) -> Option<E> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for JobError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "the job failed: {error}"),
            Self::Panicked(panic) => panic.fmt(f),
            Self::TimedOut => f.write_str("the job took longer than its timeout"),
            Self::Cancelled => f.write_str("the job was cancelled"),
            Self::Expired => f.write_str("the job's deadline passed"),
            Self::Dropped => f.write_str("the job was dropped"),
            Self::Lost => f.write_str("the job's worker was lost"),
        }
    }
}

impl<E: Error + 'static> Error for JobError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}

/// A panic of a job, with its payload.
pub struct Panic {
    /// Behind a lock that is never taken, so that an error can be shared although a payload cannot.
    payload: Mutex<Box<dyn Any + Send>>,
    message: Option<String>,
}

impl Panic {
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
        let message = message(payload.as_ref());
        Self { payload: Mutex::new(payload), message }
    }

    /// What it said, if that was text.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// What it carried: for [`std::panic::resume_unwind`], or to be downcast.
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        std::mem::replace(&mut *self.payload.lock(), Box::new(()))
    }
}

/// What a panic said, if that was text.
pub(crate) fn message(payload: &(dyn Any + Send)) -> Option<String> {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panic").field("message", &self.message).finish_non_exhaustive()
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => write!(f, "the job panicked: {message}"),
            None => f.write_str("the job panicked"),
        }
    }
}
