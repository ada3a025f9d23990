use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use seawall_core::Deadline;
use seawall_core::time::Timestamp;

use super::{Making, Retry};
use crate::error::TimedOut;
use crate::verdict::{ErrIsRetryable, Judge, Verdict};

/// Which attempt is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    /// When it will be dropped if it has not ended: to be handed on, so that whoever is called stops working then.
    pub deadline: Option<Deadline>,
}

impl Attempt {
    /// Whether there was one before.
    pub const fn is_retry(&self) -> bool {
        self.number > 1
    }
}

impl Retry {
    /// Makes a call until its result is `Ok`, as often as the configuration allows: gives the last attempt's result.
    ///
    /// The result is what `tokio::time::timeout` would give: an outer error if time was over, and the call's own result inside.
    ///
    /// # Errors
    /// If an attempt that was the last one took too long, or the deadline passed while one was out.
    ///
    /// # Cancel safety
    /// Dropping the future drops the attempt that is out; what it was to cost is given back.
    pub async fn run<F, T, E>(&self, attempt: impl FnMut(Attempt) -> F) -> Result<Result<T, E>, TimedOut>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.run_judged(attempt, ErrIsRetryable, None).await
    }

    /// The same for a caller that stops waiting at `deadline`: no attempt, and no wait for one, outlives it.
    ///
    /// # Errors
    /// If time was over. If it was over before the first attempt, none is made.
    pub async fn run_until<F, T, E>(
        &self,
        deadline: Deadline,
        attempt: impl FnMut(Attempt) -> F,
    ) -> Result<Result<T, E>, TimedOut>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.run_judged(attempt, ErrIsRetryable, Some(deadline)).await
    }

    /// The same, and lets `judge` say which results ask for another attempt.
    ///
    /// # Errors
    /// If time was over.
    pub async fn run_judged<F: Future>(
        &self,
        mut attempt: impl FnMut(Attempt) -> F,
        judge: impl Judge<F::Output>,
        deadline: Option<Deadline>,
    ) -> Result<F::Output, TimedOut> {
        let mut making = Making::begin(self, deadline);
        if making.is_over() {
            making.deadline_passed();
            return Err(TimedOut::deadline_passed(self.name(), Duration::ZERO));
        }
        loop {
            let ends = making.attempt_ends();
            making.attempt_begins();
            let number = making.attempts();
            let call = attempt(Attempt { number, deadline: ends.map(|(at, _)| Deadline::at(at)) });
            let ended = match ends {
                None => Ok(call.await),
                Some((at, is_deadline)) => self.cut_off(call, at).await.map_err(|after| {
                    let error = if is_deadline { TimedOut::deadline_passed } else { TimedOut::elapsed };
                    error(self.name(), after)
                }),
            };
            let next = match &ended {
                Err(timed_out) if timed_out.is_deadline() => {
                    making.deadline_passed();
                    None
                }
                Err(_) => making.ended(Verdict::again()),
                Ok(result) => making.ended(judge.judge(result)),
            };
            let Some(at) = next else {
                return ended;
            };
            drop(ended);
            self.clock().sleep_until(at).await;
        }
    }

    /// Drives `call` until it ends, or until `at`: then tells how long it had run.
    async fn cut_off<F: Future>(&self, call: F, at: Timestamp) -> Result<F::Output, Duration> {
        let started = self.clock().now();
        let (mut call, mut alarm) = (pin!(call), pin!(self.clock().sleep_until(at)));
        poll_fn(|cx| {
            if let Poll::Ready(output) = call.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            let over = || Err(self.clock().now().saturating_duration_since(started));
            alarm.as_mut().poll(cx).map(|()| over())
        })
        .await
    }
}
