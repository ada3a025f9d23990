//! [`Hedge::layer`]: a service whose slow calls are made once more.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use seawall_core::Deadline;

use super::Hedge;
use super::race::{Launched, Race};
use crate::requests::{Copied, Requests};
use crate::retry::Attempt;
use crate::verdict::{ErrIsRetryable, Judge};

/// Makes a service's slow calls once more: what [`Hedge::layer`] gives.
///
/// All services that it makes, and their clones, share one [`Hedge`]. The first attempt is made by the instance that is ready;
/// each hedge by a clone of its own, once that is ready.
pub struct HedgeLayer<J = ErrIsRetryable, Q = Copied> {
    hedge: Hedge,
    judge: J,
    requests: Q,
}

impl<J: Clone, Q: Clone> Clone for HedgeLayer<J, Q> {
    fn clone(&self) -> Self {
        Self { hedge: self.hedge.clone(), judge: self.judge.clone(), requests: self.requests.clone() }
    }
}

impl Hedge {
    /// A tower layer that hedges calls. Every request is cloned; [`requests`](HedgeLayer::requests) says which must not be made
    /// twice.
    pub fn layer(&self) -> HedgeLayer {
        HedgeLayer { hedge: self.clone(), judge: ErrIsRetryable, requests: Copied }
    }
}

impl<J, Q> HedgeLayer<J, Q> {
    /// Lets `judge` say which results are good enough; by default every `Ok` is.
    pub fn judge<K>(self, judge: K) -> HedgeLayer<K, Q> {
        HedgeLayer { hedge: self.hedge, judge, requests: self.requests }
    }

    /// Lets `requests` copy requests, or say that one must not be made twice.
    pub fn requests<P>(self, requests: P) -> HedgeLayer<J, P> {
        HedgeLayer { hedge: self.hedge, judge: self.judge, requests }
    }
}

impl<S, J: Clone, Q: Clone> tower_layer::Layer<S> for HedgeLayer<J, Q> {
    type Service = HedgeService<S, J, Q>;

    fn layer(&self, inner: S) -> Self::Service {
        HedgeService { inner, layer: self.clone() }
    }
}

impl<J, Q> fmt::Debug for HedgeLayer<J, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HedgeLayer").field("hedge", &self.hedge).finish_non_exhaustive()
    }
}

/// A service whose slow calls are made once more: what [`HedgeLayer`] makes.
#[derive(Clone)]
pub struct HedgeService<S, J, Q> {
    inner: S,
    layer: HedgeLayer<J, Q>,
}

impl<S: fmt::Debug, J, Q> fmt::Debug for HedgeService<S, J, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HedgeService").field("inner", &self.inner).field("hedge", &self.layer.hedge).finish()
    }
}

impl<Req, S, J, Q> tower_service::Service<Req> for HedgeService<S, J, Q>
where
    S: tower_service::Service<Req> + Clone,
    J: Judge<Result<S::Response, S::Error>> + Clone,
    Q: Requests<Req> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = HedgeFuture<S, Req, J, Q>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Req) -> Self::Future {
        let HedgeLayer { hedge, judge, requests } = &self.layer;
        let deadline = requests.deadline(&request);
        let copy = requests.copy(&request);
        requests.prepare(&mut request, Attempt { number: 1, deadline });
        // Hedges are made by clones: the instance that is ready makes this call alone.
        let spare = copy.is_some().then(|| self.inner.clone());
        let first = Trying::Calling(self.inner.call(request));
        HedgeFuture {
            race: Race::begin(hedge.clone(), first, deadline),
            judge: judge.clone(),
            requests: requests.clone(),
            spare,
            copy,
            deadline,
        }
    }
}

/// The response of a call that may be hedged.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct HedgeFuture<S: tower_service::Service<Req>, Req, J, Q> {
    #[pin]
    race: Race<Hedge, Trying<S, Req>>,
    judge: J,
    requests: Q,
    /// What hedges are cloned from.
    spare: Option<S>,
    copy: Option<Req>,
    deadline: Option<Deadline>,
}

/// One attempt.
#[pin_project(project = Project)]
enum Trying<S: tower_service::Service<Req>, Req> {
    Readying { service: S, request: Option<Req> },
    Calling(#[pin] S::Future),
}

impl<S: tower_service::Service<Req>, Req> Future for Trying<S, Req> {
    type Output = Result<S::Response, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let call = match self.as_mut().project() {
                Project::Calling(call) => return call.poll(cx),
                Project::Readying { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    service.call(request.take().expect("an attempt has a request"))
                }
            };
            self.set(Self::Calling(call));
        }
    }
}

impl<S, Req, J, Q> Future for HedgeFuture<S, Req, J, Q>
where
    S: tower_service::Service<Req> + Clone,
    J: Judge<Result<S::Response, S::Error>>,
    Q: Requests<Req>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let requests = this.requests;
        let launch = |number| {
            let copied = this.copy.as_ref().and_then(|request| requests.copy(request));
            let Some((mut request, service)) = copied.zip(this.spare.clone()) else {
                return Launched::Never;
            };
            requests.prepare(&mut request, Attempt { number, deadline: *this.deadline });
            Launched::Attempt(Trying::Readying { service, request: Some(request) })
        };
        this.race.poll(cx, launch, this.judge)
    }
}

impl<S: tower_service::Service<Req>, Req, J, Q> fmt::Debug for HedgeFuture<S, Req, J, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HedgeFuture").finish_non_exhaustive()
    }
}
