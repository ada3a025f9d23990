use std::fmt;
use std::task::{Context, Poll, ready};

use super::mode::Reserved;
use super::{Backpressure, Mode, Refuse, ResponseFuture, Shed, Wait, WaitFuture};
use crate::time::Now;
use crate::{Admits, Ask, Conclude, Permit, Policy, Shared};

/// A service behind a policy: what [`Layer`](super::Layer) makes.
pub struct Service<S, P: Policy, M: Mode<P>, C, R> {
    inner: S,
    policy: Shared<P>,
    mode: M,
    slot: M::Slot,
    conclude: C,
    refuse: R,
}

impl<S, P: Policy, M: Mode<P>, C, R> Service<S, P, M, C, R> {
    pub(super) fn new(inner: S, policy: Shared<P>, mode: M, conclude: C, refuse: R) -> Self {
        Self { inner, policy, mode, slot: M::Slot::default(), conclude, refuse }
    }

    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }
}

/// What was reserved, and the inner service's readiness, stay with the original.
impl<S: Clone, P: Policy, M: Mode<P>, C: Clone, R: Clone> Clone for Service<S, P, M, C, R> {
    fn clone(&self) -> Self {
        Self::new(
            self.inner.clone(),
            self.policy.clone(),
            self.mode.clone(),
            self.conclude.clone(),
            self.refuse.clone(),
        )
    }
}

impl<Req, S, P, C, R, Res> tower_service::Service<Req> for Service<S, P, Shed, C, R>
where
    S: tower_service::Service<Req>,
    P: Admits<Req>,
    C: Conclude<Shared<P>, Result<S::Response, S::Error>, Output = Result<Res, S::Error>> + Clone,
    R: Refuse<Res, S::Error, P::Refusal> + Clone,
{
    type Response = Res;
    type Error = R::Error;
    type Future = ResponseFuture<S::Future, P, C, R>;

    #[inline(always)]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), R::Error>> {
        // One word where nothing was refused: a refusal is many.
        self.slot.0 = None;
        if let Err(refusal) = self.policy.peek(&Now::new(self.policy.clock())) {
            self.slot.0 = Some(refusal);
            return Poll::Ready(Ok(()));
        }
        self.inner.poll_ready(cx).map_err(|error| self.refuse.error(error))
    }

    #[inline(always)]
    fn call(&mut self, request: Req) -> Self::Future {
        let now = Now::new(self.policy.clock());
        match P::try_admit(&self.policy, &Ask::new(&request, &now)) {
            Ok(token) => {
                if let Some(refusal) = &self.slot.0 {
                    // The inner service was not polled, so it cannot be called, whatever has changed since.
                    Permit::new(&*self.policy, token).cancel();
                    return ResponseFuture::refused(refusal.clone(), self.refuse.clone());
                }
                let minded = P::SETTLES || C::LOOKS;
                let permit = if minded { Permit::new(self.policy.clone(), token) } else { Permit::spent() };
                let call = self.inner.call(request);
                ResponseFuture::called(permit, call, self.conclude.clone(), self.refuse.clone())
            }
            Err(refusal) => ResponseFuture::refused(refusal, self.refuse.clone()),
        }
    }
}

impl<Req, S, P, C, R, Res> tower_service::Service<Req> for Service<S, P, Wait, C, R>
where
    S: tower_service::Service<Req> + Clone,
    P: Admits<Req>,
    C: Conclude<Shared<P>, Result<S::Response, S::Error>, Output = Result<Res, S::Error>> + Clone,
    R: Refuse<Res, S::Error, P::Refusal> + Clone,
{
    type Response = Res;
    type Error = R::Error;
    type Future = WaitFuture<S, Req, P, C, R>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), R::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        WaitFuture::new(
            self.inner.clone(),
            request,
            self.policy.clone(),
            self.mode.max,
            self.conclude.clone(),
            self.refuse.clone(),
        )
    }
}

impl<Req, S, P, C, R, Res> tower_service::Service<Req> for Service<S, P, Backpressure, C, R>
where
    S: tower_service::Service<Req>,
    P: Admits,
    C: Conclude<Shared<P>, Result<S::Response, S::Error>, Output = Result<Res, S::Error>> + Clone,
    R: Refuse<Res, S::Error, P::Refusal> + Clone,
{
    type Response = Res;
    type Error = R::Error;
    type Future = ResponseFuture<S::Future, P, C, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), R::Error>> {
        let slot = &mut self.slot;
        slot.refused = None;
        if slot.reserved.is_none() {
            match ready!(slot.poll(&self.policy, cx)) {
                Ok(permit) => slot.reserved = Some(Reserved::new(permit)),
                Err(refusal) => {
                    slot.refused = Some(refusal);
                    return Poll::Ready(Ok(()));
                }
            }
        }
        let ready = self.inner.poll_ready(cx);
        if let Poll::Ready(Err(_)) = &ready {
            self.slot.reserved = None;
        }
        ready.map_err(|error| self.refuse.error(error))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let slot = &mut self.slot;
        let started = match (slot.reserved.take().and_then(Reserved::start), slot.refused.take()) {
            (Some(started), _) => started,
            // Asked again, so that the refusal is counted and its time is fresh; but the inner service was not polled, so
            // it cannot be called, whatever has changed since.
            (None, Some(stale)) => {
                let now = Now::new(self.policy.clock());
                match P::try_admit(&self.policy, &Ask::new(&(), &now)) {
                    Ok(token) => {
                        Permit::new(&*self.policy, token).cancel();
                        Err(stale)
                    }
                    Err(fresh) => Err(fresh),
                }
            }
            // Called without `poll_ready`: nothing was reserved, so it is decided now.
            (None, None) => {
                let now = Now::new(self.policy.clock());
                let token = P::try_admit(&self.policy, &Ask::new(&(), &now));
                token.map(|token| Permit::new(self.policy.clone(), token))
            }
        };
        match started {
            Ok(permit) => {
                let call = self.inner.call(request);
                ResponseFuture::called(permit, call, self.conclude.clone(), self.refuse.clone())
            }
            Err(refusal) => ResponseFuture::refused(refusal, self.refuse.clone()),
        }
    }
}

impl<S: fmt::Debug, P: Policy + fmt::Debug, M: Mode<P> + fmt::Debug, C, R> fmt::Debug for Service<S, P, M, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("inner", &self.inner)
            .field("policy", &self.policy)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
