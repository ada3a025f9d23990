use std::hash::Hash;
use std::time::Duration;

use http::Response;
use seawall_core::{By, Classify, Conclude, ErrIsFailure, Hold, Name, Permit, Rejection};

use super::{Policy, PolicyState, RateLimitHeaders};
use crate::figures::{Figures, Limits};
use crate::grant::Grant;
use crate::keyed::{KeyedLimiter, SeededHash};
use crate::layered::{Layered, Layers, Violation};
use crate::limiter::Limiter;
use crate::meter::{Meter, Standing};
use crate::throttled::Throttled;
use crate::weighed::Weighed;

/// A limiter that can tell of each call it has admitted how the caller stands.
pub trait TellsGrants: seawall_core::Policy + sealed::Sealed {
    #[doc(hidden)]
    fn tell(&self, token: &Self::Token, told: &mut Told);
}

/// A refusal that can tell how the caller stands with every limit that it knows of.
pub trait TellsLimits: Clone + Into<Rejection> + sealed::Sealed {
    #[doc(hidden)]
    fn tell(&self, told: &mut Told);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::Limiter {}
    impl<F> Sealed for crate::Weighed<F> {}
    impl<K: ?Sized, S> Sealed for crate::KeyedLimiter<K, S> {}
    impl<Call: ?Sized, const N: usize> Sealed for crate::Layers<Call, N> {}
    impl<P, Key: ?Sized, F> Sealed for seawall_core::By<P, Key, F> {}
    impl Sealed for crate::Throttled {}
    impl<const N: usize> Sealed for crate::Violation<N> {}
}

/// What is told of one call.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct Told {
    policies: Vec<Policy>,
    states: Vec<(u64, Option<Duration>, bool)>,
}

impl Told {
    fn add(&mut self, name: Name, limits: Limits, remaining: u32, more_after: Option<Duration>, violated: bool) {
        // A name that no field can say is told by no field.
        if let Ok(policy) = Policy::new(name, u64::from(limits.burst_size())) {
            // What passes at once is not what passes in a period where a burst was set: then no period is told.
            let window = if limits.burst == 0 { Duration::from_nanos(limits.period) } else { Duration::ZERO };
            self.policies.push(policy.window(window));
            self.states.push((u64::from(remaining), more_after, violated));
        }
    }

    pub(crate) fn pass(&mut self, name: Name, limits: Limits, figures: &Figures) {
        self.add(name, limits, figures.remaining(), figures.more_after(), false);
    }

    pub(crate) fn refuse(&mut self, throttled: &Throttled) {
        let (name, limits) = (throttled.name(), throttled.limits());
        self.add(name, limits, throttled.remaining(), throttled.retry_after(), true);
    }

    fn states(&self) -> Vec<PolicyState<'_>> {
        let state = |(policy, (remaining, more_after, violated)): (_, &(u64, Option<Duration>, bool))| {
            let mut state = PolicyState::new(policy, *remaining);
            if let Some(after) = more_after {
                state = state.reset_after(*after);
            }
            if *violated { state.violated() } else { state }
        };
        self.policies.iter().zip(&self.states).map(state).collect()
    }
}

impl TellsGrants for Limiter {
    fn tell(&self, grant: &Grant, told: &mut Told) {
        told.pass(self.name(), self.limits(), &grant.figures);
    }
}

impl<F: Send + Sync> TellsGrants for Weighed<F> {
    fn tell(&self, grant: &Grant, told: &mut Told) {
        self.limiter().tell(grant, told);
    }
}

impl<K: Hash + ?Sized, S: SeededHash> TellsGrants for KeyedLimiter<K, S> {
    fn tell(&self, grant: &Grant, told: &mut Told) {
        told.pass(self.name(), Meter::limits(self, grant), &grant.figures);
    }
}

impl<Call: ?Sized, const N: usize> TellsGrants for Layers<Call, N> {
    fn tell(&self, token: &Layered<N>, told: &mut Told) {
        for (rule, grant) in self.rules().zip(token.grants()) {
            if let Some(grant) = grant {
                told.pass(rule.name(), rule.limits(grant), &grant.figures);
            }
        }
    }
}

impl<P, Key, F> TellsGrants for By<P, Key, F>
where
    P: TellsGrants,
    Key: ?Sized,
    F: Send + Sync,
{
    fn tell(&self, token: &Option<P::Token>, told: &mut Told) {
        if let Some(token) = token {
            self.policy().tell(token, told);
        }
    }
}

impl TellsLimits for Throttled {
    fn tell(&self, told: &mut Told) {
        told.refuse(self);
    }
}

/// All limits that concern the call: those that refuse it, and how it stands with the others.
impl<const N: usize> TellsLimits for Violation<N> {
    fn tell(&self, told: &mut Told) {
        for standing in self.standings() {
            match standing {
                Some(Standing::Refuses(throttled)) => told.refuse(throttled),
                Some(Standing::Passes { name, figures, limits }) => told.pass(*name, *limits, figures),
                None => {}
            }
        }
    }
}

impl RateLimitHeaders {
    /// Ends each call of a layer by telling in its response how the caller stands: for the layer's `conclude`. A limit is told by its
    /// name, and one whose name is not printable ASCII is not told.
    ///
    /// ```
    /// # #[cfg(feature = "tower")] {
    /// use http::{Request, Response};
    /// use seawall_rate_limit::http::RateLimitHeaders;
    /// use seawall_rate_limit::{Config, Quota, RateLimiter};
    ///
    /// let api = RateLimiter::new(Config::new(Quota::per_minute(1_000)).name("api")).unwrap();
    /// let headers = RateLimitHeaders::default();
    /// let layer = api.layer().conclude(headers.on_grants()).on_refusal(move |throttled| headers.answer::<_, String>(&throttled));
    /// # let _ = layer;
    /// # }
    /// ```
    pub const fn on_grants(self) -> Telling<ErrIsFailure> {
        Telling { headers: self, classify: ErrIsFailure }
    }

    /// The response to a refused request: 429 with `Retry-After`, these headers and a problem that names the policies it
    /// [violates](Self::refuse). For the layer's `on_refusal`.
    pub fn answer<R: TellsLimits, B: From<String>>(&self, refusal: &R) -> Response<B> {
        let mut told = Told::default();
        refusal.tell(&mut told);
        self.refuse(refusal.clone().into(), &told.states())
    }
}

/// Tells in each response how the caller stands.
#[derive(Clone, Copy, Debug)]
pub struct Telling<C> {
    headers: RateLimitHeaders,
    classify: C,
}

impl<C> Telling<C> {
    /// Judges the calls by `classify`; a limiter does not mind, what is combined with it may.
    pub fn classify<D>(self, classify: D) -> Telling<D> {
        Telling { headers: self.headers, classify }
    }
}

impl<H, B, E, C> Conclude<H, Result<Response<B>, E>> for Telling<C>
where
    H: Hold,
    H::Policy: TellsGrants,
    C: Classify<Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn conclude(&self, permit: Permit<H>, mut result: Result<Response<B>, E>) -> Self::Output {
        if let (Ok(response), Some(policy), Some(token)) = (&mut result, permit.policy(), permit.token()) {
            let mut told = Told::default();
            policy.tell(token, &mut told);
            self.headers.append(response.headers_mut(), &told.states());
        }
        permit.finish(self.classify.classify(&result));
        result
    }
}
