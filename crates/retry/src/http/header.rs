use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use seawall_core::ConfigError;

/// A header that tells how much time is left.
///
/// | header | value | known from |
/// |---|---|---|
/// | `x-request-timeout-ms`, the default | milliseconds | |
/// | `x-envoy-expected-rq-timeout-ms` | milliseconds | Envoy, which tells whoever it calls |
/// | `connect-timeout-ms` | milliseconds | the Connect protocol |
/// | `grpc-timeout` | at most 8 digits and one of `H` `M` `S` `m` `u` `n` | gRPC over HTTP/2 |
///
/// Every name but the last one stands for milliseconds.
///
/// ```
/// use http::HeaderMap;
/// use seawall_retry::http::TimeoutHeader;
/// use std::time::Duration;
///
/// let mut headers = HeaderMap::new();
/// TimeoutHeader::default().write(&mut headers, Duration::from_micros(250_999));
/// assert_eq!(headers["x-request-timeout-ms"], "250");
/// assert_eq!(TimeoutHeader::default().read(&headers)?, Some(Duration::from_millis(250)));
///
/// TimeoutHeader::grpc().write(&mut headers, Duration::from_micros(250_999));
/// assert_eq!(headers["grpc-timeout"], "250999u");
///
/// headers.insert("x-request-timeout-ms", "soon".parse()?);
/// let bad = TimeoutHeader::default().read(&headers).unwrap_err();
/// assert_eq!(bad.to_string(), "header `x-request-timeout-ms` is no number of milliseconds");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct TimeoutHeader {
    name: HeaderName,
    is_grpc: bool,
}

const DEFAULT: &str = "x-request-timeout-ms";
const GRPC: &str = "grpc-timeout";

impl TimeoutHeader {
    /// The header `name`.
    ///
    /// # Errors
    /// If it cannot be a header's name.
    pub fn new(name: &str) -> Result<Self, ConfigError> {
        let name = header_name("header", name)?;
        Ok(Self { is_grpc: name == GRPC, name })
    }

    /// `grpc-timeout`.
    pub const fn grpc() -> Self {
        Self { name: HeaderName::from_static(GRPC), is_grpc: true }
    }

    /// Its name.
    pub const fn name(&self) -> &HeaderName {
        &self.name
    }

    /// How much time is left by `headers`; nothing if they do not say.
    ///
    /// However many digits a number of milliseconds has, it is a number: what is more than 64 bits hold is the most
    /// that they do.
    ///
    /// # Errors
    /// If there are several, or what there is cannot be read: a sign, a fraction, a unit where none belongs.
    pub fn read(&self, headers: &HeaderMap) -> Result<Option<Duration>, BadTimeout> {
        let mut values = headers.get_all(&self.name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let bad = |problem| BadTimeout { header: self.name.clone(), problem };
        if values.next().is_some() {
            return Err(bad(Problem::Several));
        }
        let value = value.as_bytes().trim_ascii();
        let (left, problem) = if self.is_grpc {
            (grpc(value), Problem::NotGrpc)
        } else {
            (milliseconds(value), Problem::NotMilliseconds)
        };
        left.map(Some).ok_or_else(|| bad(problem))
    }

    /// Tells in `headers` that `left` is left, rounded down, instead of whatever they told.
    pub fn write(&self, headers: &mut HeaderMap, left: Duration) {
        let value = if self.is_grpc { of_grpc(left) } else { of_milliseconds(left).into() };
        headers.insert(self.name.clone(), value);
    }

    /// Whether `left`, rounded down, is no time at all.
    pub(super) fn rounds_to_nothing(&self, left: Duration) -> bool {
        if self.is_grpc { left.is_zero() } else { of_milliseconds(left) == 0 }
    }
}

fn milliseconds(value: &[u8]) -> Option<Duration> {
    digits(value).map(Duration::from_millis)
}

fn of_milliseconds(left: Duration) -> u64 {
    u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
}

/// Nanoseconds of each unit, the finest first.
const UNITS: [(u8, u64); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];
const MOST_DIGITS: usize = 8;
const MOST: u64 = 99_999_999;

fn grpc(value: &[u8]) -> Option<Duration> {
    let (unit, number) = value.split_last()?;
    let (_, nanos) = UNITS.iter().find(|(known, _)| known == unit)?;
    let number = digits(number).filter(|_| number.len() <= MOST_DIGITS)?;
    // The most there can be is 11 415 years, which a duration holds and 64 bits of nanoseconds do not.
    Some(Duration::from_nanos(*nanos) * u32::try_from(number).ok()?)
}

/// In the finest unit that eight digits are enough for.
fn of_grpc(left: Duration) -> HeaderValue {
    let nanos = left.as_nanos();
    let in_unit = |&(unit, length): &(u8, u64)| (unit, u64::try_from(nanos / u128::from(length)).unwrap_or(u64::MAX));
    let (unit, number) = UNITS.iter().map(in_unit).find(|(_, number)| *number <= MOST).unwrap_or((b'H', MOST));
    let text = format!("{number}{}", char::from(unit));
    HeaderValue::try_from(text).expect("digits and a letter")
}

/// A number without a sign; one that is too large is the largest.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    })
}

pub(super) fn header_name(field: &'static str, name: &str) -> Result<HeaderName, ConfigError> {
    HeaderName::from_str(name).map_err(|_not_a_name| {
        ConfigError::new(field, format!("{name:?}"), "a header's name: letters, digits, hyphens")
    })
}

impl Default for TimeoutHeader {
    /// `x-request-timeout-ms`.
    fn default() -> Self {
        Self { name: HeaderName::from_static(DEFAULT), is_grpc: false }
    }
}

impl FromStr for TimeoutHeader {
    type Err = ConfigError;

    fn from_str(name: &str) -> Result<Self, ConfigError> {
        Self::new(name)
    }
}

impl TryFrom<String> for TimeoutHeader {
    type Error = ConfigError;

    fn try_from(name: String) -> Result<Self, ConfigError> {
        Self::new(&name)
    }
}

impl From<TimeoutHeader> for String {
    fn from(header: TimeoutHeader) -> Self {
        header.name.as_str().to_owned()
    }
}

/// A [`TimeoutHeader`] that nobody can read. It does not repeat the value, which is a stranger's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTimeout {
    header: HeaderName,
    problem: Problem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    Several,
    NotMilliseconds,
    NotGrpc,
}

impl BadTimeout {
    /// Which header.
    pub const fn header(&self) -> &HeaderName {
        &self.header
    }
}

impl fmt::Display for BadTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.problem {
            Problem::Several => "is there more than once",
            Problem::NotMilliseconds => "is no number of milliseconds",
            Problem::NotGrpc => "is not at most 8 digits and one of H M S m u n",
        };
        write!(f, "header `{}` {problem}", self.header)
    }
}

impl Error for BadTimeout {}
