//! How the service is set up: defaults, then the file, then the command line.

mod bulkheads;
mod cli;
mod degradation;
mod file;
mod rate_limits;
mod rules;
mod worker_pools;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use seawall_circuit_breaker::Config as BreakerConfig;
use seawall_rate_limit::http::ClientAddressConfig;
use seawall_retry::Config as RetryConfig;
use seawall_retry::http::IncomingConfig;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::breakers::Preset;
use crate::provider::Behaviour;

pub use crate::database::DatabaseUrl;
pub use bulkheads::Bulkheads;
pub(crate) use bulkheads::named_bulkhead;
pub use cli::Cli;
pub use degradation::Degradation;
pub use rate_limits::{Load, RateLimits};
pub(crate) use rate_limits::{RateLimitConfigs, named, plain};
pub use rules::InvalidConfig;
pub use worker_pools::WorkerPools;
pub(crate) use worker_pools::named_pool;

/// Everything that can be set. The default is what runs on a newcomer's machine with nothing installed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What the service is set up for.
    pub profile: Profile,
    /// Where the service listens, and how long it waits for callers.
    pub server: Server,
    /// Whom to believe about a caller's address: nobody but the caller's own connection, unless proxies are named.
    pub client_address: ClientAddressConfig,
    /// How it knows its callers.
    pub callers: Callers,
    /// How often they may ask.
    pub rate_limits: RateLimits,
    /// How much of each dependency is used at once.
    pub bulkheads: Bulkheads,
    /// Who processes orders, and how many at once.
    pub worker_pools: WorkerPools,
    /// What is left undone under load.
    pub degradation: Degradation,
    /// What it keeps.
    pub data: Data,
    /// How what it keeps is asked for.
    pub database: Database,
    /// What it says of itself.
    pub log: Log,
    /// How what orders need is set aside.
    pub inventory: Inventory,
    /// How orders are paid.
    pub payment: Payment,
    /// How it ends.
    pub shutdown: Shutdown,
}

/// What the service is set up for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// To be watched: quotas that a reader meets.
    #[default]
    Demo,
    /// To be measured: quotas out of the way, every layer still on.
    Load,
}

/// How the service knows its callers.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Callers {
    /// How often their keys are read from the database: how long a key that was taken away there still counts.
    #[serde(with = "humantime_serde")]
    pub refresh: Duration,
}

/// Where the service listens, and how long it waits for callers.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The address of the public listener; `::` is every address, IPv4 ones included.
    pub address: IpAddr,
    /// The port of the public listener; 0 takes a free one.
    pub port: u16,
    /// The address of the admin listener, which asks nobody who they are: a loopback address.
    pub admin_address: IpAddr,
    /// The port of the admin listener; 0 takes a free one.
    pub admin_port: u16,
    /// How long a caller may take to send a body.
    #[serde(with = "humantime_serde")]
    pub body_timeout: Duration,
    /// How long a request may take, and the header in which its caller says so.
    pub deadline: IncomingConfig,
}

/// What the service keeps.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// The folder of the database; made where it is missing.
    pub folder: PathBuf,
}

/// Which database it is, and how it is asked.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// Where PostgreSQL is; without it SQLite keeps everything in `data.folder`.
    pub url: Option<DatabaseUrl>,
    /// At most so many connections. SQLite has one more, which writes.
    pub max_connections: u32,
    /// How long a statement waits for a connection.
    #[serde(with = "humantime_serde")]
    pub acquire_timeout: Duration,
    /// How long it waits for a lock.
    #[serde(with = "humantime_serde")]
    pub lock_timeout: Duration,
    /// How long PostgreSQL works on it.
    #[serde(with = "humantime_serde")]
    pub statement_timeout: Duration,
    /// How long a call may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// When the database is left alone.
    pub breaker: BreakerConfig,
}

/// What the service says of itself, on standard error.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// How lines are written.
    pub format: LogFormat,
    /// The least important that is written.
    pub level: LogLevel,
}

/// How lines of the log are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// How important a line of the log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something is broken.
    Error,
    /// Something needs attention.
    Warn,
    /// Something rare happened.
    #[default]
    Info,
    /// A request was answered.
    Debug,
    /// Everything.
    Trace,
}

/// How what orders need is set aside.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inventory {
    /// Where the inventory provider is; without it the service starts one of its own.
    pub url: Option<String>,
    /// How long a call of the provider may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// How long a request waits before it leaves the reservation, and the payment, for later.
    #[serde(with = "humantime_serde")]
    pub patience: Duration,
    /// When the provider is left alone.
    pub breaker: BreakerConfig,
    /// How often it is asked again for a caller who waits.
    pub retry: RetryConfig,
    /// How the service's own provider behaves at first.
    pub provider: Behaviour,
    /// How many it has of each product; there is no end of those that are not named.
    pub stock: BTreeMap<String, u64>,
}

/// How orders are paid.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Payment {
    /// Where the payment provider is; without it the service starts one of its own.
    pub url: Option<String>,
    /// How long a call of the provider may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// How long a request waits for its payment before it leaves it pending, if `timeout` is not shorter.
    #[serde(with = "humantime_serde")]
    pub patience: Duration,
    /// When the provider is left alone.
    pub breaker: BreakerConfig,
    /// How often it is asked again for a caller who waits.
    pub retry: RetryConfig,
    /// How pending payments are tried again.
    pub redrive: Redrive,
    /// How the service's own provider behaves at first.
    pub provider: Behaviour,
}

/// How pending payments are tried again.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redrive {
    /// How often due payments are looked for, and the wait after an order's first failure.
    #[serde(with = "humantime_serde")]
    pub interval: Duration,
    /// The longest wait between two attempts for one order.
    #[serde(with = "humantime_serde")]
    pub max_backoff: Duration,
}

/// How the service ends.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shutdown {
    /// How long it still takes requests after it has said that it is not ready, so that balancers notice in time.
    #[serde(with = "humantime_serde")]
    pub readiness_delay: Duration,
    /// How long requests under way may take to finish.
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            port: 8080,
            admin_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            admin_port: 8081,
            body_timeout: Duration::from_secs(30),
            deadline: IncomingConfig::default().default_timeout(Duration::from_mins(1)),
        }
    }
}

impl Default for Callers {
    fn default() -> Self {
        Self { refresh: Duration::from_secs(30) }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self { folder: PathBuf::from("data") }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            max_connections: 10,
            acquire_timeout: Duration::from_secs(3),
            lock_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(5),
            timeout: Preset::Database.timeout(),
            breaker: Preset::Database.breaker().name("database"),
        }
    }
}

impl Default for Payment {
    fn default() -> Self {
        Self {
            url: None,
            timeout: Preset::Provider.timeout(),
            patience: Duration::from_secs(1),
            breaker: Preset::Provider.breaker().name("payment"),
            retry: retry("payment"),
            redrive: Redrive::default(),
            provider: Behaviour::slow(Duration::from_millis(20)),
        }
    }
}

impl Default for Inventory {
    fn default() -> Self {
        Self {
            url: None,
            timeout: Preset::Provider.timeout(),
            patience: Duration::from_secs(1),
            breaker: Preset::Provider.breaker().name("inventory"),
            retry: retry("inventory"),
            provider: Behaviour::slow(Duration::from_millis(5)),
            stock: BTreeMap::new(),
        }
    }
}

/// Soon, since a caller waits, and as the library has it besides: three attempts, paid from a budget of the provider's own.
fn retry(name: &str) -> RetryConfig {
    RetryConfig::default().name(name).exponential(Duration::from_millis(50), 2.0, Duration::from_millis(500))
}

impl Default for Redrive {
    fn default() -> Self {
        Self { interval: Duration::from_millis(500), max_backoff: Duration::from_secs(5) }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { readiness_delay: Duration::from_millis(500), grace: Duration::from_secs(10) }
    }
}
