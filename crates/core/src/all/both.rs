use std::fmt;
use std::task::{Context, Poll};

use crate::admit::{Admits, Ask, Entry, Policy};
use crate::time::{Clock, Now, Timestamp};
use crate::{Ending, Rejection};

/// Two policies as one: what [`all`](super::all) is made of.
#[derive(Debug)]
pub struct Both<A, B> {
    a: A,
    b: B,
}

impl<A: Policy, B: Policy> Both<A, B> {
    /// Whoever may wait is asked before whoever never waits, and otherwise `a` is asked first.
    const A_FIRST: bool = A::WAITS || !B::WAITS;

    pub(super) fn new(a: A, b: B) -> Self {
        const {
            assert!(
                !(A::SCARCE && (B::WAITS || B::SCARCE)),
                "a scarce member must be the last that waits: put meters first, and at most one scarce member after them"
            );
        }
        if let (Some(one), Some(other)) = (a.clock(), b.clock()) {
            assert!(one.is_same(other), "members of `all` must share one clock, not {one:?} and {other:?}");
        }
        Self { a, b }
    }

    fn give_back(&self, place: BothPlace<A, B>) {
        place.a.give_back(&self.a);
        place.b.give_back(&self.b);
    }

    /// Goes on with what `place` still lacks. Without a waker it stops where it would have to wait.
    fn drive<Call: ?Sized>(
        &self,
        ask: &Ask<'_, Call>,
        place: &mut BothPlace<A, B>,
        mut cx: Option<&mut Context<'_>>,
    ) -> Poll<Result<<Self as Policy>::Token, Rejection>>
    where
        A: Admits<Call>,
        B: Admits<Call>,
    {
        let asked = if Self::A_FIRST {
            place.a.ask(&self.a, ask, &mut cx).map(|a| a.map(|()| place.b.ask(&self.b, ask, &mut cx)))
        } else {
            place.b.ask(&self.b, ask, &mut cx).map(|b| b.map(|()| place.a.ask(&self.a, ask, &mut cx)))
        };
        match asked {
            Poll::Ready(Ok(Poll::Ready(Ok(())))) => {}
            Poll::Ready(Err(refused) | Ok(Poll::Ready(Err(refused)))) => {
                self.give_back(std::mem::take(place));
                return Poll::Ready(Err(refused));
            }
            Poll::Pending | Poll::Ready(Ok(Poll::Pending)) => {
                place.waited = true;
                return Poll::Pending;
            }
        }
        let waited = place.waited;
        let (Step::Held(a), Step::Held(b)) = (std::mem::take(&mut place.a), std::mem::take(&mut place.b)) else {
            unreachable!("both members have admitted the call");
        };
        let mut token = (a, b);
        // A reservation is renewed when its call starts.
        if waited
            && !ask.is_reservation()
            && let Err(refused) = self.renew(&mut token, ask.now)
        {
            self.settle(token, Ending::Cancelled, ask.now);
            return Poll::Ready(Err(refused));
        }
        Poll::Ready(Ok(token))
    }
}

/// What one member gave while the other is asked: given back if the other refuses, or if its key function panics.
struct Taken<'a, P: Policy> {
    policy: &'a P,
    token: Option<P::Token>,
}

impl<'a, P: Policy> Taken<'a, P> {
    #[inline(always)]
    const fn from(policy: &'a P, token: P::Token) -> Self {
        Self { policy, token: Some(token) }
    }

    #[inline(always)]
    fn keep(mut self) -> P::Token {
        self.token.take().expect("it was taken")
    }
}

impl<P: Policy> Drop for Taken<'_, P> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            self.policy.settle(token, Ending::Cancelled, &Now::new(self.policy.clock()));
        }
    }
}

/// A place while both members are asked for the first time: given back if a key function panics.
struct Entering<'a, A: Policy, B: Policy> {
    both: &'a Both<A, B>,
    place: BothPlace<A, B>,
}

impl<A: Policy, B: Policy> Drop for Entering<'_, A, B> {
    fn drop(&mut self) {
        self.both.give_back(std::mem::take(&mut self.place));
    }
}

/// How far a call has come with two policies.
pub struct BothPlace<A: Policy, B: Policy> {
    a: Step<A>,
    b: Step<B>,
    waited: bool,
}

impl<A: Policy, B: Policy> Default for BothPlace<A, B> {
    fn default() -> Self {
        Self { a: Step::Unasked, b: Step::Unasked, waited: false }
    }
}

impl<A: Policy, B: Policy> fmt::Debug for BothPlace<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BothPlace").finish_non_exhaustive()
    }
}

/// How far a call has come with one policy.
#[derive(Default)]
enum Step<P: Policy> {
    #[default]
    Unasked,
    Waiting(P::Place),
    Held(P::Token),
}

impl<P: Policy> Step<P> {
    fn ask<Call: ?Sized>(
        &mut self,
        policy: &P,
        ask: &Ask<'_, Call>,
        cx: &mut Option<&mut Context<'_>>,
    ) -> Poll<Result<(), Rejection>>
    where
        P: Admits<Call>,
    {
        if matches!(self, Self::Unasked) {
            *self = match policy.enter(ask) {
                Ok(Entry::Admitted(token)) => Self::Held(token),
                Ok(Entry::Queued(place)) => Self::Waiting(place),
                Err(refusal) => return Poll::Ready(Err(refusal.into())),
            };
        }
        let Self::Waiting(place) = self else {
            return Poll::Ready(Ok(()));
        };
        let Some(cx) = cx else {
            return Poll::Pending;
        };
        match policy.poll_place(ask, place, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(token)) => {
                *self = Self::Held(token);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(refusal)) => {
                *self = Self::Unasked;
                Poll::Ready(Err(refusal.into()))
            }
        }
    }

    fn wake_at(&self, policy: &P) -> Option<Timestamp> {
        match self {
            Self::Waiting(place) => policy.wake_at(place),
            Self::Unasked | Self::Held(_) => None,
        }
    }

    fn give_back(self, policy: &P) {
        match self {
            Self::Unasked => {}
            Self::Waiting(place) => policy.leave(place),
            Self::Held(token) => policy.settle(token, Ending::Cancelled, &Now::new(policy.clock())),
        }
    }
}

impl<A: Policy, B: Policy> Policy for Both<A, B> {
    type Token = (A::Token, B::Token);
    type Place = BothPlace<A, B>;
    type Refusal = Rejection;

    const WAITS: bool = A::WAITS || B::WAITS;
    const SCARCE: bool = A::SCARCE || B::SCARCE;
    const SETTLES: bool = A::SETTLES || B::SETTLES;

    fn clock(&self) -> Option<&Clock> {
        self.a.clock().or_else(|| self.b.clock())
    }

    #[inline(always)]
    fn settle(&self, (a, b): Self::Token, ending: Ending<'_>, now: &Now<'_>) {
        self.a.settle(a, ending, now);
        self.b.settle(b, ending, now);
    }

    #[inline(always)]
    fn peek(&self, now: &Now<'_>) -> Result<(), Rejection> {
        self.a.peek(now).map_err(Into::into)?;
        self.b.peek(now).map_err(Into::into)
    }

    fn peek_until(&self, now: &Now<'_>, deadline: Option<Timestamp>) -> Result<(), Rejection> {
        self.a.peek_until(now, deadline).map_err(Into::into)?;
        self.b.peek_until(now, deadline).map_err(Into::into)
    }

    fn renew(&self, (a, b): &mut Self::Token, now: &Now<'_>) -> Result<(), Rejection> {
        self.a.renew(a, now).map_err(Into::into)?;
        self.b.renew(b, now).map_err(Into::into)
    }

    fn wake_at(&self, place: &Self::Place) -> Option<Timestamp> {
        let (a, b) = (place.a.wake_at(&self.a), place.b.wake_at(&self.b));
        [a, b].into_iter().flatten().min()
    }

    fn leave(&self, place: Self::Place) {
        self.give_back(place);
    }
}

impl<A: Policy, B: Policy> Both<A, B> {
    /// Refuses if one of them would refuse every call that waits until then at most: before anything is taken of the other.
    #[inline(always)]
    fn ask_ahead<Call: ?Sized>(&self, ask: &Ask<'_, Call>, deadline: Option<Timestamp>) -> Result<(), Rejection>
    where
        A: Admits<Call>,
        B: Admits<Call>,
    {
        ask_one_ahead(&self.a, ask, deadline)?;
        ask_one_ahead(&self.b, ask, deadline)
    }
}

#[inline(always)]
fn ask_one_ahead<Call: ?Sized, P: Admits<Call>>(
    policy: &P,
    ask: &Ask<'_, Call>,
    deadline: Option<Timestamp>,
) -> Result<(), Rejection> {
    policy.peek_until(ask.now, deadline).map_err(|refusal| refused(policy, ask, refusal))
}

/// The refusal of a policy that was looked at, which counts it as it counts any other.
#[cold]
fn refused<Call: ?Sized, P: Admits<Call>>(policy: &P, ask: &Ask<'_, Call>, looked: P::Refusal) -> Rejection {
    match policy.try_admit(ask) {
        Ok(token) => {
            // It has changed its mind in between. The call is refused by what was seen.
            policy.settle(token, Ending::Cancelled, ask.now);
            looked.into()
        }
        Err(refusal) => refusal.into(),
    }
}

impl<Call: ?Sized, A: Admits<Call>, B: Admits<Call>> Admits<Call> for Both<A, B> {
    #[inline(always)]
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<Self::Token, Rejection> {
        self.ask_ahead(ask, None)?;
        if Self::A_FIRST {
            let a = Taken::from(&self.a, self.a.try_admit(ask).map_err(Into::into)?);
            let b = self.b.try_admit(ask).map_err(Into::into)?;
            Ok((a.keep(), b))
        } else {
            let b = Taken::from(&self.b, self.b.try_admit(ask).map_err(Into::into)?);
            let a = self.a.try_admit(ask).map_err(Into::into)?;
            Ok((a, b.keep()))
        }
    }

    fn enter(&self, ask: &Ask<'_, Call>) -> Result<Entry<Self::Token, Self::Place>, Rejection> {
        if !Self::WAITS {
            return self.try_admit(ask).map(Entry::Admitted);
        }
        self.ask_ahead(ask, ask.deadline)?;
        let mut entering = Entering { both: self, place: BothPlace::default() };
        match self.drive(ask, &mut entering.place, None) {
            Poll::Ready(admitted) => admitted.map(Entry::Admitted),
            Poll::Pending => Ok(Entry::Queued(std::mem::take(&mut entering.place))),
        }
    }

    fn poll_place(
        &self,
        ask: &Ask<'_, Call>,
        place: &mut Self::Place,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Token, Rejection>> {
        self.drive(ask, place, Some(cx))
    }
}
