use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seawall_core::observe::Observer;
use seawall_core::{ConfigError, Name};

use super::event::Event;
use super::levels::Hysteresis;

/// How a [`LoadGauge`](super::LoadGauge) makes one level of its signals.
///
/// Everything has a default. Values are checked when a gauge takes the configuration; the error names the field.
///
/// ```
/// use seawall_bulkhead::load::{Config, Hysteresis, LoadGauge};
/// use std::time::Duration;
///
/// let levels = Hysteresis::default().elevated(0.7).dwell(Duration::from_secs(10));
/// let load = LoadGauge::new(Config::default().name("orders").levels(levels))?;
/// let error = LoadGauge::new(Config::default().interval(Duration::ZERO)).unwrap_err();
/// assert_eq!(error.to_string(), "`interval` is 0ns, must be 1 ns to 366 days");
/// # let _ = load;
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Config {
    pub(crate) name: String,
    pub(crate) levels: Hysteresis,
    pub(crate) combine: Combine,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub(crate) interval: Duration,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub(crate) smoothing: Duration,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub(crate) max_age: Duration,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub(crate) stagger: Duration,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) observer: Option<Arc<dyn Observer<Event>>>,
}

/// How several signals become one load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Combine {
    /// The highest: the scarcest resource decides.
    #[default]
    Max,
    /// Their mean, each with its [weight](super::Signal::weight).
    WeightedMean,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "load".into(),
            levels: Hysteresis::default(),
            combine: Combine::Max,
            interval: Duration::from_millis(250),
            smoothing: Duration::from_secs(1),
            max_age: Duration::from_secs(10),
            stagger: Duration::ZERO,
            observer: None,
        }
    }
}

impl Config {
    /// Names the gauge: in refusals, metrics and events. 1 to 31 bytes. Default `load`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// At which load levels begin and end.
    #[must_use]
    pub const fn levels(mut self, levels: Hysteresis) -> Self {
        self.levels = levels;
        self
    }

    /// How several signals become one load. Default: the highest decides.
    #[must_use]
    pub const fn combine(mut self, combine: Combine) -> Self {
        self.combine = combine;
        self
    }

    /// How often the signals are looked at, at most: 1 ns to 366 days. Default 250 ms.
    #[must_use]
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// The time constant of the moving average that the load is: `average += (load - average) * (1 - exp(-elapsed / smoothing))`.
    /// Zero for none; at most 366 days. Default 1 s.
    #[must_use]
    pub const fn smoothing(mut self, smoothing: Duration) -> Self {
        self.smoothing = smoothing;
        self
    }

    /// How long what a signal told last counts: 1 ns to 366 days. A signal that falls silent is left out after that time.
    /// Default 10 s.
    #[must_use]
    pub const fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// The least time between two features that are switched on again; at most 366 days. Unless it is zero, they come back one
    /// at a look, so that each shows what load it brings. Default zero: all features of a level at once.
    #[must_use]
    pub const fn stagger(mut self, stagger: Duration) -> Self {
        self.stagger = stagger;
        self
    }

    /// Is called for every [`Event`], after all locks are released.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer<Event> + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// The [name](Self::name), not yet checked.
    pub fn get_name(&self) -> &str {
        &self.name
    }

    /// The [levels](Self::levels).
    pub const fn get_levels(&self) -> Hysteresis {
        self.levels
    }

    /// The [interval](Self::interval).
    pub const fn get_interval(&self) -> Duration {
        self.interval
    }

    /// Checks everything; gives the name.
    pub(crate) fn check(&self) -> Result<Name, ConfigError> {
        let some = Duration::from_nanos(1);
        let name = self.name.parse()?;
        self.levels.check()?;
        span("interval", self.interval, some)?;
        span("smoothing", self.smoothing, Duration::ZERO)?;
        span("max_age", self.max_age, some)?;
        span("stagger", self.stagger, Duration::ZERO)?;
        Ok(name)
    }
}

/// Checks a span of time.
pub(crate) fn span(field: &'static str, value: Duration, least: Duration) -> Result<(), ConfigError> {
    const LONGEST: Duration = Duration::from_secs(366 * 86_400);
    let valid = if least.is_zero() { "at most 366 days" } else { "1 ns to 366 days" };
    let fits = value >= least && value <= LONGEST;
    if fits { Ok(()) } else { Err(ConfigError::new(field, format!("{value:?}"), valid)) }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("name", &self.name)
            .field("levels", &self.levels)
            .field("combine", &self.combine)
            .field("interval", &self.interval)
            .field("smoothing", &self.smoothing)
            .field("max_age", &self.max_age)
            .field("stagger", &self.stagger)
            .finish_non_exhaustive()
    }
}
