use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seawall_core::observe::Observer;
use seawall_core::{ConfigError, Name};

use crate::adaptive::AdaptiveConfig;
use crate::algorithm::Algorithm;
use crate::burst::BurstConfig;
use crate::event::Event;
use crate::limit::Carry;
use crate::quota::Quota;

/// What a limiter lets pass, by which algorithm, and what it does with the rest.
///
/// Values are checked when a [`RateLimiter`](crate::RateLimiter) takes the configuration; the error names the field.
///
/// ```
/// use seawall_rate_limit::{Algorithm, Config, Quota, RateLimiter};
/// use std::time::Duration;
///
/// let api = RateLimiter::new(Config::new(Quota::per_minute(1_000)).name("api").max_wait(Duration::from_millis(50)))?;
/// let error = RateLimiter::new(Config::new(Quota::per_second(0))).unwrap_err();
/// assert_eq!(error.to_string(), "`quota.limit` is 0, must be 1 to 4294967295");
/// # let _ = api;
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Config {
    #[cfg_attr(feature = "serde", serde(default = "default_name"))]
    pub(crate) name: String,
    pub(crate) quota: Quota,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) algorithm: Algorithm,
    #[cfg_attr(feature = "serde", serde(default, with = "humantime_serde"))]
    pub(crate) max_wait: Duration,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) mode: Mode,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) scaling: Scaling,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) carry: Carry,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub(crate) adaptive: Option<AdaptiveConfig>,
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub(crate) burst: Option<BurstConfig>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) observer: Option<Arc<dyn Observer<Event>>>,
}

#[cfg(feature = "serde")]
fn default_name() -> String {
    "rate_limit".into()
}

/// Whether a limit is enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Mode {
    /// Calls beyond the limit are refused.
    #[default]
    Enforce,
    /// Calls beyond the limit are counted as refused and pass: to see what a limit would do before it does it. They take
    /// nothing, so what is counted is what enforcing would have counted.
    Shadow,
}

/// How one limit is shared by many processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Scaling {
    /// Every decision is made on the one state: exact.
    #[default]
    Strict,
    /// Each thread takes some cells up front and spends them by itself: many times faster where several threads share one busy
    /// limit. Of use above some hundred thousand calls a second.
    ///
    /// Cells shift in time, by at most the lease's life of 10 ms, and none is created. What a thread has left of its lease when that
    /// ends is lost: less than a seventh of what comes back, however calls are spread over threads, and nothing where threads use
    /// what they lease. What remains is told as the thread's lease and what the limit had left beside it when the lease began; what
    /// other threads have taken or leased since is not in it, nor what came back. Whoever is refused or looks
    /// ([`peek`](crate::Limiter::peek), [`snapshot`](crate::Limiter::snapshot)) is told of all leases. Whoever is promised a turn to
    /// come ends all leases, so that nobody passes before it, except who leases at the same moment.
    Sharded,
}

impl Config {
    /// A limit of this quota by a [sliding window](Algorithm::SlidingWindow), enforced, without waiting, named `rate_limit`.
    pub fn new(quota: Quota) -> Self {
        Self {
            name: "rate_limit".into(),
            quota,
            algorithm: Algorithm::default(),
            max_wait: Duration::ZERO,
            mode: Mode::Enforce,
            scaling: Scaling::Strict,
            carry: Carry::AsIs,
            adaptive: None,
            burst: None,
            observer: None,
        }
    }

    /// Names the instance: in its refusals, metrics and events. 1 to 31 bytes.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Limits by this algorithm. Fixed for the life of a limiter.
    #[must_use]
    pub const fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Lets a call without a deadline of its own wait so long for its turn; at most 366 days. Not at all by default: it is
    /// refused.
    #[must_use]
    pub const fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }

    /// Enforces the limit, or only tells what enforcing it would do.
    #[must_use]
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// How the limit is shared by many processors. Fixed for the life of a limiter.
    #[must_use]
    pub const fn scaling(mut self, scaling: Scaling) -> Self {
        self.scaling = scaling;
        self
    }

    /// What becomes of what was taken when this configuration replaces another.
    #[must_use]
    pub const fn carry(mut self, carry: Carry) -> Self {
        self.carry = carry;
        self
    }

    /// Lets the quota follow the load that [`adapt`](crate::Limiter::adapt) is told.
    #[must_use]
    pub const fn adaptive(mut self, adaptive: AdaptiveConfig) -> Self {
        self.adaptive = Some(adaptive);
        self
    }

    /// Watches for bursts of calls.
    #[must_use]
    pub const fn burst(mut self, burst: BurstConfig) -> Self {
        self.burst = Some(burst);
        self
    }

    /// Is called for every [`Event`], after all locks are released.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer<Event> + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Limits to this quota instead: for who has the rest from a file.
    #[must_use]
    pub const fn with_quota(mut self, quota: Quota) -> Self {
        self.quota = quota;
        self
    }

    /// The quota.
    pub const fn quota(&self) -> Quota {
        self.quota
    }

    /// The [name](Self::name), not yet checked.
    pub fn get_name(&self) -> &str {
        &self.name
    }

    /// The [algorithm](Self::algorithm).
    pub const fn get_algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The [longest wait](Self::max_wait).
    pub const fn get_max_wait(&self) -> Duration {
        self.max_wait
    }

    /// The [mode](Self::mode).
    pub const fn get_mode(&self) -> Mode {
        self.mode
    }

    /// The [scaling](Self::scaling).
    pub const fn get_scaling(&self) -> Scaling {
        self.scaling
    }

    /// What [becomes](Self::carry) of what was taken.
    pub const fn get_carry(&self) -> Carry {
        self.carry
    }

    /// How the quota [follows the load](Self::adaptive), if it does.
    pub const fn get_adaptive(&self) -> Option<AdaptiveConfig> {
        self.adaptive
    }

    /// Which [bursts](Self::burst) are watched for, if any.
    pub const fn get_burst(&self) -> Option<BurstConfig> {
        self.burst
    }

    /// Checks everything that does not depend on the algorithm; gives the name.
    pub(crate) fn check(&self) -> Result<Name, ConfigError> {
        let name = self.name.parse()?;
        if self.max_wait > Quota::LONGEST {
            return Err(ConfigError::new("max_wait", format!("{:?}", self.max_wait), "at most 366 days"));
        }
        if let Some(adaptive) = &self.adaptive {
            adaptive.check()?;
        }
        if let Some(burst) = &self.burst {
            burst.counted()?;
            burst.told()?;
        }
        self.quota.check()?;
        Ok(name)
    }

    pub(crate) fn max_wait_nanos(&self) -> u64 {
        u64::try_from(self.max_wait.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("name", &self.name)
            .field("quota", &self.quota)
            .field("algorithm", &self.algorithm)
            .field("max_wait", &self.max_wait)
            .field("mode", &self.mode)
            .field("scaling", &self.scaling)
            .field("carry", &self.carry)
            .field("adaptive", &self.adaptive)
            .field("burst", &self.burst)
            .finish_non_exhaustive()
    }
}
