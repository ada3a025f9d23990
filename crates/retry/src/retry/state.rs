//! One call's attempts, as a pure state machine: it takes the time, a random number and what an attempt showed, and tells what
//! comes next.

use std::time::Duration;

use seawall_core::time::Timestamp;

use super::config::Settings;
use super::event::Reason;
use crate::verdict::Verdict;

/// How far a call has come.
pub(crate) struct Course {
    /// Attempts that were begun.
    attempts: u32,
    /// The wait before the last of them.
    last_wait: Duration,
    /// When the call ends, whatever happens.
    deadline: Option<Timestamp>,
}

/// What comes after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The call ends with the result that there is.
    End(Reason),
    /// Another attempt, after so much time.
    Again(Duration),
}

impl Course {
    /// A call whose first attempt begins.
    pub(crate) const fn begin(deadline: Option<Timestamp>) -> Self {
        Self { attempts: 1, last_wait: Duration::ZERO, deadline }
    }

    pub(crate) const fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(crate) const fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// The attempt that was out ended so. `may_spend` pays for another one that costs something; it is asked last, so that nothing
    /// is paid for an attempt that is not made.
    pub(crate) fn next(
        &mut self,
        verdict: Verdict,
        settings: &Settings,
        now: Timestamp,
        random: u64,
        may_spend: impl FnOnce() -> bool,
    ) -> Next {
        if verdict.is_good() {
            return Next::End(Reason::Good);
        }
        if !verdict.wants_another() {
            return Next::End(Reason::Final);
        }
        if self.attempts >= settings.max_attempts {
            return Next::End(Reason::Exhausted);
        }
        let retries = self.attempts - 1;
        let last = if retries == 0 { settings.backoff.initial() } else { self.last_wait };
        let mut wait = settings.backoff.delay_after(last, retries, random);
        if let Some(hint) = verdict.wait() {
            if hint > settings.max_hint {
                return Next::End(Reason::Hint);
            }
            wait = wait.max(hint);
        }
        // An attempt that would begin when the call is over helps nobody.
        if self.deadline.is_some_and(|deadline| now + wait >= deadline) {
            return Next::End(Reason::Deadline);
        }
        if !verdict.was_refused() && !may_spend() {
            return Next::End(Reason::Budget);
        }
        self.attempts += 1;
        self.last_wait = wait;
        Next::Again(wait)
    }
}
