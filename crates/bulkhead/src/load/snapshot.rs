use std::time::Duration;

use seawall_core::Name;

use super::gauge::LoadGauge;
use super::level::Level;

/// All that is known of a load gauge at one moment. With feature `serde` it is written to any format.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// Which instance.
    pub name: Name,
    /// The level of the last look.
    pub level: Level,
    /// The load of the last look, combined and smoothed; `None` when no signal told any.
    pub load: Option<f64>,
    /// For how long the level holds, in seconds.
    #[cfg_attr(feature = "serde", serde(rename = "since_seconds", with = "seawall_core::observe::seconds"))]
    pub since: Duration,
    /// How often the level has changed.
    pub changes: u64,
    /// How often each level was entered, the lowest first.
    pub entered: [u64; Level::COUNT],
    /// The signals, in the order in which they were added.
    pub signals: Vec<SignalSnapshot>,
    /// The features, in the order in which they are switched on.
    pub features: Vec<FeatureSnapshot>,
}

/// One signal of a load gauge.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SignalSnapshot {
    /// Which signal.
    pub name: Name,
    /// What it told last; `None` before the first time, and when that was too long ago.
    pub value: Option<f64>,
    /// How much it weighs in a weighted mean.
    pub weight: f64,
    /// How many of its values could not be: below 0, or no number.
    pub refused: u64,
}

/// One feature of a load gauge.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FeatureSnapshot {
    /// Which feature.
    pub name: Name,
    /// Whether it is on.
    pub on: bool,
    /// The level from which on it is off.
    pub until: Level,
    /// Calls through its switches that were admitted.
    pub admitted: u64,
    /// Calls through its switches that were refused.
    pub refused: u64,
}

impl LoadGauge {
    /// All that is known at this moment, as of the last look. Takes a lock for a moment.
    pub fn snapshot(&self) -> Snapshot {
        let now = self.clock().now();
        self.with_control(|sources, control| {
            let signals = sources.iter().map(|source| SignalSnapshot {
                name: source.name,
                value: source.value(control.config.max_age, now),
                weight: source.weight,
                refused: source.refused(),
            });
            let features = control.switches.iter().map(|flag| FeatureSnapshot {
                name: flag.name,
                on: flag.is_on(),
                until: flag.until,
                admitted: flag.counts.iter().map(|counts| counts.admitted.get()).sum(),
                refused: flag.counts.iter().map(|counts| counts.refused.get()).sum(),
            });
            Snapshot {
                name: self.name(),
                level: control.levels.level(),
                load: control.smoothing.average(),
                since: now.saturating_duration_since(control.levels.since()),
                changes: control.levels.changes(),
                entered: control.entered,
                signals: signals.collect(),
                features: features.collect(),
            }
        })
    }
}
