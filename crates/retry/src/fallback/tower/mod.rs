//! [`Fallback::layer`]: a service that is stood in for.

mod catch;
mod future;
mod mark;
mod substitute;

use std::fmt;
use std::task::{Context, Poll};

pub use catch::{AnyError, Catch, Judged};
pub use future::FallbackFuture;
pub use mark::{Mark, Unmarked};
pub use substitute::{By, Constant, Other, OtherFuture, Stale, Substitute, Undecided};

use seawall_core::Shared;

use super::{Fallback, Out};
use crate::requests::Copied;

/// Answers in place of a service whose calls fail: what [`Fallback::layer`] gives.
///
/// All services that it makes, and their clones, share one [`Fallback`], and one of each closure and substitute. A
/// service that breaks while it is waited for is no call that failed: its error is the caller's.
#[derive(Clone)]
pub struct FallbackLayer<C = AnyError, U = Undecided, M = Unmarked> {
    fallback: Fallback,
    catch: C,
    substitute: U,
    mark: M,
}

impl Fallback {
    /// A tower layer that answers in place of calls that fail, once it is said with what: one of
    /// [`value`](FallbackLayer::value), [`by`](FallbackLayer::by), [`stale`](FallbackLayer::stale),
    /// [`service`](FallbackLayer::service).
    ///
    /// ```
    /// use seawall_retry::{Fallback, FallbackConfig};
    /// use tower::{BoxError, ServiceBuilder, service_fn};
    ///
    /// let fallback = Fallback::new(FallbackConfig::default().name("stock"))?;
    /// let client = service_fn(|item: u32| async move { Ok::<_, BoxError>(item) });
    /// let nothing = ServiceBuilder::new().layer(fallback.layer().value(0)).service(client);
    /// let replica = ServiceBuilder::new().layer(fallback.layer().service(client)).service(client);
    /// let by_error = fallback.layer().by(|error: &BoxError| if error.is::<std::io::Error>() { 0 } else { 1 });
    /// # let _ = (nothing, replica, ServiceBuilder::new().layer(by_error).service(client));
    /// # Ok::<(), seawall_core::ConfigError>(())
    /// ```
    pub fn layer(&self) -> FallbackLayer {
        FallbackLayer { fallback: self.clone(), catch: AnyError, substitute: Undecided, mark: Unmarked }
    }
}

impl<C, U, M> FallbackLayer<C, U, M> {
    /// Takes only errors that `takes` takes; by default it takes every one.
    pub fn when<Err, F: Fn(&Err) -> bool>(self, takes: F) -> FallbackLayer<F, U, M> {
        self.catching(takes)
    }

    /// Takes the results that `judge` wants another attempt for, responses too: [`again`](crate::Verdict::again) or
    /// [`refused`](crate::Verdict::refused). What is [final](crate::Verdict::is_final), such as a caller's mistake, is
    /// the caller's.
    pub fn judge<J>(self, judge: J) -> FallbackLayer<Judged<J>, U, M> {
        self.catching(Judged(judge))
    }

    /// Answers with `value`.
    pub fn value<V>(self, value: V) -> FallbackLayer<C, Constant<V>, M> {
        self.answering(Constant(value))
    }

    /// Answers with what `answer` makes of the error; of the whole result, where a [judge](Self::judge) takes results.
    pub fn by<Caught, Res, F: Fn(&Caught) -> Res>(self, answer: F) -> FallbackLayer<C, By<F>, M> {
        self.answering(By(answer))
    }

    /// Answers with what `find` finds for what `key` has kept of the request: a value from before, for example. Where
    /// it finds nothing, the call's own result is the caller's.
    pub fn stale<Req, Key, Res, K, F>(self, key: K, find: F) -> FallbackLayer<C, Stale<K, F>, M>
    where
        K: Fn(&Req) -> Key,
        F: Fn(Key) -> Option<Res>,
    {
        self.answering(Stale { key, find })
    }

    /// Answers with what `other` answers to a clone of the request. Where that fails too, the call's own result is the
    /// caller's.
    ///
    /// A clone of `other` makes each call, once it is ready. So that its responses are `Send`, `other` must be `Sync`
    /// ([`BoxCloneSyncService`](https://docs.rs/tower/latest/tower/util/struct.BoxCloneSyncService.html) is).
    pub fn service<O>(self, other: O) -> FallbackLayer<C, Other<O>, M> {
        self.service_with(other, Copied)
    }

    /// The same where `requests` copies requests, or says that one must not be made again.
    pub fn service_with<O, Q>(self, other: O, requests: Q) -> FallbackLayer<C, Other<O, Q>, M> {
        self.answering(Other { service: other, requests })
    }

    /// Answers with what `substitute` has.
    pub fn answering<V>(self, substitute: V) -> FallbackLayer<C, V, M> {
        FallbackLayer { fallback: self.fallback, catch: self.catch, substitute, mark: self.mark }
    }

    /// Marks every answer that is not the service's own, by a closure that changes it or, with feature `http`, by
    /// `http::MarkFellBack`.
    pub fn mark<N>(self, mark: N) -> FallbackLayer<C, U, N> {
        FallbackLayer { fallback: self.fallback, catch: self.catch, substitute: self.substitute, mark }
    }

    fn catching<D>(self, catch: D) -> FallbackLayer<D, U, M> {
        FallbackLayer { fallback: self.fallback, catch, substitute: self.substitute, mark: self.mark }
    }
}

impl<S, C: Clone, U: Clone, M: Clone> tower_layer::Layer<S> for FallbackLayer<C, U, M> {
    type Service = FallbackService<S, C, U, M>;

    fn layer(&self, inner: S) -> Self::Service {
        FallbackService { inner, layer: Shared::from_policy(self.clone()) }
    }
}

impl<C, U, M> fmt::Debug for FallbackLayer<C, U, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackLayer").field("fallback", &self.fallback).finish_non_exhaustive()
    }
}

impl<C, U, M> AsRef<Fallback> for Shared<FallbackLayer<C, U, M>> {
    fn as_ref(&self) -> &Fallback {
        &self.fallback
    }
}

/// A service that is stood in for: what [`FallbackLayer`] makes.
pub struct FallbackService<S, C, U, M> {
    inner: S,
    /// Shared, so that a call that is good clones no value and no service.
    layer: Shared<FallbackLayer<C, U, M>>,
}

impl<S: Clone, C, U, M> Clone for FallbackService<S, C, U, M> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S: fmt::Debug, C, U, M> fmt::Debug for FallbackService<S, C, U, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackService")
            .field("inner", &self.inner)
            .field("fallback", &self.layer.fallback)
            .finish_non_exhaustive()
    }
}

impl<Req, S, C, U, M> tower_service::Service<Req> for FallbackService<S, C, U, M>
where
    S: tower_service::Service<Req>,
    C: Catch<S::Response, S::Error>,
    U: Substitute<Req, S::Response, C::Caught>,
    M: Mark<S::Response>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = FallbackFuture<S, Req, C, U, M>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let out = Out::new(self.layer.clone());
        let kept = self.layer.substitute.keep(&request);
        FallbackFuture::new(out, kept, self.inner.call(request))
    }
}
