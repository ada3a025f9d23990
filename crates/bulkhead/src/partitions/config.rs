use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seawall_core::observe::Observer;
use seawall_core::wait::{CoDel, Discipline, Order};
use seawall_core::{ConfigError, Name};

use super::event::Event;
use super::state::Part;

/// One limit and its shares, and what becomes of calls that find them used up.
///
/// Values are checked when a [`PartitionedBulkhead`](super::PartitionedBulkhead) takes the configuration; the error names the
/// field.
///
/// ```
/// use seawall_bulkhead::PartitionedBulkhead;
/// use seawall_bulkhead::partitions::Config;
///
/// let error = PartitionedBulkhead::new(Config::new(10).partition("live", 0.7).partition("batch", 0.2)).unwrap_err();
/// assert_eq!(error.field(), "partitions");
/// assert_eq!(error.valid(), "shares that add up to 1");
/// ```
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Config {
    #[cfg_attr(feature = "serde", serde(default = "default_name"))]
    pub(super) name: String,
    pub(super) limit: u32,
    pub(super) partitions: Vec<Share>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) bypass: Vec<String>,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub(super) default: Option<String>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) overrun: Overrun,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) queue: usize,
    #[cfg_attr(feature = "serde", serde(default = "default_max_wait", with = "humantime_serde"))]
    pub(super) max_wait: Duration,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) order: Order,
    #[cfg_attr(feature = "serde", serde(default, with = "humantime_serde"))]
    pub(super) aging: Option<Duration>,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub(super) codel: Option<CoDel>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) observer: Option<Arc<dyn Observer<Event>>>,
}

#[cfg(feature = "serde")]
fn default_name() -> String {
    Config::NAME.into()
}

#[cfg(feature = "serde")]
const fn default_max_wait() -> Duration {
    Config::MAX_WAIT
}

/// A partition and its part of the limit.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Share {
    /// The partition's name, 1 to 31 bytes: a metric label, too.
    pub name: String,
    /// Its part of the limit, above 0, at most 1.
    pub share: f64,
}

/// Whether a partition may take its share while others still hold what they borrowed of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Overrun {
    /// No: never more calls than the limit. A partition below its share gets the next permit that comes back.
    #[default]
    Never,
    /// Yes, at once: a call is refused only if the limit is reached **and** its partition has its share, so that for a while
    /// more calls than the limit are in flight, at worst the limit and all shares but one. This is the rule of Netflix'
    /// concurrency-limits.
    Allowed,
}

impl Config {
    const NAME: &'static str = "bulkhead";
    const MAX_WAIT: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(366 * 86_400);
    /// The most partitions, and the most names that pass by the limit together with them: each is a metric label, and whose
    /// turn it is takes a look at each.
    pub const MOST: usize = 64;

    /// At most `limit` calls at once, no queue, named `bulkhead`. It needs at least one [`partition`](Self::partition).
    pub fn new(limit: u32) -> Self {
        Self {
            name: Self::NAME.into(),
            limit,
            partitions: Vec::new(),
            bypass: Vec::new(),
            default: None,
            overrun: Overrun::Never,
            queue: 0,
            max_wait: Self::MAX_WAIT,
            order: Order::Fifo,
            aging: None,
            codel: None,
            observer: None,
        }
    }

    /// Adds a partition whose share is this part of the limit: `max(1, ceil(limit * share))` permits, which others may use
    /// while they are idle. All shares add up to 1, give or take a millionth.
    ///
    /// Because they are rounded up, the permits of all shares may be a few more than the limit.
    #[must_use]
    pub fn partition(mut self, name: impl Into<String>, share: f64) -> Self {
        self.partitions.push(Share { name: name.into(), share });
        self
    }

    /// Adds a name whose calls are always admitted and not counted against the limit: health checks, an operator.
    #[must_use]
    pub fn bypass(mut self, name: impl Into<String>) -> Self {
        self.bypass.push(name.into());
        self
    }

    /// Calls of a name that is unknown are calls of this partition. Default: they are refused as
    /// [unknown](super::Reason::UnknownPartition).
    #[must_use]
    pub fn default_partition(mut self, name: impl Into<String>) -> Self {
        self.default = Some(name.into());
        self
    }

    /// Whether a partition may take its share while others still hold what they borrowed of it. Default [`Overrun::Never`].
    #[must_use]
    pub const fn overrun(mut self, overrun: Overrun) -> Self {
        self.overrun = overrun;
        self
    }

    /// Names the instance: in its refusals, metrics and events. 1 to 31 bytes.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Lets so many calls wait for a turn, of all partitions together. Default 0: whoever finds nothing free is refused at
    /// once.
    ///
    /// When so many wait, a call within its partition's share takes the place of the newest of the partition that is the
    /// furthest beyond its own, and a call of a higher priority that of a lower one in its own partition.
    #[must_use]
    pub const fn queue(mut self, most: usize) -> Self {
        self.queue = most;
        self
    }

    /// Lets a call without a deadline of its own wait so long for its turn; at most 366 days. Default 1 s. A change does not
    /// concern those who wait already.
    #[must_use]
    pub const fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }

    /// In which order those of one priority in one partition are served. Default [`Order::Fifo`].
    #[must_use]
    pub const fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// After how long a wait a call counts as one priority higher in its partition, again and again. Default: never.
    #[must_use]
    pub const fn aging(mut self, aging: Duration) -> Self {
        self.aging = Some(aging);
        self
    }

    /// Drops calls that have waited for too long in a partition where somebody always waits. Default: no.
    #[must_use]
    pub const fn codel(mut self, codel: CoDel) -> Self {
        self.codel = Some(codel);
        self
    }

    /// Is called for every [`Event`], after all locks are released.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer<Event> + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// The limit.
    pub const fn get_limit(&self) -> u32 {
        self.limit
    }

    /// The [partitions](Self::partition).
    pub fn get_partitions(&self) -> &[Share] {
        &self.partitions
    }

    /// Changes the limit: for who has the rest from a file.
    #[must_use]
    pub const fn with_limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    pub(super) fn discipline(&self) -> Discipline {
        Discipline::default().order(self.order).aging(self.aging).codel(self.codel)
    }

    pub(super) fn check(&self) -> Result<Checked, ConfigError> {
        let name = self.name.parse()?;
        self.check_durations()?;
        let parts = self.check_partitions()?;
        check_limit(self.limit, self.partitions.len())?;
        let fallback = match &self.default {
            None => None,
            Some(name) => {
                let known = parts.iter().find(|part| part.name.as_str() == name);
                let known = known.map(|part| part.name);
                Some(known.ok_or_else(|| ConfigError::new("default", format!("{name:?}"), "the name of a partition"))?)
            }
        };
        Ok(Checked { name, parts, fallback })
    }

    fn check_durations(&self) -> Result<(), ConfigError> {
        let range = |field: &'static str, value: Duration, least: Duration| {
            let valid = if least.is_zero() { "at most 366 days" } else { "1 ns to 366 days" };
            let fits = value >= least && value <= Self::LONGEST;
            if fits { Ok(()) } else { Err(ConfigError::new(field, format!("{value:?}"), valid)) }
        };
        let some = Duration::from_nanos(1);
        range("max_wait", self.max_wait, Duration::ZERO)?;
        if let Some(aging) = self.aging {
            range("aging", aging, some)?;
        }
        if let Order::AdaptiveLifo { after } = self.order {
            range("order.adaptive_lifo.after", after, Duration::ZERO)?;
        }
        if let Some(codel) = &self.codel {
            range("codel.target", codel.target, some)?;
            range("codel.interval", codel.interval, some)?;
        }
        Ok(())
    }

    fn check_partitions(&self) -> Result<Vec<Part>, ConfigError> {
        /// By how much all shares may miss 1.
        const TOLERANCE: f64 = 1e-6;
        let count = self.partitions.len();
        if count == 0 || count + self.bypass.len() > Self::MOST {
            let value = if count == 0 { 0 } else { count + self.bypass.len() };
            return Err(ConfigError::new(
                "partitions",
                format!("{value} names"),
                "1 to 64, those of `bypass` included",
            ));
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut add = |field: String, name: &str, fraction| {
            let parsed: Name = name.parse().map_err(|error: ConfigError| {
                ConfigError::new(field.clone(), error.value(), error.valid().to_owned())
            })?;
            if parts.iter().any(|part| part.name == parsed) {
                return Err(ConfigError::new(field, format!("{name:?} again"), "a name of its own"));
            }
            parts.push(Part { name: parsed, fraction });
            Ok(())
        };
        for (at, Share { name, share }) in self.partitions.iter().enumerate() {
            add(format!("partitions[{at}].name"), name, Some(*share))?;
            if !(*share > 0.0 && *share <= 1.0) {
                return Err(ConfigError::new(format!("partitions[{at}].share"), share, "above 0, at most 1"));
            }
        }
        for (at, name) in self.bypass.iter().enumerate() {
            add(format!("bypass[{at}]"), name, None)?;
        }
        let sum: f64 = self.partitions.iter().map(|part| part.share).sum();
        if (sum - 1.0).abs() > TOLERANCE {
            return Err(ConfigError::new("partitions", format!("{sum} in all"), "shares that add up to 1"));
        }
        Ok(parts)
    }
}

/// Each partition has one permit at least.
pub(super) fn check_limit(limit: u32, partitions: usize) -> Result<(), ConfigError> {
    if (limit as usize) < partitions.max(1) {
        let valid = format!("{} to 4294967295, one permit for each partition at least", partitions.max(1));
        return Err(ConfigError::new("limit", limit, valid));
    }
    Ok(())
}

/// A configuration that can be.
pub(super) struct Checked {
    pub(super) name: Name,
    pub(super) parts: Vec<Part>,
    pub(super) fallback: Option<Name>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("name", &self.name)
            .field("limit", &self.limit)
            .field("partitions", &self.partitions)
            .field("bypass", &self.bypass)
            .field("default", &self.default)
            .field("overrun", &self.overrun)
            .field("queue", &self.queue)
            .field("max_wait", &self.max_wait)
            .field("order", &self.order)
            .field("aging", &self.aging)
            .field("codel", &self.codel)
            .finish_non_exhaustive()
    }
}
