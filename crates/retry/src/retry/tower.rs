//! [`Retry::layer`]: a service whose calls are made again.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project::pin_project;
use seawall_core::time::Sleep;
use seawall_core::tower::{Boxed, Convert, Refuse, Respond};
use seawall_core::{Deadline, Rejection};

use super::limit::Limit;
use super::{Attempt, Making, Retry};
use crate::error::TimedOut;
use crate::requests::{Copied, Requests};
use crate::verdict::{ErrIsRetryable, Judge, Verdict};

/// Makes a service's calls again: what [`Retry::layer`] gives.
///
/// All services that it makes, and their clones, share one [`Retry`]. Each attempt is made by the same instance of the inner
/// service, once that is ready; a clone of it stays behind for the next call. The first attempt is made, and its time begins, when
/// the service is called. The request is copied before every attempt but the last one that is allowed.
pub struct RetryLayer<J = ErrIsRetryable, Q = Copied, R = Convert> {
    retry: Retry,
    judge: J,
    requests: Q,
    refuse: R,
}

impl<J: Clone, Q: Clone, R: Clone> Clone for RetryLayer<J, Q, R> {
    fn clone(&self) -> Self {
        Self {
            retry: self.retry.clone(),
            judge: self.judge.clone(),
            requests: self.requests.clone(),
            refuse: self.refuse.clone(),
        }
    }
}

impl Retry {
    /// A tower layer that makes calls again.
    pub fn layer(&self) -> RetryLayer {
        RetryLayer { retry: self.clone(), judge: ErrIsRetryable, requests: Copied, refuse: Convert }
    }
}

impl<J, Q, R> RetryLayer<J, Q, R> {
    /// Lets `judge` say which results ask for another attempt; by default every `Err` does.
    pub fn judge<K>(self, judge: K) -> RetryLayer<K, Q, R> {
        RetryLayer { retry: self.retry, judge, requests: self.requests, refuse: self.refuse }
    }

    /// Lets `requests` copy requests, or say that one must not be made again. By default every request is cloned.
    pub fn requests<P>(self, requests: P) -> RetryLayer<J, P, R> {
        RetryLayer { retry: self.retry, judge: self.judge, requests, refuse: self.refuse }
    }

    /// Makes the service's error a boxed one, whatever the inner one's is.
    pub fn boxed(self) -> RetryLayer<J, Q, Boxed> {
        self.refusing(Boxed)
    }

    /// Answers a call whose time was over with `respond`'s response instead of an error.
    pub fn on_timeout<Res, F: Fn(Rejection) -> Res>(self, respond: F) -> RetryLayer<J, Q, Respond<F>> {
        self.refusing(Respond::with(respond))
    }

    fn refusing<S>(self, refuse: S) -> RetryLayer<J, Q, S> {
        RetryLayer { retry: self.retry, judge: self.judge, requests: self.requests, refuse }
    }
}

impl<S, J: Clone, Q: Clone, R: Clone> tower_layer::Layer<S> for RetryLayer<J, Q, R> {
    type Service = RetryService<S, J, Q, R>;

    fn layer(&self, inner: S) -> Self::Service {
        RetryService { inner, layer: self.clone() }
    }
}

impl<J, Q, R> fmt::Debug for RetryLayer<J, Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryLayer").field("retry", &self.retry).finish_non_exhaustive()
    }
}

/// A service whose calls are made again: what [`RetryLayer`] makes.
#[derive(Clone)]
pub struct RetryService<S, J, Q, R> {
    inner: S,
    layer: RetryLayer<J, Q, R>,
}

impl<S: fmt::Debug, J, Q, R> fmt::Debug for RetryService<S, J, Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryService").field("inner", &self.inner).field("retry", &self.layer.retry).finish()
    }
}

impl<Req, S, J, Q, R> tower_service::Service<Req> for RetryService<S, J, Q, R>
where
    S: tower_service::Service<Req> + Clone,
    J: Judge<Result<S::Response, S::Error>> + Clone,
    Q: Requests<Req> + Clone,
    R: Refuse<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = R::Error;
    type Future = RetryFuture<S, Req, J, Q, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), R::Error>> {
        self.inner.poll_ready(cx).map_err(|error| self.layer.refuse.error(error))
    }

    #[inline(always)]
    fn call(&mut self, request: Req) -> Self::Future {
        let RetryLayer { retry, judge, requests, refuse } = &self.layer;
        // The instance that is ready makes the call; its clone has yet to become so.
        let clone = self.inner.clone();
        let mut service = std::mem::replace(&mut self.inner, clone);
        let (mut making, limit) = Making::begin(retry.clone(), requests.deadline(&request));
        let (next, state) = attempt(&mut making, limit, requests, &mut service, request);
        let (judge, requests, refuse) = (judge.clone(), requests.clone(), refuse.clone());
        RetryFuture { making, judge, requests, refuse, service, next, state }
    }
}

/// The response of a call that may be made again.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct RetryFuture<S: tower_service::Service<Req>, Req, J, Q, R> {
    making: Making<Retry>,
    judge: J,
    requests: Q,
    refuse: R,
    service: S,
    /// The request of the next attempt.
    next: Option<Req>,
    #[pin]
    state: State<S::Future>,
}

#[pin_project(project = Project)]
enum State<F> {
    /// The attempt is out.
    Calling {
        #[pin]
        call: F,
        limit: Option<Limit>,
        /// Set once the attempt has to be waited for.
        #[pin]
        alarm: Option<Sleep>,
    },
    /// Waits for the time of the next attempt.
    Waiting(#[pin] Sleep),
    /// Waits for the service, and no longer than until the deadline.
    Readying(#[pin] Option<Sleep>),
    /// The deadline had passed before the attempt.
    Over,
    /// The call has ended, and nothing of it is left.
    Ended,
}

/// Makes an attempt, if the deadline has not passed: what is left of the request for the next one, and what the call is at.
#[inline(always)]
fn attempt<S, Req, Q>(
    making: &mut Making<Retry>,
    limit: Option<Limit>,
    requests: &Q,
    service: &mut S,
    mut request: Req,
) -> (Option<Req>, State<S::Future>)
where
    S: tower_service::Service<Req>,
    Q: Requests<Req>,
{
    if limit.is_some_and(|limit| limit.is_over()) {
        return (None, State::Over);
    }
    making.attempt_begins();
    let next = if making.is_last() { None } else { requests.copy(&request) };
    let deadline = limit.map(|limit| Deadline::at(limit.at));
    requests.prepare(&mut request, Attempt { number: making.attempts(), deadline });
    (next, State::Calling { call: service.call(request), limit, alarm: None })
}

impl<S, Req, J, Q, R> Future for RetryFuture<S, Req, J, Q, R>
where
    S: tower_service::Service<Req>,
    J: Judge<Result<S::Response, S::Error>>,
    Q: Requests<Req>,
    R: Refuse<S::Response, S::Error>,
{
    type Output = Result<S::Response, R::Error>;

    /// Small enough to be inlined: what follows when the first attempt is not good at once lies apart.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut this = self.as_mut().project();
            let next = match this.state.as_mut().project() {
                Project::Calling { call, limit, .. } => match call.poll(cx) {
                    Poll::Ready(result) => {
                        let verdict = this.judge.judge(&result);
                        if verdict.is_good() && this.making.good_at_first() {
                            this.state.set(State::Ended);
                            return Poll::Ready(result.map_err(|error| this.refuse.error(error)));
                        }
                        self.as_mut().answered(result, verdict)
                    }
                    Poll::Pending if limit.is_none() => return Poll::Pending,
                    Poll::Pending => ready!(self.as_mut().poll_limit(cx)),
                },
                _ => ready!(self.as_mut().poll_next(cx)),
            };
            if let Some(output) = next {
                return Poll::Ready(output);
            }
        }
    }
}

/// What is given is the call's end; `None` if the call goes on from another state.
impl<S, Req, J, Q, R> RetryFuture<S, Req, J, Q, R>
where
    S: tower_service::Service<Req>,
    Q: Requests<Req>,
    R: Refuse<S::Response, S::Error>,
{
    /// The attempt that was out gave this.
    #[cold]
    #[inline(never)]
    fn answered(
        self: Pin<&mut Self>,
        result: Result<S::Response, S::Error>,
        verdict: Verdict,
    ) -> Option<Result<S::Response, R::Error>> {
        let mut this = self.project();
        // A request that must not be made again ends with what there is.
        let again = this.next.is_some() || this.making.is_last();
        let verdict = if verdict.wants_another() && !again { Verdict::is_final() } else { verdict };
        if let Some(at) = this.making.ended_otherwise(verdict) {
            this.state.set(State::Waiting(this.making.clock().sleep_until(at)));
            return None;
        }
        this.state.set(State::Ended);
        Some(result.map_err(|error| this.refuse.error(error)))
    }

    /// Waits beside the attempt that is out, until it must have ended.
    #[inline(never)]
    fn poll_limit(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<S::Response, R::Error>>> {
        let mut this = self.project();
        let Project::Calling { limit: Some(limit), alarm, .. } = this.state.as_mut().project() else {
            return Poll::Pending;
        };
        let timed_out = ready!(limit.poll(alarm, this.making.clock(), this.making.name(), cx));
        let again = this.next.is_some() || this.making.is_last();
        let next = if timed_out.is_deadline() {
            this.making.deadline_passed();
            None
        } else {
            this.making.ended_otherwise(if again { Verdict::again() } else { Verdict::is_final() })
        };
        if let Some(at) = next {
            this.state.set(State::Waiting(this.making.clock().sleep_until(at)));
            return Poll::Ready(None);
        }
        this.state.set(State::Ended);
        Poll::Ready(Some(this.refuse.refuse(timed_out.into())))
    }

    /// Goes on to the next attempt.
    #[cold]
    #[inline(never)]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<S::Response, R::Error>>> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                Project::Calling { .. } => return Poll::Ready(None),
                Project::Waiting(alarm) => {
                    ready!(alarm.poll(cx));
                    this.state.set(State::Readying(None));
                }
                Project::Readying(mut alarm) => match this.service.poll_ready(cx) {
                    Poll::Ready(Ok(())) => {
                        let limit = this.making.limit();
                        let request = this.next.take().expect("an attempt has a request");
                        let (next, state) = attempt(this.making, limit, this.requests, this.service, request);
                        *this.next = next;
                        this.state.set(state);
                    }
                    Poll::Ready(Err(error)) => {
                        this.making.ended_otherwise(Verdict::is_final());
                        this.state.set(State::Ended);
                        return Poll::Ready(Some(Err(this.refuse.error(error))));
                    }
                    Poll::Pending => {
                        // No wait outlives the caller.
                        let Some(at) = this.making.deadline() else {
                            return Poll::Pending;
                        };
                        if alarm.is_none() {
                            alarm.set(Some(this.making.clock().sleep_until(at)));
                        }
                        if let Some(alarm) = alarm.as_pin_mut() {
                            ready!(alarm.poll(cx));
                        }
                        this.state.set(State::Over);
                    }
                },
                Project::Over => {
                    this.making.deadline_passed();
                    this.state.set(State::Ended);
                    let error = TimedOut::deadline_passed(this.making.name(), Duration::ZERO);
                    return Poll::Ready(Some(this.refuse.refuse(error.into())));
                }
                Project::Ended => panic!("a future is not polled after its end"),
            }
        }
    }
}
impl<S: tower_service::Service<Req>, Req, J, Q, R> fmt::Debug for RetryFuture<S, Req, J, Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryFuture").field("attempts", &self.making.attempts()).finish_non_exhaustive()
    }
}
