use std::error::Error;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How a component, or the whole service, is; ordered from good to bad.
///
/// Read without regard to case and with the aliases that the draft grants to other frameworks: `ok` and `up` for
/// [`Pass`](Status::Pass), `error` and `down` for [`Fail`](Status::Fail). Always written by its own name.
///
/// # Examples
///
/// ```
/// use seawall_telemetry::health::Status;
///
/// assert_eq!("UP".parse(), Ok(Status::Pass));
/// assert_eq!(Status::Fail.http_status(), 503);
/// assert!(Status::Fail > Status::Warn);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Healthy.
    Pass,
    /// Healthy, with concerns.
    Warn,
    /// Unhealthy.
    Fail,
}

impl Status {
    /// The status code of the HTTP response that carries this status: 503 for [`Fail`](Status::Fail), else 200, as a
    /// load balancer must keep sending to a service that merely warns.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Pass | Self::Warn => 200,
            Self::Fail => 503,
        }
    }

    /// The status as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        const NAMES: [(&str, Status); 7] = [
            ("pass", Status::Pass),
            ("ok", Status::Pass),
            ("up", Status::Pass),
            ("warn", Status::Warn),
            ("fail", Status::Fail),
            ("error", Status::Fail),
            ("down", Status::Fail),
        ];
        NAMES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .map(|&(_, status)| status)
            .ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A text that names no [`Status`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownStatus(String);

impl fmt::Display for UnknownStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`status` is {:?}, must be pass, warn or fail (or ok, up, error, down)", self.0)
    }
}

impl Error for UnknownStatus {}
