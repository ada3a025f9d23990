use std::task::{Context, Poll};

use crate::Ending;
use crate::admit::{Admits, Ask, Entry, Policy};
use crate::time::{Clock, Now, Timestamp};

/// `None` admits every call and takes nothing.
impl<P: Policy> Policy for Option<P> {
    type Token = Option<P::Token>;
    type Place = P::Place;
    type Refusal = P::Refusal;

    const WAITS: bool = P::WAITS;
    const SCARCE: bool = P::SCARCE;
    const SETTLES: bool = P::SETTLES;

    fn clock(&self) -> Option<&Clock> {
        self.as_ref().and_then(P::clock)
    }

    fn settle(&self, token: Self::Token, ending: Ending<'_>, now: &Now<'_>) {
        if let (Some(policy), Some(token)) = (self, token) {
            policy.settle(token, ending, now);
        }
    }

    fn peek(&self, now: &Now<'_>) -> Result<(), Self::Refusal> {
        self.as_ref().map_or(Ok(()), |policy| policy.peek(now))
    }

    fn peek_until(&self, now: &Now<'_>, deadline: Option<Timestamp>) -> Result<(), Self::Refusal> {
        self.as_ref().map_or(Ok(()), |policy| policy.peek_until(now, deadline))
    }

    fn renew(&self, token: &mut Self::Token, now: &Now<'_>) -> Result<(), Self::Refusal> {
        match (self, token) {
            (Some(policy), Some(token)) => policy.renew(token, now),
            _ => Ok(()),
        }
    }

    fn wake_at(&self, place: &Self::Place) -> Option<Timestamp> {
        self.as_ref().and_then(|policy| policy.wake_at(place))
    }

    fn leave(&self, place: Self::Place) {
        if let Some(policy) = self {
            policy.leave(place);
        }
    }
}

impl<Call: ?Sized, P: Admits<Call>> Admits<Call> for Option<P> {
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<Self::Token, Self::Refusal> {
        self.as_ref().map(|policy| policy.try_admit(ask)).transpose()
    }

    fn enter(&self, ask: &Ask<'_, Call>) -> Result<Entry<Self::Token, Self::Place>, Self::Refusal> {
        let Some(policy) = self else {
            return Ok(Entry::Admitted(None));
        };
        Ok(match policy.enter(ask)? {
            Entry::Admitted(token) => Entry::Admitted(Some(token)),
            Entry::Queued(place) => Entry::Queued(place),
        })
    }

    fn poll_place(
        &self,
        ask: &Ask<'_, Call>,
        place: &mut Self::Place,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Token, Self::Refusal>> {
        match self {
            Some(policy) => policy.poll_place(ask, place, cx).map_ok(Some),
            None => Poll::Ready(Ok(None)),
        }
    }
}
