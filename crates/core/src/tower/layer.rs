use std::fmt;
use std::time::Duration;

use super::{Backpressure, Boxed, Convert, Mode, Respond, RespondTo, Service, Shed, Wait};
use crate::{Classified, ErrIsFailure, Policy, Rejection, Report, Shared};

/// Puts a policy in front of services: what [`Shared::layer`] gives.
///
/// All services that it makes, and their clones, share the policy's one state.
pub struct Layer<P, M = Shed, C = Classified<ErrIsFailure>, R = Convert> {
    policy: Shared<P>,
    mode: M,
    conclude: C,
    refuse: R,
}

impl<P, M: Clone, C: Clone, R: Clone> Clone for Layer<P, M, C, R> {
    fn clone(&self) -> Self {
        Self {
            policy: self.policy.clone(),
            mode: self.mode.clone(),
            conclude: self.conclude.clone(),
            refuse: self.refuse.clone(),
        }
    }
}

impl<P: Policy> Shared<P> {
    /// A tower layer that asks this policy about every request, in [`Shed`] mode. See [`tower`](crate::tower).
    pub fn layer(&self) -> Layer<P> {
        Layer { policy: self.clone(), mode: Shed, conclude: Classified(ErrIsFailure), refuse: Convert }
    }
}

impl<P, C, R> Layer<P, Shed, C, R> {
    /// Lets each request wait for its turn inside its own future, at most `max_wait`.
    pub fn wait(self, max_wait: Duration) -> Layer<P, Wait, C, R> {
        self.with_mode(Wait { max: max_wait })
    }

    /// Lets `poll_ready` wait for a turn, and keeps it for the next call.
    pub fn backpressure(self) -> Layer<P, Backpressure, C, R> {
        self.with_mode(Backpressure)
    }

    fn with_mode<M>(self, mode: M) -> Layer<P, M, C, R> {
        Layer { policy: self.policy, mode, conclude: self.conclude, refuse: self.refuse }
    }
}

impl<P, M, C, R> Layer<P, M, C, R> {
    /// Lets `classify` judge each result of the inner service; by default `Ok` is a success and `Err` a failure.
    pub fn classify<T, F>(self, classify: F) -> Layer<P, M, Classified<F>, R>
    where
        T: ?Sized,
        F: Fn(&T) -> Report<'_>,
    {
        self.conclude(Classified(classify))
    }

    /// Ends each call with `conclude`, which may see the token and edit the response.
    pub fn conclude<D>(self, conclude: D) -> Layer<P, M, D, R> {
        Layer { policy: self.policy, mode: self.mode, conclude, refuse: self.refuse }
    }

    /// Makes the service's error a boxed one, whatever the inner one's is.
    pub fn boxed(self) -> Layer<P, M, C, Boxed> {
        self.refusing(Boxed)
    }

    /// Answers a refused request with `respond`'s response instead of an error. With feature `http` there is a ready-made one,
    /// `http::respond`.
    pub fn on_rejection<Res, F>(self, respond: F) -> Layer<P, M, C, Respond<F>>
    where
        F: Fn(Rejection) -> Res,
    {
        self.refusing(Respond(respond))
    }

    /// Answers a refused request with a response made of the policy's own refusal, which knows more than the
    /// [`Rejection`] that every refusal becomes.
    pub fn on_refusal<Res, F>(self, respond: F) -> Layer<P, M, C, RespondTo<F>>
    where
        P: Policy,
        F: Fn(P::Refusal) -> Res,
    {
        self.refusing(RespondTo(respond))
    }

    /// Judges each response by its status; see [`Statuses`](crate::http::Statuses).
    #[cfg(feature = "http")]
    pub fn statuses(self, statuses: crate::http::Statuses) -> Layer<P, M, Classified<crate::http::Statuses>, R> {
        self.conclude(Classified(statuses))
    }

    fn refusing<Q>(self, refuse: Q) -> Layer<P, M, C, Q> {
        Layer { policy: self.policy, mode: self.mode, conclude: self.conclude, refuse }
    }
}

#[cfg(feature = "http")]
impl<P, M, C, R> Layer<P, M, Classified<C>, R> {
    /// Lets each call end with the body of its response instead of with its head, whatever judges it; see
    /// [`UntilBodyEnd`](crate::http::UntilBodyEnd).
    pub fn until_body_end(self) -> Layer<P, M, crate::http::UntilBodyEnd<C>, R> {
        let conclude = crate::http::UntilBodyEnd(self.conclude.0);
        Layer { policy: self.policy, mode: self.mode, conclude, refuse: self.refuse }
    }
}

impl<S, P, M, C, R> tower_layer::Layer<S> for Layer<P, M, C, R>
where
    P: Policy,
    M: Mode<P>,
    C: Clone,
    R: Clone,
{
    type Service = Service<S, P, M, C, R>;

    fn layer(&self, inner: S) -> Self::Service {
        Service::new(inner, self.policy.clone(), self.mode.clone(), self.conclude.clone(), self.refuse.clone())
    }
}

impl<P: fmt::Debug, M: fmt::Debug, C, R> fmt::Debug for Layer<P, M, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer").field("policy", &self.policy).field("mode", &self.mode).finish_non_exhaustive()
    }
}
