use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use seawall_core::ConfigError;

use super::address;

/// Addresses that begin alike, as CIDR writes them: `10.0.0.0/8`, `2001:db8::/32`, or one address alone.
///
/// Bits beyond the prefix must be zero: `10.0.0.5/8` is more likely one host with a wrong length than sixteen million hosts
/// that somebody means to trust. An IPv4 network in the form of IPv6, `::ffff:10.0.0.0/104`, is the IPv4 network.
///
/// ```
/// use seawall_rate_limit::http::Network;
///
/// let network: Network = "10.0.0.0/8".parse()?;
/// assert!(network.contains("10.1.2.3".parse()?));
/// assert!(network.contains("::ffff:10.1.2.3".parse()?));
/// assert!(!network.contains("11.0.0.0".parse()?));
///
/// let error = "10.0.0.5/8".parse::<Network>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"`network` is "10.0.0.5/8", must be an address or a network without bits beyond its prefix, such as 10.0.0.0/8 or 2001:db8::/32"#,
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

impl Network {
    pub(super) const VALID: &str =
        "an address or a network without bits beyond its prefix, such as 10.0.0.0/8 or 2001:db8::/32";

    /// Whether this address is one of the network's. Of an address of IPv4 in the form of IPv6, the IPv4 address is meant.
    /// No network of IPv6 has one of IPv4: `::/0` is all of IPv6.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address::unmapped(address))
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.0.addr()
    }

    /// How many bits its addresses have in common.
    pub fn prefix_length(&self) -> u8 {
        self.0.prefix_len()
    }

    /// The text's network, if it is one.
    pub(super) fn read(text: &str) -> Option<Self> {
        let network: IpNet = match text.parse::<IpAddr>() {
            Ok(address) => address.into(),
            Err(_not_one_address) => text.parse().ok()?,
        };
        let network = match (network, address::unmapped(network.addr())) {
            (IpNet::V6(mapped), IpAddr::V4(inner)) => {
                // Fewer than 96 bits would be more than the addresses of IPv4.
                let length = mapped.prefix_len().checked_sub(96)?;
                Ipv4Net::new(inner, length).ok()?.into()
            }
            _ => network,
        };
        (network.trunc() == network).then_some(Self(network))
    }

    /// Whether everybody is in it who has an address of its kind.
    pub(super) fn is_everything(self) -> bool {
        self.prefix_length() == 0
    }
}

impl FromStr for Network {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Self::read(text).ok_or_else(|| ConfigError::new("network", format_args!("{text:?}"), Self::VALID))
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(address::unmapped(address).into())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_read_in_each_of_its_forms() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("10.0.0.5", "10.0.0.5/32"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::/0", "::/0"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:10.0.0.5", "10.0.0.5/32"),
            ("::ffff:0.0.0.0/96", "0.0.0.0/0"),
        ] {
            assert_eq!(text.parse::<Network>().expect(text).to_string(), shown, "{text}");
        }
    }

    #[test]
    fn a_malformed_network_is_an_error_that_says_what_would_be_one() {
        for text in [
            "",
            "/",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/8/8",
            "10.0.0/8",
            "10.0.0.1/8",
            " 10.0.0.0/8",
            "10.0.0.0/255.0.0.0",
            "2001:db8::1/64",
            "::/129",
            "::ffff:0.0.0.0/95",
            "::ffff:11.0.0.0/103",
            "::ffff:10.0.0.1/104",
            "localhost",
            "[::1]",
            "fe80::1%eth0",
            "all",
        ] {
            let error = text.parse::<Network>().expect_err(text);
            assert_eq!((error.field(), error.value()), ("network", &*format!("{text:?}")));
            assert!(error.valid().contains("10.0.0.0/8"));
        }
    }

    #[test]
    fn addresses_of_the_other_kind_are_not_in_a_network() {
        let (v4, v6): (Network, Network) = ("0.0.0.0/0".parse().expect("all"), "::/0".parse().expect("all"));
        assert!(v4.contains([127, 0, 0, 1].into()) && !v6.contains([127, 0, 0, 1].into()));
        let mapped = "::ffff:127.0.0.1".parse().expect("an address");
        assert!(v4.contains(mapped) && !v6.contains(mapped));
        assert!(v6.contains("::1".parse().expect("an address")) && !v4.contains("::1".parse().expect("an address")));
    }
}
