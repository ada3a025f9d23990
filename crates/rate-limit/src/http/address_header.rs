use std::fmt;
use std::str::FromStr;

use http::HeaderName;
use http::header::FORWARDED;
use seawall_core::ConfigError;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The one header in which the proxies in front of a service name the client.
///
/// Written as the header's name; any name but the first two is a header of one address.
///
/// ```
/// use seawall_rate_limit::http::AddressHeader;
///
/// assert_eq!("X-Forwarded-For".parse(), Ok(AddressHeader::XForwardedFor));
/// assert_eq!("CF-Connecting-IP".parse::<AddressHeader>()?.to_string(), "cf-connecting-ip");
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressHeader {
    /// `X-Forwarded-For`, to which every proxy adds the address that it was called from. The default.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239), likewise; its pair `for` is the address.
    Forwarded,
    /// A header of one address, which the last proxy sets, whatever came in: `X-Real-IP`, `CF-Connecting-IP`,
    /// `True-Client-IP`. Sent twice, it says nothing.
    Single(HeaderName),
}

impl AddressHeader {
    pub(super) const VALID: &str = "the name of a header, such as x-forwarded-for, forwarded or x-real-ip";

    /// The header's name.
    pub fn name(&self) -> &HeaderName {
        match self {
            Self::XForwardedFor => &X_FORWARDED_FOR,
            Self::Forwarded => &FORWARDED,
            Self::Single(name) => name,
        }
    }
}

impl From<HeaderName> for AddressHeader {
    fn from(name: HeaderName) -> Self {
        if name == FORWARDED {
            Self::Forwarded
        } else if name == X_FORWARDED_FOR {
            Self::XForwardedFor
        } else {
            Self::Single(name)
        }
    }
}

impl FromStr for AddressHeader {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let name = HeaderName::from_str(text);
        name.map(Self::from).map_err(|_no_name| ConfigError::new("header", format_args!("{text:?}"), Self::VALID))
    }
}

impl fmt::Display for AddressHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.name(), f)
    }
}
