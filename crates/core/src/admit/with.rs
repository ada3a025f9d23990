use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use pin_project::pin_project;

use super::{Admission, Admits, Ask, Classified, Permit, Protected};
use crate::time::Now;
use crate::{Classify, ErrIsFailure, Report};

/// The front doors of a policy, for one call.
///
/// [`Shared`](crate::Shared) has the same doors for policies that ask nothing of the call; `shared.with(&key)` opens them
/// for the others.
#[derive(Debug)]
pub struct With<'a, 'c, P, Call: ?Sized = ()> {
    policy: &'a P,
    call: &'c Call,
}

impl<P, Call: ?Sized> Clone for With<'_, '_, P, Call> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, Call: ?Sized> Copy for With<'_, '_, P, Call> {}

impl<'a, 'c, P: Admits<Call>, Call: ?Sized> With<'a, 'c, P, Call> {
    #[inline]
    pub(crate) const fn new(policy: &'a P, call: &'c Call) -> Self {
        Self { policy, call }
    }

    /// Decides at once.
    ///
    /// # Errors
    /// The pattern's refusal.
    #[inline(always)]
    pub fn try_admit(self) -> Result<Permit<&'a P>, P::Refusal> {
        let now = Now::new(self.policy.clock());
        let token = self.policy.try_admit(&Ask::new(self.call, &now))?;
        Ok(Permit::new(self.policy, token))
    }

    /// Waits for its turn, as long as the policy itself lets calls wait.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue; nothing is lost.
    pub const fn admit(self) -> Admit<'a, 'c, P, Call> {
        self.waiting(None)
    }

    /// Waits for its turn, at most `max_wait` from the first poll. A turn that is known to come later is refused at once.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue; nothing is lost.
    pub const fn admit_within(self, max_wait: Duration) -> Admit<'a, 'c, P, Call> {
        self.waiting(Some(max_wait))
    }

    const fn waiting(self, max_wait: Option<Duration>) -> Admit<'a, 'c, P, Call> {
        Admit { call: self.call, admission: Admission::new(self.policy, max_wait) }
    }

    /// Waits for its turn, at most `max_wait`, and blocks the thread meanwhile.
    ///
    /// # Errors
    /// The pattern's refusal.
    pub fn admit_blocking(self, max_wait: Duration) -> Result<Permit<&'a P>, P::Refusal> {
        block_on(self.admit_within(max_wait))
    }

    /// Makes one call: admits it, awaits it, and counts `Ok` as a success and `Err` as a failure.
    ///
    /// The result is what `tokio::time::timeout` would give: the refusal outside, the call's own result inside.
    ///
    /// # Errors
    /// The pattern's refusal; then `call` is dropped without having been polled.
    ///
    /// # Cancel safety
    /// Dropping the future before its end counts as an abandoned call.
    pub async fn run<F, T, E>(self, call: F) -> Result<Result<T, E>, P::Refusal>
    where
        F: Future<Output = Result<T, E>>,
    {
        let permit = self.admit().await?;
        Ok(Protected::new(permit, call, Classified(ErrIsFailure)).await)
    }

    /// Makes one call and lets `classify` judge its result.
    ///
    /// # Errors
    /// The pattern's refusal; then `call` is dropped without having been polled.
    ///
    /// # Cancel safety
    /// Dropping the future before its end counts as an abandoned call.
    pub async fn run_classified<F, C>(self, call: F, classify: C) -> Result<F::Output, P::Refusal>
    where
        F: Future,
        C: Fn(&F::Output) -> Report<'_>,
    {
        let permit = self.admit().await?;
        Ok(Protected::new(permit, call, Classified(classify)).await)
    }

    /// Makes one call, or gives what `fallback` makes of the refusal: a stored value, a default, an error of the caller's own
    /// type. The call's own errors are not caught.
    ///
    /// # Errors
    /// The call's own, or the fallback's.
    ///
    /// # Cancel safety
    /// Dropping the future before its end counts as an abandoned call.
    pub async fn run_or_else<F, T, E>(self, call: F, fallback: impl FnOnce(P::Refusal) -> Result<T, E>) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.run(call).await.unwrap_or_else(fallback)
    }

    /// Makes one call that blocks the thread: waits for its turn if the policy lets calls wait, runs it, and counts `Ok` as
    /// a success and `Err` as a failure.
    ///
    /// # Errors
    /// The pattern's refusal; then `call` has not run.
    #[inline(always)]
    pub fn run_sync<T, E>(self, call: impl FnOnce() -> Result<T, E>) -> Result<Result<T, E>, P::Refusal> {
        let permit = if P::WAITS { block_on(self.admit())? } else { self.try_admit()? };
        let result = call();
        permit.finish(ErrIsFailure.classify(&result));
        Ok(result)
    }
}

/// Waits for an admission: the future of [`With::admit`] and [`With::admit_within`].
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct Admit<'a, 'c, P: Admits<Call>, Call: ?Sized = ()> {
    call: &'c Call,
    #[pin]
    admission: Admission<&'a P>,
}

impl<'a, P: Admits<Call>, Call: ?Sized> Future for Admit<'a, '_, P, Call> {
    type Output = Result<Permit<&'a P>, P::Refusal>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.admission.poll(*this.call, cx)
    }
}

impl<P: Admits<Call>, Call: ?Sized> fmt::Debug for Admit<'_, '_, P, Call> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admit").finish_non_exhaustive()
    }
}

/// Drives `future` on this thread, which sleeps while there is nothing to do.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Parked(Thread);

    impl Wake for Parked {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let mut future = std::pin::pin!(future);
    // Most calls need not wait: those make nothing that could wake them.
    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return output;
    }
    let waker = Waker::from(Arc::new(Parked(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        // A wake that came before this makes it return at once; a park that returns for no reason costs one poll.
        std::thread::park();
    }
}
