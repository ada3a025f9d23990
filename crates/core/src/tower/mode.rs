use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::admit::Admission;
use crate::time::Now;
use crate::{Admits, Ask, Entry, Permit, Policy, Shared};

/// When the policy is asked: [`Shed`], [`Wait`] or [`Backpressure`].
pub trait Mode<P: Policy>: Clone + sealed::Sealed {
    /// What a service keeps between `poll_ready` and `call`. Clones start without it.
    type Slot: Default;
}

/// Decides in `call`, and refuses at once.
#[derive(Clone, Copy, Debug)]
pub struct Shed;

/// Waits inside the response's future.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    pub(super) max: Duration,
}

/// Waits in `poll_ready`.
#[derive(Clone, Copy, Debug)]
pub struct Backpressure;

impl<P: Policy> Mode<P> for Shed {
    type Slot = Peeked<P::Refusal>;
}

impl<P: Policy> Mode<P> for Wait {
    type Slot = ();
}

impl<P: Policy> Mode<P> for Backpressure {
    type Slot = Reservation<P>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Shed {}
    impl Sealed for super::Wait {}
    impl Sealed for super::Backpressure {}
}

/// The refusal that a look in `poll_ready` found. The inner service was not polled then, and must not be called.
#[derive(Debug)]
pub struct Peeked<Refusal>(pub(super) Option<Refusal>);

impl<Refusal> Default for Peeked<Refusal> {
    fn default() -> Self {
        Self(None)
    }
}

/// What `poll_ready` has reserved, or is waiting for.
pub struct Reservation<P: Policy> {
    /// Made when the service first has to wait, and used again.
    pub(super) waiting: Option<Pin<Box<Waiting<P>>>>,
    pub(super) reserved: Option<Reserved<P>>,
    pub(super) refused: Option<P::Refusal>,
}

impl<P: Policy> Default for Reservation<P> {
    fn default() -> Self {
        Self { waiting: None, reserved: None, refused: None }
    }
}

impl<P: Policy> fmt::Debug for Reservation<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").field("reserved", &self.reserved.is_some()).finish_non_exhaustive()
    }
}

/// A wait that goes on between calls of `poll_ready`; `None` between waits.
type Waiting<P> = Option<Admission<Shared<P>>>;

impl<P: Admits> Reservation<P> {
    /// Waits for its turn.
    pub(super) fn poll(
        &mut self,
        policy: &Shared<P>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Permit<Shared<P>>, P::Refusal>> {
        if self.waiting.as_ref().is_none_or(|waiting| waiting.is_none()) {
            let now = Now::new(policy.clock());
            match P::enter(policy, &Ask::new(&(), &now).reserving())? {
                Entry::Admitted(token) => return Poll::Ready(Ok(Permit::new(policy.clone(), token))),
                Entry::Queued(place) => {
                    let queued = Admission::queued(policy.clone(), place);
                    self.waiting.get_or_insert_with(|| Box::pin(None)).set(Some(queued));
                }
            }
        }
        let Some(waiting) = &mut self.waiting else {
            return Poll::Pending;
        };
        let Some(admission) = waiting.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let turn = ready!(admission.poll(&(), cx));
        waiting.set(None);
        Poll::Ready(turn)
    }
}

/// A permit for a call that has not started: dropping it gives the permit back.
pub(crate) struct Reserved<P: Policy>(Option<Permit<Shared<P>>>);

impl<P: Policy> Reserved<P> {
    pub(super) const fn new(permit: Permit<Shared<P>>) -> Self {
        Self(Some(permit))
    }

    /// The permit, if the admission still stands.
    pub(super) fn start(mut self) -> Option<Result<Permit<Shared<P>>, P::Refusal>> {
        self.0.take().map(Permit::renew)
    }
}

impl<P: Policy> Drop for Reserved<P> {
    fn drop(&mut self) {
        if let Some(permit) = self.0.take() {
            permit.cancel();
        }
    }
}
