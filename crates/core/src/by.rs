use std::fmt;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use crate::admit::{Admits, Ask, Entry, Policy};
use crate::time::{Clock, Now, Timestamp};
use crate::{Ending, Shared};

/// A policy over keys, made one over calls by a function that finds the key: what [`Shared::by`] gives.
///
/// The key is borrowed from the call and looked up in it when it is needed; a call ends without its key.
pub struct By<P, Key: ?Sized, F> {
    policy: Shared<P>,
    key: F,
    over: PhantomData<fn(&Key)>,
}

impl<P, Key: ?Sized, F> By<P, Key, F> {
    pub(crate) const fn new(policy: Shared<P>, key: F) -> Self {
        Self { policy, key, over: PhantomData }
    }

    /// The policy over keys.
    pub const fn policy(&self) -> &Shared<P> {
        &self.policy
    }
}

/// A call whose key is `None` has no token, and waits for nothing.
impl<P: Policy, Key: ?Sized, F: Send + Sync> Policy for By<P, Key, F> {
    type Token = Option<P::Token>;
    type Place = Option<P::Place>;
    type Refusal = P::Refusal;

    const WAITS: bool = P::WAITS;
    const SCARCE: bool = P::SCARCE;
    const SETTLES: bool = P::SETTLES;

    fn clock(&self) -> Option<&Clock> {
        self.policy.clock()
    }

    fn settle(&self, token: Self::Token, ending: Ending<'_>, now: &Now<'_>) {
        if let Some(token) = token {
            self.policy.settle(token, ending, now);
        }
    }

    fn renew(&self, token: &mut Self::Token, now: &Now<'_>) -> Result<(), Self::Refusal> {
        token.as_mut().map_or(Ok(()), |token| self.policy.renew(token, now))
    }

    fn wake_at(&self, place: &Self::Place) -> Option<Timestamp> {
        place.as_ref().and_then(|place| self.policy.wake_at(place))
    }

    fn leave(&self, place: Self::Place) {
        if let Some(place) = place {
            self.policy.leave(place);
        }
    }
}

impl<P, Key, F, Call> Admits<Call> for By<P, Key, F>
where
    P: Admits<Key>,
    Key: ?Sized,
    Call: ?Sized,
    F: Fn(&Call) -> Option<&Key> + Send + Sync,
{
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<Self::Token, Self::Refusal> {
        (self.key)(ask.call).map(|key| self.policy.try_admit(&ask.about(key))).transpose()
    }

    fn enter(&self, ask: &Ask<'_, Call>) -> Result<Entry<Self::Token, Self::Place>, Self::Refusal> {
        let Some(key) = (self.key)(ask.call) else {
            return Ok(Entry::Admitted(None));
        };
        Ok(match self.policy.enter(&ask.about(key))? {
            Entry::Admitted(token) => Entry::Admitted(Some(token)),
            Entry::Queued(place) => Entry::Queued(Some(place)),
        })
    }

    fn poll_place(
        &self,
        ask: &Ask<'_, Call>,
        place: &mut Self::Place,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Token, Self::Refusal>> {
        let (Some(key), Some(waiting)) = ((self.key)(ask.call), place.as_mut()) else {
            // The call has lost its key while it waited: the policy does not concern it any more.
            self.leave(place.take());
            return Poll::Ready(Ok(None));
        };
        let polled = self.policy.poll_place(&ask.about(key), waiting, cx);
        if polled.is_ready() {
            *place = None;
        }
        polled.map_ok(Some)
    }
}

impl<P: fmt::Debug, Key: ?Sized, F> fmt::Debug for By<P, Key, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("By").field(&self.policy).finish()
    }
}
