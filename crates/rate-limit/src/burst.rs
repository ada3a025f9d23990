use std::time::Duration;

use seawall_core::sync::atomic::{AtomicBool, Ordering};
use seawall_core::time::{Clock, Timestamp};
use seawall_core::{ConfigError, Name};

use crate::algorithm::Algorithm;
use crate::cell::{Cell, Denied};
use crate::event::Event;
use crate::limit::{Carry, Want};
use crate::quota::Quota;

/// When calls come in a burst: more than so many in so short a time, whether they were admitted or not.
///
/// A burst is an [`Event`](crate::Event) of its own, told once until it has been over for a while. With a penalty, whoever makes
/// one is refused for that long, whatever its quota says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct BurstConfig {
    requests: u32,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    period: Duration,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde", skip_serializing_if = "Option::is_none"))]
    penalty: Option<Duration>,
}

impl Default for BurstConfig {
    /// More than 50 calls in 10 seconds, without a penalty.
    fn default() -> Self {
        Self { requests: 50, period: Duration::from_secs(10), penalty: None }
    }
}

impl BurstConfig {
    /// More than so many calls are a burst: at least 1.
    #[must_use]
    pub const fn requests(mut self, requests: u32) -> Self {
        self.requests = requests;
        self
    }

    /// If they come in so short a time: 1 µs to 366 days.
    #[must_use]
    pub const fn period(mut self, period: Duration) -> Self {
        self.period = period;
        self
    }

    /// Refuses for so long whoever makes a burst: 1 µs to 366 days.
    #[must_use]
    pub const fn penalty(mut self, penalty: Duration) -> Self {
        self.penalty = Some(penalty);
        self
    }

    pub(crate) const fn event(&self, name: Name, key: u64) -> Event {
        let Self { requests, period, penalty } = *self;
        Event::Burst { name, key, requests, period, penalty }
    }

    /// Calls that are no burst yet: a window that is full when one begins.
    pub(crate) fn counted(&self) -> Result<Quota, ConfigError> {
        let quota = Quota::new(self.requests, self.period);
        quota.check().map_err(|error| named("burst", "requests", "period", &error))?;
        Ok(quota)
    }

    /// One burst: it is told, and punished, once in its penalty, or once in its period.
    pub(crate) fn told(&self) -> Result<Quota, ConfigError> {
        let quota = Quota::new(1, self.penalty.unwrap_or(self.period));
        quota.check().map_err(|error| named("burst", "requests", "penalty", &error))?;
        Ok(quota)
    }

    /// Whether bursts are punished.
    pub(crate) const fn punishes(&self) -> bool {
        self.penalty.is_some()
    }
}

/// An error of a quota that was made of a burst's fields, in their names.
fn named(of: &str, limit: &str, period: &str, error: &ConfigError) -> ConfigError {
    let field = if error.field() == "quota.limit" { limit } else { period };
    ConfigError::new(format!("{of}.{field}"), error.value(), error.valid().to_owned())
}

/// What watches one limiter's calls for bursts.
pub(crate) struct Watch {
    counted: Cell,
    told: Cell,
    punishes: AtomicBool,
    /// Whether it watches at all.
    watches: AtomicBool,
}

/// What a call is part of.
pub(crate) struct Noted {
    /// Whether a burst begins with it.
    pub(crate) begins: bool,
    /// Whether it is refused because of one.
    pub(crate) punished: Option<Denied>,
}

impl Watch {
    pub(crate) fn new(config: &BurstConfig, now: Timestamp) -> Result<Self, ConfigError> {
        let counted = Cell::new(config.counted()?, Algorithm::sliding_window(), now)?;
        let told = Cell::new(config.told()?, Algorithm::Gcra, now)?;
        let (punishes, watches) = (AtomicBool::new(config.punishes()), AtomicBool::new(true));
        Ok(Self { counted, told, punishes, watches })
    }

    /// Watches by another configuration, or not at all.
    pub(crate) fn reconfigure(&self, config: Option<&BurstConfig>, now: Timestamp) -> Result<(), ConfigError> {
        if let Some(config) = config {
            self.counted.carry(config.counted()?, Algorithm::sliding_window(), Carry::AsIs, now)?;
            self.told.carry(config.told()?, Algorithm::Gcra, Carry::Reset, now)?;
            self.punishes.store(config.punishes(), Ordering::Relaxed);
        }
        self.watches.store(config.is_some(), Ordering::Relaxed);
        Ok(())
    }

    /// Takes a call into account.
    pub(crate) fn note(&self, now: Timestamp, clock: &Clock) -> Noted {
        if !self.watches.load(Ordering::Relaxed) {
            return Noted { begins: false, punished: None };
        }
        if let Some(denied) = self.punished(now) {
            return Noted { begins: false, punished: Some(denied) };
        }
        let one = Want::one(now);
        let begins = self.counted.take(one, clock).is_err() && self.told.take(one, clock).is_ok();
        let punished = self.punished(now);
        if punished.is_some() {
            // Whoever comes back when it was told to begins anew.
            self.counted.reset();
        }
        Noted { begins, punished }
    }

    /// The refusal, if bursts are punished and one was made a while ago.
    pub(crate) fn punished(&self, now: Timestamp) -> Option<Denied> {
        if self.watches.load(Ordering::Relaxed) && self.punishes.load(Ordering::Relaxed) {
            self.told.look(now, 1).err()
        } else {
            None
        }
    }
}
