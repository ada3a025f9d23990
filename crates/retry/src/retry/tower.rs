//! [`Retry::layer`]: a service whose calls are made again.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project::pin_project;
use seawall_core::time::Sleep;
use seawall_core::tower::{Boxed, Convert, Refuse, Respond};
use seawall_core::{Deadline, Rejection};

use super::{Attempt, Making, Retry};
use crate::error::TimedOut;
use crate::requests::{Copied, Requests};
use crate::verdict::{ErrIsRetryable, Judge, Verdict};

/// Makes a service's calls again: what [`Retry::layer`] gives.
///
/// All services that it makes, and their clones, share one [`Retry`]. Each attempt is made by the same instance of the inner
/// service, once that is ready; a clone of it stays behind for the next call. The request is copied before every attempt but the
/// last one that is allowed.
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

    fn call(&mut self, request: Req) -> Self::Future {
        // The instance that is ready makes the call; its clone has yet to become so.
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        let deadline = self.layer.requests.deadline(&request);
        RetryFuture {
            making: Making::begin(self.layer.retry.clone(), deadline),
            judge: self.layer.judge.clone(),
            requests: self.layer.requests.clone(),
            refuse: self.layer.refuse.clone(),
            service: ready,
            next: Some(request),
            state: State::Ready,
            alarm: None,
            limit: None,
        }
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
    /// When the wait for the next attempt or for readiness, or the attempt that is out, is over.
    #[pin]
    alarm: Option<Sleep>,
    limit: Option<Limit>,
}

/// When an attempt must have ended.
#[derive(Clone, Copy)]
struct Limit {
    started: seawall_core::time::Timestamp,
    is_deadline: bool,
}

#[pin_project(project = Project)]
enum State<F> {
    /// The service is ready, and the attempt can be made.
    Ready,
    /// Waits for the time of the next attempt.
    Waiting,
    /// Waits for the service.
    Readying,
    /// The attempt is out.
    Calling(#[pin] F),
    /// The call has ended, and nothing of it is left.
    Ended,
}

impl<S, Req, J, Q, R> Future for RetryFuture<S, Req, J, Q, R>
where
    S: tower_service::Service<Req>,
    J: Judge<Result<S::Response, S::Error>>,
    Q: Requests<Req>,
    R: Refuse<S::Response, S::Error>,
{
    type Output = Result<S::Response, R::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let name = this.making.name();
        loop {
            match this.state.as_mut().project() {
                Project::Ended => panic!("a future is not polled after its end"),
                Project::Waiting => {
                    if let Some(alarm) = this.alarm.as_mut().as_pin_mut() {
                        ready!(alarm.poll(cx));
                    }
                    this.alarm.set(None);
                    this.state.set(State::Readying);
                }
                Project::Readying => {
                    match this.service.poll_ready(cx) {
                        Poll::Ready(Ok(())) => this.state.set(State::Ready),
                        Poll::Ready(Err(error)) => {
                            this.making.ended(Verdict::is_final());
                            return Poll::Ready(Err(this.refuse.error(error)));
                        }
                        Poll::Pending => {
                            // No wait outlives the caller.
                            let Some((at, true)) = this.making.attempt_ends() else {
                                return Poll::Pending;
                            };
                            if this.alarm.is_none() {
                                this.alarm.set(Some(this.making.clock().sleep_until(at)));
                            }
                            if let Some(alarm) = this.alarm.as_mut().as_pin_mut() {
                                ready!(alarm.poll(cx));
                            }
                            this.making.deadline_passed();
                            let error = TimedOut::deadline_passed(name, Duration::ZERO);
                            return Poll::Ready(this.refuse.refuse(error.into()));
                        }
                    }
                }
                Project::Ready => {
                    if this.making.is_over() {
                        this.making.deadline_passed();
                        let error = TimedOut::deadline_passed(name, Duration::ZERO);
                        return Poll::Ready(this.refuse.refuse(error.into()));
                    }
                    let mut request = this.next.take().expect("an attempt has a request");
                    if !this.making.is_last() {
                        *this.next = this.requests.copy(&request);
                    }
                    let ends = this.making.attempt_ends();
                    this.making.attempt_begins();
                    let clock = this.making.clock();
                    *this.limit = ends.map(|(_, is_deadline)| Limit { started: clock.now(), is_deadline });
                    this.alarm.set(ends.map(|(at, _)| clock.sleep_until(at)));
                    let attempt =
                        Attempt { number: this.making.attempts(), deadline: ends.map(|(at, _)| Deadline::at(at)) };
                    this.requests.prepare(&mut request, attempt);
                    this.state.set(State::Calling(this.service.call(request)));
                }
                Project::Calling(call) => {
                    let ended = match call.poll(cx) {
                        Poll::Ready(result) => Ok(result),
                        Poll::Pending => {
                            let Some((alarm, limit)) = this.alarm.as_mut().as_pin_mut().zip(*this.limit) else {
                                return Poll::Pending;
                            };
                            ready!(alarm.poll(cx));
                            Err(limit)
                        }
                    };
                    this.alarm.set(None);
                    let verdict = match &ended {
                        Ok(result) => this.judge.judge(result),
                        Err(_) => Verdict::again(),
                    };
                    // A request that must not be made again ends with what there is.
                    let again = this.next.is_some() || this.making.is_last();
                    let next = match ended {
                        Err(limit) if limit.is_deadline => {
                            this.making.deadline_passed();
                            None
                        }
                        _ if verdict.wants_another() && !again => this.making.ended(Verdict::is_final()),
                        _ => this.making.ended(verdict),
                    };
                    if let Some(at) = next {
                        this.alarm.set(Some(this.making.clock().sleep_until(at)));
                        this.state.set(State::Waiting);
                        continue;
                    }
                    this.state.set(State::Ended);
                    return Poll::Ready(match ended {
                        Ok(result) => result.map_err(|error| this.refuse.error(error)),
                        Err(limit) => {
                            let after = this.making.clock().now().saturating_duration_since(limit.started);
                            let error = if limit.is_deadline { TimedOut::deadline_passed } else { TimedOut::elapsed };
                            this.refuse.refuse(error(name, after).into())
                        }
                    });
                }
            }
        }
    }
}

impl<S: tower_service::Service<Req>, Req, J, Q, R> fmt::Debug for RetryFuture<S, Req, J, Q, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryFuture").field("attempts", &self.making.attempts()).finish_non_exhaustive()
    }
}
