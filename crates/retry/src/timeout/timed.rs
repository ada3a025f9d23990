use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project::pin_project;
use seawall_core::Deadline;
use seawall_core::time::Sleep;

use super::{Out, Timeout};
use crate::error::TimedOut;

/// A call whose time is limited: what [`Timeout::run`] gives.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct Timed<H: AsRef<Timeout>, F> {
    stage: Stage<H>,
    /// Dropped as soon as its time is over, however long this future is kept.
    #[pin]
    call: Option<F>,
    /// Freed with it.
    #[pin]
    alarm: Option<Sleep>,
}

enum Stage<H: AsRef<Timeout>> {
    Asked { timeout: H, within: Option<Duration>, deadline: Option<Deadline> },
    Out(Out<H>),
    Ended,
}

impl<H: AsRef<Timeout>, F> Timed<H, F> {
    pub(super) const fn new(timeout: H, deadline: Option<Deadline>, call: F) -> Self {
        Self { stage: Stage::Asked { timeout, within: None, deadline }, call: Some(call), alarm: None }
    }

    /// A call that is out already.
    #[cfg(feature = "tower")]
    pub(super) const fn out(out: Out<H>, call: F) -> Self {
        Self { stage: Stage::Out(out), call: Some(call), alarm: None }
    }

    /// Gives this call, and no other one, so much time instead of what is configured. With no time at all it is polled once.
    pub fn within(mut self, duration: Duration) -> Self {
        if let Stage::Asked { within, .. } = &mut self.stage {
            *within = Some(duration);
        }
        self
    }
}

impl<H: AsRef<Timeout>, F: Future> Future for Timed<H, F> {
    type Output = Result<F::Output, TimedOut>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const ENDED: &str = "a future is not polled after its end";
        let mut this = self.project();
        if let Stage::Asked { .. } = this.stage
            && let Stage::Asked { timeout, within, deadline } = std::mem::replace(this.stage, Stage::Ended)
        {
            let limit = timeout.as_ref().limit(within, deadline).inspect_err(|_| this.call.set(None))?;
            *this.stage = Stage::Out(Out::new(timeout, limit));
        }
        let Stage::Out(out) = this.stage else { panic!("{ENDED}") };
        if let Poll::Ready(output) = this.call.as_mut().as_pin_mut().expect(ENDED).poll(cx) {
            out.in_time();
            *this.stage = Stage::Ended;
            this.alarm.set(None);
            return Poll::Ready(Ok(output));
        }
        if this.alarm.is_none() {
            this.alarm.set(Some(out.timeout.as_ref().inner.clock.sleep_until(out.limit.at)));
        }
        ready!(this.alarm.as_mut().as_pin_mut().expect("it was set").poll(cx));
        let timed_out = out.timed_out();
        *this.stage = Stage::Ended;
        this.alarm.set(None);
        this.call.set(None);
        Poll::Ready(Err(timed_out))
    }
}

impl<H: AsRef<Timeout>, F> fmt::Debug for Timed<H, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match &self.stage {
            Stage::Asked { .. } => "asked",
            Stage::Out(_) => "out",
            Stage::Ended => "ended",
        };
        f.debug_struct("Timed").field("stage", &stage).finish_non_exhaustive()
    }
}
