#[cfg(feature = "tower")]
pub(super) mod tower;

use std::time::Duration;

use ::http::HeaderMap;
use seawall_core::time::Clock;
use seawall_core::{ConfigError, Deadline, Name};

use super::TimeoutHeader;
use crate::error::TimedOut;

/// Which header tells a request's deadline to whoever is called, and how much of the time is kept back.
///
/// Values are checked when an [`Outgoing`] takes the configuration; the error names the field. With feature `serde` the
/// fields are `name`, `header` and `margin`, a duration such as "5ms".
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields, default))]
pub struct OutgoingConfig {
    name: String,
    header: TimeoutHeader,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    margin: Duration,
}

impl Default for OutgoingConfig {
    /// All of what is left, in `x-request-timeout-ms`.
    fn default() -> Self {
        Self { name: NAME.into(), header: TimeoutHeader::default(), margin: Duration::ZERO }
    }
}

const NAME: &str = "outgoing";
const WIDEST: Duration = Duration::from_secs(60);

impl OutgoingConfig {
    /// Names the instance in its errors. 1 to 31 bytes; "outgoing" unless set.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Writes `header`.
    #[must_use]
    pub fn header(mut self, header: TimeoutHeader) -> Self {
        self.header = header;
        self
    }

    /// Tells so much less than what is left, for the way there and back and what has to be done with the answer: at
    /// most 60 seconds.
    #[must_use]
    pub const fn margin(mut self, margin: Duration) -> Self {
        self.margin = margin;
        self
    }
}

/// Tells whoever is called how much time is left.
///
/// Its [`layer`](Self::layer) (feature `tower`) does it for each request, last of all, so that what waits for a
/// connection or a permit before it is not told as left.
///
/// ```
/// use http::HeaderMap;
/// use seawall_core::Deadline;
/// use seawall_core::time::Clock;
/// use seawall_retry::http::{Outgoing, OutgoingConfig};
/// use std::time::Duration;
///
/// let ms = Duration::from_millis(1);
/// let (clock, time) = Clock::manual();
/// let outgoing = Outgoing::with_clock(OutgoingConfig::default().margin(5 * ms), clock.clone())?;
/// let deadline = Deadline::after(&clock, 800 * ms);
///
/// let mut headers = HeaderMap::new();
/// time.advance(52 * ms);
/// outgoing.write(&mut headers, deadline)?;
/// assert_eq!(headers["x-request-timeout-ms"], "743");
///
/// time.advance(743 * ms);
/// assert!(outgoing.write(&mut headers, deadline).unwrap_err().is_deadline());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Outgoing {
    clock: Clock,
    name: Name,
    header: TimeoutHeader,
    margin: Duration,
}

impl Outgoing {
    /// For deadlines of the [system clock](Clock::system).
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn new(config: OutgoingConfig) -> Result<Self, ConfigError> {
        Self::with_clock(config, Clock::system())
    }

    /// For deadlines of `clock`.
    ///
    /// # Errors
    /// Names the first field whose value cannot be.
    pub fn with_clock(config: OutgoingConfig, clock: Clock) -> Result<Self, ConfigError> {
        let OutgoingConfig { name, header, margin } = config;
        if margin > WIDEST {
            return Err(ConfigError::new("margin", format!("{margin:?}"), "at most 60s"));
        }
        Ok(Self { clock, name: name.parse()?, header, margin })
    }

    /// Tells in `headers` what is left until `deadline`: less the margin, rounded down, in place of whatever they told.
    ///
    /// # Errors
    /// If that is nothing: the request need not be sent. The headers are as they were.
    pub fn write(&self, headers: &mut HeaderMap, deadline: Deadline) -> Result<(), TimedOut> {
        let left = self.left(deadline);
        if self.header.rounds_to_nothing(left) {
            return Err(TimedOut::deadline_passed(self.name, Duration::ZERO));
        }
        self.header.write(headers, left);
        Ok(())
    }

    /// The same where nothing can be refused: a request whose time is over says so.
    pub(super) fn write_anyway(&self, headers: &mut HeaderMap, deadline: Deadline) {
        self.header.write(headers, self.left(deadline));
    }

    fn left(&self, deadline: Deadline) -> Duration {
        deadline.left(self.clock.now()).saturating_sub(self.margin)
    }
}

impl Default for Outgoing {
    /// By the default [`OutgoingConfig`], on the [system clock](Clock::system).
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            name: const { Name::from_static(NAME) },
            header: TimeoutHeader::default(),
            margin: Duration::ZERO,
        }
    }
}
