use std::time::Duration;

use seawall_core::Name;

/// All that is known of a [`Hedge`](crate::Hedge) at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct HedgeSnapshot {
    /// Whose calls these are.
    pub name: Name,
    /// How long a call is waited for before a hedge, in seconds; `None` while none is hedged.
    #[cfg_attr(feature = "serde", serde(rename = "delay_seconds", with = "seawall_core::observe::seconds::option"))]
    pub delay: Option<Duration>,
    /// What was counted since it was made.
    pub total: HedgeTotal,
}

/// Calls, by whose answer was given, and attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct HedgeTotal {
    /// Calls that the first attempt answered.
    pub first: u64,
    /// Calls that a hedge answered.
    pub hedge: u64,
    /// Calls of which no attempt was good; the first one's result was given.
    pub none: u64,
    /// Calls that were dropped before their end.
    pub abandoned: u64,
    /// Attempts that were made beside a first one.
    pub hedges: u64,
    /// Hedges that were due and that the budget refused.
    pub out_of_budget: u64,
}
