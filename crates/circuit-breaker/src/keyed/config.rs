use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seawall_core::ConfigError;

use super::room::Limits;
use super::slots::MOST;
use super::tenant::KeyObserver;
use crate::config::Config;
use crate::event::Event;
use crate::settings::{Settings, duration};

/// How many keys are kept apart, and how each of them is guarded.
///
/// Values are checked when a [`CircuitBreakers`](crate::CircuitBreakers) takes the configuration; the error names the field.
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
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields, bound = ""))]
pub struct Keyed<K> {
    each: Config,
    capacity: u32,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde", skip_serializing_if = "Option::is_none"))]
    retire_open_after: Option<Duration>,
    #[cfg_attr(feature = "serde", serde(skip))]
    observer: Option<KeyObserver<K>>,
}

impl<K> Keyed<K> {
    /// Guards each key as `each` says, at most 10 000 of them. The name of `each` is that of all together.
    pub const fn new(each: Config) -> Self {
        Self { each, capacity: 10_000, retire_open_after: None, observer: None }
    }

    /// Keeps at most so many keys: 1 to 16 777 216. Each takes about two kilobytes, and what its window needs.
    #[must_use]
    pub const fn capacity(mut self, keys: u32) -> Self {
        self.capacity = keys;
        self
    }

    /// Lets a key with an open circuit be forgotten when there is no room for a new one, its open interval has been over for
    /// so long, and nobody has called since. Without this such a key stays.
    ///
    /// Above zero and at most 366 days.
    #[must_use]
    pub const fn retire_open_after(mut self, time: Duration) -> Self {
        self.retire_open_after = Some(time);
        self
    }

    /// Tells `observer` of every transition of every key, after all locks are released.
    #[must_use]
    pub fn observer(mut self, observer: impl Fn(&K, &Event) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    pub(super) fn check(self) -> Result<Checked<K>, ConfigError> {
        if !(1..=MOST).contains(&self.capacity) {
            return Err(ConfigError::new("capacity", self.capacity, format!("1 to {MOST}")));
        }
        let retire_open_after = self.retire_open_after.map(|time| duration("retire_open_after", time)).transpose()?;
        let settings = Settings::try_from(self.each).map_err(|error| {
            ConfigError::new(format!("each.{}", error.field()), error.value(), error.valid().to_owned())
        })?;
        let limits = Limits { capacity: self.capacity, retire_open_after };
        Ok(Checked { settings: Arc::new(settings), limits, observer: self.observer })
    }
}

/// A [`Keyed`] whose values were checked.
pub(super) struct Checked<K> {
    pub(super) settings: Arc<Settings>,
    pub(super) limits: Limits,
    pub(super) observer: Option<KeyObserver<K>>,
}

impl<K> Default for Keyed<K> {
    /// Guards each of at most 10 000 keys by [`Config::default`].
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl<K> Clone for Keyed<K> {
    fn clone(&self) -> Self {
        let Self { each, capacity, retire_open_after, observer } = self;
        Self {
            each: each.clone(),
            capacity: *capacity,
            retire_open_after: *retire_open_after,
            observer: observer.clone(),
        }
    }
}

impl<K> fmt::Debug for Keyed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed")
            .field("each", &self.each)
            .field("capacity", &self.capacity)
            .field("retire_open_after", &self.retire_open_after)
            .finish_non_exhaustive()
    }
}
