use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project::pin_project;

use super::{Admission, Admits, Ask, Permit};
use crate::Shared;
use crate::time::Now;

/// Waits for an admission that owns its handle: the future of [`Shared::admit_owned`] and [`Shared::admit_within_owned`].
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct AdmitOwned<P: Admits> {
    #[pin]
    admission: Admission<Shared<P>>,
}

impl<P: Admits> Future for AdmitOwned<P> {
    type Output = Result<Permit<Shared<P>>, P::Refusal>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().admission.poll(&(), cx)
    }
}

/// Admissions that outlive the borrow of a handle: for calls that are spawned, and permits that are kept in a struct.
impl<P: Admits> Shared<P> {
    /// Decides at once. The permit owns a handle.
    ///
    /// # Errors
    /// The pattern's refusal.
    #[inline(always)]
    pub fn try_admit_owned(&self) -> Result<Permit<Self>, P::Refusal> {
        let now = Now::new(self.clock());
        let token = P::try_admit(self, &Ask::new(&(), &now))?;
        Ok(Permit::new(self.clone(), token))
    }

    /// Waits for its turn, as long as the policy itself lets calls wait. Future and permit own a handle.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue; nothing is lost.
    pub fn admit_owned(&self) -> AdmitOwned<P> {
        AdmitOwned { admission: Admission::new(self.clone(), None) }
    }

    /// Waits for its turn, at most `max_wait` from the first poll. Future and permit own a handle. A turn that is known to come
    /// later is refused at once.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue; nothing is lost.
    pub fn admit_within_owned(&self, max_wait: Duration) -> AdmitOwned<P> {
        AdmitOwned { admission: Admission::new(self.clone(), Some(max_wait)) }
    }
}

impl<P: Admits> fmt::Debug for AdmitOwned<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmitOwned").finish_non_exhaustive()
    }
}
