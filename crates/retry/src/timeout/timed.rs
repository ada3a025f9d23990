use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project::pin_project;
use seawall_core::Deadline;
use seawall_core::time::Sleep;

use super::{Course, Stage, Timeout};
use crate::error::TimedOut;

/// A call whose time is limited: what [`Timeout::run`] gives.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct Timed<H: AsRef<Timeout>, F> {
    course: Course<H>,
    /// Dropped as soon as its time is over, however long this future is kept.
    #[pin]
    call: Option<F>,
    /// Freed with it. Set for a call that has to be waited for.
    #[pin]
    alarm: Option<Sleep>,
}

impl<H: AsRef<Timeout>, F> Timed<H, F> {
    #[inline]
    pub(super) const fn new(timeout: H, deadline: Option<Deadline>, call: F) -> Self {
        let course = Course { timeout, stage: Stage::Asked { own: None, deadline } };
        Self { course, call: Some(call), alarm: None }
    }

    /// A call that is out already.
    #[cfg(feature = "tower")]
    #[inline]
    pub(super) const fn out(course: Course<H>, call: F) -> Self {
        Self { course, call: Some(call), alarm: None }
    }

    /// Gives this call, and no other one, so much time instead of what is configured. With no time at all it is polled
    /// once.
    pub fn within(mut self, duration: Duration) -> Self {
        if let Stage::Asked { own, .. } = &mut self.course.stage {
            *own = Some(duration);
        }
        self
    }
}

impl<H: AsRef<Timeout>, F: Future> Future for Timed<H, F> {
    type Output = Result<F::Output, TimedOut>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const ENDED: &str = "a future is not polled after its end";
        let mut this = self.project();
        let Course { timeout, stage } = this.course;
        let timeout = (*timeout).as_ref();
        let limit = match *stage {
            Stage::Out(limit) => limit,
            Stage::Asked { own, deadline } => match timeout.limit(own, deadline) {
                Ok(limit) => {
                    *stage = Stage::Out(limit);
                    limit
                }
                Err(refused) => {
                    *stage = Stage::Ended;
                    this.call.set(None);
                    return Poll::Ready(Err(refused));
                }
            },
            Stage::Ended => panic!("{ENDED}"),
        };
        if let Poll::Ready(output) = this.call.as_mut().as_pin_mut().expect(ENDED).poll(cx) {
            *stage = Stage::Ended;
            timeout.count(|counts| &counts.in_time);
            if this.alarm.is_some() {
                this.alarm.set(None);
            }
            return Poll::Ready(Ok(output));
        }
        if this.alarm.is_none() {
            this.alarm.set(Some(timeout.inner.clock.sleep_until(limit.at)));
        }
        ready!(this.alarm.as_mut().as_pin_mut().expect("it was set").poll(cx));
        *stage = Stage::Ended;
        let timed_out = timeout.timed_out(limit);
        this.alarm.set(None);
        this.call.set(None);
        Poll::Ready(Err(timed_out))
    }
}

impl<H: AsRef<Timeout>, F> fmt::Debug for Timed<H, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timed").field("stage", &self.course.stage).finish_non_exhaustive()
    }
}
