//! An inner service that a test controls, and that watches how it is used.
//!
//! [`controlled`] gives the service and its [`Control`]. The service checks tower's contract on each of its instances
//! by itself: `call` only after `poll_ready` returned `Ready` on that same instance, one call per readiness, no use after
//! a readiness error. A breach is recorded, not panicked over, so that [`Control::assert_kept`] can tell all of them.
//!
//! ```
//! use seawall_testkit::service::{self, Answer};
//! use std::task::{Context, Poll, Waker};
//! use tower_service::Service;
//!
//! let (mut service, control) = service::controlled();
//! control.answer(Answer::Hold);
//! let mut cx = Context::from_waker(Waker::noop());
//! assert_eq!(Service::<&str>::poll_ready(&mut service, &mut cx), Poll::Ready(Ok(())));
//! let call = service.call("order-1");
//! assert_eq!(control.seen().in_flight, 1);
//! drop(call);
//! assert_eq!(control.seen().dropped, 1);
//!
//! let _unready = service.call("order-2");
//! assert_eq!(control.breaches(), ["instance 0 was called without being ready"]);
//! ```

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use seawall_core::Rejection;
use tower_service::Service;

/// A service that does what its [`Control`] says, and the control.
pub fn controlled() -> (ControlledService, Control) {
    let shared = Arc::new(Mutex::new(State::default()));
    (ControlledService { shared: shared.clone(), instance: 0, readiness: Readiness::Unknown }, Control { shared })
}

/// An inner service that answers each request with the request itself, or as its [`Control`] says.
///
/// A clone is an instance of its own without readiness; state and records are shared.
#[derive(Debug)]
pub struct ControlledService {
    shared: Arc<Mutex<State>>,
    instance: usize,
    readiness: Readiness,
}

/// What a call does; decided when it is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// Returns the request at the first poll.
    #[default]
    Succeed,
    /// Fails with [`CallError::Failed`] at the first poll.
    Fail,
    /// Stays pending until [`Control::release`], then returns the request.
    Hold,
    /// Panics when its future is polled.
    Panic,
    /// Panics in `call` itself, before there is a future.
    PanicInCall,
}

/// What `poll_ready` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ready {
    /// `Ready(Ok)`.
    #[default]
    Yes,
    /// `Pending`, until it is set otherwise.
    NotYet,
    /// `Ready(Err)`, with [`CallError::Failed`]: final for the instance.
    Failed,
    /// Panics.
    Panic,
}

/// Why a call did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// A layer around the service refused it.
    Rejected(Rejection),
    /// The service itself failed.
    Failed,
}

/// What the instances of a service saw, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// How often `poll_ready` was called.
    pub readiness_polls: usize,
    /// How often `call` was called.
    pub calls: usize,
    /// How many calls returned, successfully or not.
    pub finished: usize,
    /// How many calls panicked.
    pub panicked: usize,
    /// How many calls were dropped before they returned.
    pub dropped: usize,
    /// How many calls are running.
    pub in_flight: usize,
    /// The largest number of calls that ran at once.
    pub peak: usize,
    /// How many instances were made, the first one included.
    pub instances: usize,
}

/// The test's hand on a [`ControlledService`].
#[derive(Clone, Debug)]
pub struct Control {
    shared: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    ready: Ready,
    answer: Answer,
    /// How many held calls may return.
    released: usize,
    seen: Seen,
    breaches: Vec<String>,
    waiting: Vec<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    Unknown,
    Confirmed,
    Failed,
}

impl Control {
    /// What later calls do.
    pub fn answer(&self, answer: Answer) {
        self.shared.lock().answer = answer;
    }

    /// What `poll_ready` says from now on; wakes those that wait for it.
    pub fn ready(&self, ready: Ready) {
        self.change(|state| state.ready = ready);
    }

    /// Lets `calls` of the held calls return, in the order in which they are polled.
    pub fn release(&self, calls: usize) {
        self.change(|state| state.released += calls);
    }

    /// Changes the state and wakes whoever waits for it, outside of the lock.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let waiting = {
            let mut state = self.shared.lock();
            change(&mut state);
            mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// What was seen up to now.
    pub fn seen(&self) -> Seen {
        self.shared.lock().seen
    }

    /// The breaches of tower's contract up to now.
    pub fn breaches(&self) -> Vec<String> {
        self.shared.lock().breaches.clone()
    }

    /// Checks that nobody broke tower's contract.
    #[track_caller]
    pub fn assert_kept(&self) {
        let breaches = self.breaches();
        assert!(breaches.is_empty(), "the inner service was misused: {breaches:#?}");
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            ready: Ready::default(),
            answer: Answer::default(),
            released: 0,
            seen: Seen { instances: 1, ..Seen::default() },
            breaches: Vec::new(),
            waiting: Vec::new(),
        }
    }
}

impl State {
    fn wait(&mut self, cx: &Context<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
    }

    /// Lets one held call return, if one may.
    fn take_release(&mut self) -> bool {
        let may = self.released > 0;
        self.released -= usize::from(may);
        may
    }

    fn start(&mut self) {
        self.seen.in_flight += 1;
        self.seen.peak = self.seen.peak.max(self.seen.in_flight);
    }
}

impl Clone for ControlledService {
    fn clone(&self) -> Self {
        let mut state = self.shared.lock();
        let instance = state.seen.instances;
        state.seen.instances += 1;
        drop(state);
        Self { shared: self.shared.clone(), instance, readiness: Readiness::Unknown }
    }
}

impl<R> Service<R> for ControlledService {
    type Response = R;
    type Error = CallError;
    type Future = ControlledFuture<R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        let mut state = self.shared.lock();
        state.seen.readiness_polls += 1;
        if self.readiness == Readiness::Failed {
            state.breaches.push(format!("instance {} was polled after its readiness failed", self.instance));
        }
        match state.ready {
            Ready::Yes => {
                self.readiness = Readiness::Confirmed;
                Poll::Ready(Ok(()))
            }
            Ready::NotYet => {
                state.wait(cx);
                self.readiness = Readiness::Unknown;
                Poll::Pending
            }
            Ready::Failed => {
                self.readiness = Readiness::Failed;
                Poll::Ready(Err(CallError::Failed))
            }
            Ready::Panic => panic!("the inner service panics in poll_ready, as told"),
        }
    }

    fn call(&mut self, request: R) -> ControlledFuture<R> {
        let mut state = self.shared.lock();
        state.seen.calls += 1;
        if self.readiness != Readiness::Confirmed {
            state.breaches.push(format!("instance {} was called without being ready", self.instance));
        }
        self.readiness = Readiness::Unknown;
        let answer = state.answer;
        if answer == Answer::PanicInCall {
            state.seen.panicked += 1;
            drop(state);
            panic!("the inner service panics in call, as told");
        }
        state.start();
        drop(state);
        ControlledFuture { shared: self.shared.clone(), answer, request: Some(request) }
    }
}

/// A running call of a [`ControlledService`].
#[derive(Debug)]
pub struct ControlledFuture<R> {
    shared: Arc<Mutex<State>>,
    answer: Answer,
    /// Absent once the call is over.
    request: Option<R>,
}

// The request is moved out whole; nothing is ever pinned in place.
impl<R> Unpin for ControlledFuture<R> {}

impl<R> Future for ControlledFuture<R> {
    type Output = Result<R, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut state = this.shared.lock();
        if this.request.is_none() {
            state.breaches.push("a call was polled after it was over".to_owned());
            return Poll::Pending;
        }
        if this.answer == Answer::Hold && !state.take_release() {
            state.wait(cx);
            return Poll::Pending;
        }
        state.seen.in_flight -= 1;
        let request = this.request.take();
        if this.answer == Answer::Panic {
            state.seen.panicked += 1;
            drop(state);
            panic!("the inner service panics in its future, as told");
        }
        state.seen.finished += 1;
        let succeeds = this.answer != Answer::Fail;
        Poll::Ready(request.filter(|_| succeeds).ok_or(CallError::Failed))
    }
}

impl<R> Drop for ControlledFuture<R> {
    fn drop(&mut self) {
        if self.request.is_some() {
            let mut state = self.shared.lock();
            state.seen.in_flight -= 1;
            state.seen.dropped += 1;
        }
    }
}

impl CallError {
    /// The refusal, if a layer refused the call.
    pub const fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Rejected(rejection) => Some(rejection),
            Self::Failed => None,
        }
    }
}

impl From<Rejection> for CallError {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Failed => f.write_str("the inner service failed, as told"),
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Rejected(rejection) => Some(rejection),
            Self::Failed => None,
        }
    }
}
