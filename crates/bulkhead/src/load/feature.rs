use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use seawall_core::time::{Clock, Now};
use seawall_core::{Admits, Ask, ConfigError, Ending, Name, Policy, Shared};

use super::gauge::LoadGauge;
use super::level::Level;
use super::switched_off::SwitchedOff;
use super::switches::Flag;

/// Something that a service leaves undone under load: on while the level is below the given one.
///
/// By itself it is a name and a level. [Registered](LoadGauge::feature) at a gauge it has a [`FeatureSwitch`], which is seen in
/// the gauge's snapshot, metrics and events.
///
/// ```
/// use seawall_bulkhead::load::{Config, Feature, Level, LoadGauge, Signal};
///
/// let load = LoadGauge::new(Config::default())?;
/// load.signal(Signal::pushed("cpu"))?;
/// let suggestions = load.feature(Feature::new("suggestions").until(Level::Elevated))?;
/// let search = Feature::new("search").until(Level::Critical);
///
/// load.push("cpu", 0.9)?;
/// load.sample();
/// assert!(!suggestions.is_on());
/// assert!(search.is_on(&load));
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Feature {
    name: String,
    #[cfg_attr(feature = "serde", serde(default = "default_until"))]
    until: Level,
}

#[cfg(feature = "serde")]
const fn default_until() -> Level {
    Level::Elevated
}

impl Feature {
    /// A feature that is off from the elevated level on. Its name has 1 to 31 bytes: it names refusals, metrics and events.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), until: Level::Elevated }
    }

    /// The level from which on it is off: elevated, the default, or critical.
    #[must_use]
    pub const fn until(mut self, level: Level) -> Self {
        self.until = level;
        self
    }

    /// The [name](Self::new), not yet checked.
    pub fn get_name(&self) -> &str {
        &self.name
    }

    /// The level from which on it is [off](Self::until).
    pub const fn get_until(&self) -> Level {
        self.until
    }

    /// Whether this gauge's level is below the feature's; makes the gauge look if it is time.
    pub fn is_on(&self, gauge: &LoadGauge) -> bool {
        gauge.update() < self.until
    }

    pub(crate) fn build(self) -> Result<Flag, ConfigError> {
        if self.until == Level::Normal {
            return Err(ConfigError::new("feature.until", self.until, "elevated or critical"));
        }
        Ok(Flag::new(self.name.parse()?, self.until))
    }
}

/// The switch of a feature: cheap to clone, shared by all its clones. Its methods are those of [`Switch`].
///
/// A call through it (`switch.run(…)`, `switch.layer()`, as a member of [`all`](seawall_core::all)) is refused with
/// [`SwitchedOff`] while the feature is off, and `switch.run_or_else(…)` has something else instead.
///
/// ```
/// use seawall_bulkhead::load::{Config, Feature, LoadGauge, Signal};
/// use seawall_core::Rejection;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let load = LoadGauge::new(Config::default())?;
/// load.signal(Signal::pushed("cpu"))?;
/// let suggestions = load.feature(Feature::new("suggestions"))?;
/// let suggest = || async { Ok::<_, Rejection>(vec!["a cortado"]) };
/// assert_eq!(suggestions.run(suggest()).await??, ["a cortado"]);
///
/// load.push("cpu", 0.9)?;
/// load.sample();
/// let instead = suggestions.run_or_else(suggest(), |_off| Ok(vec![])).await?;
/// assert!(instead.is_empty());
/// # Ok(()) }
/// ```
pub type FeatureSwitch = Shared<Switch>;

/// What a [`FeatureSwitch`] is a handle of.
///
/// # Cancel safety
/// Nothing is taken by a call, so nothing is given back.
///
/// # Complexity
/// Admitting reads the clock and loads a few words; refusing loads a few more. Neither allocates, takes a lock or waits, unless
/// the gauge is due to look.
pub struct Switch {
    gauge: LoadGauge,
    flag: Arc<Flag>,
}

impl Switch {
    pub(crate) const fn new(gauge: LoadGauge, flag: Arc<Flag>) -> Self {
        Self { gauge, flag }
    }

    /// The feature's name.
    pub fn name(&self) -> Name {
        self.flag.name
    }

    /// The level from which on the feature is off.
    pub fn until(&self) -> Level {
        self.flag.until
    }

    /// The gauge.
    pub const fn gauge(&self) -> &LoadGauge {
        &self.gauge
    }

    /// Whether the feature is on; makes the gauge look if it is time.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.gauge.update();
        self.flag.is_on()
    }

    #[inline]
    fn look(&self, now: &Now<'_>) -> Result<(), SwitchedOff> {
        self.gauge.update_at(now);
        if self.flag.is_on() { Ok(()) } else { Err(self.off(now)) }
    }

    #[inline(never)]
    fn off(&self, now: &Now<'_>) -> SwitchedOff {
        let Flag { name, until, .. } = &*self.flag;
        SwitchedOff::new(*name, self.gauge.level(), *until, self.gauge.earliest_below(*until, now))
    }

    fn count(&self, looked: &Result<(), SwitchedOff>) {
        let refused = looked.is_err();
        self.flag.counts.lane().count(|counts| if refused { &counts.refused } else { &counts.admitted });
    }
}

impl Policy for Switch {
    type Token = ();
    type Place = Infallible;
    type Refusal = SwitchedOff;

    const SETTLES: bool = false;

    #[inline(always)]
    fn clock(&self) -> Option<&Clock> {
        Some(self.gauge.clock())
    }

    #[inline(always)]
    fn settle(&self, (): (), _ending: Ending<'_>, _now: &Now<'_>) {}

    fn peek(&self, now: &Now<'_>) -> Result<(), SwitchedOff> {
        self.look(now)
    }

    /// A call that has waited elsewhere starts only if the feature is still on.
    fn renew(&self, (): &mut (), now: &Now<'_>) -> Result<(), SwitchedOff> {
        let looked = self.look(now);
        if looked.is_err() {
            self.flag.counts.lane().count(|counts| &counts.refused);
        }
        looked
    }
}

impl<Call: ?Sized> Admits<Call> for Switch {
    #[inline(always)]
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<(), SwitchedOff> {
        let looked = self.look(ask.now);
        self.count(&looked);
        looked
    }
}

impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeatureSwitch")
            .field("name", &self.name())
            .field("until", &self.until())
            .field("is_on", &self.flag.is_on())
            .finish_non_exhaustive()
    }
}
