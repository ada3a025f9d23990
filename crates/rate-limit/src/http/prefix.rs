use std::fmt;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use seawall_core::ConfigError;

use super::address;

/// How many bits of an address tell clients apart: all 32 of IPv4 and the first 64 of IPv6 by default.
///
/// A single line at home has 2⁶⁴ addresses of IPv6 at least, so a limit by whole addresses limits nobody. A customer of a
/// hoster has a `/48`, with 65 536 networks of that size: two limits, one by `/64` and a wider one by `/48`, hold both.
///
/// ```
/// use seawall_rate_limit::http::PrefixLengths;
///
/// let (line, site) = (PrefixLengths::default(), PrefixLengths::new(24, 48)?);
/// let address = "2001:db8:1:2:3:4:5:6".parse()?;
/// assert_eq!(line.of(address).to_string(), "2001:db8:1:2::/64");
/// assert_eq!(site.of(address).to_string(), "2001:db8:1::/48");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "super::format::Lengths", into = "super::format::Lengths"))]
pub struct PrefixLengths {
    ipv4: u8,
    ipv6: u8,
}

impl PrefixLengths {
    /// These many bits of addresses of IPv4 and of IPv6.
    ///
    /// # Errors
    /// `ipv4_prefix` that is not 1 to 32, `ipv6_prefix` that is not 1 to 128: of no bits, everybody is one client, which a limit
    /// without a key says better.
    pub fn new(ipv4: u8, ipv6: u8) -> Result<Self, ConfigError> {
        if !(1..=32).contains(&ipv4) {
            return Err(ConfigError::new("ipv4_prefix", ipv4, "1 to 32"));
        }
        if !(1..=128).contains(&ipv6) {
            return Err(ConfigError::new("ipv6_prefix", ipv6, "1 to 128"));
        }
        Ok(Self { ipv4, ipv6 })
    }

    /// The prefix of this address, by which its client is known.
    ///
    /// An address of IPv4 within one of IPv6 is taken as it is in IPv4: mapped ones (`::ffff:0:0/96`), and those of NAT64
    /// (`64:ff9b::/96`) and 6to4 (`2002::/16`), whose users would all be one client otherwise.
    pub fn of(&self, address: IpAddr) -> AddressPrefix {
        // Lengths were checked, so that the whole address is never taken.
        AddressPrefix(match address::of_key(address) {
            IpAddr::V4(address) => Ipv4Net::new(address, self.ipv4).unwrap_or(address.into()).trunc().into(),
            IpAddr::V6(address) => Ipv6Net::new(address, self.ipv6).unwrap_or(address.into()).trunc().into(),
        })
    }

    /// How many bits of an address of IPv4.
    pub const fn ipv4(&self) -> u8 {
        self.ipv4
    }

    /// How many bits of an address of IPv6.
    pub const fn ipv6(&self) -> u8 {
        self.ipv6
    }
}

impl Default for PrefixLengths {
    fn default() -> Self {
        Self { ipv4: 32, ipv6: 64 }
    }
}

/// The first bits of an address and how many they are: a key for limits by address.
///
/// ```
/// use seawall_rate_limit::http::AddressPrefix;
///
/// let [a, b] = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9"].map(|text| text.parse().expect("an address"));
/// assert_eq!(AddressPrefix::of(a), AddressPrefix::of(b));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressPrefix(IpNet);

impl AddressPrefix {
    /// The prefix by the default [lengths](PrefixLengths): the address of IPv4, or 64 bits of one of IPv6.
    pub fn of(address: IpAddr) -> Self {
        PrefixLengths::default().of(address)
    }

    /// The first address with this prefix.
    pub fn address(&self) -> IpAddr {
        self.0.addr()
    }

    /// How many bits.
    pub fn length(&self) -> u8 {
        self.0.prefix_len()
    }
}

impl fmt::Display for AddressPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for AddressPrefix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lengths: PrefixLengths, address: &str) -> String {
        lengths.of(address.parse().expect("an address")).to_string()
    }

    #[test]
    fn a_prefix_is_cut_at_its_length_and_shown_with_it() {
        let lengths = |ipv4, ipv6| PrefixLengths::new(ipv4, ipv6).expect("valid");
        for (lengths, address, prefix) in [
            (PrefixLengths::default(), "203.0.113.9", "203.0.113.9/32"),
            (PrefixLengths::default(), "2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
            (PrefixLengths::default(), "::ffff:203.0.113.9", "203.0.113.9/32"),
            (PrefixLengths::default(), "64:ff9b::10.0.0.1", "10.0.0.1/32"),
            (PrefixLengths::default(), "2002:cb00:7109::1", "203.0.113.9/32"),
            (PrefixLengths::default(), "::1", "::/64"),
            (lengths(24, 56), "203.0.113.9", "203.0.113.0/24"),
            (lengths(24, 56), "2001:db8:1:2ff::1", "2001:db8:1:200::/56"),
            (lengths(1, 1), "203.0.113.9", "128.0.0.0/1"),
            (lengths(1, 1), "ffff::1", "8000::/1"),
            (lengths(32, 128), "2001:db8::1", "2001:db8::1/128"),
        ] {
            assert_eq!(shown(lengths, address), prefix, "{address}");
        }
    }

    #[test]
    fn the_same_bits_of_another_length_are_another_key() {
        let address = "2001:db8::1".parse().expect("an address");
        let [wide, narrow] = [48, 64].map(|ipv6| PrefixLengths::new(32, ipv6).expect("valid").of(address));
        assert_eq!(wide.address(), narrow.address());
        assert_ne!(wide, narrow);
    }

    #[test]
    fn lengths_that_cannot_be_are_errors() {
        for (ipv4, ipv6, field, value) in [
            (0, 64, "ipv4_prefix", "0"),
            (33, 64, "ipv4_prefix", "33"),
            (32, 0, "ipv6_prefix", "0"),
            (32, 129, "ipv6_prefix", "129"),
        ] {
            let error = PrefixLengths::new(ipv4, ipv6).expect_err(field);
            assert_eq!((error.field(), error.value()), (field, value));
        }
    }
}
