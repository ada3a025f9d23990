use seawall_core::{ConfigError, Name};

/// Whose fallback it is, and whether it is in use.
///
/// With feature `serde` it is read from any format:
///
/// ```
/// # #[cfg(feature = "serde")] {
/// # use seawall_retry::{Fallback, FallbackConfig};
/// let config: FallbackConfig = toml::from_str(r#"
///     name = "stock"
///     enabled = false
/// "#).unwrap();
/// assert!(!Fallback::new(config).unwrap().is_enabled());
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields, default))]
pub struct FallbackConfig {
    name: String,
    enabled: bool,
}

impl Default for FallbackConfig {
    /// In use, by the name of "fallback".
    fn default() -> Self {
        Self { name: "fallback".into(), enabled: true }
    }
}

impl FallbackConfig {
    /// Names the instance: in its metrics, events and marks. 1 to 31 bytes.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Whether failed calls are answered. Where not, every call ends with its own result: what fails is then seen as it
    /// is.
    #[must_use]
    pub const fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }
}

/// A [`FallbackConfig`] whose values were checked.
pub(super) struct Settings {
    pub(super) name: Name,
    pub(super) enabled: bool,
}

impl TryFrom<FallbackConfig> for Settings {
    type Error = ConfigError;

    fn try_from(config: FallbackConfig) -> Result<Self, ConfigError> {
        Ok(Self { name: config.name.parse()?, enabled: config.enabled })
    }
}
