use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

use seawall_core::tower::Refuse;

use super::{Options, PoolLayer, ResponseFuture, Shed, Wait};
use crate::config::FullPolicy;
use crate::handle::JobHandle;
use crate::pool::Pool;
use crate::refused::Reason;
use crate::state::Phase;

/// A service whose requests run on a pool: what [`PoolLayer`] makes.
pub struct PoolService<S, O, M, R> {
    inner: S,
    layer: PoolLayer<O, M, R>,
    /// Why the next call will be refused: the inner service was not polled for it, and must not be called.
    refused: Option<Reason>,
}

impl<S, O, M, R> PoolService<S, O, M, R> {
    pub(super) const fn new(inner: S, layer: PoolLayer<O, M, R>) -> Self {
        Self { inner, layer, refused: None }
    }

    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }
}

/// The inner service's readiness stays with the original.
impl<S: Clone, O: Clone, M: Clone, R: Clone> Clone for PoolService<S, O, M, R> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.layer.clone())
    }
}

/// What the job of a call gives: the inner service's result, whatever it is.
pub(super) type Call<S, Req> = JobHandle<
    Result<<S as tower_service::Service<Req>>::Response, <S as tower_service::Service<Req>>::Error>,
    Infallible,
>;

impl<Req, S, O, R> tower_service::Service<Req> for PoolService<S, O, Shed, R>
where
    Req: Send + 'static,
    S: tower_service::Service<Req, Future: Send, Response: Send + 'static, Error: Send + 'static>
        + Clone
        + Send
        + 'static,
    O: Options<Req>,
    R: Refuse<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = R::Error;
    type Future = ResponseFuture<S::Response, S::Error, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), R::Error>> {
        self.refused = expected_refusal(&self.layer.pool);
        if self.refused.is_some() {
            return Poll::Ready(Ok(()));
        }
        self.inner.poll_ready(cx).map_err(|error| self.layer.refuse.error(error))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let PoolLayer { pool, options, refuse, .. } = &self.layer;
        if let Some(reason) = self.refused.take() {
            return ResponseFuture::refused(pool.engine().refuse(reason), refuse.clone());
        }
        let options = options.options(&request);
        // The instance that is ready goes with the request; what stays asks for readiness anew.
        let next = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, next);
        let job = async move { Ok::<_, Infallible>(ready.call(request).await) };
        match pool.with(options).try_submit(job) {
            Ok(handle) => ResponseFuture::submitted(handle, pool.name(), refuse.clone()),
            Err(refused) => ResponseFuture::refused(refused, refuse.clone()),
        }
    }
}

impl<Req, S, O, R> tower_service::Service<Req> for PoolService<S, O, Wait, R>
where
    Req: Send + 'static,
    S: tower_service::Service<Req, Future: Send, Response: Send + 'static, Error: Send + 'static>
        + Clone
        + Send
        + 'static,
    O: Options<Req>,
    R: Refuse<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = R::Error;
    type Future = ResponseFuture<S::Response, S::Error, R>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), R::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let PoolLayer { pool, options, mode: Wait { max }, refuse } = &self.layer;
        let options = options.options(&request);
        let mut own = self.inner.clone();
        let job = async move {
            Ok::<_, Infallible>(match poll_fn(|cx| own.poll_ready(cx)).await {
                Ok(()) => own.call(request).await,
                Err(error) => Err(error),
            })
        };
        let (name, waits, max) = (pool.name(), pool.clone(), *max);
        let submitting = async move {
            let handle: Call<S, Req> = waits.with(options).submit_within(max, job).await?;
            // From here on nobody else could cancel it.
            Ok(handle.cancel_on_drop())
        };
        ResponseFuture::waiting(Box::pin(submitting), name, refuse.clone())
    }
}

/// Why every call would be refused now, as far as a look tells. Where others may give way to a call, only the call tells.
fn expected_refusal(pool: &Pool) -> Option<Reason> {
    let state = pool.engine().state.lock();
    if state.phase() != Phase::Open {
        return Some(Reason::Stopped);
    }
    let config = &state.config;
    if matches!(config.full, FullPolicy::DropOldest | FullPolicy::DropLowest) {
        return None;
    }
    let has_room = state.submitters() == 0 && state.jobs.ready() < config.queue + state.crew.available();
    let most = state.pinned().unwrap_or(*config.workers.end());
    let can_grow = state.submitters() == 0 && config.growth.when_full() && state.crew.live() < most;
    (!has_room && !can_grow).then_some(Reason::Full)
}

impl<S: fmt::Debug, O, M: fmt::Debug, R> fmt::Debug for PoolService<S, O, M, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolService").field("inner", &self.inner).field("layer", &self.layer).finish_non_exhaustive()
    }
}
