//! The several ways in which one address is written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address that was meant: `::ffff:a.b.c.d` is how a socket of IPv6 names a peer of IPv4.
pub(super) fn unmapped(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The address whose client it is: unmapped, and out of a translator's or a tunnel's where that is a public one.
///
/// No translator may put a private address into a public one (RFC 6052 section 3.1, RFC 3056 section 2). What comes with one
/// is left as it is, so that nobody passes for a host of the inside by choosing an address.
pub(super) fn of_client(address: IpAddr) -> IpAddr {
    let address = unmapped(address);
    match carried(address) {
        Some(inner) if !is_inside(inner) => inner.into(),
        _ => address,
    }
}

/// The address by which clients are told apart: all clients of a translator have addresses of one IPv6 prefix, so each is
/// known by the IPv4 address that it came from, whatever that is.
pub(super) fn of_key(address: IpAddr) -> IpAddr {
    let address = unmapped(address);
    carried(address).map_or(address, IpAddr::from)
}

/// The IPv4 address within one of NAT64's well-known prefix (`64:ff9b::/96`, RFC 6052) or of 6to4 (`2002::/16`, RFC 3056).
fn carried(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some((u32::from(high) << 16 | u32::from(low)).into())
        }
        _ => None,
    }
}

/// Whether no host of the internet has this address.
fn is_inside(address: Ipv4Addr) -> bool {
    let shared = matches!(address.octets(), [100, 64..=127, ..]);
    shared
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || matches!(address.octets(), [0 | 240..=255, ..])
}

/// An address as a hop of a header names it: with a port, in brackets, in quotes, with a zone, or bare.
///
/// What is not an address (`unknown`, an obfuscated `_name`, a host's name) is `None`.
pub(super) fn parse(text: &str) -> Option<IpAddr> {
    let text = unquoted(text.trim_matches([' ', '\t']))?;
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']')?;
        let port_is_one = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        return if port_is_one { parse_v6(address) } else { None };
    }
    match text.split_once(':') {
        None => text.parse().ok().map(IpAddr::V4),
        // Of IPv6 without brackets nothing could be a port.
        Some((_, rest)) if rest.contains(':') => parse_v6(text),
        Some((address, port)) if is_port(port) => address.parse().ok().map(IpAddr::V4),
        Some(_) => None,
    }
}

fn parse_v6(text: &str) -> Option<IpAddr> {
    let address = match text.split_once('%') {
        // The zone is the proxy's own name of its interface, and says nothing here.
        Some((address, zone)) if !zone.is_empty() => address,
        Some(_) => return None,
        None => text,
    };
    address.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

/// The text within quotes, or the text without any. One whose quotes are not two, or that escapes something, is none.
fn unquoted(text: &str) -> Option<&str> {
    if !text.contains(['"', '\\']) {
        return Some(text);
    }
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains(['"', '\\']) { None } else { Some(inner) }
}

/// A number of a port, or what stands for one that is kept secret (RFC 7239 section 6).
fn is_port(text: &str) -> bool {
    match text.strip_prefix('_') {
        Some(name) => {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        }
        None => text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_is_known_in_each_of_its_forms() {
        for (text, expected) in [
            ("203.0.113.9", "203.0.113.9"),
            (" \t203.0.113.9 ", "203.0.113.9"),
            ("203.0.113.9:65535", "203.0.113.9"),
            ("\"203.0.113.9:80\"", "203.0.113.9"),
            ("203.0.113.9:_port-1", "203.0.113.9"),
            ("2001:db8::5", "2001:db8::5"),
            ("[2001:db8::5]", "2001:db8::5"),
            ("[2001:DB8::5]:443", "2001:db8::5"),
            ("\"[2001:db8::5]:_x\"", "2001:db8::5"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:1", "fe80::1"),
            ("::ffff:203.0.113.9", "::ffff:203.0.113.9"),
        ] {
            assert_eq!(parse(text), Some(ip(expected)), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_address_is_none() {
        for text in [
            "",
            " ",
            "\"",
            "\"\"",
            "unknown",
            "_hidden",
            "localhost",
            "garbage",
            "203.0.113.9:",
            "203.0.113.9:65536",
            "203.0.113.9:-1",
            "203.0.113.9:+1",
            "203.0.113.9:000001",
            "203.0.113.9:_",
            "203.0.113.09",
            "203.0.113",
            "203.0.113.9.1",
            "0x7f.1",
            "2130706433",
            "[203.0.113.9]",
            "[2001:db8::5",
            "2001:db8::5]",
            "[2001:db8::5]443",
            "[]",
            "[::1]:",
            "\"203.0.113.9",
            "203.0.113.9\"",
            "\"\"203.0.113.9\"\"",
            "\"203.0.113.\\9\"",
            "fe80::1%",
            "[fe80::1%]",
            "203.0.113.9%eth0",
            "203.0.113.9/32",
            "203.0.113.9 10.0.0.1",
            "1:2",
            "::g",
            "２03.0.113.9",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_client_is_known_behind_a_translator_but_nobody_becomes_a_host_of_the_inside() {
        for (address, client, key) in [
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1"),
            ("64:ff9b::203.0.113.9", "203.0.113.9", "203.0.113.9"),
            ("2002:cb00:7109:1::2", "203.0.113.9", "203.0.113.9"),
            ("64:ff9b::10.0.0.1", "64:ff9b::10.0.0.1", "10.0.0.1"),
            ("2002:7f00:1::1", "2002:7f00:1::1", "127.0.0.1"),
            ("2002:6440:1::1", "2002:6440:1::1", "100.64.0.1"),
            ("2002:a9fe:a9fe::1", "2002:a9fe:a9fe::1", "169.254.169.254"),
            ("2002::1", "2002::1", "0.0.0.0"),
            ("2002:ffff:ffff::1", "2002:ffff:ffff::1", "255.255.255.255"),
            // A prefix of a site's own (RFC 8215): where the address stands in it is the site's choice.
            ("64:ff9b:1::203.0.113.9", "64:ff9b:1::203.0.113.9", "64:ff9b:1::203.0.113.9"),
            // No longer a form of IPv4 (RFC 4291): it would make a loopback address 0.0.0.1.
            ("::1", "::1", "::1"),
            ("::203.0.113.9", "::203.0.113.9", "::203.0.113.9"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(of_client(ip(address)), ip(client), "{address}");
            assert_eq!(of_key(ip(address)), ip(key), "{address}");
        }
    }
}
