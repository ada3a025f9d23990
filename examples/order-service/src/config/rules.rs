//! What each setting may be, said in one place for every way of getting it wrong.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use axum::http::Uri;
use seawall_circuit_breaker::Config as BreakerConfig;
use seawall_core::ConfigError;
use seawall_core::time::Clock;
use seawall_rate_limit::http::ClientAddress;
use seawall_retry::Config as RetryConfig;

use super::Settings;
use crate::breakers::named;
use crate::database::{DatabaseUrl, redacted};
use crate::http::Deadlines;
use crate::provider::{self, Behaviour, Client};

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidConfig {
    key: String,
    value: String,
    valid: String,
}

const MILLISECOND: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_mins(1);

const BODY_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(5);
const REFRESH: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_hours(1);
const QUEUE_AGE: RangeInclusive<Duration> = MILLISECOND..=Duration::from_hours(1);
const KEYS: RangeInclusive<u32> = 1..=1_048_576;
const CEILING: RangeInclusive<u32> = 1..=1_000_000;
const CONNECTIONS: RangeInclusive<u32> = 1..=1000;
const DATABASE_WAIT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_mins(5);
const CALL_TIMEOUT: RangeInclusive<Duration> = MILLISECOND..=Duration::from_mins(5);
const PATIENCE: RangeInclusive<Duration> = MILLISECOND..=MINUTE;
const REDRIVE: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_hours(1);
const QUEUED: RangeInclusive<Duration> = Duration::ZERO..=MINUTE;
const SHUTDOWN: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(5);

/// Every key outside the patterns' configurations, which have rules of their own, and what it may be.
const VALID: [(&str, &str); 37] = [
    ("profile", "demo or load"),
    ("server.address", "an IP address, such as 0.0.0.0"),
    ("server.port", "a whole number from 0 to 65535"),
    ("server.admin_address", "a loopback address, such as 127.0.0.1"),
    ("server.admin_port", "a whole number from 0 to 65535"),
    ("server.body_timeout", "a duration from 100ms to 5m"),
    ("callers.refresh", "a duration from 10ms to 1h"),
    ("rate_limits.keys", "a whole number from 1 to 1048576"),
    ("rate_limits.load.interval", "a duration from 10ms to 1h"),
    ("rate_limits.load.ceiling", "a whole number from 1 to 1000000"),
    ("worker_pools.patience", "a duration from 0s to 1m"),
    ("degradation.queue_age", "a duration from 1ms to 1h"),
    ("data.folder", "a path that is not empty"),
    ("database.url", DatabaseUrl::RULE),
    ("database.max_connections", "a whole number from 1 to 1000"),
    ("database.acquire_timeout", "a duration from 10ms to 5m"),
    ("database.lock_timeout", "a duration from 10ms to 5m"),
    ("database.statement_timeout", "a duration from 10ms to 5m"),
    ("database.timeout", "a duration from 1ms to 5m"),
    ("log.format", "text or json"),
    ("log.level", "error, warn, info, debug or trace"),
    ("server.deadline.default", "a duration above 0s and at most `server.deadline.max`"),
    ("server.deadline.max", "a duration above 0s and at most 366 days"),
    ("inventory.url", "a URL such as http://127.0.0.1:9000, without user or query"),
    ("inventory.timeout", "a duration from 1ms to 5m"),
    ("inventory.patience", "a duration from 1ms to 1m"),
    ("inventory.provider.outage", "true or false"),
    ("inventory.provider.hang", "true or false"),
    ("payment.provider.hang", "true or false"),
    ("payment.url", "a URL such as http://127.0.0.1:9000, without user or query"),
    ("payment.timeout", "a duration from 1ms to 5m"),
    ("payment.patience", "a duration from 1ms to 1m"),
    ("payment.redrive.interval", "a duration from 10ms to 1h"),
    ("payment.redrive.max_backoff", "a duration from `payment.redrive.interval` to 1h"),
    ("payment.provider.outage", "true or false"),
    ("shutdown.readiness_delay", "a duration from 0s to 5m"),
    ("shutdown.grace", "a duration from 0s to 5m"),
];

/// What the setting `key` may be, if this is a key with a rule.
pub(super) fn valid(key: &str) -> Option<&'static str> {
    VALID.iter().find(|(name, _)| *name == key).map(|&(_, valid)| valid)
}

impl InvalidConfig {
    /// Nothing in it is a password, wherever in `value` somebody has written one.
    pub(super) fn new(key: impl Into<String>, value: impl AsRef<str>, valid: impl Into<String>) -> Self {
        Self { key: key.into(), value: redacted(value.as_ref()), valid: valid.into() }
    }

    /// What the breaker itself finds wrong with the settings in `section`.
    pub(crate) fn of_breaker(section: &str, error: &ConfigError) -> Self {
        Self::of_part(&format!("{section}.breaker"), error)
    }

    /// What a pattern finds wrong with the settings in `part`.
    pub(crate) fn of_part(part: &str, error: &ConfigError) -> Self {
        Self::new(format!("{part}.{}", error.field()), error.value(), error.valid())
    }

    fn of(key: &'static str, value: impl fmt::Display) -> Self {
        Self::new(key, value.to_string(), valid(key).expect("each checked key has its rule"))
    }
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is `{}`, must be {}", self.key, self.value, self.valid)
    }
}

impl std::error::Error for InvalidConfig {}

impl Settings {
    /// Whether every value is in its range.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        if !self.server.admin_address.is_loopback() {
            return Err(InvalidConfig::of("server.admin_address", self.server.admin_address));
        }
        if self.data.folder.as_os_str().is_empty() {
            return Err(InvalidConfig::of("data.folder", ""));
        }
        let database = &self.database;
        if let Some(url) = &database.url {
            check_database_url("database.url", url)?;
        }
        let limits = &self.rate_limits;
        for (key, value, range) in [
            ("database.max_connections", database.max_connections, &CONNECTIONS),
            ("rate_limits.keys", limits.keys, &KEYS),
            ("rate_limits.load.ceiling", limits.load.ceiling, &CEILING),
        ] {
            if !range.contains(&value) {
                return Err(InvalidConfig::of(key, value));
            }
        }
        let (inventory, payment) = (&self.inventory, &self.payment);
        let redrive = &payment.redrive;
        let longest = redrive.interval..=*REDRIVE.end();
        for (key, value, range) in [
            ("server.body_timeout", self.server.body_timeout, &BODY_TIMEOUT),
            ("callers.refresh", self.callers.refresh, &REFRESH),
            ("rate_limits.load.interval", limits.load.interval, &REFRESH),
            ("worker_pools.patience", self.worker_pools.patience, &QUEUED),
            ("degradation.queue_age", self.degradation.queue_age, &QUEUE_AGE),
            ("database.acquire_timeout", database.acquire_timeout, &DATABASE_WAIT),
            ("database.lock_timeout", database.lock_timeout, &DATABASE_WAIT),
            ("database.statement_timeout", database.statement_timeout, &DATABASE_WAIT),
            ("database.timeout", database.timeout, &CALL_TIMEOUT),
            ("inventory.timeout", inventory.timeout, &CALL_TIMEOUT),
            ("inventory.patience", inventory.patience, &PATIENCE),
            ("payment.timeout", payment.timeout, &CALL_TIMEOUT),
            ("payment.patience", payment.patience, &PATIENCE),
            ("payment.redrive.interval", redrive.interval, &REDRIVE),
            ("payment.redrive.max_backoff", redrive.max_backoff, &longest),
            ("shutdown.readiness_delay", self.shutdown.readiness_delay, &SHUTDOWN),
            ("shutdown.grace", self.shutdown.grace, &SHUTDOWN),
        ] {
            if !range.contains(&value) {
                return Err(InvalidConfig::of(key, humantime::format_duration(value)));
            }
        }
        ClientAddress::new(self.client_address.clone())
            .map_err(|error| InvalidConfig::of_part("client_address", &error))?;
        limits.configs(self.profile)?;
        self.bulkheads.check()?;
        self.worker_pools.check()?;
        self.degradation.check()?;
        Deadlines::new(self.server.deadline.clone(), &Clock::system())
            .map_err(|error| InvalidConfig::of_part("server.deadline", &error))?;
        check_url("inventory.url", inventory.url.as_deref())?;
        check_url("payment.url", payment.url.as_deref())?;
        check_provider("inventory", &inventory.provider)?;
        check_provider("payment", &payment.provider)?;
        check_retry("inventory", &inventory.retry)?;
        check_retry("payment", &payment.retry)?;
        check_breaker("database", &database.breaker)?;
        check_breaker("inventory", &inventory.breaker)?;
        check_breaker("payment", &payment.breaker)
    }
}

fn check_breaker(section: &'static str, config: &BreakerConfig) -> Result<(), InvalidConfig> {
    named(config.clone(), section).map(drop).map_err(|error| InvalidConfig::of_breaker(section, &error))
}

fn check_retry(section: &'static str, config: &RetryConfig) -> Result<(), InvalidConfig> {
    provider::named(config.clone(), section)
        .map(drop)
        .map_err(|error| InvalidConfig::of_part(&format!("{section}.retry"), &error))
}

/// Whether `url`, which was given as `name`, says which database.
pub(super) fn check_database_url(name: &str, url: &DatabaseUrl) -> Result<(), InvalidConfig> {
    url.options().map(drop).map_err(|valid| InvalidConfig::new(name, url.to_string(), valid))
}

fn check_url(key: &'static str, url: Option<&str>) -> Result<(), InvalidConfig> {
    match url {
        Some(url) if !is_base(url) || Client::new(url, "").is_err() => Err(InvalidConfig::of(key, url)),
        _ => Ok(()),
    }
}

/// Whether `url` says where to connect, and says nothing that would be passed over, as a user or a port of six digits
/// would be.
fn is_base(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let Some(authority) = uri.authority() else { return false };
    let host = authority.host();
    let understood = authority.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    url.starts_with("http://")
        && !url.contains(['?', '#'])
        && !host.is_empty()
        && authority.port_u16() != Some(0)
        && understood == authority.as_str()
}

fn check_provider(section: &str, behaviour: &Behaviour) -> Result<(), InvalidConfig> {
    behaviour.fault().map_or(Ok(()), |(field, value, valid)| {
        Err(InvalidConfig::new(format!("{section}.provider.{field}"), value, valid))
    })
}
