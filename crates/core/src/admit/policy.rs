use std::error::Error;
use std::task::{Context, Poll};

use crate::time::{Clock, Now, Timestamp};
use crate::{ConfigError, Ending, Rejection};

/// How a call ends, and what its admission is made of.
///
/// A policy knows nothing of the call here, so a token outlives the request that it was given for. Whoever implements it
/// implements [`Admits`] too; whoever uses a pattern calls neither: the front doors are on [`Shared`](crate::Shared).
///
/// No user code runs inside these methods or [`Admits`]', except what the policy was configured with: classifiers and key
/// functions run before and after.
pub trait Policy: Send + Sync {
    /// What an admitted call carries: plain data without a destructor, such as a generation or a start time.
    type Token: Send + Sync + Unpin;
    /// A place in a queue: plain data too. [`Infallible`](std::convert::Infallible) for policies that never wait.
    type Place: Send + Sync + Unpin;
    /// The pattern's own refusal, which says more than the [`Rejection`] that it becomes.
    type Refusal: Into<Rejection> + Error + Clone + Send + Sync + 'static;

    /// Whether it may hand out places.
    const WAITS: bool = false;
    /// Whether a token is capacity for which other calls wait.
    const SCARCE: bool = false;
    /// Whether the end of a call that has started means anything to it. If not, [`settle`](Self::settle) must do nothing unless
    /// the call was [cancelled](Ending::Cancelled): a tower service then lets started calls go, and their futures hold nothing.
    const SETTLES: bool = true;

    /// The clock by which it decides; `None` if it never asks for the time.
    fn clock(&self) -> Option<&Clock>;

    /// The call of `token` ended.
    fn settle(&self, token: Self::Token, ending: Ending<'_>, now: &Now<'_>);

    /// Whether every call would be refused now, whatever it is. Takes nothing.
    fn peek(&self, now: &Now<'_>) -> Result<(), Self::Refusal> {
        let _ = now;
        Ok(())
    }

    /// Refuses if it would refuse every call that waits until `deadline` at most: asked of several policies before any of them is
    /// waited for. By default as [`peek`](Self::peek); a policy whose callers wait for time alone knows better.
    ///
    /// # Errors
    /// The refusal.
    fn peek_until(&self, now: &Now<'_>, deadline: Option<Timestamp>) -> Result<(), Self::Refusal> {
        let _ = deadline;
        self.peek(now)
    }

    /// Time passed between the admission of `token` and the start of its call: does the admission still stand?
    ///
    /// A token that was taken for a [reservation](Ask::is_reservation) is made a full one here. After an error the token
    /// is [cancelled](Ending::Cancelled) by the caller.
    fn renew(&self, token: &mut Self::Token, now: &Now<'_>) -> Result<(), Self::Refusal> {
        let _ = (token, now);
        Ok(())
    }

    /// When the holder of `place` should ask again even if nobody wakes it.
    fn wake_at(&self, place: &Self::Place) -> Option<Timestamp> {
        let _ = place;
        None
    }

    /// The holder of `place` does not want it any more.
    fn leave(&self, place: Self::Place) {
        drop(place);
    }
}

/// How a call is admitted.
pub trait Admits<Call: ?Sized = ()>: Policy {
    /// Decides at once.
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<Self::Token, Self::Refusal>;

    /// Admits the call or gives it a place in the queue. A call whose turn would come after its deadline is refused here,
    /// at once, and charged nothing.
    fn enter(&self, ask: &Ask<'_, Call>) -> Result<Entry<Self::Token, Self::Place>, Self::Refusal> {
        self.try_admit(ask).map(Entry::Admitted)
    }

    /// Looks whether the turn of `place` has come, and has `cx` woken when it does.
    ///
    /// Once it is ready, the place is used up. At or after the ask's deadline it must be ready.
    fn poll_place(
        &self,
        ask: &Ask<'_, Call>,
        place: &mut Self::Place,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Token, Self::Refusal>> {
        let _ = (place, cx);
        Poll::Ready(self.try_admit(ask))
    }
}

/// What [`Admits::enter`] gave.
#[derive(Debug)]
pub enum Entry<Token, Place> {
    /// The call may start.
    Admitted(Token),
    /// The call waits its turn.
    Queued(Place),
}

/// A call that asks to be admitted.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ask<'a, Call: ?Sized = ()> {
    /// The call.
    pub call: &'a Call,
    /// The time of this decision.
    pub now: &'a Now<'a>,
    /// When the caller gives up.
    pub deadline: Option<Timestamp>,
    reservation: bool,
}

impl<'a, Call: ?Sized> Ask<'a, Call> {
    /// An ask without a deadline, for a call that starts at once.
    #[inline]
    pub const fn new(call: &'a Call, now: &'a Now<'a>) -> Self {
        Self { call, now, deadline: None, reservation: false }
    }

    /// The same with a deadline.
    #[inline]
    #[must_use]
    pub const fn until(mut self, deadline: Option<Timestamp>) -> Self {
        self.deadline = deadline;
        self
    }

    /// The same for a call that may start much later, after [`Policy::renew`], or never.
    #[inline]
    #[must_use]
    pub const fn reserving(mut self) -> Self {
        self.reservation = true;
        self
    }

    /// Whether the call may start much later, or never. Capacity is taken now; what is not capacity, such as the right to
    /// try a dependency that was broken, is taken in [`Policy::renew`].
    #[inline]
    pub const fn is_reservation(&self) -> bool {
        self.reservation
    }

    /// The same ask about another view of the call.
    #[inline]
    pub const fn about<'b, Other: ?Sized>(&'b self, call: &'b Other) -> Ask<'b, Other> {
        Ask { call, now: self.now, deadline: self.deadline, reservation: self.reservation }
    }
}

/// A policy that is made from a configuration and takes a new one while it runs.
pub trait Configure: Policy + Sized {
    /// Its configuration.
    type Config;

    /// A policy that decides by `clock`.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    fn build(config: Self::Config, clock: Clock) -> Result<Self, ConfigError>;

    /// Takes over `config`, at once and for all handles, keeping what was counted and who waits.
    ///
    /// # Errors
    /// Names the first field whose value cannot be; then nothing has changed.
    fn reconfigure(&self, config: Self::Config) -> Result<(), ConfigError>;
}
