//! What is written is read as the same, and no field makes a client panic.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use seawall_core::Name;
use seawall_rate_limit::http::{
    HeaderVersion, LegacyLimit, Policy, PolicyState, QuotaPolicy, QuotaUnit, RateLimitHeaders, ServiceLimit,
};

#[derive(Clone, Debug)]
struct Told {
    policy: Policy,
    remaining: u64,
    reset_after: Option<u64>,
    key: Option<Vec<u8>>,
}

fn told() -> impl Strategy<Value = Told> {
    let unit = prop::sample::select(vec![QuotaUnit::Requests, QuotaUnit::ContentBytes, QuotaUnit::ConcurrentRequests]);
    let policy =
        ("[ -~]{1,31}", 0..=Policy::MAX_QUOTA, 0..=Policy::MAX_QUOTA, unit).prop_map(|(name, quota, window, unit)| {
            let policy = Policy::new(name.parse().expect("a name"), quota).expect("valid");
            policy.window(Duration::from_secs(window)).unit(unit)
        });
    let key = prop::option::of(prop::collection::vec(any::<u8>(), 0..20));
    let told = (policy, 0..=Policy::MAX_QUOTA, prop::option::of(0..=Policy::MAX_QUOTA), key);
    told.prop_map(|(policy, remaining, reset_after, key)| Told { policy, remaining, reset_after, key })
}

impl Told {
    fn state(&self) -> PolicyState<'_> {
        let mut state = PolicyState::new(&self.policy, self.remaining);
        if let Some(seconds) = self.reset_after {
            state = state.reset_after(Duration::from_secs(seconds));
        }
        if let Some(key) = &self.key {
            state = state.partition_key(key);
        }
        state
    }
}

fn field(name: &'static str, lines: &[Vec<u8>]) -> HeaderMap {
    let values = lines.iter().map(|line| HeaderValue::from_bytes(line).expect("a header"));
    values.map(|value| (HeaderName::from_static(name), value)).collect()
}

proptest! {
    #[test]
    fn what_a_server_tells_is_what_a_client_reads(inner in prop::collection::vec(told(), 1..4), outer in prop::collection::vec(told(), 0..3)) {
        let mut headers = HeaderMap::new();
        for layer in [&inner, &outer] {
            let states: Vec<_> = layer.iter().map(Told::state).collect();
            RateLimitHeaders::default().append(&mut headers, &states);
        }
        let limits = ServiceLimit::read(&headers).expect("well-formed");
        let policies = QuotaPolicy::read(&headers).expect("well-formed");
        prop_assert_eq!(limits.len(), inner.len() + outer.len());
        prop_assert_eq!(policies.len(), limits.len());
        for ((told, limit), policy) in inner.iter().chain(&outer).zip(limits).zip(policies) {
            prop_assert_eq!(told.policy.name(), limit.policy.parse::<Name>().expect("a name"));
            prop_assert_eq!(told.remaining, limit.remaining);
            prop_assert_eq!(told.reset_after.map(Duration::from_secs), limit.reset_after);
            prop_assert_eq!(&told.key, &limit.partition_key);
            prop_assert_eq!(&told.key, &policy.partition_key);
            prop_assert_eq!(&limit.policy, &policy.name);
            prop_assert_eq!(told.policy.quota(), policy.quota);
            prop_assert_eq!(told.policy.window_seconds().map(Duration::from_secs), policy.window);
            prop_assert_eq!(told.policy.quota_unit().as_str(), policy.unit.as_deref().unwrap_or("requests"));
        }
    }

    #[test]
    fn the_older_fields_tell_of_the_tightest(list in prop::collection::vec(told(), 1..5)) {
        let states: Vec<_> = list.iter().map(Told::state).collect();
        let mut headers = HeaderMap::new();
        RateLimitHeaders::new(HeaderVersion::Draft03).append(&mut headers, &states);
        let read = LegacyLimit::read(&headers).expect("well-formed");
        let least = list.iter().map(|told| told.remaining).min();
        prop_assert_eq!(Some(read.remaining), least);
        let tightest = list.iter().filter(|told| Some(told.remaining) == least).map(|told| told.reset_after.unwrap_or(0)).max();
        prop_assert_eq!(read.reset_after, tightest.map(Duration::from_secs));
    }

    #[test]
    fn no_bytes_of_a_field_make_a_client_panic(
        lines in prop::collection::vec(prop::collection::vec(prop_oneof![
            3 => prop::sample::select(b"\"a;=:,()rtqwpk-.0123456789 \t\\?@%".to_vec()),
            1 => prop_oneof![32..127_u8, 128..=255_u8],
        ], 0..60), 0..4),
    ) {
        let _ = ServiceLimit::read(&field("ratelimit", &lines));
        let _ = QuotaPolicy::read(&field("ratelimit-policy", &lines));
        for name in ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"] {
            let mut headers = field(name, &lines);
            headers.append("ratelimit-remaining", HeaderValue::from_static("1"));
            let _ = LegacyLimit::read(&headers);
            let policy = Policy::new(Name::from_static("a"), 1).expect("valid");
            RateLimitHeaders::new(HeaderVersion::Draft03).append(&mut headers, &[PolicyState::new(&policy, 1)]);
        }
    }
}
