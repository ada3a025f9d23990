use std::time::Duration;

use seawall_core::{ConfigError, Name};

use crate::span;

/// How long a call may take.
///
/// Values are checked when a [`Timeout`](crate::Timeout) takes the configuration; the error names the field.
///
/// ```
/// use seawall_retry::{Timeout, TimeoutConfig};
/// use std::time::Duration;
///
/// let timeout = Timeout::new(TimeoutConfig::new(Duration::from_millis(250)).name("inventory"))?;
/// assert_eq!(timeout.duration(), Duration::from_millis(250));
///
/// let error = Timeout::new(TimeoutConfig::new(Duration::ZERO)).unwrap_err();
/// assert_eq!(error.to_string(), "`duration` is 0ns, must be above zero and at most 366 days");
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
///
/// With feature `serde` it is read from any format:
///
/// ```
/// # #[cfg(feature = "serde")] {
/// # use seawall_retry::TimeoutConfig;
/// let config: TimeoutConfig = toml::from_str(r#"
///     name = "inventory"
///     duration = "250ms"
/// "#).unwrap();
/// # assert_eq!(config, TimeoutConfig::new(std::time::Duration::from_millis(250)).name("inventory"));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct TimeoutConfig {
    #[cfg_attr(feature = "serde", serde(default = "default_name"))]
    name: String,
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    duration: Duration,
}

fn default_name() -> String {
    "timeout".into()
}

impl TimeoutConfig {
    /// A call may take `duration`: above zero and at most 366 days.
    pub fn new(duration: Duration) -> Self {
        Self { name: default_name(), duration }
    }

    /// Names the instance: in its errors, metrics and events. 1 to 31 bytes; "timeout" unless set.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

/// A [`TimeoutConfig`] whose values were checked.
pub(super) struct Settings {
    pub(super) name: Name,
    pub(super) nanos: u64,
}

impl TryFrom<TimeoutConfig> for Settings {
    type Error = ConfigError;

    fn try_from(config: TimeoutConfig) -> Result<Self, ConfigError> {
        let duration = span::positive("duration", config.duration)?;
        Ok(Self { name: config.name.parse()?, nanos: u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX) })
    }
}
