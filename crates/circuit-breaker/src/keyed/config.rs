use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seawall_core::ConfigError;

use super::room::Limits;
use super::slots::MOST;
use super::tenant::KeyObserver;
use crate::settings::{Settings, duration};
use crate::{config, event, throttle};

/// How many keys are kept apart, and how each of them is guarded.
///
/// `C` says how one key is guarded: by a circuit breaker's [`Config`](config::Config), or an adaptive throttle's
/// [`Config`](throttle::Config). `E` is what observers are told.
///
/// Values are checked when [`CircuitBreakers`](crate::CircuitBreakers) or [`AdaptiveThrottles`](crate::AdaptiveThrottles)
/// take the configuration; the error names the field.
///
/// ```
/// use seawall_circuit_breaker::{CircuitBreakers, Config, Keyed};
///
/// let hosts = CircuitBreakers::<String>::new(Keyed::new(Config::classic().name("webhook")).capacity(1_000))?;
/// assert_eq!(hosts.snapshot().capacity, 1_000);
/// let error = CircuitBreakers::<String>::new(Keyed::new(Config::classic()).capacity(0)).unwrap_err();
/// assert_eq!(error.to_string(), "`capacity` is 0, must be 1 to 16777216");
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(
        default,
        deny_unknown_fields,
        bound(serialize = "C: serde::Serialize", deserialize = "C: serde::Deserialize<'de> + Default")
    )
)]
pub struct Keyed<K, C = config::Config, E = event::Event> {
    each: C,
    capacity: u32,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde", skip_serializing_if = "Option::is_none"))]
    retire_open_after: Option<Duration>,
    #[cfg_attr(feature = "serde", serde(skip))]
    observer: Option<KeyObserver<K, E>>,
}

impl<K, C, E> Keyed<K, C, E> {
    /// Guards each key as `each` says, at most 10 000 of them. The name of `each` is that of all together.
    pub fn new(each: C) -> Self {
        Self { each, capacity: 10_000, retire_open_after: None, observer: None }
    }

    /// Keeps at most so many keys: 1 to 16 777 216. Each takes 1.3 kilobytes, what its window needs, and 128 bytes for each
    /// thread that counts for itself, as far as that stays below 64 megabytes for all keys. Memory is taken as keys come.
    #[must_use]
    pub fn capacity(mut self, keys: u32) -> Self {
        self.capacity = keys;
        self
    }

    /// Tells `observer` of every event of every key, after all locks are released.
    #[must_use]
    pub fn observer(mut self, observer: impl Fn(&K, &E) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    fn check_capacity(&self) -> Result<(), ConfigError> {
        if (1..=MOST).contains(&self.capacity) {
            Ok(())
        } else {
            Err(ConfigError::new("capacity", self.capacity, format!("1 to {MOST}")))
        }
    }
}

impl<K> Keyed<K> {
    /// Lets a key with an open circuit be forgotten when there is no room for a new one, its open interval has been over for
    /// so long, and nobody has called since. Without this such a key stays.
    ///
    /// Above zero and at most 366 days.
    #[must_use]
    pub fn retire_open_after(mut self, time: Duration) -> Self {
        self.retire_open_after = Some(time);
        self
    }

    pub(super) fn check(self) -> Result<Checked<Settings, K, event::Event>, ConfigError> {
        self.check_capacity()?;
        let retire_open_after = self.retire_open_after.map(|time| duration("retire_open_after", time)).transpose()?;
        let settings = Settings::try_from(self.each).map_err(|error| of_each(&error))?;
        let limits = Limits { capacity: self.capacity, retire_open_after };
        Ok(Checked { settings: Arc::new(settings), limits, observer: self.observer })
    }
}

impl<K> Keyed<K, throttle::Config, throttle::Event> {
    pub(super) fn check(self) -> Result<Checked<throttle::settings::Settings, K, throttle::Event>, ConfigError> {
        self.check_capacity()?;
        if let Some(time) = self.retire_open_after {
            let valid = "left out: a throttle that nobody calls ends by itself";
            return Err(ConfigError::new("retire_open_after", format!("{time:?}"), valid));
        }
        let settings = throttle::settings::Settings::try_from(self.each).map_err(|error| of_each(&error))?;
        let limits = Limits { capacity: self.capacity, retire_open_after: None };
        Ok(Checked { settings: Arc::new(settings), limits, observer: self.observer })
    }
}

fn of_each(error: &ConfigError) -> ConfigError {
    ConfigError::new(format!("each.{}", error.field()), error.value(), error.valid().to_owned())
}

/// A [`Keyed`] whose values were checked.
pub(super) struct Checked<C, K, E> {
    pub(super) settings: Arc<C>,
    pub(super) limits: Limits,
    pub(super) observer: Option<KeyObserver<K, E>>,
}

impl<K, C: Default, E> Default for Keyed<K, C, E> {
    /// Guards each of at most 10 000 keys as `C` does by default.
    fn default() -> Self {
        Self::new(C::default())
    }
}

impl<K, C: Clone, E> Clone for Keyed<K, C, E> {
    fn clone(&self) -> Self {
        let Self { each, capacity, retire_open_after, observer } = self;
        let (capacity, retire_open_after) = (*capacity, *retire_open_after);
        Self { each: each.clone(), capacity, retire_open_after, observer: observer.clone() }
    }
}

impl<K, C: fmt::Debug, E> fmt::Debug for Keyed<K, C, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed")
            .field("each", &self.each)
            .field("capacity", &self.capacity)
            .field("retire_open_after", &self.retire_open_after)
            .finish_non_exhaustive()
    }
}
