use std::fmt;
use std::time::Duration;

use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::{AtomicU64, Ordering};
use seawall_core::time::Timestamp;
use seawall_core::{ConfigError, Name};

use crate::compartment::Bulkhead;

/// Something that tells of load, for a [`LoadGauge`](super::LoadGauge): a number from 0, idle, to 1, at its limit.
///
/// More than 1 counts as 1. What is below 0 or not a number says nothing: it is counted and left out.
///
/// ```
/// use seawall_bulkhead::load::{Config, LoadGauge, Signal};
///
/// let load = LoadGauge::new(Config::default())?;
/// load.signal(Signal::pushed("cpu"))?;
/// load.signal(Signal::read("connections", || 30.0 / 100.0))?;
/// load.push("cpu", 0.4)?;
/// load.sample();
/// assert_eq!(load.load(), Some(0.4));
/// assert_eq!(load.push("cpu", -1.0).unwrap_err().to_string(), "`cpu` is -1, must be a number of at least 0");
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
pub struct Signal {
    name: String,
    weight: f64,
    read: Option<Read>,
}

type Read = Box<dyn Fn() -> f64 + Send + Sync>;

impl Signal {
    /// A signal whose value is [pushed](super::LoadGauge::push).
    pub fn pushed(name: impl Into<String>) -> Self {
        Self { name: name.into(), weight: 1.0, read: None }
    }

    /// A signal whose value is read each time the gauge looks: by the thread that makes it look, so it must be quick.
    pub fn read(name: impl Into<String>, read: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        Self { name: name.into(), weight: 1.0, read: Some(Box::new(read)) }
    }

    /// The share of a bulkhead's permits that is in use; named after it.
    pub fn in_flight(bulkhead: &Bulkhead) -> Self {
        let name = bulkhead.name();
        let bulkhead = bulkhead.clone();
        Self::read(name.as_str(), move || f64::from(bulkhead.in_flight()) / f64::from(bulkhead.limit()))
    }

    /// For how long a bulkhead's queue has not been empty, as a share of `target`.
    pub fn queue_age(name: impl Into<String>, bulkhead: &Bulkhead, target: Duration) -> Self {
        let bulkhead = bulkhead.clone();
        // A target of zero is reached by any age; nothing is by none.
        let target = target.max(Duration::from_nanos(1));
        Self::read(name, move || bulkhead.queue_age().as_secs_f64() / target.as_secs_f64())
    }

    /// Names it otherwise. 1 to 31 bytes.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How much it weighs in a [weighted mean](super::Combine::WeightedMean): a number above 0. Default 1.
    #[must_use]
    pub const fn weight(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    pub(crate) fn build(self) -> Result<Source, ConfigError> {
        let name = self.name.parse()?;
        if !(self.weight > 0.0 && self.weight.is_finite()) {
            return Err(ConfigError::new("weight", self.weight, "a number above 0"));
        }
        let told = Mutex::new(None);
        Ok(Source { name, weight: self.weight, read: self.read, told, refused: AtomicU64::new(0) })
    }
}

/// A signal of a gauge.
pub(crate) struct Source {
    pub(crate) name: Name,
    pub(crate) weight: f64,
    read: Option<Read>,
    /// What it told last, and when.
    told: Mutex<Option<(f64, Timestamp)>>,
    refused: AtomicU64,
}

impl Source {
    /// Reads it, if it is read. Runs the user's code.
    pub(crate) fn look(&self, now: Timestamp) {
        if let Some(read) = &self.read {
            // One that cannot be is counted; what was told before holds until it is too old.
            let _ = self.tell(read(), now);
        }
    }

    pub(crate) fn push(&self, value: f64, now: Timestamp) -> Result<(), ConfigError> {
        if self.read.is_some() {
            let field = self.name.as_str().to_owned();
            return Err(ConfigError::new(field, value, "left to what the signal is read from"));
        }
        self.tell(value, now)
    }

    fn tell(&self, value: f64, now: Timestamp) -> Result<(), ConfigError> {
        // Infinity is what a division by zero gives.
        if !(value >= 0.0 && value.is_finite()) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(ConfigError::new(self.name.as_str().to_owned(), value, "a number of at least 0"));
        }
        *self.told.lock() = Some((value.min(1.0), now));
        Ok(())
    }

    /// What it told last, unless that was longer ago than `max_age`.
    pub(crate) fn value(&self, max_age: Duration, now: Timestamp) -> Option<f64> {
        let (value, at) = (*self.told.lock())?;
        (now.saturating_duration_since(at) <= max_age).then_some(value)
    }

    /// How many of its values could not be.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal")
            .field("name", &self.name)
            .field("weight", &self.weight)
            .field("is_read", &self.read.is_some())
            .finish()
    }
}
