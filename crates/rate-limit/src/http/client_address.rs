use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use seawall_core::ConfigError;

use super::hops::{Hops, Syntax};
use super::{AddressHeader, Network, address};

/// Whom to believe about a client's address: nobody by default.
///
/// | field | default | |
/// |---|---|---|
/// | `trusted_proxies` | none | the networks of the proxies that are believed |
/// | `header` | `x-forwarded-for` | the one [header](AddressHeader) that they are believed in |
/// | `hops` | no limit | how many proxies there are at most, the one that calls included |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "super::format::ClientAddress", into = "super::format::ClientAddress"))]
pub struct ClientAddressConfig {
    pub(super) trusted_proxies: Vec<Network>,
    pub(super) header: AddressHeader,
    pub(super) hops: Option<u32>,
}

impl ClientAddressConfig {
    /// Believes what proxies of these networks say, and nobody else.
    #[must_use]
    pub fn trusted_proxies(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.trusted_proxies = networks.into_iter().collect();
        self
    }

    /// Reads this header, and no other.
    #[must_use]
    pub fn header(mut self, header: impl Into<AddressHeader>) -> Self {
        self.header = header.into();
        self
    }

    /// Believes this many proxies at most, the one that calls included: 1 is the peer alone, whose word on who called it is
    /// then the client, even if that is in a trusted network.
    #[must_use]
    pub fn hops(mut self, hops: u32) -> Self {
        self.hops = Some(hops);
        self
    }
}

/// Who the client of a request is, by its address.
///
/// Where no proxy is trusted, and that is the default, the client is the peer of the connection, whatever the headers say.
///
/// # Behind proxies
/// A header says what whoever wrote it wanted to say. Only the addresses that *trusted* proxies added are facts, and each
/// proxy adds to the right. So: is the peer a trusted proxy, then the last address of the header is who called it; is that a
/// trusted proxy as well, then the one before it; and so on. The first address that is not of a trusted proxy is the client.
/// What stands further left was sent by the client itself and is never looked at.
///
/// - All lines of the header are one list, in their order.
/// - An element that is no address (`unknown`, an obfuscated name, an empty one) ends the walk: the client is the last
///   trusted address, since what is left of it may be anybody's word.
/// - If all addresses are of trusted proxies, it is the leftmost.
/// - Ports, brackets, quotes and zones are taken off. An address of IPv4 in IPv6 (`::ffff:203.0.113.9`) is the one of IPv4.
///   The client's own address is also taken out of NAT64's `64:ff9b::/96` and 6to4's `2002::/16`, if a public one is in it; trust
///   is given to addresses as they came.
/// - At most the last 8 KiB of the header are read.
///
/// The walk allocates nothing and costs one comparison a trusted network for each address that it passes.
///
/// ```
/// use http::HeaderMap;
/// use seawall_rate_limit::http::{ClientAddress, ClientAddressConfig};
///
/// let config = ClientAddressConfig::default().trusted_proxies(["10.0.0.0/8".parse()?, "2001:db8:ffff::/48".parse()?]);
/// let client = ClientAddress::new(config)?;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.0.0.7".parse()?);
/// assert_eq!(client.of("10.0.0.1".parse()?, &headers).to_string(), "203.0.113.9");
/// // Somebody who is not a proxy of ours.
/// assert_eq!(client.of("198.51.100.1".parse()?, &headers).to_string(), "198.51.100.1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Proxies whose addresses are not known
/// Where a platform's proxies come from everywhere, but their number is known, trust everybody for so many hops. This holds only
/// if nobody can reach the service except through them.
///
/// ```
/// # use seawall_rate_limit::http::{ClientAddress, ClientAddressConfig};
/// let everybody = ["0.0.0.0/0".parse()?, "::/0".parse()?];
/// let config = ClientAddressConfig::default().trusted_proxies(everybody);
/// assert!(ClientAddress::new(config.clone()).is_err(), "then any client could name any address");
/// let client = ClientAddress::new(config.hops(2))?;
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "ClientAddressConfig", into = "ClientAddressConfig"))]
pub struct ClientAddress {
    config: ClientAddressConfig,
}

impl ClientAddress {
    /// What the configuration says.
    ///
    /// # Errors
    /// `hops` that are 0, more than a thousand, given without `trusted_proxies` or with a header of one address;
    /// `trusted_proxies` that are everybody, without `hops`. With a header of one address everybody may be trusted: that is for a
    /// service that nobody can reach but through the proxy that sets it, and a way to forge addresses for any other.
    pub fn new(config: ClientAddressConfig) -> Result<Self, ConfigError> {
        if let Some(hops) = config.hops {
            if !(1..=1_000).contains(&hops) {
                return Err(ConfigError::new("hops", hops, "1 to 1000"));
            }
            if config.trusted_proxies.is_empty() {
                return Err(ConfigError::new("hops", hops, "given together with trusted_proxies"));
            }
            if let AddressHeader::Single(name) = &config.header {
                let valid = format!("left out for a header of one address, which {name} is");
                return Err(ConfigError::new("hops", hops, valid));
            }
        } else if !matches!(config.header, AddressHeader::Single(_))
            && let Some(all) = config.trusted_proxies.iter().find(|network| network.is_everything())
        {
            let valid = "networks of proxies alone, or given together with hops: a client could name any address";
            return Err(ConfigError::new("trusted_proxies", all, valid));
        }
        Ok(Self { config })
    }

    /// The address of the client that sent a request with these headers through this peer.
    pub fn of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if self.config.trusted_proxies.is_empty() || !self.trusts(peer) {
            return address::of_client(peer);
        }
        address::of_client(match &self.config.header {
            AddressHeader::Single(name) => the_only(headers, name).unwrap_or(peer),
            list @ AddressHeader::XForwardedFor => self.walk(peer, headers, list.name(), Syntax::Addresses),
            list @ AddressHeader::Forwarded => self.walk(peer, headers, list.name(), Syntax::Pairs),
        })
    }

    /// The configuration.
    pub fn config(&self) -> &ClientAddressConfig {
        &self.config
    }

    fn walk(&self, peer: IpAddr, headers: &HeaderMap, name: &HeaderName, syntax: Syntax) -> IpAddr {
        let mut client = peer;
        let hops = Hops::new(headers.get_all(name).iter(), syntax);
        for (passed, hop) in (1..).zip(hops) {
            let Some(address) = hop else { break };
            client = address;
            if self.config.hops == Some(passed) || !self.trusts(address) {
                break;
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.config.trusted_proxies.iter().any(|network| network.contains(address))
    }
}

impl TryFrom<ClientAddressConfig> for ClientAddress {
    type Error = ConfigError;

    fn try_from(config: ClientAddressConfig) -> Result<Self, ConfigError> {
        Self::new(config)
    }
}

impl From<ClientAddress> for ClientAddressConfig {
    fn from(client: ClientAddress) -> Self {
        client.config
    }
}

/// The header's address, if the header was sent once.
fn the_only(headers: &HeaderMap, name: &HeaderName) -> Option<IpAddr> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next()?;
    if lines.next().is_some() { None } else { address::parse(line.to_str().ok()?) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn trusting(networks: &[&str]) -> ClientAddressConfig {
        ClientAddressConfig::default().trusted_proxies(networks.iter().map(|text| text.parse().expect("a network")))
    }

    fn headers(name: &'static str, lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (HeaderName::from_static(name), line.parse().expect("a header"))).collect()
    }

    fn client(config: &ClientAddressConfig, peer: &str, name: &'static str, lines: &[&str]) -> String {
        let client = ClientAddress::new(config.clone()).expect("valid");
        client.of(ip(peer), &headers(name, lines)).to_string()
    }

    #[test]
    fn without_trusted_proxies_headers_say_nothing() {
        for name in ["x-forwarded-for", "forwarded", "x-real-ip"] {
            let none = ClientAddressConfig::default().header(HeaderName::from_static(name));
            assert_eq!(client(&none, "10.0.0.1", name, &["6.6.6.6"]), "10.0.0.1");
            assert_eq!(client(&none, "::ffff:10.0.0.1", name, &["for=6.6.6.6"]), "10.0.0.1");
        }
    }

    #[test]
    fn only_one_header_is_read() {
        let config = trusting(&["10.0.0.0/8"]);
        assert_eq!(client(&config, "10.0.0.1", "forwarded", &["for=6.6.6.6"]), "10.0.0.1");
        assert_eq!(client(&config, "10.0.0.1", "x-real-ip", &["6.6.6.6"]), "10.0.0.1");
        let config = config.header(AddressHeader::Forwarded);
        assert_eq!(client(&config, "10.0.0.1", "x-forwarded-for", &["6.6.6.6"]), "10.0.0.1");
        assert_eq!(client(&config, "10.0.0.1", "forwarded", &["for=6.6.6.6,for=1.1.1.1;by=_x"]), "1.1.1.1");
    }

    #[test]
    fn a_header_of_one_address_is_read_if_it_came_once_and_through_a_proxy() {
        let config = trusting(&["10.0.0.0/8"]).header(HeaderName::from_static("cf-connecting-ip"));
        for (peer, lines, expected) in [
            ("10.0.0.1", &["203.0.113.9"][..], "203.0.113.9"),
            ("10.0.0.1", &["10.2.3.4"], "10.2.3.4"),
            ("10.0.0.1", &["203.0.113.9", "6.6.6.6"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9, 6.6.6.6"], "10.0.0.1"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("198.51.100.1", &["203.0.113.9"], "198.51.100.1"),
        ] {
            assert_eq!(client(&config, peer, "cf-connecting-ip", lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn hops_count_the_proxies_from_the_peer_on() {
        let everybody = trusting(&["0.0.0.0/0", "::/0"]);
        let line = ["6.6.6.6, 1.1.1.1, 2.2.2.2, 3.3.3.3"];
        for (hops, expected) in [(1, "3.3.3.3"), (2, "2.2.2.2"), (3, "1.1.1.1"), (4, "6.6.6.6"), (1_000, "6.6.6.6")] {
            assert_eq!(client(&everybody.clone().hops(hops), "9.9.9.9", "x-forwarded-for", &line), expected, "{hops}");
        }
        // Untrusted networks end the walk before the hops do.
        let known = trusting(&["10.0.0.0/8"]).hops(3);
        assert_eq!(client(&known, "10.0.0.1", "x-forwarded-for", &["6.6.6.6, 1.1.1.1, 10.0.0.2"]), "1.1.1.1");
        let known = trusting(&["10.0.0.0/8"]).hops(1);
        assert_eq!(client(&known, "10.0.0.1", "x-forwarded-for", &["6.6.6.6, 1.1.1.1, 10.0.0.2"]), "10.0.0.2");
    }

    #[test]
    fn trust_is_given_to_addresses_as_they_came() {
        let config = trusting(&["10.0.0.0/8", "203.0.113.0/24"]);
        // A tunnel's address that carries a proxy's is no proxy; neither is one of the inside.
        assert_eq!(client(&config, "2002:cb00:7101::1", "x-forwarded-for", &["6.6.6.6"]), "203.0.113.1");
        assert_eq!(client(&config, "2002:a00:1::1", "x-forwarded-for", &["6.6.6.6"]), "2002:a00:1::1");
        assert_eq!(client(&config, "::ffff:10.0.0.1", "x-forwarded-for", &["64:ff9b::6.6.6.6"]), "6.6.6.6");
    }

    #[test]
    fn a_wrong_configuration_is_an_error_that_names_its_field() {
        let single = HeaderName::from_static("x-real-ip");
        for (config, field, value) in [
            (trusting(&["10.0.0.0/8"]).hops(0), "hops", "0"),
            (trusting(&["10.0.0.0/8"]).hops(1_001), "hops", "1001"),
            (ClientAddressConfig::default().hops(1), "hops", "1"),
            (trusting(&["10.0.0.0/8"]).header(single.clone()).hops(1), "hops", "1"),
            (trusting(&["10.0.0.0/8", "0.0.0.0/0"]), "trusted_proxies", "0.0.0.0/0"),
            (trusting(&["::/0"]).header(AddressHeader::Forwarded), "trusted_proxies", "::/0"),
        ] {
            let error = ClientAddress::new(config).expect_err(field);
            assert_eq!((error.field(), error.value()), (field, value));
        }
        // The platform's header cannot be sent past the platform, whatever its addresses are.
        assert!(ClientAddress::new(trusting(&["0.0.0.0/0"]).header(single)).is_ok());
    }
}
