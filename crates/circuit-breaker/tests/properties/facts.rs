//! What the reference model keeps of calls, and what can be seen from outside.

use std::time::Duration;

use seawall_circuit_breaker::{Cause, State};

/// Nanoseconds since the clock's origin, or between two points.
pub(crate) type Nanos = u64;

/// calls, failed, slow, slow and failed, abandoned
pub(crate) type Figures = [u64; 5];

/// The calls whose duration is known, and how many nanoseconds those took.
pub(crate) type Durations = [u64; 2];

/// A call that was judged, or abandoned where that counts by rate.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about the call")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
    pub(crate) abandoned: bool,
    /// How long it took, where that is kept and known.
    pub(crate) took: Option<Nanos>,
    /// When; of failures never before the failure that came before.
    pub(crate) at: Nanos,
    /// The newest time bucket when it was judged.
    pub(crate) bucket: u64,
    /// Whether the window that now is has ever held it.
    pub(crate) windowed: bool,
    /// Whether the rule of failures in a period knows of it.
    pub(crate) dated: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Phase {
    Closed,
    Open {
        until: Nanos,
        cause: Cause,
    },
    HalfOpen {
        /// Since when there is a probe to wait for, or whoever asked for this state by hand; in a stage, since when a call is
        /// out and none has ended.
        awaited_since: Option<Nanos>,
        cause: Cause,
        /// None while the probes decide.
        stage: Option<Stage>,
    },
    Disabled,
    ForcedOpen,
    MetricsOnly,
}

/// One of a recovery's stages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stage {
    pub(crate) place: usize,
    pub(crate) began: Nanos,
}

/// Leave for one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    pub(crate) generation: u32,
    pub(crate) kind: Granted,
    /// Unknown when nobody needed to know.
    pub(crate) started: Option<Nanos>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Granted {
    Counted,
    Probe,
    Uncounted,
}

/// How a call ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Success,
    /// With the dependency's own word on when to ask again.
    Failure(Option<Duration>),
    Ignored,
    Cancel,
    Drop,
    Panic,
}

/// What the observer is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) cause: Cause,
    pub(crate) figures: Figures,
    pub(crate) at: Nanos,
    pub(crate) share: Option<f64>,
}

/// All that can be seen of a breaker.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) state: &'static str,
    pub(crate) cause: Option<Cause>,
    pub(crate) in_state: Duration,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) generation: u32,
    pub(crate) figures: Figures,
    pub(crate) failure_rate: Option<f64>,
    pub(crate) slow_rate: Option<f64>,
    pub(crate) durations: Option<Durations>,
    pub(crate) mean_duration: Option<Duration>,
    pub(crate) consecutive_failures: u64,
    pub(crate) probes_left: Option<u64>,
    pub(crate) share: Option<f64>,
    pub(crate) opened_before: u32,
    pub(crate) refused_in_state: u64,
    pub(crate) total: Totals,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    pub(crate) successes: u64,
    pub(crate) failures: u64,
    pub(crate) ignored: u64,
    pub(crate) abandoned: u64,
    pub(crate) stale: u64,
    pub(crate) refused: u64,
    pub(crate) opened: u64,
}
