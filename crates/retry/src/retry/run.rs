use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use seawall_core::Deadline;
use seawall_core::time::Sleep;

use super::limit::Limit;
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
        let (mut making, mut limit) = Making::begin(self, deadline);
        if limit.is_some_and(|limit| limit.is_over()) {
            making.deadline_passed();
            return Err(TimedOut::deadline_passed(self.name(), Duration::ZERO));
        }
        loop {
            let number = making.attempts();
            let call = attempt(Attempt { number, deadline: limit.map(|limit| Deadline::at(limit.at)) });
            let ended = match limit {
                None => Ok(call.await),
                Some(limit) => self.cut_off(call, limit).await,
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
            limit = making.limit();
            making.attempt_begins();
        }
    }

    /// Drives `call` until it ends, or until its time is over.
    async fn cut_off<F: Future>(&self, call: F, limit: Limit) -> Result<F::Output, TimedOut> {
        let (mut call, mut alarm) = (pin!(call), pin!(None::<Sleep>));
        poll_fn(|cx| {
            if let Poll::Ready(output) = call.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            limit.poll(alarm.as_mut(), self.clock(), self.name(), cx).map(Err)
        })
        .await
    }
}
