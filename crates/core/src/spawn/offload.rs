use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::handover::{Taker, handover};
use super::{SpawnError, Spawner};

impl Spawner {
    /// Starts work that blocks a thread, and waits for what it gives where the future is awaited.
    ///
    /// ```
    /// use seawall_core::spawn::Spawner;
    ///
    /// # smol::block_on(async {
    /// let sum = Spawner::threads().offload(|| 6 * 7)?.await?.expect("it does not panic");
    /// assert_eq!(sum, 42);
    /// # Ok::<(), seawall_core::spawn::SpawnError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// If it cannot be started; then it has been dropped.
    pub fn offload<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Offloaded<T>, SpawnError> {
        let (giver, taker) = handover();
        let whole = move || {
            if !giver.is_alone() {
                giver.give(catch_unwind(AssertUnwindSafe(work)));
            }
        };
        self.spawn_blocking(Box::new(whole))?;
        Ok(Offloaded(taker))
    }
}

/// Waits for what [offloaded](Spawner::offload) work gives: its value, or the payload of its panic.
///
/// # Errors
/// If the work was dropped before it began, because the runtime shut down.
///
/// # Cancel safety
/// Dropped before the work was begun, it will not run. Work that has begun runs to its end, and what it gives is dropped.
#[must_use = "futures do nothing unless polled"]
pub struct Offloaded<T>(Taker<T>);

impl<T> Future for Offloaded<T> {
    type Output = Result<std::thread::Result<T>, SpawnError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|given| given.ok_or(SpawnError::new("dropped before it began")))
    }
}

impl<T> fmt::Debug for Offloaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offloaded").finish_non_exhaustive()
    }
}
