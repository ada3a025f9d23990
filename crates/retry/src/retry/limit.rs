//! When an attempt must have ended.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use seawall_core::Name;
use seawall_core::time::{Clock, Sleep, Timestamp};

use crate::error::TimedOut;

/// When an attempt must have ended.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    /// When it began.
    pub(crate) started: Timestamp,
    /// When it is dropped.
    pub(crate) at: Timestamp,
    pub(crate) whose: Whose,
}

/// Whose time it is that is limited. A whole word, as all that is moved with a call.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Whose {
    Attempt,
    Call,
}

impl Limit {
    /// Whether the attempt would begin when the call must have ended.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.whose == Whose::Call && self.started >= self.at
    }

    /// Waits beside an attempt that has not ended: only such a one sets an alarm.
    pub(crate) fn poll(
        &self,
        mut alarm: Pin<&mut Option<Sleep>>,
        clock: &Clock,
        name: Name,
        cx: &mut Context<'_>,
    ) -> Poll<TimedOut> {
        if alarm.is_none() {
            alarm.set(Some(clock.sleep_until(self.at)));
        }
        if let Some(alarm) = alarm.as_pin_mut() {
            ready!(alarm.poll(cx));
        }
        let after = clock.now().saturating_duration_since(self.started);
        let error = match self.whose {
            Whose::Attempt => TimedOut::elapsed,
            Whose::Call => TimedOut::deadline_passed,
        };
        Poll::Ready(error(name, after))
    }
}
