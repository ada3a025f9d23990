use std::time::Duration;

use seawall_core::ConfigError;
use seawall_core::time::Timestamp;

use super::config::span;
use super::level::Level;

/// At which load a level begins and ends, and how long it lasts at least.
///
/// With the defaults: below 0.80 normal, from 0.80 on elevated, above 0.95 critical. A level is left for the next lower one
/// only when the load is below its beginning by more than the margin: below 0.90, and below 0.75.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Hysteresis {
    /// The load from which on the level is elevated: above 0, below `critical`. Default 0.80.
    pub elevated: f64,
    /// The load above which the level is critical: below 1. Default 0.95.
    pub critical: f64,
    /// How far below its beginning the load must be to leave a level: from 0, below `elevated`. Default 0.05.
    pub margin: f64,
    /// The least time between two changes, at most 366 days. Default 5 s.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub dwell: Duration,
    /// The least time between a change and a rise that follows, if another one than `dwell`; at most `dwell`. Default: as
    /// `dwell`.
    ///
    /// A load that is smoothed, or that grows, reaches the critical level by way of the elevated one, and so waits there for this
    /// time. A shorter one makes it critical sooner, and takes back sooner a recovery that came too early.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde", skip_serializing_if = "Option::is_none"))]
    pub rise_dwell: Option<Duration>,
}

impl Default for Hysteresis {
    fn default() -> Self {
        Self { elevated: 0.80, critical: 0.95, margin: 0.05, dwell: Duration::from_secs(5), rise_dwell: None }
    }
}

impl Hysteresis {
    /// The same with another beginning of the elevated level.
    #[must_use]
    pub const fn elevated(mut self, load: f64) -> Self {
        self.elevated = load;
        self
    }

    /// The same with another beginning of the critical level.
    #[must_use]
    pub const fn critical(mut self, load: f64) -> Self {
        self.critical = load;
        self
    }

    /// The same with another margin.
    #[must_use]
    pub const fn margin(mut self, margin: f64) -> Self {
        self.margin = margin;
        self
    }

    /// The same with another least time between two changes.
    #[must_use]
    pub const fn dwell(mut self, dwell: Duration) -> Self {
        self.dwell = dwell;
        self
    }

    /// The same with another least time before a rise.
    #[must_use]
    pub const fn rise_dwell(mut self, dwell: Duration) -> Self {
        self.rise_dwell = Some(dwell);
        self
    }

    /// Checks everything.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn check(&self) -> Result<(), ConfigError> {
        let number = |field: &'static str, value: f64, fits: bool, valid: &'static str| {
            if fits { Ok(()) } else { Err(ConfigError::new(field, value, valid)) }
        };
        let critical = self.critical > 0.0 && self.critical < 1.0;
        number("levels.critical", self.critical, critical, "above `levels.elevated` and below 1")?;
        let elevated = self.elevated > 0.0 && self.elevated < self.critical;
        number("levels.elevated", self.elevated, elevated, "above 0 and below `levels.critical`")?;
        let margin = self.margin >= 0.0 && self.margin < self.elevated;
        number("levels.margin", self.margin, margin, "at least 0 and below `levels.elevated`")?;
        span("levels.dwell", self.dwell, Duration::ZERO)?;
        match self.rise_dwell {
            Some(rise) if rise > self.dwell => {
                Err(ConfigError::new("levels.rise_dwell", format!("{rise:?}"), "at most `levels.dwell`"))
            }
            _ => Ok(()),
        }
    }

    /// Where `load` leads from `level`, dwell times aside: at once up to where it belongs, one step down.
    fn lead(&self, level: Level, load: f64) -> Level {
        let reached = if load > self.critical {
            Level::Critical
        } else if load >= self.elevated {
            Level::Elevated
        } else {
            Level::Normal
        };
        if reached >= level {
            return reached;
        }
        let begin = if level == Level::Critical { self.critical } else { self.elevated };
        if load < begin - self.margin { level.below() } else { level }
    }
}

/// A level that follows a load without flapping: pure, fed with a load and a time.
///
/// - A rise goes at once to the level that the load belongs to.
/// - A fall goes one level down, and needs a load that is below by the margin.
/// - Between two changes lies at least the dwell time. The first change waits for nothing.
///
/// So there is at most one change per dwell time, whatever the load does (a shorter [`rise_dwell`](Hysteresis::rise_dwell)
/// holds for rises alone); and under a load that stays low, the level is normal after two dwell times at the latest.
///
/// ```
/// use seawall_bulkhead::load::{Hysteresis, Level, Levels};
/// use seawall_core::time::Timestamp;
/// use std::time::Duration;
///
/// let at = |seconds| Timestamp::ZERO + Duration::from_secs(seconds);
/// let mut levels = Levels::new(Hysteresis::default(), at(0))?;
/// assert_eq!(levels.observe(0.97, at(1)), Some(Level::Normal));
/// assert_eq!(levels.level(), Level::Critical);
/// assert_eq!(levels.observe(0.10, at(5)), None);
/// assert_eq!(levels.observe(0.10, at(6)), Some(Level::Critical));
/// assert_eq!(levels.level(), Level::Elevated);
/// levels.observe(0.10, at(11));
/// assert_eq!(levels.level(), Level::Normal);
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Levels {
    hysteresis: Hysteresis,
    level: Level,
    since: Timestamp,
    /// None before the first change.
    changed: Option<Timestamp>,
    changes: u64,
}

impl Levels {
    /// A normal level.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn new(hysteresis: Hysteresis, now: Timestamp) -> Result<Self, ConfigError> {
        hysteresis.check()?;
        Ok(Self { hysteresis, level: Level::Normal, since: now, changed: None, changes: 0 })
    }

    /// The load is `load` now. Gives the level that was left, if it was. A load that is not a number changes nothing.
    pub fn observe(&mut self, load: f64, now: Timestamp) -> Option<Level> {
        // After a step back of the clock the level is as old as one that began now.
        self.since = self.since.min(now);
        self.changed = self.changed.map(|at| at.min(now));
        let to = self.hysteresis.lead(self.level, load);
        if load.is_nan() || to == self.level {
            return None;
        }
        let Hysteresis { dwell, rise_dwell, .. } = self.hysteresis;
        let dwell = if to > self.level { rise_dwell.unwrap_or(dwell) } else { dwell };
        if self.changed.is_some_and(|at| now < at + dwell) {
            return None;
        }
        let from = std::mem::replace(&mut self.level, to);
        (self.since, self.changed) = (now, Some(now));
        self.changes += 1;
        Some(from)
    }

    /// The level.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// When the level began.
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// How often the level has changed.
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// The earliest time of the next fall.
    pub fn falls_at(&self) -> Timestamp {
        self.changed.map_or(self.since, |at| at + self.hysteresis.dwell)
    }

    /// Goes on at the same level by another hysteresis.
    ///
    /// # Errors
    /// Names the first field whose value cannot be; then nothing has changed.
    pub fn reconfigure(&mut self, hysteresis: Hysteresis) -> Result<(), ConfigError> {
        hysteresis.check()?;
        self.hysteresis = hysteresis;
        Ok(())
    }
}
