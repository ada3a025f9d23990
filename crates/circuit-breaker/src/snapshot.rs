use std::time::Duration;

use seawall_core::time::Timestamp;
use seawall_core::{ConfigError, Name, Ratio};

use crate::breaker::Totals;
use crate::durations::Durations;
use crate::event::{Cause, State};
use crate::figures::Figures;
use crate::state::Machine;

/// All that is known of a breaker at one moment.
///
/// With feature `serde` it is written to any format and read back, so that [`Breaker::restore`](crate::Breaker::restore) can
/// carry a circuit over a restart.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// Which breaker.
    pub name: Name,
    /// Where the circuit is.
    pub state: State,
    /// Why it opened, while it is not closed.
    pub cause: Option<Cause>,
    /// How long it has been there, in seconds.
    #[cfg_attr(feature = "serde", serde(rename = "in_state_seconds", with = "seawall_core::observe::seconds"))]
    pub in_state: Duration,
    /// When the dependency will be tried again, in seconds.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "retry_after_seconds", with = "seawall_core::observe::seconds::option")
    )]
    pub retry_after: Option<Duration>,
    /// How many changes of state, and stages of a recovery, there were.
    pub generation: u32,
    /// The window; the probes while half-open; what opened the circuit while it is open.
    pub figures: Figures,
    /// The share of calls that failed; `None` below the minimum of calls.
    pub failure_rate: Option<f64>,
    /// The share of calls that were slow; `None` below the minimum of calls.
    pub slow_rate: Option<f64>,
    /// How long the calls of those figures took, where that is kept.
    #[cfg_attr(feature = "serde", serde(default))]
    pub durations: Option<Durations>,
    /// The moving average of the success rate as of the last call that moved it, where that is a rule; `None` until a whole window
    /// has passed since the circuit closed, and below the minimum of calls.
    #[cfg_attr(feature = "serde", serde(default))]
    pub success_rate_ema: Option<f64>,
    /// Failures since the last success.
    pub consecutive_failures: u64,
    /// Failures within the period, where that is a rule.
    pub recent_failures: Option<u64>,
    /// How many probes may still start, while half-open.
    pub probes_left: Option<u64>,
    /// The share of calls that pass, in a stage of a recovery.
    pub share: Option<f64>,
    /// How many times the circuit has opened without a stable period between.
    pub opened_before: u32,
    /// Calls refused since the state began.
    pub refused_in_state: u64,
    /// What was counted since the breaker was made.
    pub total: Total,
    /// The last failure's text, where the classifier gave one; its first 192 bytes.
    pub last_error: Option<String>,
}

/// What was counted since a breaker was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Total {
    /// Calls that succeeded. A success at the very moment of a change of state may be neither here nor among `stale`: at most
    /// one for each thread and change.
    pub successes: u64,
    /// Calls that failed or panicked.
    pub failures: u64,
    /// Calls that said nothing about the dependency.
    pub ignored: u64,
    /// Calls that were dropped before their end.
    pub abandoned: u64,
    /// Calls that ended in a later generation than they were admitted in, and counted nowhere.
    pub stale: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// How many times the circuit opened.
    pub opened: u64,
}

impl Snapshot {
    pub(crate) fn new(
        machine: &mut Machine,
        name: Name,
        now: Timestamp,
        totals: Totals,
        refused_in_state: u64,
        last_error: Option<String>,
    ) -> Self {
        let view = machine.view();
        let figures = machine.figures();
        let minimum = machine.minimum_calls();
        let waits = !matches!(view.refuse_until, Timestamp::ZERO | Timestamp::NEVER);
        Self {
            name,
            state: view.state,
            cause: matches!(view.state, State::Open | State::HalfOpen | State::ForcedOpen).then_some(view.cause),
            in_state: now.saturating_duration_since(machine.since()),
            retry_after: waits.then(|| view.refuse_until.saturating_duration_since(now)),
            generation: view.generation,
            figures,
            failure_rate: figures.failure_rate(minimum),
            slow_rate: figures.slow_rate(minimum),
            durations: machine.durations(),
            success_rate_ema: machine.success_rate_ema(),
            consecutive_failures: machine.failures_in_a_row(),
            recent_failures: machine.recent_failures(now),
            probes_left: machine.probes_left(),
            share: machine.share().map(Ratio::get),
            opened_before: machine.opened_before(),
            refused_in_state,
            total: Total {
                successes: totals.successes,
                failures: totals.failures,
                ignored: totals.ignored,
                abandoned: totals.abandoned,
                stale: totals.stale,
                refused: totals.refused,
                opened: totals.transitions[State::Open as usize],
            },
            last_error,
        }
    }

    /// Whether what it says of calls can be.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        self.figures.check()?;
        self.durations.map_or(Ok(()), |durations| durations.check(self.figures.calls))?;
        match self.success_rate_ema {
            Some(rate) if !(0.0..=1.0).contains(&rate) => {
                Err(ConfigError::new("success_rate_ema", rate, "a number of at least 0 and at most 1"))
            }
            _ => Ok(()),
        }
    }
}
