//! Finding the client allocates nothing; telling it allocates a value a header.

use std::net::IpAddr;
use std::time::Duration;

use http::HeaderMap;
use seawall_core::Name;
use seawall_rate_limit::http::{
    AddressHeader, AddressPrefix, ClientAddress, ClientAddressConfig, Parts, Policy, PolicyState, RateLimitHeaders,
};
use seawall_testkit::alloc::{self, assert_none};

fn proxied() -> ClientAddressConfig {
    ClientAddressConfig::default().trusted_proxies(["10.0.0.0/8".parse().expect("a network")])
}

#[test]
fn finding_the_client_allocates_nothing_however_long_the_header_is() {
    let peer: IpAddr = [10, 0, 0, 1].into();
    for (header, hop) in [(AddressHeader::XForwardedFor, "10.0.0.7"), (AddressHeader::Forwarded, "for=\"10.0.0.7:80\"")]
    {
        let client = ClientAddress::new(proxied().header(header.clone())).expect("valid");
        let hops: Vec<_> = (0..20_000).map(|_| hop).collect();
        let headers = HeaderMap::from_iter([(header.name().clone(), hops.join(", ").parse().expect("a header"))]);
        assert_none("the walk", || {
            let found = client.of(peer, &headers);
            assert_eq!(found, IpAddr::from([10, 0, 0, 7]));
            assert_eq!(AddressPrefix::of(found).length(), 32);
        });
    }
}

#[test]
fn a_key_of_parts_is_hashed_without_a_copy() {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

    let (tenant, path) = (String::from("acme"), String::from("/orders"));
    assert_none("hashing", || {
        let _ = BuildHasherDefault::<DefaultHasher>::default().hash_one(Parts::new([&tenant, &path]));
    });
    assert_eq!(alloc::count(|| Parts::new([&tenant, &path]).to_key()).count, 1);
}

#[test]
fn telling_costs_a_value_a_header() {
    let policies = ["second", "minute", "hour", "day"].map(|name| {
        let policy = Policy::new(Name::from_static(name), Policy::MAX_QUOTA).expect("valid");
        policy.window(Duration::from_secs(86_400))
    });
    let states =
        policies.each_ref().map(|policy| PolicyState::new(policy, u64::MAX).reset_after(Duration::from_secs(86_400)));
    let mut headers = HeaderMap::with_capacity(8);
    let told = alloc::count(|| RateLimitHeaders::default().append(&mut headers, &states));
    // A text and what makes it a value, of each of both.
    assert!(told.count <= 4, "{told:?}");
    // The policies do not change.
    let policies = RateLimitHeaders::policies(&states).expect("four policies");
    headers.clear();
    let told = alloc::count(|| RateLimitHeaders::default().append_with(&mut headers, &states, &policies));
    assert!(told.count <= 2, "{told:?}");
    assert_eq!(headers["ratelimit-policy"], policies);
}
