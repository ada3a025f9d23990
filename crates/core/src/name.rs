use std::fmt;
use std::str::FromStr;

use crate::ConfigError;

/// The name of one instance of a pattern: a metric label, a part of every [`Rejection`](crate::Rejection).
///
/// At most 31 bytes, kept inline, so that a refusal copies it without touching a reference count.
///
/// ```
/// use seawall_core::Name;
///
/// let name: Name = "payment".parse()?;
/// assert_eq!(name.as_str(), "payment");
/// assert!("a name that is longer than 31 bytes".parse::<Name>().is_err());
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
// Aligned, so that copies are of whole words.
#[repr(align(8))]
pub struct Name {
    len: u8,
    bytes: [u8; Name::MAX_LEN],
}

impl Name {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 31;

    /// A name known when the program is written.
    ///
    /// # Panics
    /// If `name` is empty or longer than 31 bytes: at compile time when used in a constant.
    pub const fn from_static(name: &'static str) -> Self {
        assert!(!name.is_empty() && name.len() <= Self::MAX_LEN, "a name has 1 to 31 bytes");
        Self::copy(name.as_bytes())
    }

    const fn copy(text: &[u8]) -> Self {
        let mut bytes = [0; Self::MAX_LEN];
        let mut i = 0;
        while i < text.len() {
            bytes[i] = text[i];
            i += 1;
        }
        #[expect(clippy::cast_possible_truncation, reason = "callers checked that it is at most MAX_LEN")]
        let len = text.len() as u8;
        Self { len, bytes }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        // The bytes were copied whole from a `str`, so the fallback is never taken.
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl FromStr for Name {
    type Err = ConfigError;

    fn from_str(name: &str) -> Result<Self, ConfigError> {
        if name.is_empty() || name.len() > Self::MAX_LEN || name.chars().any(char::is_control) {
            return Err(ConfigError::new("name", format!("{name:?}"), "1 to 31 bytes of printable text"));
        }
        Ok(Self::copy(name.as_bytes()))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}
