//! The walk does what a plain one over a list of addresses does, and nothing that a client sends changes it.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use seawall_rate_limit::http::{AddressHeader, ClientAddress, ClientAddressConfig, Network};

const TRUSTED: [&str; 4] = ["10.0.0.0/8", "192.0.2.7", "2001:db8:ffff::/48", "::1"];

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// An element of the list, as it is written in each of both headers.
#[derive(Clone, Debug)]
struct Hop {
    /// None if it is no address.
    address: Option<IpAddr>,
    text: String,
}

fn address() -> impl Strategy<Value = IpAddr> {
    let known = prop::sample::select(vec!["10.0.0.1", "10.255.3.4", "192.0.2.7", "2001:db8:ffff:1::2", "::1"]);
    prop_oneof![
        4 => known.prop_map(ip),
        1 => any::<[u8; 4]>().prop_map(IpAddr::from),
        // Without those that carry an address of IPv4, which are checked by themselves.
        1 => any::<u16>().prop_map(|low| ip(&format!("2001:db8::{low:x}"))),
    ]
}

fn hop() -> impl Strategy<Value = Hop> {
    let written = (address(), 0..5_u8, any::<u16>()).prop_map(|(address, form, port)| {
        let text = match (address, form) {
            (IpAddr::V6(v6), 0 | 1) => format!("[{v6}]"),
            (IpAddr::V6(v6), 2) => format!("\"[{v6}]:{port}\""),
            (IpAddr::V6(v6), 3) => format!("\"[{v6}%eth0]\""),
            (IpAddr::V4(v4), 0) => format!("::ffff:{v4}"),
            (IpAddr::V4(v4), 1) => format!("{v4}:{port}"),
            (IpAddr::V4(v4), 2) => format!("\"{v4}\""),
            _ => address.to_string(),
        };
        Hop { address: Some(address), text }
    });
    let no_address =
        prop::sample::select(vec!["", "unknown", "_hidden", "nonsense", "10.0.0", "10.0.0.1 10.0.0.2", "[::1"]);
    prop_oneof![9 => written, 1 => no_address.prop_map(|text| Hop { address: None, text: text.into() })]
}

fn lines(header: &AddressHeader, hops: &[Hop], ends: &[bool]) -> HeaderMap {
    let mut lines = vec![String::new()];
    for (i, hop) in hops.iter().enumerate() {
        let element = match header {
            AddressHeader::Forwarded => format!("by=_x;for={};host=\"a, \\\"b;\"", hop.text),
            _ => hop.text.clone(),
        };
        let line = lines.last_mut().expect("one at least");
        if i == 0 {
            line.push_str(&element);
        } else if ends.get(i).copied().unwrap_or(false) {
            lines.push(element);
        } else {
            line.push_str(if i % 2 == 0 { ", " } else { " ,\t" });
            line.push_str(&element);
        }
    }
    let value = |line: String| HeaderValue::try_from(line).expect("a header");
    if hops.is_empty() {
        lines.clear();
    }
    lines.into_iter().map(|line| (header.name().clone(), value(line))).collect()
}

/// The same in plain words: from the right, as long as there are addresses and they are trusted.
fn reference(trusted: &[Network], hops: Option<u32>, peer: IpAddr, list: &[Hop]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut chain = vec![peer];
    for hop in list.iter().rev() {
        let Some(address) = hop.address else { break };
        chain.push(address);
    }
    let proxies = chain.iter().take_while(|address| is_trusted(**address)).count();
    let proxies = hops.map_or(proxies, |most| proxies.min(most as usize));
    chain[proxies.min(chain.len() - 1)]
}

fn trusted() -> Vec<Network> {
    TRUSTED.iter().map(|text| text.parse().expect("a network")).collect()
}

fn client(header: AddressHeader, hops: Option<u32>) -> ClientAddress {
    let mut config = ClientAddressConfig::default().trusted_proxies(trusted()).header(header);
    if let Some(hops) = hops {
        config = config.hops(hops);
    }
    ClientAddress::new(config).expect("valid")
}

fn header() -> impl Strategy<Value = AddressHeader> {
    prop::sample::select(vec![AddressHeader::XForwardedFor, AddressHeader::Forwarded])
}

proptest! {
    #[test]
    fn the_walk_is_the_plain_one(
        header in header(),
        most in prop::option::of(1..4_u32),
        peer in address(),
        list in prop::collection::vec(hop(), 0..8),
        ends in prop::collection::vec(any::<bool>(), 8),
    ) {
        let headers = lines(&header, &list, &ends);
        let expected = reference(&trusted(), most, peer, &list);
        prop_assert_eq!(client(header, most).of(peer, &headers), expected, "{:?}", headers);
    }

    /// What the client sent stands to the left of the address that the outermost proxy saw: of whatever bytes it is, in lines
    /// of its own or in one with the proxies', the answer is what the proxy saw.
    #[test]
    fn nothing_that_a_client_sends_changes_who_it_is(
        header in header(),
        sent in prop::collection::vec(prop::collection::vec(prop_oneof![Just(b'"'), Just(b'\\'), Just(b','), 32..127_u8], 0..60), 0..4),
        joined in any::<bool>(),
        proxies in prop::collection::vec(prop::sample::select(vec!["10.0.0.1", "192.0.2.7", "::1"]), 0..4),
    ) {
        let name = header.name().clone();
        let mut headers = HeaderMap::new();
        for line in &sent {
            headers.append(name.clone(), HeaderValue::from_bytes(line).expect("printable"));
        }
        let element = |text: &str| match header {
            AddressHeader::Forwarded => format!("for=\"{text}\";proto=http"),
            _ => text.to_owned(),
        };
        let added: Vec<_> = std::iter::once("203.0.113.9").chain(proxies).map(element).collect();
        let added = added.join(", ");
        match headers.get_all(&name).iter().next_back().cloned() {
            Some(last) if joined => {
                let line = [last.as_bytes(), b", ", added.as_bytes()].concat();
                let mut lines: Vec<_> = headers.get_all(&name).iter().cloned().collect();
                lines.pop();
                headers.remove(&name);
                lines.push(HeaderValue::from_bytes(&line).expect("printable"));
                for line in lines {
                    headers.append(name.clone(), line);
                }
            }
            _ => {
                headers.append(name.clone(), added.parse().expect("a header"));
            }
        }
        let client = client(header, None);
        prop_assert_eq!(client.of(ip("10.9.9.9"), &headers), ip("203.0.113.9"), "{:?}", headers);
        // From a peer that is not trusted nothing at all is believed.
        prop_assert_eq!(client.of(ip("198.51.100.1"), &headers), ip("198.51.100.1"));
    }

    #[test]
    fn no_bytes_of_a_header_make_it_panic(
        name in prop::sample::select(vec!["x-forwarded-for", "forwarded", "x-real-ip"]),
        lines in prop::collection::vec(prop::collection::vec(prop_oneof![
            3 => prop::sample::select(b"\",;=[]:%.\\ \t_0123fFor".to_vec()),
            1 => prop_oneof![32..127_u8, 128..=255_u8],
        ], 0..80), 0..4),
    ) {
        let name = HeaderName::from_static(name);
        let values = lines.iter().map(|line| HeaderValue::from_bytes(line).expect("a header"));
        let headers: HeaderMap = values.map(|value| (name.clone(), value)).collect();
        let _ = client(AddressHeader::from(name), None).of(ip("10.0.0.1"), &headers);
    }
}
