use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::Deref;

use super::Policy;
use crate::time::Now;
use crate::{Ending, Outcome, Report, Shared};

/// How a guard holds its policy: by reference, or by an owned [`Shared`].
pub trait Hold: sealed::Sealed + Deref<Target = Self::Policy> + Clone {
    /// The policy that is held.
    type Policy: Policy;
}

impl<P: Policy> Hold for &P {
    type Policy = P;
}

impl<P: Policy> Hold for Shared<P> {
    type Policy = P;
}

mod sealed {
    pub trait Sealed {}
    impl<P> Sealed for &P {}
    impl<P> Sealed for crate::Shared<P> {}
}

/// Leave to make one call, and the duty to say how it ended.
///
/// Dropping it says that the call was [abandoned](Ending::Abandoned), or that it [panicked](Ending::Panicked) if the thread
/// is unwinding.
#[must_use = "a permit that is dropped at once counts as an abandoned call"]
pub struct Permit<H: Hold> {
    admitted: Option<Admitted<H>>,
}

/// What a permit is about. It has no destructor of its own: whoever takes it out of its permit answers for its end.
pub(super) struct Admitted<H: Hold> {
    hold: H,
    token: <H::Policy as Policy>::Token,
}

impl<H: Hold> Admitted<H> {
    #[inline(always)]
    pub(super) fn settle(self, ending: Ending<'_>) {
        let now = Now::new(self.hold.clock());
        self.hold.settle(self.token, ending, &now);
    }
}

impl<H: Hold> Permit<H> {
    #[inline(always)]
    pub(crate) const fn new(hold: H, token: <H::Policy as Policy>::Token) -> Self {
        Self { admitted: Some(Admitted { hold, token }) }
    }

    /// One that has nothing to say.
    #[cfg(feature = "tower")]
    #[inline(always)]
    pub(crate) const fn spent() -> Self {
        Self { admitted: None }
    }

    #[inline(always)]
    pub(super) const fn of(admitted: Option<Admitted<H>>) -> Self {
        Self { admitted }
    }

    #[inline(always)]
    pub(super) fn into_admitted(self) -> Option<Admitted<H>> {
        ManuallyDrop::new(self).admitted.take()
    }

    /// The call succeeded.
    #[inline(always)]
    pub fn success(self) {
        self.finish(Outcome::Success);
    }

    /// The call failed.
    #[inline(always)]
    pub fn failure(self) {
        self.finish(Outcome::Failure);
    }

    /// The call ended in a way that says nothing about the dependency.
    #[inline(always)]
    pub fn ignore(self) {
        self.finish(Outcome::Ignored);
    }

    /// The call ran to its end: an [`Outcome`], or a [`Report`] that says more.
    #[inline(always)]
    pub fn finish<'a>(self, report: impl Into<Report<'a>>) {
        self.end(Ending::Finished(report.into()));
    }

    /// The call never started: what was taken for it is given back.
    #[inline(always)]
    pub fn cancel(self) {
        self.end(Ending::Cancelled);
    }

    /// Ends the call.
    #[inline(always)]
    pub fn end(self, ending: Ending<'_>) {
        // Nothing is left to drop once the admission is taken out, so the destructor need not look for it.
        if let Some(admitted) = self.into_admitted() {
            admitted.settle(ending);
        }
    }

    /// What the policy knows of this call; `None` where neither the policy nor what [ends](crate::Conclude::LOOKS) the call wants
    /// to know.
    pub fn token(&self) -> Option<&<H::Policy as Policy>::Token> {
        self.admitted.as_ref().map(|admitted| &admitted.token)
    }

    /// The policy that admitted the call; `None` where there is no [token](Self::token).
    pub fn policy(&self) -> Option<&H::Policy> {
        self.admitted.as_ref().map(|admitted| &*admitted.hold)
    }

    /// Makes sure that the admission still stands, right before the call starts.
    #[cfg(feature = "tower")]
    pub(crate) fn renew(mut self) -> Result<Self, <H::Policy as Policy>::Refusal> {
        if let Some(Admitted { hold, token }) = &mut self.admitted {
            let now = Now::new(hold.clock());
            if let Err(refusal) = hold.renew(token, &now) {
                self.cancel();
                return Err(refusal);
            }
        }
        Ok(self)
    }
}

impl<H: Hold> Drop for Permit<H> {
    fn drop(&mut self) {
        if let Some(admitted) = self.admitted.take() {
            admitted.settle(if std::thread::panicking() { Ending::Panicked } else { Ending::Abandoned });
        }
    }
}

impl<H: Hold> fmt::Debug for Permit<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}
