//! Answering in place of a call that failed: [`Fallback`], and the parts that its layer is made of.

mod config;
mod run;
mod snapshot;
#[cfg(feature = "tower")]
mod tower;

use std::fmt;

use seawall_core::observe::{Collect, Metric, MetricKind, Sink, Unit, Value};
use seawall_core::stripe::{self, Striped, Tally};
use seawall_core::sync::atomic::{AtomicBool, Ordering};
use seawall_core::{ConfigError, Name, Shared};

pub use config::FallbackConfig;
pub use snapshot::{FallbackSnapshot, FallbackTotal};
#[cfg(feature = "tower")]
pub use tower::{
    AnyError, By, Catch, Constant, FallbackFuture, FallbackLayer, FallbackService, Judged, Mark, Other, OtherFuture,
    Stale, Substitute, Undecided, Unmarked,
};

use config::Settings;

/// Answers in place of calls that failed, and counts how often: a handle, cheap to clone and shared by all clones.
///
/// [`run`](Self::run) and its sisters make one call; [`layer`](Self::layer) (feature `tower`) stands in for a service.
/// A fallback belongs outside of all that may refuse or give up a call: it takes a breaker's refusal, a timeout and
/// what is left after the last attempt like every other error.
///
/// ```
/// use seawall_retry::{Fallback, FallbackConfig};
///
/// # async fn fresh() -> Result<u32, std::io::Error> { Err(std::io::Error::other("down")) }
/// # async fn cached() -> Result<u32, std::io::Error> { Ok(7) }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let fallback = Fallback::new(FallbackConfig::default().name("stock"))?;
///
/// let stock = fallback.run(fresh(), |_error| cached()).await?;
/// let stock = fallback.run_or(fresh(), 0).await?;
/// # assert_eq!(stock, 0);
/// assert_eq!(fallback.snapshot().total.fell_back, 2);
/// # Ok(())
/// # }
/// ```
///
/// # Which error the caller gets
/// A function or a call that answers has the first error, and its own result is the result: it returns that error, or
/// one that tells of both. A substitute that cannot say why it has no answer (another service, a stale value that is
/// not there) leaves the first error as it was: it is the one that tells what is wrong, and when to come again.
#[derive(Clone)]
pub struct Fallback {
    /// Its clones count on lines of their threads' own, so that services which are cloned for each call do not meet.
    inner: Shared<Inner>,
}

struct Inner {
    name: Name,
    enabled: AtomicBool,
    lanes: Striped<Counts>,
}

/// What each thread counts for itself.
#[derive(Debug, Default)]
struct Counts {
    good: Tally,
    fell_back: Tally,
    failed: Tally,
    passed_on: Tally,
    abandoned: Tally,
}

impl Fallback {
    /// A new instance.
    ///
    /// # Errors
    /// Names the field whose value cannot be.
    pub fn new(config: FallbackConfig) -> Result<Self, ConfigError> {
        let Settings { name, enabled } = config.try_into()?;
        let lanes = Striped::new(stripe::seats());
        Ok(Self { inner: Shared::from_policy(Inner { name, enabled: AtomicBool::new(enabled), lanes }) })
    }

    /// Takes over `config` for all calls that fail from now on, by whatever handle.
    ///
    /// # Errors
    /// If the name is another, or cannot be; then nothing has changed.
    pub fn reconfigure(&self, config: FallbackConfig) -> Result<(), ConfigError> {
        let Settings { name, enabled } = config.try_into()?;
        if name != self.inner.name {
            let valid = format!("{:?}: a running instance keeps its name", self.inner.name);
            return Err(ConfigError::new("name", format!("{name:?}"), valid));
        }
        self.inner.enabled.store(enabled, Ordering::Relaxed);
        Ok(())
    }

    /// Whose calls these are.
    pub fn name(&self) -> Name {
        self.inner.name
    }

    /// Whether failed calls are answered at all.
    pub fn is_enabled(&self) -> bool {
        self.inner.enabled.load(Ordering::Relaxed)
    }

    /// What was counted since it was made.
    pub fn snapshot(&self) -> FallbackSnapshot {
        let sum = |part: fn(&Counts) -> &Tally| self.inner.lanes.iter().map(|lane| part(lane).get()).sum();
        FallbackSnapshot {
            name: self.inner.name,
            enabled: self.is_enabled(),
            total: FallbackTotal {
                good: sum(|lane| &lane.good),
                fell_back: sum(|lane| &lane.fell_back),
                failed: sum(|lane| &lane.failed),
                passed_on: sum(|lane| &lane.passed_on),
                abandoned: sum(|lane| &lane.abandoned),
            },
        }
    }

    /// Logs that another answer was given: target `seawall::fallback`, at DEBUG.
    #[cold]
    fn trace(&self, answered: bool) {
        tracing::debug!(target: "seawall::fallback", name = self.inner.name.as_str(), answered, "call fell back");
    }
}

impl AsRef<Self> for Fallback {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// A call that is out: counts it as abandoned unless it is told of its end.
struct Out<H: AsRef<Fallback>> {
    fallback: H,
    ended: bool,
}

impl<H: AsRef<Fallback>> Out<H> {
    const fn new(fallback: H) -> Self {
        Self { fallback, ended: false }
    }

    /// The call ended with its own result.
    fn ended(&mut self, good: bool) {
        self.end(if good { |counts| &counts.good } else { |counts| &counts.passed_on });
    }

    /// Its result was taken, and there is another answer, or none.
    fn fell_back(&mut self, answered: bool) {
        self.end(if answered { |counts| &counts.fell_back } else { |counts| &counts.failed });
        self.fallback.as_ref().trace(answered);
    }

    fn end(&mut self, part: fn(&Counts) -> &Tally) {
        self.ended = true;
        self.fallback.as_ref().inner.lanes.lane().count(part);
    }
}

impl<H: AsRef<Fallback>> Drop for Out<H> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(|counts| &counts.abandoned);
        }
    }
}

static CALLS: Metric = Metric {
    name: "seawall_fallback_calls",
    help: "Calls that ended, by whose answer it was.",
    kind: MetricKind::Counter,
    unit: Unit::Count,
};

impl Collect for Fallback {
    fn collect(&self, sink: &mut dyn Sink) {
        let FallbackSnapshot { name, total, .. } = self.snapshot();
        let name = ("name", name.as_str());
        for (end, calls) in [
            ("good", total.good),
            ("fell_back", total.fell_back),
            ("failed", total.failed),
            ("passed_on", total.passed_on),
            ("abandoned", total.abandoned),
        ] {
            sink.sample(&CALLS, &[name, ("end", end)], Value::Integer(calls));
        }
    }
}

impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback")
            .field("name", &self.inner.name)
            .field("enabled", &self.is_enabled())
            .finish_non_exhaustive()
    }
}
