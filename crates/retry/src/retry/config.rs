use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seawall_core::observe::Observer;
use seawall_core::time::Clock;
use seawall_core::{Backoff, ConfigError, Jitter, Name};

use super::account;
use super::event::Event;
use crate::budget::BudgetConfig;
use crate::paying::{Paid, Paying};
use crate::span::{bounded, positive};

/// How often, how soon and at what price a call is made again.
///
/// Values are checked when a [`Retry`](crate::Retry) takes the configuration; the error names the field.
///
/// ```
/// use seawall_retry::{Config, Retry};
/// use std::time::Duration;
///
/// let retry = Retry::new(
///     Config::default()
///         .name("payment")
///         .max_attempts(4)
///         .exponential(Duration::from_millis(100), 2.0, Duration::from_secs(5))
///         .attempt_timeout(Duration::from_secs(2))
///         .within(Duration::from_secs(10)),
/// )?;
/// let error = Retry::new(Config::default().max_attempts(0)).unwrap_err();
/// assert_eq!(error.to_string(), "`max_attempts` is 0, must be 1 to 1000");
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Config {
    pub(crate) name: String,
    pub(crate) max_attempts: u32,
    #[cfg_attr(feature = "serde", serde(rename = "backoff"))]
    pub(crate) shape: Shape,
    pub(crate) jitter: Jitter,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde", skip_serializing_if = "Option::is_none"))]
    pub(crate) attempt_timeout: Option<Duration>,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde", skip_serializing_if = "Option::is_none"))]
    pub(crate) within: Option<Duration>,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub(crate) max_hint: Duration,
    pub(crate) budget: Paying,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) observer: Option<Arc<dyn Observer<Event>>>,
}

/// How the waits grow.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case", deny_unknown_fields))]
pub(crate) enum Shape {
    Fixed {
        #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
        wait: Duration,
    },
    Linear {
        #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
        initial: Duration,
        #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
        step: Duration,
        #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
        max: Duration,
    },
    Exponential {
        #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
        initial: Duration,
        multiplier: f64,
        #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
        max: Duration,
    },
    Polynomial {
        #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
        unit: Duration,
        exponent: u32,
        #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
        max: Duration,
    },
    Decorrelated {
        #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
        initial: Duration,
        #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
        max: Duration,
    },
}

impl Default for Config {
    /// Three attempts; waits of up to 1, 2, 4, … seconds, at most 30, at random in full; a hint of up to 30 seconds is kept to. The
    /// budget is its own: a fifth of the calls of 10 seconds, and 10 retries a second whatever the load.
    fn default() -> Self {
        let second = Duration::from_secs(1);
        Self {
            name: "retry".into(),
            max_attempts: 3,
            shape: Shape::Exponential { initial: second, multiplier: 2.0, max: 30 * second },
            jitter: Jitter::Full,
            attempt_timeout: None,
            within: None,
            max_hint: 30 * second,
            budget: Paying::Own(BudgetConfig::default()),
            observer: None,
        }
    }
}

impl Config {
    /// Names the instance: in its errors, metrics and events. 1 to 31 bytes.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Makes a call at most so many times, the first included: 1 to 1000.
    #[must_use]
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Makes a call at most so many times after the first: 0 to 999.
    #[must_use]
    pub const fn max_retries(mut self, retries: u32) -> Self {
        self.max_attempts = retries.saturating_add(1);
        self
    }

    /// Waits so long before each further attempt.
    #[must_use]
    pub const fn fixed(mut self, wait: Duration) -> Self {
        self.shape = Shape::Fixed { wait };
        self
    }

    /// Waits `initial`, and `step` longer each time, up to `max`.
    #[must_use]
    pub const fn linear(mut self, initial: Duration, step: Duration, max: Duration) -> Self {
        self.shape = Shape::Linear { initial, step, max };
        self
    }

    /// Waits `initial`, and `multiplier` times longer each time, up to `max`.
    #[must_use]
    pub const fn exponential(mut self, initial: Duration, multiplier: f64, max: Duration) -> Self {
        self.shape = Shape::Exponential { initial, multiplier, max };
        self
    }

    /// Waits `unit`, `unit * 2^exponent`, `unit * 3^exponent`, …, up to `max`. The exponent is 1 to 16.
    #[must_use]
    pub const fn polynomial(mut self, unit: Duration, exponent: u32, max: Duration) -> Self {
        self.shape = Shape::Polynomial { unit, exponent, max };
        self
    }

    /// Waits at random between `initial` and three times the wait before, up to `max`. It needs no jitter, and has none until one
    /// is set after this.
    #[must_use]
    pub const fn decorrelated(mut self, initial: Duration, max: Duration) -> Self {
        self.shape = Shape::Decorrelated { initial, max };
        self.jitter = Jitter::None;
        self
    }

    /// Changes each wait at random, so that many clients do not come back at once. No wait is above its maximum for that.
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Drops an attempt that takes longer, and makes the next one. Without it an attempt may take any time.
    #[must_use]
    pub const fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// Makes no attempt, and waits for none, beyond so much time from the start of the call: work and waits together.
    #[must_use]
    pub const fn within(mut self, duration: Duration) -> Self {
        self.within = Some(duration);
        self
    }

    /// Keeps to a hint (`Retry-After`, [`Rejection::retry_after`](seawall_core::Rejection::retry_after)) of at most so much time. A
    /// longer one ends the call with the result that brought it, because another attempt makes no sense before.
    #[must_use]
    pub const fn max_hint(mut self, hint: Duration) -> Self {
        self.max_hint = hint;
        self
    }

    /// Pays for further attempts from `budget`: one of its own, or a [`Budget`](crate::Budget) that others share.
    #[must_use]
    pub fn budget(mut self, budget: impl Into<Paying>) -> Self {
        self.budget = budget.into();
        self
    }

    /// Makes every further attempt that `max_attempts` allows, however many other calls fail. A dependency that is down then gets
    /// `max_attempts` times its load.
    #[must_use]
    pub fn without_budget(mut self) -> Self {
        self.budget = Paying::Unlimited;
        self
    }

    /// Tells `observer` of every further attempt, and of every call that is given up.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer<Event> + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("name", &self.name)
            .field("max_attempts", &self.max_attempts)
            .field("shape", &self.shape)
            .field("jitter", &self.jitter)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("within", &self.within)
            .field("max_hint", &self.max_hint)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

/// A [`Config`] whose values were checked.
pub(crate) struct Settings {
    pub(crate) name: Name,
    pub(crate) max_attempts: u32,
    pub(crate) backoff: Backoff,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) within: Option<Duration>,
    pub(crate) max_hint: Duration,
    pub(crate) paid: Paid,
    /// Whether the budget is certainly the one that the instance was made with.
    pub(crate) pays_as_at_first: bool,
    /// How the budget was configured.
    budget: Paying,
    pub(crate) observer: Option<Arc<dyn Observer<Event>>>,
}

const MOST_ATTEMPTS: u32 = 1_000;

impl Settings {
    /// `earlier` are those of the same instance, whose budget goes on if it is configured as before.
    pub(crate) fn new(config: Config, clock: &Clock, earlier: Option<&Self>) -> Result<Self, ConfigError> {
        if !(1..=MOST_ATTEMPTS).contains(&config.max_attempts) {
            return Err(ConfigError::new("max_attempts", config.max_attempts, format!("1 to {MOST_ATTEMPTS}")));
        }
        let pays_as_at_first =
            earlier.is_none_or(|earlier| earlier.pays_as_at_first && account::is_kept(&earlier.budget, &config.budget));
        Ok(Self {
            name: config.name.parse()?,
            max_attempts: config.max_attempts,
            backoff: backoff(config.shape, config.jitter)?,
            attempt_timeout: config.attempt_timeout.map(|span| positive("attempt_timeout", span)).transpose()?,
            within: config.within.map(|span| positive("within", span)).transpose()?,
            max_hint: bounded("max_hint", config.max_hint)?,
            paid: Paid::new(&config.budget, clock, earlier.map(|settings| &settings.paid))?,
            pays_as_at_first,
            budget: config.budget,
            observer: config.observer,
        })
    }
}

fn backoff(shape: Shape, jitter: Jitter) -> Result<Backoff, ConfigError> {
    match jitter {
        Jitter::Spread(percent) if percent > 100 => {
            return Err(ConfigError::new("jitter.spread", percent, "0 to 100 percent"));
        }
        Jitter::Below(percent) if percent > 100 => {
            return Err(ConfigError::new("jitter.below", percent, "0 to 100 percent"));
        }
        _ => {}
    }
    let backoff = match shape {
        Shape::Fixed { wait } => Ok(Backoff::fixed(bounded("backoff.fixed.wait", wait)?)),
        Shape::Linear { initial, step, max } => {
            bounded("backoff.linear.step", step)?;
            Backoff::linear(initial, step, bounded("backoff.linear.max", max)?)
                .map_err(|error| within("linear", &error))
        }
        Shape::Exponential { initial, multiplier, max } => {
            Backoff::exponential(initial, multiplier, bounded("backoff.exponential.max", max)?)
                .map_err(|error| within("exponential", &error))
        }
        Shape::Polynomial { unit, exponent, max } => {
            Backoff::polynomial(unit, exponent, bounded("backoff.polynomial.max", max)?)
                .map_err(|error| within("polynomial", &error))
        }
        Shape::Decorrelated { initial, max } => {
            // With nothing to begin with, three times the last wait would stay nothing.
            positive("backoff.decorrelated.initial", initial)?;
            Backoff::decorrelated(initial, bounded("backoff.decorrelated.max", max)?)
                .map_err(|error| within("decorrelated", &error))
        }
    };
    Ok(backoff?.jitter(jitter))
}

fn within(shape: &str, error: &ConfigError) -> ConfigError {
    ConfigError::new(format!("backoff.{shape}.{}", error.field()), error.value(), error.valid().to_owned())
}
