use std::fmt;
use std::sync::Arc;

use super::SpawnError;
use crate::admit::block_on;
use crate::time::BoxFuture;

/// Work that blocks the thread it runs on.
pub type Work = Box<dyn FnOnce() + Send>;

/// Where tasks and blocking work run: concrete, cheap to clone, without a type parameter.
///
/// | spawner | a task | blocking work |
/// |---|---|---|
/// | [`tokio`](Self::tokio) | a task of that runtime | one of the runtime's threads for such work |
/// | [`threads`](Self::threads) | a thread of its own, until the task ends | a thread of its own |
/// | [`custom`](Self::custom) | a [`Spawn`] | a [`Spawn`] |
///
/// # Errors
/// What cannot be started is dropped, and an error says so; nothing here panics. Work that was taken may still be dropped
/// before it begins, when the runtime shuts down: whoever waits for it learns that by the drop.
///
/// # Shutdown
/// Nothing here ends what has been started. Tokio waits for blocking work that has begun when it shuts down, and cancels
/// tasks at their next await; plain threads end with the process.
///
/// ```
/// use seawall_core::spawn::Spawner;
/// use std::sync::mpsc;
///
/// let (done, wait) = mpsc::channel();
/// Spawner::threads().spawn_blocking(Box::new(move || done.send(6 * 7).expect("somebody waits")))?;
/// assert_eq!(wait.recv(), Ok(42));
/// # Ok::<(), seawall_core::spawn::SpawnError>(())
/// ```
#[derive(Clone)]
pub struct Spawner(Kind);

#[derive(Clone)]
enum Kind {
    #[cfg(feature = "tokio")]
    Tokio(tokio::runtime::Handle),
    Threads,
    Custom(Arc<dyn Spawn>),
}

/// A user's own place for tasks and blocking work, such as another runtime.
pub trait Spawn: Send + Sync {
    /// Starts a task. It ends by itself, or is dropped.
    ///
    /// # Errors
    /// If it cannot be started; then it has been dropped.
    fn spawn(&self, task: BoxFuture) -> Result<(), SpawnError>;

    /// Starts work that blocks a thread. It must not run within this call: the caller may be an executor's thread.
    ///
    /// # Errors
    /// If it cannot be started; then it has been dropped.
    fn spawn_blocking(&self, work: Work) -> Result<(), SpawnError>;
}

impl Spawner {
    /// The tokio runtime in which this is called.
    ///
    /// # Errors
    /// Outside of a runtime.
    #[cfg(feature = "tokio")]
    pub fn tokio() -> Result<Self, SpawnError> {
        let handle = tokio::runtime::Handle::try_current();
        handle.map(Self::on_tokio).map_err(|error| SpawnError::new("no tokio runtime here").because(error))
    }

    /// This tokio runtime.
    #[cfg(feature = "tokio")]
    pub const fn on_tokio(runtime: tokio::runtime::Handle) -> Self {
        Self(Kind::Tokio(runtime))
    }

    /// A thread of its own for each task and each piece of work, named `seawall`: for programs without a runtime, whose
    /// work is bounded by what admits it.
    pub const fn threads() -> Self {
        Self(Kind::Threads)
    }

    /// A place of the user's own.
    pub fn custom(place: Arc<dyn Spawn>) -> Self {
        Self(Kind::Custom(place))
    }

    /// Whether each task has a thread of its own, which it may block.
    pub const fn is_threads(&self) -> bool {
        matches!(self.0, Kind::Threads)
    }

    /// Starts a task in the background.
    ///
    /// # Errors
    /// If it cannot be started; then it has been dropped.
    pub fn spawn(&self, task: BoxFuture) -> Result<(), SpawnError> {
        match &self.0 {
            #[cfg(feature = "tokio")]
            Kind::Tokio(runtime) => unless_it_panics(|| drop(runtime.spawn(task))),
            Kind::Threads => on_a_thread(|| block_on(task)),
            Kind::Custom(place) => place.spawn(task),
        }
    }

    /// Starts work that blocks a thread. It does not run within this call.
    ///
    /// # Errors
    /// If it cannot be started; then it has been dropped.
    pub fn spawn_blocking(&self, work: Work) -> Result<(), SpawnError> {
        match &self.0 {
            #[cfg(feature = "tokio")]
            Kind::Tokio(runtime) => unless_it_panics(|| drop(runtime.spawn_blocking(work))),
            Kind::Threads => on_a_thread(work),
            Kind::Custom(place) => place.spawn_blocking(work),
        }
    }
}

fn on_a_thread(work: impl FnOnce() + Send + 'static) -> Result<(), SpawnError> {
    let started = std::thread::Builder::new().name("seawall".into()).spawn(work);
    started.map(drop).map_err(|error| SpawnError::new("no more threads").because(error))
}

/// Tokio panics when the system has no thread for the first work of a runtime.
#[cfg(feature = "tokio")]
fn unless_it_panics(start: impl FnOnce()) -> Result<(), SpawnError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(start))
        .map_err(|_payload| SpawnError::new("the tokio runtime has no thread for it"))
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            #[cfg(feature = "tokio")]
            Kind::Tokio(_) => "Tokio",
            Kind::Threads => "Threads",
            Kind::Custom(_) => "Custom",
        };
        f.debug_tuple("Spawner").field(&format_args!("{kind}")).finish()
    }
}
