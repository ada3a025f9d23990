//! A limit on the time of a call.

mod config;
mod snapshot;
mod timed;
#[cfg(feature = "tower")]
pub(crate) mod tower;

use std::fmt;
use std::time::Duration;

use seawall_core::observe::{Collect, Metric, MetricKind, Sink, Unit, Value};
use seawall_core::stripe::{self, Striped, Tally};
use seawall_core::sync::atomic::{AtomicU64, Ordering};
use seawall_core::time::{Clock, Timestamp};
use seawall_core::{ConfigError, Deadline, Name, Shared};

pub use config::TimeoutConfig;
pub use snapshot::{TimeoutSnapshot, TimeoutTotal};
pub use timed::Timed;

use crate::error::TimedOut;
use config::Settings;

/// Limits the time of calls: a handle, cheap to clone and shared by all clones.
///
/// [`run`](Self::run) limits one call; [`layer`](Self::layer) (feature `tower`) limits a service's calls.
///
/// ```
/// use seawall_core::Deadline;
/// use seawall_core::time::Clock;
/// use seawall_retry::{Timeout, TimeoutConfig};
/// use std::time::Duration;
///
/// # async fn stock() -> Result<u32, std::io::Error> { Ok(7) }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let timeout = Timeout::new(TimeoutConfig::new(Duration::from_millis(250)).name("inventory"))?;
///
/// // The outer error is the timeout, the inner one the call's own.
/// let left = timeout.run(stock()).await??;
///
/// // For a caller that stops waiting itself: the earlier of both counts.
/// let deadline = Deadline::after(&Clock::system(), Duration::from_millis(100));
/// let left = timeout.run_until(deadline, stock()).await??;
/// # Ok(())
/// # }
/// ```
///
/// # What a call costs
/// One that ends when it is first polled reads the clock once, takes no lock and allocates nothing. A timer is set for
/// a call that has to be waited for.
#[derive(Clone)]
pub struct Timeout {
    /// Its clones count on lines of their threads' own, so that services which are cloned for each call do not meet.
    inner: Shared<Inner>,
}

struct Inner {
    clock: Clock,
    name: Name,
    nanos: AtomicU64,
    lanes: Striped<Counts>,
}

/// What each thread counts for itself.
#[derive(Debug, Default)]
struct Counts {
    in_time: Tally,
    elapsed: Tally,
    deadline: Tally,
    refused: Tally,
    abandoned: Tally,
}

impl Timeout {
    /// A new instance on the [system clock](Clock::system).
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn new(config: TimeoutConfig) -> Result<Self, ConfigError> {
        Self::with_clock(config, Clock::system())
    }

    /// A new instance whose time is that of `clock`. The deadlines that it is given must be of the same clock.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn with_clock(config: TimeoutConfig, clock: Clock) -> Result<Self, ConfigError> {
        let Settings { name, nanos } = config.try_into()?;
        let lanes = Striped::new(stripe::seats());
        Ok(Self { inner: Shared::from_policy(Inner { clock, name, nanos: AtomicU64::new(nanos), lanes }) })
    }

    /// Takes over `config` for all calls that begin from now on, by whatever handle. Those that are out keep the time
    /// that they were given.
    ///
    /// # Errors
    /// Names the first field whose value cannot be, or the name if it is another; then nothing has changed.
    pub fn reconfigure(&self, config: TimeoutConfig) -> Result<(), ConfigError> {
        let Settings { name, nanos } = config.try_into()?;
        if name != self.inner.name {
            let valid = format!("{:?}: a running instance keeps its name", self.inner.name);
            return Err(ConfigError::new("name", format!("{name:?}"), valid));
        }
        self.inner.nanos.store(nanos, Ordering::Relaxed);
        Ok(())
    }

    /// Whose time it is.
    pub fn name(&self) -> Name {
        self.inner.name
    }

    /// How long a call may take.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.inner.nanos.load(Ordering::Relaxed))
    }

    /// When a call that begins now must end: to be handed on to whoever is called.
    pub fn deadline(&self) -> Deadline {
        Deadline::after(&self.inner.clock, self.duration())
    }

    /// Drives `call` to its end, or drops it when its time is over.
    ///
    /// The time begins with the future's first poll. The result is what `tokio::time::timeout` would give: an outer
    /// error if time was over, and the call's own result inside. A call that ends in the very poll in which its time is
    /// over has ended in time.
    ///
    /// # Errors
    /// If the call's time was over. The call was dropped before.
    ///
    /// # Cancel safety
    /// Dropping the future drops the call.
    pub fn run<F: Future>(&self, call: F) -> Timed<&Self, F> {
        Timed::new(self, None, call)
    }

    /// The same for a caller that stops waiting at `deadline`: the earlier of both ends the call.
    ///
    /// # Errors
    /// If the call's time was over, or the deadline passed. If that was over before, the call is not polled, and
    /// [`after`](TimedOut::after) is zero.
    pub fn run_until<F: Future>(&self, deadline: Deadline, call: F) -> Timed<&Self, F> {
        Timed::new(self, Some(deadline), call)
    }

    /// What was counted since it was made.
    pub fn snapshot(&self) -> TimeoutSnapshot {
        let sum = |part: fn(&Counts) -> &Tally| self.inner.lanes.iter().map(|lane| part(lane).get()).sum();
        TimeoutSnapshot {
            name: self.inner.name,
            duration: self.duration(),
            total: TimeoutTotal {
                in_time: sum(|lane| &lane.in_time),
                elapsed: sum(|lane| &lane.elapsed),
                deadline: sum(|lane| &lane.deadline),
                refused: sum(|lane| &lane.refused),
                abandoned: sum(|lane| &lane.abandoned),
            },
        }
    }

    #[inline]
    fn count(&self, part: fn(&Counts) -> &Tally) {
        self.inner.lanes.lane().count(part);
    }

    /// The limit of a call that begins now and may take `own`, or as long as is configured.
    #[inline]
    fn limit(&self, own: Option<Duration>, deadline: Option<Deadline>) -> Result<Limit, TimedOut> {
        let started = self.inner.clock.now();
        let own = match own {
            Some(own) => started + own,
            // Nanoseconds as they are: a duration of them would cost a division.
            None => Timestamp::from_nanos(started.as_nanos().saturating_add(self.inner.nanos.load(Ordering::Relaxed))),
        };
        let deadline = deadline.map_or(Timestamp::NEVER, Deadline::time);
        if deadline <= started {
            return Err(self.refused());
        }
        Ok(Limit { started, at: own.min(deadline), is_deadline: deadline <= own })
    }

    #[cold]
    fn refused(&self) -> TimedOut {
        self.count(|counts| &counts.refused);
        let refused = TimedOut::deadline_passed(self.inner.name, Duration::ZERO);
        trace(&refused);
        refused
    }

    #[cold]
    fn timed_out(&self, limit: Limit) -> TimedOut {
        let after = self.inner.clock.now().saturating_duration_since(limit.started);
        let timed_out = if limit.is_deadline {
            self.count(|counts| &counts.deadline);
            TimedOut::deadline_passed(self.inner.name, after)
        } else {
            self.count(|counts| &counts.elapsed);
            TimedOut::elapsed(self.inner.name, after)
        };
        trace(&timed_out);
        timed_out
    }
}

/// When a call must have ended.
#[derive(Clone, Copy, Debug)]
struct Limit {
    started: Timestamp,
    at: Timestamp,
    /// Whether that is the caller's deadline, and not the time that the call was given.
    is_deadline: bool,
}

/// One call from what was asked to its end: counts it as abandoned if it is dropped between.
struct Course<H: AsRef<Timeout>> {
    timeout: H,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Asked { own: Option<Duration>, deadline: Option<Deadline> },
    Out(Limit),
    Ended,
}

impl<H: AsRef<Timeout>> Drop for Course<H> {
    #[inline]
    fn drop(&mut self) {
        if let Stage::Out(_) = self.stage {
            self.timeout.as_ref().count(|counts| &counts.abandoned);
        }
    }
}

/// Logs the end of a call whose time was over: target `seawall::timeout`, at DEBUG.
fn trace(timed_out: &TimedOut) {
    tracing::debug!(
        target: "seawall::timeout",
        name = timed_out.name().as_str(),
        deadline = timed_out.is_deadline(),
        after_seconds = timed_out.after().as_secs_f64(),
        "call timed out"
    );
}

impl AsRef<Self> for Timeout {
    fn as_ref(&self) -> &Self {
        self
    }
}

static CALLS: Metric = Metric {
    name: "seawall_timeout_calls",
    help: "Calls that ended, by how they ended.",
    kind: MetricKind::Counter,
    unit: Unit::Count,
};
static LIMIT: Metric = Metric {
    name: "seawall_timeout_limit_seconds",
    help: "How long a call may take.",
    kind: MetricKind::Gauge,
    unit: Unit::Seconds,
};

impl Collect for Timeout {
    fn collect(&self, sink: &mut dyn Sink) {
        let TimeoutSnapshot { name, duration, total } = self.snapshot();
        let name = ("name", name.as_str());
        for (end, calls) in [
            ("in_time", total.in_time),
            ("elapsed", total.elapsed),
            ("deadline", total.deadline),
            ("refused", total.refused),
            ("abandoned", total.abandoned),
        ] {
            sink.sample(&CALLS, &[name, ("end", end)], Value::Integer(calls));
        }
        sink.sample(&LIMIT, &[name], Value::Float(duration.as_secs_f64()));
    }
}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout")
            .field("name", &self.inner.name)
            .field("duration", &self.duration())
            .finish_non_exhaustive()
    }
}
