use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::handover::{Giver, handover};
use super::{SpawnError, Spawner};
use crate::admit::Admission;
use crate::{Admits, Classify, ErrIsFailure, Permit, Policy, Rejection, Report, Shared};

/// Work that blocks a thread, under the same policy as any other call: hashing a password, resizing an image, a driver
/// without an async interface.
///
/// The admission is waited for where this is awaited; the work runs on a thread of the [`Spawner`], and holds its permit
/// until it ends, whoever still waits for it.
///
/// # Panics
/// A panic of the work becomes the caller's, with the same payload, as if the work had run in place. The permit has come
/// back by then.
///
/// # Cancel safety
/// Dropping the future before the work was begun leaves the queue, or cancels the call: the work will not run. Work that has
/// begun runs to its end, holds its permit until then, and its result is dropped.
impl<P: Policy + 'static> Shared<P> {
    /// Does work that blocks a thread, and counts `Ok` as a success and `Err` as a failure.
    ///
    /// ```
    /// use seawall_core::spawn::Spawner;
    /// # use seawall_core::{Admits, Ask, Ending, Kind, Name, Policy, Rejection, Shared, time::{Clock, Now}};
    /// # struct Open;
    /// # impl Policy for Open {
    /// #     type Token = ();
    /// #     type Place = std::convert::Infallible;
    /// #     type Refusal = Rejection;
    /// #     fn clock(&self) -> Option<&Clock> { None }
    /// #     fn settle(&self, _: (), _: Ending<'_>, _: &Now<'_>) {}
    /// # }
    /// # impl<C: ?Sized> Admits<C> for Open {
    /// #     fn try_admit(&self, _: &Ask<'_, C>) -> Result<(), Rejection> { Ok(()) }
    /// # }
    /// # let hashing = Shared::from_policy(Open);
    /// # smol::block_on(async {
    /// let sum = hashing.run_blocking(&Spawner::threads(), || "12".parse::<u32>()).await??;
    /// assert_eq!(sum, 12);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The pattern's refusal, or that the work could not be started; then it has not run.
    pub async fn run_blocking<T, E>(
        &self,
        spawner: &Spawner,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<Result<T, E>, BlockingError<P::Refusal>>
    where
        P: Admits,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.run_blocking_for(&(), spawner, work).await
    }

    /// Does work that blocks a thread, and lets `classify` judge its result.
    ///
    /// # Errors
    /// The pattern's refusal, or that the work could not be started; then it has not run.
    pub async fn run_blocking_classified<T: Send + 'static>(
        &self,
        spawner: &Spawner,
        work: impl FnOnce() -> T + Send + 'static,
        classify: impl Fn(&T) -> Report<'_> + Send + 'static,
    ) -> Result<T, BlockingError<P::Refusal>>
    where
        P: Admits,
    {
        self.elsewhere(&(), spawner, work, classify).await
    }

    /// Does work that blocks a thread for this call: for a policy that asks something of the call, such as its key or how many
    /// permits it takes.
    ///
    /// # Errors
    /// The pattern's refusal, or that the work could not be started; then it has not run.
    pub async fn run_blocking_for<Call: ?Sized, T, E>(
        &self,
        call: &Call,
        spawner: &Spawner,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<Result<T, E>, BlockingError<P::Refusal>>
    where
        P: Admits<Call>,
        T: Send + 'static,
        E: Send + 'static,
    {
        self.elsewhere(call, spawner, work, ErrIsFailure).await
    }

    async fn elsewhere<Call: ?Sized, T: Send + 'static>(
        &self,
        call: &Call,
        spawner: &Spawner,
        work: impl FnOnce() -> T + Send + 'static,
        classify: impl Classify<T> + Send + 'static,
    ) -> Result<T, BlockingError<P::Refusal>>
    where
        P: Admits<Call>,
    {
        let permit = {
            let mut admission = std::pin::pin!(Admission::new(self.clone(), None));
            std::future::poll_fn(|cx| admission.as_mut().poll(call, cx)).await.map_err(BlockingError::Refused)?
        };
        let (giver, taker) = handover();
        let begun = Begun { permit: Some(permit), giver };
        let whole = move || {
            begun.work(move |permit| {
                let result = work();
                permit.finish(classify.classify(&result));
                result
            });
        };
        spawner.spawn_blocking(Box::new(whole)).map_err(BlockingError::NotSpawned)?;
        match taker.await {
            Some(Ok(result)) => Ok(result),
            Some(Err(payload)) => resume_unwind(payload),
            None => Err(BlockingError::NotSpawned(SpawnError::new("dropped before it began"))),
        }
    }
}

/// A call that has been handed to a spawner. Dropped before it runs, it was cancelled.
struct Begun<P: Policy, T> {
    permit: Option<Permit<Shared<P>>>,
    giver: Giver<T>,
}

impl<P: Policy, T> Begun<P, T> {
    fn work(mut self, work: impl FnOnce(Permit<Shared<P>>) -> T) {
        if self.giver.is_alone() {
            return;
        }
        let Some(permit) = self.permit.take() else { return };
        // The permit is inside: it has ended, by a panic too, before anybody learns of the end.
        let ended = catch_unwind(AssertUnwindSafe(|| work(permit)));
        self.giver.give(ended);
    }
}

impl<P: Policy, T> Drop for Begun<P, T> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.cancel();
        }
    }
}

/// Why blocking work did not run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BlockingError<Refusal> {
    /// The policy did not admit it.
    Refused(Refusal),
    /// It was admitted, but could not be started. What was taken for it has been given back.
    NotSpawned(SpawnError),
}

impl<Refusal: Into<Rejection>> BlockingError<Refusal> {
    /// The refusal in the form that all patterns share, if it was one.
    pub fn into_rejection(self) -> Option<Rejection> {
        match self {
            Self::Refused(refusal) => Some(refusal.into()),
            Self::NotSpawned(_) => None,
        }
    }
}

impl<Refusal: fmt::Display> fmt::Display for BlockingError<Refusal> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::NotSpawned(error) => error.fmt(f),
        }
    }
}

/// Its source is what it is about, so that [`Rejection::find`] finds a refusal.
impl<Refusal: Error + 'static> Error for BlockingError<Refusal> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::NotSpawned(error) => error.source(),
        }
    }
}
