//! How often callers may ask.

use std::time::Duration;

use seawall_core::ConfigError;
use seawall_rate_limit::{AdaptiveConfig, BurstConfig, Config, Keyed, KeyedRateLimiter, Mode, Quota, RateLimiter};
use serde::Deserialize;

use super::Profile;
use super::rules::InvalidConfig;

/// How often callers may ask: a limit that is not configured is the profile's.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// How many callers each limit can tell apart.
    pub keys: u32,
    /// What adaptive limits go by.
    pub load: Load,
    /// What is a burst, by caller.
    pub burst: Option<Config>,
    /// Each caller, where a request is expensive.
    pub expensive: Option<Config>,
    /// Each caller, where the service learns from a request.
    pub learning: Option<Config>,
    /// Each address from which somebody calls without a key.
    pub address: Option<Config>,
    /// Each user.
    pub user: Option<Config>,
    /// Each tenant.
    pub tenant: Option<Config>,
    /// Everybody together.
    pub global: Option<Config>,
}

/// How loaded the service is: by the requests under way.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Load {
    /// How often adaptive limits are told.
    #[serde(with = "humantime_serde")]
    pub interval: Duration,
    /// So many requests at once are all that the service should have.
    pub ceiling: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            keys: 16_384,
            load: Load::default(),
            burst: None,
            expensive: None,
            learning: None,
            address: None,
            user: None,
            tenant: None,
            global: None,
        }
    }
}

impl Default for Load {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), ceiling: 200 }
    }
}

/// What each limit is configured with.
#[derive(Clone, Debug)]
pub(crate) struct RateLimitConfigs {
    pub(crate) burst: Config,
    pub(crate) expensive: Config,
    pub(crate) learning: Config,
    pub(crate) address: Config,
    pub(crate) user: Config,
    pub(crate) tenant: Config,
    pub(crate) global: Config,
}

impl RateLimits {
    /// The configurations, each named as its section.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub(crate) fn configs(&self, profile: Profile) -> Result<RateLimitConfigs, InvalidConfig> {
        let checked = |name: &'static str, given: &Option<Config>, default: Config| {
            let config = given.clone().unwrap_or(default);
            named(config, name).map_err(|error| InvalidConfig::of_part(&format!("rate_limits.{name}"), &error))
        };
        let keyed = |name: &'static str, given: &Option<Config>, default: Config| {
            let config = checked(name, given, default)?;
            let suits = KeyedRateLimiter::<()>::new(Keyed::new(config.clone()).capacity(1)).map_err(plain);
            suits.map_err(|error| InvalidConfig::of_part(&format!("rate_limits.{name}"), &error))?;
            Ok(config)
        };
        let per_minute = |limit: u32| Config::new(Quota::per_minute(raised(limit, profile)));
        let adaptive = AdaptiveConfig::default();
        Ok(RateLimitConfigs {
            burst: keyed("burst", &self.burst, burst(profile))?,
            expensive: keyed("expensive", &self.expensive, per_minute(20))?,
            learning: keyed("learning", &self.learning, per_minute(10))?,
            address: keyed("address", &self.address, per_minute(20))?,
            user: keyed("user", &self.user, per_minute(100))?,
            tenant: keyed("tenant", &self.tenant, per_minute(500))?,
            global: checked("global", &self.global, per_minute(1_000).adaptive(adaptive))?,
        })
    }
}

/// Out of the way of any machine, and a tenth of it, which load may leave, as well.
fn raised(limit: u32, profile: Profile) -> u32 {
    match profile {
        Profile::Demo => limit,
        Profile::Load => limit * 1_000_000,
    }
}

/// Told, not refused: to have it refused, `mode` is `enforce`, and for how long is the burst's `penalty`.
fn burst(profile: Profile) -> Config {
    const PERIOD: Duration = Duration::from_secs(10);
    let requests = raised(50, profile);
    let watch = BurstConfig::default().requests(requests).period(PERIOD);
    Config::new(Quota::new(requests, PERIOD)).mode(Mode::Shadow).burst(watch)
}

/// `config` for the limit that is called `name`, which the file and the caller need not say and cannot change.
pub(crate) fn named(config: Config, name: &'static str) -> Result<Config, ConfigError> {
    let given = RateLimiter::new(config.clone())?.name();
    let unnamed = RateLimiter::new(Config::new(config.quota()))?.name();
    if given.as_str() == name || given == unnamed {
        Ok(config.name(name))
    } else {
        Err(ConfigError::new("name", given, format!("{name}, or left out")))
    }
}

/// An error of what each key is limited by, as one of the configuration itself.
pub(crate) fn plain(error: ConfigError) -> ConfigError {
    match error.field().strip_prefix("each.") {
        Some(field) => ConfigError::new(field.to_owned(), error.value(), error.valid().to_owned()),
        None => error,
    }
}
