#[cfg(feature = "tower")]
pub(super) mod tower;

use std::time::Duration;

use ::http::HeaderMap;
use seawall_core::time::Clock;
use seawall_core::{ConfigError, Deadline};

use super::{BadTimeout, TimeoutHeader};
use crate::span;

/// Which header tells a request's deadline, and how far it is believed.
///
/// Values are checked when an [`Incoming`] takes the configuration; the error names the field. With feature `serde`:
///
/// ```
/// # #[cfg(feature = "serde")] {
/// # use seawall_retry::http::{Incoming, IncomingConfig};
/// let config: IncomingConfig = toml::from_str(r#"
///     header = "grpc-timeout"
///     default = "2s"
///     max = "10s"
/// "#).unwrap();
/// assert!(Incoming::new(config).is_ok());
///
/// let config: IncomingConfig = toml::from_str(r#"default = "2m""#).unwrap();
/// let error = Incoming::new(config).unwrap_err();
/// assert_eq!(error.to_string(), "`default` is 120s, must be above zero and at most `max`, 60s");
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields, default))]
pub struct IncomingConfig {
    header: TimeoutHeader,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde", skip_serializing_if = "Option::is_none"))]
    default: Option<Duration>,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    max: Duration,
}

impl Default for IncomingConfig {
    /// `x-request-timeout-ms`, of at most 60 seconds; a request without it has no deadline.
    fn default() -> Self {
        Self { header: TimeoutHeader::default(), default: None, max: Duration::from_secs(60) }
    }
}

impl IncomingConfig {
    /// Reads `header`.
    #[must_use]
    pub fn header(mut self, header: TimeoutHeader) -> Self {
        self.header = header;
        self
    }

    /// Gives a request whose header does not say it so much time: above zero and at most [`max`](Self::max). Without
    /// this it has no deadline.
    #[must_use]
    pub const fn default_timeout(mut self, timeout: Duration) -> Self {
        self.default = Some(timeout);
        self
    }

    /// Gives no request more time than this, whatever its header says: above zero and at most 366 days.
    #[must_use]
    pub const fn max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }
}

/// Reads the deadlines of requests that are served.
///
/// Its [`layer`](Self::layer) (feature `tower`) puts them into the requests' extensions.
///
/// ```
/// use http::HeaderMap;
/// use seawall_core::Deadline;
/// use seawall_core::time::Clock;
/// use seawall_retry::http::{Incoming, IncomingConfig};
/// use std::time::Duration;
///
/// let (clock, _time) = Clock::manual();
/// let second = Duration::from_secs(1);
/// let config = IncomingConfig::default().default_timeout(2 * second).max(10 * second);
/// let incoming = Incoming::with_clock(config, clock.clone())?;
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(incoming.deadline(&headers), Some(Deadline::after(&clock, 2 * second)));
/// headers.insert("x-request-timeout-ms", "800".parse()?);
/// assert_eq!(incoming.deadline(&headers), Some(Deadline::after(&clock, Duration::from_millis(800))));
/// headers.insert("x-request-timeout-ms", "3600000".parse()?);
/// assert_eq!(incoming.deadline(&headers), Some(Deadline::after(&clock, 10 * second)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Incoming {
    clock: Clock,
    header: TimeoutHeader,
    default: Option<Duration>,
    max: Duration,
}

impl Incoming {
    /// Deadlines on the [system clock](Clock::system).
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn new(config: IncomingConfig) -> Result<Self, ConfigError> {
        Self::with_clock(config, Clock::system())
    }

    /// Deadlines on `clock`.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn with_clock(config: IncomingConfig, clock: Clock) -> Result<Self, ConfigError> {
        let IncomingConfig { header, default, max } = config;
        let max = span::positive("max", max)?;
        if let Some(default) = default.filter(|default| default.is_zero() || *default > max) {
            let valid = format!("above zero and at most `max`, {max:?}");
            return Err(ConfigError::new("default", format!("{default:?}"), valid));
        }
        Ok(Self { clock, header, default, max })
    }

    /// The deadline of a request with these headers. One that nobody can read says nothing: the request is one without.
    pub fn deadline(&self, headers: &HeaderMap) -> Option<Deadline> {
        self.try_deadline(headers).unwrap_or_else(|_bad| self.default_deadline())
    }

    /// The same, and tells of a header that nobody can read.
    ///
    /// # Errors
    /// If there are several, or what there is cannot be read.
    pub fn try_deadline(&self, headers: &HeaderMap) -> Result<Option<Deadline>, BadTimeout> {
        Ok(self.told(headers)?.or_else(|| self.default_deadline()))
    }

    /// What the header says, and nothing else.
    fn told(&self, headers: &HeaderMap) -> Result<Option<Deadline>, BadTimeout> {
        Ok(self.header.read(headers)?.map(|left| self.after(left)))
    }

    fn default_deadline(&self) -> Option<Deadline> {
        self.default.map(|left| self.after(left))
    }

    fn after(&self, left: Duration) -> Deadline {
        Deadline::after(&self.clock, left.min(self.max))
    }
}
