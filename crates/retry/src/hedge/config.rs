use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seawall_core::observe::Observer;
use seawall_core::time::Clock;
use seawall_core::{ConfigError, Name};

use super::event::HedgeEvent;
use crate::budget::BudgetConfig;
use crate::paying::{Paid, Paying};
use crate::retry::account;
use crate::span;

/// When a call that has not been answered is made once more beside the first.
///
/// Values are checked when a [`Hedge`](crate::Hedge) takes the configuration; the error names the field.
///
/// ```
/// use seawall_retry::{Hedge, HedgeConfig, HedgeDelay};
/// use std::time::Duration;
///
/// let slowest_twentieth = HedgeDelay::quantile(0.95).window(500).warm_up(50);
/// let hedge = Hedge::new(HedgeConfig::default().name("catalogue").delay(slowest_twentieth).max_hedges(2))?;
/// let error = Hedge::new(HedgeConfig::default().max_hedges(0)).unwrap_err();
/// assert_eq!(error.to_string(), "`max_hedges` is 0, must be 1 to 10");
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct HedgeConfig {
    pub(crate) name: String,
    pub(crate) delay: HedgeDelay,
    pub(crate) max_hedges: u32,
    pub(crate) budget: Paying,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) observer: Option<Arc<dyn Observer<HedgeEvent>>>,
}

impl Default for HedgeConfig {
    /// One hedge, when the call takes longer than 95 of 100; its own budget, as a [retry](crate::Config)'s.
    fn default() -> Self {
        Self {
            name: "hedge".into(),
            delay: HedgeDelay::quantile(0.95),
            max_hedges: 1,
            budget: Paying::Own(BudgetConfig::default()),
            observer: None,
        }
    }
}

impl HedgeConfig {
    /// Names the instance: in its metrics and events. 1 to 31 bytes.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Waits so long for an answer before the first hedge, and before each that follows.
    #[must_use]
    pub fn delay(mut self, delay: impl Into<HedgeDelay>) -> Self {
        self.delay = delay.into();
        self
    }

    /// Makes at most so many further attempts: 1 to 10.
    #[must_use]
    pub const fn max_hedges(mut self, hedges: u32) -> Self {
        self.max_hedges = hedges;
        self
    }

    /// Pays for hedges from `budget`: one of its own, or a [`Budget`](crate::Budget) that retries share.
    #[must_use]
    pub fn budget(mut self, budget: impl Into<Paying>) -> Self {
        self.budget = budget.into();
        self
    }

    /// Makes every hedge that is due. A dependency that has become slow then gets `1 + max_hedges` times its load.
    #[must_use]
    pub fn without_budget(mut self) -> Self {
        self.budget = Paying::Unlimited;
        self
    }

    /// Tells `observer` of every hedge, and of every one that the budget refused.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer<HedgeEvent> + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }
}

impl fmt::Debug for HedgeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HedgeConfig")
            .field("name", &self.name)
            .field("delay", &self.delay)
            .field("max_hedges", &self.max_hedges)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

/// How long a call is waited for before a hedge: always the same, or by how long calls took.
///
/// Durations are those of first attempts. One that was dropped because a hedge was faster counts with the time it had run, so
/// that slow calls are not forgotten just because they were hedged. One that failed counts only if it took longer than the
/// delay: a quick error tells nothing of how long answers take.
///
/// # When the delay is told
/// A quantile is told anew when more than a thirty-second of the calls in the window are new, a mean with each call: exactly so
/// while one thread makes the calls. Where several do, each keeps its durations for itself until it has as many as must be new, at
/// most 16, and then gathers what all threads have. It does not wait for a thread that is gathering: up to 32 durations of each thread
/// lie ready for the next one that does. A mean is then told as seldom as a quantile. So the window holds the last calls **that were
/// gathered**, each thread's in their order. No duration is lost, but the last ones before a pause may lie ready until the calls
/// go on. Threads beyond two for each processor (at least 4, at most 64) have no memory of their own here, and gather with each
/// call.
///
/// For a window of `w` calls, telling a quantile costs O(log w) for each new call and one copy of the window.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
#[non_exhaustive]
pub enum HedgeDelay {
    /// For ever: no call is hedged.
    Never,
    /// Always so long. Zero makes all attempts at once.
    Fixed(#[cfg_attr(feature = "serde", serde(with = "humantime_serde"))] Duration),
    /// As long as this share of the last calls took at most.
    Quantile {
        /// The share: above 0, below 1.
        quantile: f64,
        /// Over how many of the last calls: 1 to 10 000.
        #[cfg_attr(feature = "serde", serde(default = "default_window"))]
        window: u32,
        /// How many calls there must be before any is hedged: 1 to `window`.
        #[cfg_attr(feature = "serde", serde(default = "default_warm_up"))]
        warm_up: u32,
    },
    /// As long as the last calls took on average, times `factor`, and `plus` longer.
    Mean {
        /// Over how many of the last calls: 1 to 10 000.
        #[cfg_attr(feature = "serde", serde(default = "default_window"))]
        window: u32,
        /// What the average is multiplied with: at least 0.
        factor: f64,
        /// What is added.
        #[cfg_attr(feature = "serde", serde(default, with = "humantime_serde"))]
        plus: Duration,
        /// How many calls there must be before any is hedged: 1 to `window`.
        #[cfg_attr(feature = "serde", serde(default = "default_warm_up"))]
        warm_up: u32,
    },
}

const fn default_window() -> u32 {
    200
}

const fn default_warm_up() -> u32 {
    20
}

impl HedgeDelay {
    /// As long as the share `quantile` of the last 200 calls took at most, once there were 20.
    pub const fn quantile(quantile: f64) -> Self {
        Self::Quantile { quantile, window: default_window(), warm_up: default_warm_up() }
    }

    /// `factor` times as long as the last 200 calls took on average, once there were 20.
    pub const fn mean(factor: f64) -> Self {
        Self::Mean { window: default_window(), factor, plus: Duration::ZERO, warm_up: default_warm_up() }
    }

    /// The same over so many calls.
    #[must_use]
    pub const fn window(mut self, calls: u32) -> Self {
        match &mut self {
            Self::Never | Self::Fixed(_) => {}
            Self::Quantile { window, .. } | Self::Mean { window, .. } => *window = calls,
        }
        self
    }

    /// The same once there were so many calls.
    #[must_use]
    pub const fn warm_up(mut self, calls: u32) -> Self {
        match &mut self {
            Self::Never | Self::Fixed(_) => {}
            Self::Quantile { warm_up, .. } | Self::Mean { warm_up, .. } => *warm_up = calls,
        }
        self
    }

    /// The same and `longer`, for a mean.
    #[must_use]
    pub const fn plus(mut self, longer: Duration) -> Self {
        if let Self::Mean { plus, .. } = &mut self {
            *plus = longer;
        }
        self
    }

    /// Whether it follows from how long calls took.
    pub(crate) const fn is_measured(&self) -> bool {
        match self {
            Self::Never | Self::Fixed(_) => false,
            Self::Quantile { .. } | Self::Mean { .. } => true,
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        match *self {
            Self::Never => Ok(()),
            Self::Fixed(delay) => span::bounded("delay.fixed", delay).map(drop),
            Self::Quantile { quantile, window, warm_up } => {
                if !(quantile > 0.0 && quantile < 1.0) {
                    return Err(ConfigError::new("delay.quantile.quantile", quantile, "a number above 0 and below 1"));
                }
                count("delay.quantile.window", window, MOST_CALLS)?;
                count("delay.quantile.warm_up", warm_up, window)
            }
            Self::Mean { window, factor, plus, warm_up } => {
                if !(factor.is_finite() && factor >= 0.0) {
                    return Err(ConfigError::new("delay.mean.factor", factor, "a number of at least 0"));
                }
                count("delay.mean.window", window, MOST_CALLS)?;
                count("delay.mean.warm_up", warm_up, window)?;
                span::bounded("delay.mean.plus", plus).map(drop)
            }
        }
    }
}

impl From<Duration> for HedgeDelay {
    fn from(delay: Duration) -> Self {
        Self::Fixed(delay)
    }
}

/// A [`HedgeConfig`] whose values were checked.
pub(crate) struct HedgeSettings {
    pub(crate) name: Name,
    pub(crate) delay: HedgeDelay,
    pub(crate) max_hedges: u32,
    pub(crate) paid: Paid,
    /// Whether the budget is certainly the one that the instance was made with.
    pub(crate) pays_as_at_first: bool,
    /// How the budget was configured.
    budget: Paying,
    pub(crate) observer: Option<Arc<dyn Observer<HedgeEvent>>>,
}

const MOST_HEDGES: u32 = 10;
const MOST_CALLS: u32 = 10_000;

impl HedgeSettings {
    /// `earlier` are those of the same instance, whose budget goes on if it is configured as before.
    pub(crate) fn new(config: HedgeConfig, clock: &Clock, earlier: Option<&Self>) -> Result<Self, ConfigError> {
        count("max_hedges", config.max_hedges, MOST_HEDGES)?;
        config.delay.check()?;
        let pays_as_at_first =
            earlier.is_none_or(|earlier| earlier.pays_as_at_first && account::is_kept(&earlier.budget, &config.budget));
        Ok(Self {
            name: config.name.parse()?,
            delay: config.delay,
            max_hedges: config.max_hedges,
            paid: Paid::new(&config.budget, clock, earlier.map(|settings| &settings.paid))?,
            pays_as_at_first,
            budget: config.budget,
            observer: config.observer,
        })
    }
}

fn count(field: &'static str, value: u32, most: u32) -> Result<(), ConfigError> {
    if (1..=most).contains(&value) { Ok(()) } else { Err(ConfigError::new(field, value, format!("1 to {most}"))) }
}
