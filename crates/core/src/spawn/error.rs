use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A task or a piece of work was not taken, or was dropped before it began: the runtime has shut down, or there are no more
/// threads to be had.
#[derive(Clone, Debug)]
pub struct SpawnError {
    why: &'static str,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl SpawnError {
    /// What was spawned did not begin, because of `why`.
    pub const fn new(why: &'static str) -> Self {
        Self { why, source: None }
    }

    /// The same, with the error that caused it.
    #[must_use]
    pub fn because(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not started: {}", self.why)
    }
}

impl Error for SpawnError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
