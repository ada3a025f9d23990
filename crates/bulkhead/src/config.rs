use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seawall_core::observe::Observer;
use seawall_core::wait::{CoDel, Discipline, Order};
use seawall_core::{ConfigError, Name};

use crate::event::Event;
use crate::limit::{Adaptive, LimitAlgorithm};

/// How many calls may be in flight, and what becomes of the others.
///
/// Values are checked when a [`Bulkhead`](crate::Bulkhead) takes the configuration; the error names the field.
///
/// ```
/// use seawall_bulkhead::{Bulkhead, Config};
/// use std::time::Duration;
///
/// let database = Bulkhead::new(Config::new(50).name("database").queue(100).max_wait(Duration::from_millis(250)))?;
/// let error = Bulkhead::new(Config::new(0)).unwrap_err();
/// assert_eq!(error.to_string(), "`limit` is 0, must be 1 to 4294967295");
/// # let _ = database;
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Config {
    #[cfg_attr(feature = "serde", serde(default = "default_name"))]
    pub(crate) name: String,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub(crate) limit: Option<u32>,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub(crate) adaptive: Option<Adaptive>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) queue: usize,
    #[cfg_attr(feature = "serde", serde(default = "default_max_wait", with = "humantime_serde"))]
    pub(crate) max_wait: Duration,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) order: Order,
    #[cfg_attr(feature = "serde", serde(default, with = "humantime_serde"))]
    pub(crate) aging: Option<Duration>,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub(crate) codel: Option<CoDel>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) failures: Failures,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) custom: Option<Custom>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) observer: Option<Arc<dyn Observer<Event>>>,
}

type Custom = Arc<dyn Fn() -> Box<dyn LimitAlgorithm> + Send + Sync>;

#[cfg(feature = "serde")]
fn default_name() -> String {
    Config::NAME.into()
}

#[cfg(feature = "serde")]
const fn default_max_wait() -> Duration {
    Config::MAX_WAIT
}

/// What a call that failed tells an adaptive limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Failures {
    /// That there is too much load: for failures that are timeouts and refusals of what is called.
    #[default]
    Dropped,
    /// How long it took, as if it had succeeded: for failures that take as long as successes.
    Completed,
    /// Nothing.
    Ignored,
}

impl Config {
    const NAME: &'static str = "bulkhead";
    const MAX_WAIT: Duration = Duration::from_secs(1);
    /// The longest `max_wait`.
    const LONGEST: Duration = Duration::from_secs(366 * 86_400);

    /// At most `limit` calls at once, no queue, named `bulkhead`.
    pub fn new(limit: u32) -> Self {
        Self { limit: Some(limit), ..Self::empty() }
    }

    /// As many calls at once as an algorithm finds good.
    pub fn adaptive(algorithm: impl Into<Adaptive>) -> Self {
        Self { adaptive: Some(algorithm.into()), ..Self::empty() }
    }

    /// As many calls at once as an algorithm of one's own finds good. `begin` makes it at its beginning.
    pub fn custom<A: LimitAlgorithm + 'static>(begin: impl Fn() -> A + Send + Sync + 'static) -> Self {
        Self { custom: Some(Arc::new(move || Box::new(begin()))), ..Self::empty() }
    }

    fn empty() -> Self {
        Self {
            name: Self::NAME.into(),
            limit: None,
            adaptive: None,
            queue: 0,
            max_wait: Self::MAX_WAIT,
            order: Order::Fifo,
            aging: None,
            codel: None,
            failures: Failures::Dropped,
            custom: None,
            observer: None,
        }
    }

    /// Names the instance: in its refusals, metrics and events. 1 to 31 bytes.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Lets so many calls wait for a turn. Default 0: whoever finds everything in use is refused at once.
    #[must_use]
    pub const fn queue(mut self, most: usize) -> Self {
        self.queue = most;
        self
    }

    /// Lets a call without a deadline of its own wait so long for its turn; at most 366 days. Default 1 s. A call whose turn is
    /// expected later is refused at once. A change does not concern those who wait already.
    #[must_use]
    pub const fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }

    /// In which order those of one priority are served. Default [`Order::Fifo`].
    #[must_use]
    pub const fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// After how long a wait a call counts as one priority higher, again and again. Default: never, so a lower priority is
    /// served only when no higher one waits.
    #[must_use]
    pub const fn aging(mut self, aging: Duration) -> Self {
        self.aging = Some(aging);
        self
    }

    /// Drops calls that have waited for too long in a queue that does not empty. Default: no.
    #[must_use]
    pub const fn codel(mut self, codel: CoDel) -> Self {
        self.codel = Some(codel);
        self
    }

    /// What a call that failed tells an adaptive limit. Default [`Failures::Dropped`].
    #[must_use]
    pub const fn failures(mut self, failures: Failures) -> Self {
        self.failures = failures;
        self
    }

    /// Is called for every [`Event`], after all locks are released.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer<Event> + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Limits to so many calls at once instead: for who has the rest from a file.
    #[must_use]
    pub fn with_limit(self, limit: u32) -> Self {
        Self { limit: Some(limit), adaptive: None, custom: None, ..self }
    }

    /// The fixed limit, if it is fixed.
    pub const fn get_limit(&self) -> Option<u32> {
        self.limit
    }

    /// The [algorithm](Self::adaptive) that finds the limit, if one of this crate does.
    pub const fn get_adaptive(&self) -> Option<Adaptive> {
        self.adaptive
    }

    /// The [name](Self::name), not yet checked.
    pub fn get_name(&self) -> &str {
        &self.name
    }

    /// How many may [wait](Self::queue).
    pub const fn get_queue(&self) -> usize {
        self.queue
    }

    /// The [longest wait](Self::max_wait).
    pub const fn get_max_wait(&self) -> Duration {
        self.max_wait
    }

    pub(crate) fn discipline(&self) -> Discipline {
        Discipline::default().order(self.order).aging(self.aging).codel(self.codel)
    }

    /// Whether the same algorithm finds the limit: one of this crate with the same settings, or the very same of one's own.
    pub(crate) fn adapts_as(&self, other: &Self) -> bool {
        match (&self.custom, &other.custom) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => self.adaptive.is_some() && self.adaptive == other.adaptive,
            _ => false,
        }
    }

    /// Checks everything; gives the name, and the algorithm unless the limit is fixed.
    pub(crate) fn check(&self) -> Result<Checked, ConfigError> {
        let name = self.name.parse()?;
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
        let (limit, algorithm) = match (self.limit, &self.adaptive, &self.custom) {
            (Some(0), None, None) => return Err(ConfigError::new("limit", 0, "1 to 4294967295")),
            (Some(limit), None, None) => (limit, None),
            (None, Some(adaptive), None) => {
                let algorithm = adaptive.build()?;
                (algorithm.limit().max(1), Some(algorithm))
            }
            (None, None, Some(begin)) => {
                let algorithm = begin();
                (algorithm.limit().max(1), Some(algorithm))
            }
            (None, None, None) => return Err(ConfigError::new("limit", "missing", "given, unless `adaptive` is")),
            _ => return Err(ConfigError::new("adaptive", "given", "left out when `limit` is given")),
        };
        Ok(Checked { name, limit, algorithm })
    }
}

/// A configuration that can be.
pub(crate) struct Checked {
    pub(crate) name: Name,
    pub(crate) limit: u32,
    pub(crate) algorithm: Option<Box<dyn LimitAlgorithm>>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("name", &self.name)
            .field("limit", &self.limit)
            .field("adaptive", &self.adaptive)
            .field("queue", &self.queue)
            .field("max_wait", &self.max_wait)
            .field("order", &self.order)
            .field("aging", &self.aging)
            .field("codel", &self.codel)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}
