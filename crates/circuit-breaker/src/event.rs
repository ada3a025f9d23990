use std::fmt;
use std::time::Duration;

use seawall_core::Name;
use seawall_core::time::Timestamp;

use crate::figures::Figures;

/// Where a circuit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum State {
    /// Calls pass and are judged.
    Closed,
    /// Calls are refused until the open interval is over.
    Open,
    /// A few calls try the dependency; the others are refused.
    HalfOpen,
    /// By hand: calls pass, nothing is recorded, nothing opens.
    Disabled,
    /// By hand: every call is refused, whatever time passes.
    ForcedOpen,
    /// By hand: calls pass and are judged, what would have opened is told, nothing opens.
    MetricsOnly,
}

impl State {
    pub(crate) const ALL: [Self; 6] =
        [Self::Closed, Self::Open, Self::HalfOpen, Self::Disabled, Self::ForcedOpen, Self::MetricsOnly];

    /// The state at this place of [`ALL`](Self::ALL).
    pub(crate) const fn at(place: u64) -> Self {
        match place {
            1 => Self::Open,
            2 => Self::HalfOpen,
            3 => Self::Disabled,
            4 => Self::ForcedOpen,
            5 => Self::MetricsOnly,
            _ => Self::Closed,
        }
    }

    /// The state in `snake_case`, as in metrics, events and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Disabled => "disabled",
            Self::ForcedOpen => "forced_open",
            Self::MetricsOnly => "metrics_only",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a circuit changed, and so why it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Cause {
    /// Too large a share of calls failed.
    FailureRate,
    /// Too large a share of calls was slow.
    SlowCallRate,
    /// Too large a share of calls was dropped before its end.
    AbandonedRate,
    /// Too many failures in a row.
    ConsecutiveFailures,
    /// Too many failures in a period.
    FailuresInPeriod,
    /// Too many failures among the window's calls.
    FailuresInWindow,
    /// The moving average of the success rate fell too low.
    SuccessRateEma,
    /// The probes showed that the dependency still fails.
    ProbesFailed,
    /// The probes showed that the dependency works again.
    ProbesSucceeded,
    /// The probes took too long to decide.
    ProbesUndecided,
    /// The open interval is over.
    IntervalEnded,
    /// Somebody asked for it.
    Manual,
    /// It was so in the snapshot that was restored.
    Restored,
}

impl Cause {
    const ALL: [Self; 13] = [
        Self::FailureRate,
        Self::SlowCallRate,
        Self::AbandonedRate,
        Self::ConsecutiveFailures,
        Self::FailuresInPeriod,
        Self::FailuresInWindow,
        Self::SuccessRateEma,
        Self::ProbesFailed,
        Self::ProbesSucceeded,
        Self::ProbesUndecided,
        Self::IntervalEnded,
        Self::Manual,
        Self::Restored,
    ];

    /// The cause at this place of [`ALL`](Self::ALL).
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is a place in the list")]
    pub(crate) const fn at(place: u64) -> Self {
        Self::ALL[(place % Self::ALL.len() as u64) as usize]
    }

    /// The cause in `snake_case`, as in events and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FailureRate => "failure_rate",
            Self::SlowCallRate => "slow_call_rate",
            Self::AbandonedRate => "abandoned_rate",
            Self::ConsecutiveFailures => "consecutive_failures",
            Self::FailuresInPeriod => "failures_in_period",
            Self::FailuresInWindow => "failures_in_window",
            Self::SuccessRateEma => "success_rate_ema",
            Self::ProbesFailed => "probes_failed",
            Self::ProbesSucceeded => "probes_succeeded",
            Self::ProbesUndecided => "probes_undecided",
            Self::IntervalEnded => "interval_ended",
            Self::Manual => "manual",
            Self::Restored => "restored",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A transition, and the figures that led to it.
///
/// Each stage of a recovery is told too, from half-open to half-open. In [`State::MetricsOnly`] an event whose `from` and `to` are the same tells that a rule was met which would have opened
/// the circuit; each rule is told once.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Event {
    /// Which breaker.
    pub name: Name,
    /// When.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub at: Timestamp,
    /// The generation that it began. Observers on several threads may hear of transitions out of order.
    pub generation: u32,
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// Why.
    pub cause: Cause,
    /// The window at that moment; after half-open the probes.
    pub figures: Figures,
    /// The share of calls that pass from now on, in a stage of a [`Recovery`](crate::Recovery).
    pub share: Option<f64>,
}

impl Event {
    /// Logs the transition: target `seawall::circuit_breaker`, at WARN when the circuit opens and at INFO otherwise.
    pub(crate) fn trace(&self, key: Option<&dyn fmt::Debug>) {
        let Self { name, from, to, cause, figures, share, .. } = self;
        macro_rules! log {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    target: "seawall::circuit_breaker",
                    name = name.as_str(),
                    key = key.map(tracing::field::debug),
                    from = from.as_str(),
                    to = to.as_str(),
                    cause = cause.as_str(),
                    calls = figures.calls,
                    failed = figures.failed,
                    slow = figures.slow,
                    abandoned = figures.abandoned,
                    share,
                    $message
                )
            };
        }
        match to {
            State::Open | State::ForcedOpen => log!(warn, "circuit opened"),
            State::MetricsOnly if from == to => log!(warn, "circuit would have opened"),
            _ => log!(info, "circuit changed"),
        }
    }
}

/// A user's rule for the open interval.
pub(crate) type OpenBy = std::sync::Arc<dyn Fn(&Trip) -> Duration + Send + Sync>;

/// A circuit is about to open: what [`Config::open_by`](crate::Config::open_by) decides from.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Trip {
    /// Why.
    pub cause: Cause,
    /// The figures that led to it.
    pub figures: Figures,
    /// The moving average of the success rate, where that is a rule and counts: see [`Snapshot`](crate::Snapshot).
    pub success_rate_ema: Option<f64>,
    /// How many times it has opened before without a stable period between.
    pub opened_before: u32,
    /// The failure's own hint when to ask again.
    pub hint: Option<Duration>,
}
