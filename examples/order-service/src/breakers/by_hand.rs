//! The states into which a circuit can be put by hand.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use seawall_circuit_breaker::{CircuitBreaker, NotOpen};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use utoipa::ToSchema;

use crate::http::{Problem, Violation};

/// How long a circuit can be told to stay open.
const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(24);

/// The state that a breaker is to be in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Override {
    state: Wanted,
    /// How long the circuit stays open, from 1ms to 24h, before probes decide. Only for `open`, which without it stays open
    /// as configured, and for `forced_open`, which without it ends by another change alone and with it is `open`.
    #[serde(default, rename = "for", with = "humantime_serde")]
    #[schema(value_type = Option<String>, example = "30s")]
    interval: Option<Duration>,
}

/// A state that a hand can bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case")]
enum Wanted {
    /// Calls pass and are judged; what was counted before is forgotten.
    Closed,
    /// Calls are refused; then probes decide.
    Open,
    /// The next calls are probes. Only for a circuit that is open.
    HalfOpen,
    /// Calls are refused until another change.
    ForcedOpen,
    /// Calls pass and are not counted until another change.
    Disabled,
    /// Calls pass and are counted, and what would have opened the circuit is told, until another change.
    MetricsOnly,
}

impl Override {
    /// Whether the parts belong together.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let Some(interval) = self.interval else { return Ok(()) };
        let detail = match self.state {
            Wanted::Open | Wanted::ForcedOpen if INTERVAL.contains(&interval) => return Ok(()),
            Wanted::Open | Wanted::ForcedOpen => "must be a duration from 1ms to 24h",
            _ => "must be left out: only open and forced_open have a duration",
        };
        let fault = Violation::new("for", detail).value(&humantime::format_duration(interval).to_string());
        Err(Problem::invalid_body(vec![fault]))
    }

    pub(super) fn apply(&self, breaker: &CircuitBreaker) -> Result<(), NotOpen> {
        match (self.state, self.interval) {
            (Wanted::Open | Wanted::ForcedOpen, Some(interval)) => breaker.isolate(interval),
            (Wanted::Open, None) => breaker.trip(),
            (Wanted::ForcedOpen, None) => breaker.force_open(),
            (Wanted::HalfOpen, _) => breaker.half_open()?,
            (Wanted::Closed, _) => breaker.force_closed(),
            (Wanted::Disabled, _) => breaker.disable(),
            (Wanted::MetricsOnly, _) => breaker.metrics_only(),
        }
        Ok(())
    }
}

impl Wanted {
    const NAMES: [(&str, Self); 6] = [
        ("closed", Self::Closed),
        ("open", Self::Open),
        ("half_open", Self::HalfOpen),
        ("forced_open", Self::ForcedOpen),
        ("disabled", Self::Disabled),
        ("metrics_only", Self::MetricsOnly),
    ];
}

impl<'de> Deserialize<'de> for Wanted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(WantedVisitor)
    }
}

/// Tells which names there are, whatever was found in their place; a derived reader does so for texts alone.
struct WantedVisitor;

impl Visitor<'_> for WantedVisitor {
    type Value = Wanted;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one of ")?;
        f.write_str(&Wanted::NAMES.map(|(name, _)| name).join(", "))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Wanted, E> {
        let found = Wanted::NAMES.iter().find(|(name, _)| *name == text);
        found.map(|&(_, wanted)| wanted).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}
