//! Addresses and keys.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use seawall_rate_limit::http::{
    AddressHeader, ClientAddress, ClientAddressConfig, Network, Parts, PartsKey, PrefixLengths,
};
use serde::Deserialize;

use super::{Checked, compare, read};
use crate::miss::Miss;
use crate::vector::Vector;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientIp {
    mode: String,
    peer: IpAddr,
    trusted: Vec<String>,
    hops: Option<u32>,
    headers: Vec<(String, String)>,
    expect: IpAddr,
    #[serde(rename = "kind")]
    _kind: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "note")]
    _note: Option<String>,
}

pub(super) fn client_ip(vector: &Vector) -> Checked {
    let case: ClientIp = read(vector)?;
    let networks = case.trusted.iter().map(|text| text.parse::<Network>()).collect::<Result<Vec<_>, _>>();
    let networks = networks.map_err(|error| Miss::before_all("trusted", error))?;
    let header: AddressHeader = case.mode.parse().map_err(|error| Miss::before_all("mode", error))?;
    let mut config = ClientAddressConfig::default().trusted_proxies(networks).header(header);
    if let Some(hops) = case.hops {
        config = config.hops(hops);
    }
    let client = ClientAddress::new(config).map_err(|error| Miss::before_all("config", error))?;
    let mut headers = HeaderMap::new();
    for (name, value) in &case.headers {
        let name: HeaderName = name.parse().map_err(|error| Miss::before_all("headers", error))?;
        let value = HeaderValue::from_str(value).map_err(|error| Miss::before_all("headers", error))?;
        headers.append(name, value);
    }
    Ok(compare("expect", &case.expect, &client.of(case.peer, &headers)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IpKey {
    ip: IpAddr,
    ipv4_prefix: u8,
    ipv6_prefix: u8,
    expect: String,
    #[serde(rename = "kind")]
    _kind: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "note")]
    _note: Option<String>,
}

pub(super) fn ip_key(vector: &Vector) -> Checked {
    let case: IpKey = read(vector)?;
    let lengths = PrefixLengths::new(case.ipv4_prefix, case.ipv6_prefix);
    let lengths = lengths.map_err(|error| Miss::before_all("prefix", error))?;
    Ok(compare("expect", &case.expect, &lengths.of(case.ip).to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CompositeKey {
    a: Vec<String>,
    b: Vec<String>,
    expect_equal: bool,
    #[serde(rename = "kind")]
    _kind: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "note")]
    _note: Option<String>,
}

/// Both as values and by what is hashed of them, which is all that a table of fingerprints knows.
pub(super) fn composite_key(vector: &Vector) -> Checked {
    let case: CompositeKey = read(vector)?;
    let ((a, a_hash), (b, b_hash)) = (key(&case.a)?, key(&case.b)?);
    let mut misses = compare("expect_equal", &case.expect_equal, &(a == b));
    misses.extend(compare("hashes", &case.expect_equal, &(a_hash == b_hash)));
    Ok(misses)
}

fn key(parts: &[String]) -> Result<(PartsKey, u64), Miss> {
    fn of<const N: usize>(parts: &[String]) -> Option<(PartsKey, u64)> {
        let parts: &[String; N] = parts.try_into().ok()?;
        let parts = Parts::new(parts.each_ref());
        Some((parts.to_key(), hashed(&parts)))
    }

    let known = of::<1>(parts).or_else(|| of::<2>(parts)).or_else(|| of::<3>(parts)).or_else(|| of::<4>(parts));
    known.or_else(|| of::<0>(parts)).ok_or_else(|| Miss::before_all("parts", parts.len()))
}

fn hashed(value: &impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(value)
}
