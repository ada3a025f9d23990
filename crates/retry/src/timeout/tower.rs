//! [`Timeout::layer`]: a service whose calls have a limited time.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project::pin_project;
use seawall_core::tower::{Boxed, Convert, Refuse, Respond};
use seawall_core::{Deadline, Rejection};

use super::{Course, Stage, Timed, Timeout};
use crate::error::TimedOut;
use crate::requests::{Deadlines, Undated};

/// Limits the time of a service's calls: what [`Timeout::layer`] gives.
///
/// All services that it makes, and their clones, share one [`Timeout`]. A call's time begins when it is made; the time
/// for which the inner service makes its caller wait for readiness is before that. A request whose deadline has passed
/// never reaches the inner service, whose readiness stays for the next one.
#[derive(Clone)]
pub struct TimeoutLayer<D = Undated, W = Configured, R = Convert> {
    timeout: Timeout,
    deadlines: D,
    within: W,
    refuse: R,
}

impl Timeout {
    /// A tower layer that limits the time of calls.
    ///
    /// ```
    /// use seawall_retry::{Timeout, TimeoutConfig};
    /// use std::time::Duration;
    /// use tower::{BoxError, Service, ServiceBuilder, service_fn};
    ///
    /// let timeout = Timeout::new(TimeoutConfig::new(Duration::from_millis(250)).name("inventory"))?;
    /// let client = service_fn(|item: u32| async move { Ok::<_, std::io::Error>(item) });
    /// let service = ServiceBuilder::new().layer(timeout.layer().boxed()).service(client);
    /// # fn is_a_service<S: Service<u32, Response = u32, Error = BoxError>>(_: &S) {}
    /// # is_a_service(&service);
    /// # Ok::<(), seawall_core::ConfigError>(())
    /// ```
    pub fn layer(&self) -> TimeoutLayer {
        TimeoutLayer { timeout: self.clone(), deadlines: Undated, within: Configured, refuse: Convert }
    }
}

impl<D, W, R> TimeoutLayer<D, W, R> {
    /// Lets `deadlines` tell each request's deadline. The earlier of that and the call's own time is written into the
    /// request, for whoever is inside.
    pub fn deadlines<E>(self, deadlines: E) -> TimeoutLayer<E, W, R> {
        TimeoutLayer { timeout: self.timeout, deadlines, within: self.within, refuse: self.refuse }
    }

    /// Lets `within` tell how long each request's call may take; where it does not, the configuration does.
    pub fn within<Req, F: Fn(&Req) -> Option<Duration>>(self, within: F) -> TimeoutLayer<D, F, R> {
        TimeoutLayer { timeout: self.timeout, deadlines: self.deadlines, within, refuse: self.refuse }
    }

    /// Makes the service's error a boxed one, whatever the inner one's is.
    pub fn boxed(self) -> TimeoutLayer<D, W, Boxed> {
        self.refusing(Boxed)
    }

    /// Answers a call whose time was over with `respond`'s response instead of an error.
    pub fn on_timeout<Res, F: Fn(Rejection) -> Res>(self, respond: F) -> TimeoutLayer<D, W, Respond<F>> {
        self.refusing(Respond::with(respond))
    }

    fn refusing<S>(self, refuse: S) -> TimeoutLayer<D, W, S> {
        TimeoutLayer { timeout: self.timeout, deadlines: self.deadlines, within: self.within, refuse }
    }
}

impl<S, D: Clone, W: Clone, R: Clone> tower_layer::Layer<S> for TimeoutLayer<D, W, R> {
    type Service = TimeoutService<S, D, W, R>;

    fn layer(&self, inner: S) -> Self::Service {
        TimeoutService { inner, layer: self.clone() }
    }
}

impl<D, W, R> fmt::Debug for TimeoutLayer<D, W, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeoutLayer").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// How long the call of each request may take: a closure from `&Request` to `Option<Duration>`.
pub trait Within<Request> {
    /// How long this one may take; `None` leaves it to the configuration.
    fn within(&self, request: &Request) -> Option<Duration>;
}

/// Every request's call may take as long as is configured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Configured;

impl<Request> Within<Request> for Configured {
    fn within(&self, _request: &Request) -> Option<Duration> {
        None
    }
}

impl<Request, F: Fn(&Request) -> Option<Duration>> Within<Request> for F {
    fn within(&self, request: &Request) -> Option<Duration> {
        self(request)
    }
}

/// A service whose calls have a limited time: what [`TimeoutLayer`] makes.
#[derive(Clone)]
pub struct TimeoutService<S, D, W, R> {
    inner: S,
    layer: TimeoutLayer<D, W, R>,
}

impl<S: fmt::Debug, D, W, R> fmt::Debug for TimeoutService<S, D, W, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeoutService").field("inner", &self.inner).field("timeout", &self.layer.timeout).finish()
    }
}

impl<Req, S, D, W, R> tower_service::Service<Req> for TimeoutService<S, D, W, R>
where
    S: tower_service::Service<Req>,
    D: Deadlines<Req>,
    W: Within<Req>,
    R: Refuse<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = R::Error;
    type Future = TimeoutFuture<S::Future, R>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), R::Error>> {
        self.inner.poll_ready(cx).map_err(|error| self.layer.refuse.error(error))
    }

    #[inline]
    fn call(&mut self, mut request: Req) -> Self::Future {
        let TimeoutLayer { timeout, deadlines, within, refuse } = &self.layer;
        let state = match timeout.limit(within.within(&request), deadlines.deadline(&request)) {
            Ok(limit) => {
                deadlines.set_deadline(&mut request, Deadline::at(limit.at));
                let course = Course { timeout: timeout.clone(), stage: Stage::Out(limit) };
                State::Called(Timed::out(course, self.inner.call(request)))
            }
            Err(refused) => State::Refused(refused),
        };
        TimeoutFuture { state, refuse: refuse.clone() }
    }
}

/// The response of a call whose time is limited.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct TimeoutFuture<F, R> {
    #[pin]
    state: State<F>,
    refuse: R,
}

#[pin_project(project = Project)]
enum State<F> {
    Called(#[pin] Timed<Timeout, F>),
    Refused(TimedOut),
}

impl<F, R, Res, Err> Future for TimeoutFuture<F, R>
where
    F: Future<Output = Result<Res, Err>>,
    R: Refuse<Res, Err>,
{
    type Output = Result<Res, R::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let ended = match this.state.project() {
            Project::Called(call) => ready!(call.poll(cx)),
            Project::Refused(refused) => Err(*refused),
        };
        Poll::Ready(match ended {
            Ok(result) => result.map_err(|error| this.refuse.error(error)),
            Err(timed_out) => this.refuse.refuse(timed_out.into()),
        })
    }
}

impl<F, R> fmt::Debug for TimeoutFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeoutFuture").finish_non_exhaustive()
    }
}
