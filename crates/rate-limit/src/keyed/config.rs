use std::fmt;
use std::sync::Arc;

use seawall_core::{ConfigError, Name};

use super::seed::Seed;
use super::store::of_class;
use crate::config::{Config, Scaling};
use crate::quota::Quota;

/// How many keys are kept apart, and how each of them is limited.
///
/// Values are checked when a [`KeyedRateLimiter`](crate::KeyedRateLimiter) takes the configuration; the error names the field.
///
/// ```
/// use seawall_rate_limit::{Config, Keyed, KeyedRateLimiter, Quota, QuotaClass};
///
/// let each = Config::new(Quota::per_minute(60)).name("users");
/// let users = KeyedRateLimiter::<str>::new(
///     Keyed::new(each)
///         .capacity(100_000)
///         .classes([Quota::per_minute(600)])
///         .class_of(|user: &str| if user.starts_with("pro-") { QuotaClass::new(1) } else { QuotaClass::FIRST }),
/// )?;
/// assert_eq!(users.check("anne").expect("the first call").remaining(), 59);
/// assert_eq!(users.check("pro-bill").expect("the first call").remaining(), 599);
///
/// let error = KeyedRateLimiter::<str>::new(Keyed::new(Config::new(Quota::per_second(1))).capacity(0)).unwrap_err();
/// assert_eq!(error.to_string(), "`capacity` is 0, must be 1 to 67108864");
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields, bound = ""))]
pub struct Keyed<K: ?Sized> {
    pub(super) each: Config,
    #[cfg_attr(feature = "serde", serde(default = "default_capacity"))]
    pub(super) capacity: u32,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub(super) classes: Vec<Quota>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) class_of: Option<Arc<ClassOf<K>>>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) seed: Option<Seed>,
}

pub(super) type ClassOf<K> = dyn Fn(&K) -> QuotaClass + Send + Sync;

const fn default_capacity() -> u32 {
    65_536
}

/// Which quota a key has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct QuotaClass(u8);

impl QuotaClass {
    /// The quota of [`Keyed::new`]'s configuration.
    pub const FIRST: Self = Self(0);

    /// The quota at this place of [`Keyed::classes`], counted from 1; 0 is [`FIRST`](Self::FIRST), and so is a place that there
    /// is not.
    pub const fn new(place: u8) -> Self {
        Self(place)
    }

    /// Its place.
    pub const fn place(self) -> u8 {
        self.0
    }
}

impl<K: ?Sized> Keyed<K> {
    /// The most keys that there can be room for.
    pub const MOST: u32 = 1 << 26;

    /// Limits each key as `each` says, with room for 65 536 of them. The name of `each` is that of all together.
    pub fn new(each: Config) -> Self {
        Self { each, capacity: default_capacity(), classes: Vec::new(), class_of: None, seed: None }
    }

    /// Has room for so many keys that have taken something which still counts: 1 to 67 108 864, rounded up to a power of two.
    /// Fixed for the life of a limiter, and all of its memory is taken when it is made: 18 bytes a key for
    /// [`Gcra`](crate::Algorithm::Gcra), or 26 where there are several classes of quotas; 100 bytes for a
    /// [sliding window](crate::Algorithm::SlidingWindow), for each class.
    ///
    /// With twice as many as there are, one set in nineteen is full, and newcomers there inherit debts; with as many, one in
    /// three.
    #[must_use]
    pub const fn capacity(mut self, keys: u32) -> Self {
        self.capacity = keys;
        self
    }

    /// Other quotas that keys can have beside that of the configuration: at most 255. How many there are is fixed for the life of
    /// a limiter, what they are can be replaced.
    #[must_use]
    pub fn classes(mut self, quotas: impl IntoIterator<Item = Quota>) -> Self {
        self.classes = quotas.into_iter().collect();
        self
    }

    /// Finds the class of a key: on every call, so it should be a look into something small. Fixed for the life of a limiter. A
    /// key that changes its class keeps the time that it owes under [`Gcra`](crate::Algorithm::Gcra): what it takes in any span,
    /// each cell counted by the interval of its class, is at most that span and the time in which the largest burst refills of the
    /// classes that it had in it. Under any other algorithm its new class counts anew.
    #[must_use]
    pub fn class_of(mut self, class_of: impl Fn(&K) -> QuotaClass + Send + Sync + 'static) -> Self {
        self.class_of = Some(Arc::new(class_of));
        self
    }

    /// Hashes keys by this seed: that of the [`Debts`](crate::Debts) that are to be restored. One that nobody can foretell is
    /// chosen otherwise.
    #[must_use]
    pub const fn seed(mut self, seed: Seed) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How each key is limited.
    pub const fn get_each(&self) -> &Config {
        &self.each
    }

    /// For how many keys there is to be [room](Self::capacity).
    pub const fn get_capacity(&self) -> u32 {
        self.capacity
    }

    /// The quotas of the [other classes](Self::classes).
    pub fn get_classes(&self) -> &[Quota] {
        &self.classes
    }

    /// Limits each key as `each` says instead: for who has the rest from a file.
    #[must_use]
    pub fn with_each(mut self, each: Config) -> Self {
        self.each = each;
        self
    }

    /// Checks everything that does not depend on the algorithm; gives the name.
    pub(super) fn check(&self) -> Result<Name, ConfigError> {
        let name = self.each.check().map_err(of_each)?;
        if self.each.scaling != Scaling::Strict {
            let valid = "Strict: what different keys take does not meet";
            return Err(ConfigError::new("each.scaling", format!("{:?}", self.each.scaling), valid));
        }
        if !(1..=Self::MOST).contains(&self.capacity) {
            return Err(ConfigError::new("capacity", self.capacity, format!("1 to {}", Self::MOST)));
        }
        if self.classes.len() > usize::from(u8::MAX) {
            return Err(ConfigError::new("classes", format!("{} quotas", self.classes.len()), "at most 255"));
        }
        for (place, quota) in self.classes.iter().enumerate() {
            quota.check().map_err(|error| of_class(place + 1, error))?;
        }
        Ok(name)
    }

    /// The quotas of all classes, the first one's first, of which this share holds.
    pub(super) fn quotas(&self, share: f64) -> Vec<Quota> {
        let all = std::iter::once(&self.each.quota).chain(&self.classes);
        all.map(|quota| if self.each.adaptive.is_some() { quota.scaled(share) } else { *quota }).collect()
    }
}

/// Says of what an error is.
pub(super) fn of_each(error: ConfigError) -> ConfigError {
    if error.field().starts_with("classes[") {
        return error;
    }
    ConfigError::new(format!("each.{}", error.field()), error.value(), error.valid().to_owned())
}

impl<K: ?Sized> Clone for Keyed<K> {
    fn clone(&self) -> Self {
        let Self { each, capacity, classes, class_of, seed } = self;
        let (each, classes, class_of) = (each.clone(), classes.clone(), class_of.clone());
        Self { each, capacity: *capacity, classes, class_of, seed: *seed }
    }
}

impl<K: ?Sized> fmt::Debug for Keyed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed")
            .field("each", &self.each)
            .field("capacity", &self.capacity)
            .field("classes", &self.classes)
            .finish_non_exhaustive()
    }
}
