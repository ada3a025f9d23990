//! What responses say.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Response};
use seawall_core::{ConfigError, Kind, Name, Rejection};
use seawall_rate_limit::http::{
    HeaderVersion, Policy, PolicyState, QuotaPolicy, QuotaUnit, RateLimitHeaders, ServiceLimit,
};
use serde::Deserialize;

use super::{Checked, compare, read};
use crate::miss::Miss;
use crate::vector::Vector;

/// What every case says of itself.
#[derive(Deserialize)]
struct About {
    version: String,
}

/// The headers of the vector's version.
fn version(vector: &Vector) -> Result<RateLimitHeaders, Miss> {
    let about: About = read(vector)?;
    match about.version.as_str() {
        "draft-10" | "draft-11" => Ok(RateLimitHeaders::new(HeaderVersion::Draft10)),
        "draft-03" => Ok(RateLimitHeaders::new(HeaderVersion::Draft03)),
        // The same triple under names that begin with `X-`.
        "draft-03-x" => Ok(RateLimitHeaders::new(HeaderVersion::None).with_legacy()),
        other => Err(Miss::before_all("version", other)),
    }
}

#[derive(Deserialize)]
struct Parse {
    input: String,
    expect_ok: bool,
    expect: Option<Vec<Item>>,
}

/// An item of a list, or a policy, as vectors write them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    name: Option<String>,
    #[serde(alias = "limit")]
    q: Option<u64>,
    qu: Option<String>,
    w: Option<u64>,
    w_ms: Option<u64>,
    #[serde(alias = "remaining")]
    r: Option<u64>,
    #[serde(alias = "reset_s")]
    t: Option<u64>,
    pk_utf8: Option<String>,
    pk_base64: Option<String>,
}

impl Item {
    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("default")
    }

    /// The key's bytes: a sequence in base64 is what a reader makes of it in a well-formed field.
    fn key(&self) -> Option<Vec<u8>> {
        let of_base64 = || {
            let field = format!("\"x\";r=1;pk=:{}:", self.pk_base64.as_ref()?);
            ServiceLimit::read(&header("ratelimit", &field).ok()?)?.pop()?.partition_key
        };
        self.pk_utf8.clone().map(String::into_bytes).or_else(of_base64)
    }

    fn policy(&self) -> Result<Policy, ConfigError> {
        let policy = Policy::new(self.name().parse::<Name>()?, self.q.unwrap_or(0))?;
        let window = self.w.map(Duration::from_secs).or(self.w_ms.map(Duration::from_millis));
        let policy = window.map_or(policy, |window| policy.window(window));
        Ok(match self.qu.as_deref() {
            Some("content-bytes") => policy.unit(QuotaUnit::ContentBytes),
            Some("concurrent-requests") => policy.unit(QuotaUnit::ConcurrentRequests),
            _ => policy,
        })
    }

    fn state<'a>(&self, policy: &'a Policy, key: Option<&'a [u8]>) -> PolicyState<'a> {
        let state = PolicyState::new(policy, self.r.unwrap_or(0));
        let state = self.t.map_or(state, |seconds| state.reset_after(Duration::from_secs(seconds)));
        key.map_or(state, |key| state.partition_key(key))
    }
}

fn header(name: &'static str, text: &str) -> Result<HeaderMap, Miss> {
    let value = HeaderValue::from_str(text).map_err(|error| Miss::before_all("input", error))?;
    Ok(HeaderMap::from_iter([(HeaderName::from_static(name), value)]))
}

pub(super) fn parse_limit(vector: &Vector) -> Checked {
    version(vector)?;
    let case: Parse = read(vector)?;
    let got = ServiceLimit::read(&header("ratelimit", &case.input)?);
    let got = got.map(|limits| {
        let told = |limit: ServiceLimit| (limit.policy, limit.remaining, limit.reset_after, limit.partition_key);
        limits.into_iter().map(told).collect::<Vec<_>>()
    });
    let expected = case.expect.as_ref().map(|items| {
        let told = |item: &Item| {
            let reset = item.t.map(Duration::from_secs);
            (item.name().to_owned(), item.r.unwrap_or_default(), reset, item.key())
        };
        items.iter().map(told).collect::<Vec<_>>()
    });
    Ok(parsed(case.expect_ok, expected.as_ref(), got.as_ref()))
}

pub(super) fn parse_policy(vector: &Vector) -> Checked {
    version(vector)?;
    let case: Parse = read(vector)?;
    let got = QuotaPolicy::read(&header("ratelimit-policy", &case.input)?);
    let got = got.map(|policies| {
        let told = |it: QuotaPolicy| (it.name, it.quota, it.unit, it.window, it.partition_key);
        policies.into_iter().map(told).collect::<Vec<_>>()
    });
    let expected = case.expect.as_ref().map(|items| {
        let told = |item: &Item| {
            let window = item.w.map(Duration::from_secs);
            (item.name().to_owned(), item.q.unwrap_or_default(), item.qu.clone(), window, item.key())
        };
        items.iter().map(told).collect::<Vec<_>>()
    });
    Ok(parsed(case.expect_ok, expected.as_ref(), got.as_ref()))
}

fn parsed<T: PartialEq + std::fmt::Debug>(ok: bool, expected: Option<&T>, got: Option<&T>) -> Vec<Miss> {
    let misses = compare("expect_ok", &ok, &got.is_some());
    match expected {
        Some(_) if misses.is_empty() => compare("expect", &expected, &got),
        _ => misses,
    }
}

#[derive(Deserialize)]
struct Serialize<T> {
    #[serde(alias = "items")]
    policies: Vec<Item>,
    expect: Option<T>,
    expect_canonical: Option<String>,
    expect_error: Option<String>,
}

pub(super) fn serialize_limit(vector: &Vector) -> Checked {
    version(vector)?;
    Ok(list(&read(vector)?, RateLimitHeaders::limits))
}

pub(super) fn serialize_policy(vector: &Vector) -> Checked {
    version(vector)?;
    Ok(list(&read(vector)?, RateLimitHeaders::policies))
}

/// What is written is canonical; where a vector says only what it may look like, spaces between members do not count.
fn list(case: &Serialize<String>, write: impl Fn(&[PolicyState<'_>]) -> Option<HeaderValue>) -> Vec<Miss> {
    let policies = match case.policies.iter().map(Item::policy).collect::<Result<Vec<_>, _>>() {
        Ok(policies) => policies,
        Err(error) => return refused(case.expect_error.as_deref(), &error),
    };
    let keys: Vec<_> = case.policies.iter().map(Item::key).collect();
    let states = case.policies.iter().zip(&policies).zip(&keys);
    let states: Vec<_> = states.map(|((item, policy), key)| item.state(policy, key.as_deref())).collect();
    let got = write(&states).and_then(|value| value.to_str().map(ToOwned::to_owned).ok()).unwrap_or_default();
    match (&case.expect_error, &case.expect_canonical, &case.expect) {
        (Some(error), ..) => compare("expect_error", error, &got),
        (None, Some(canonical), _) => compare("expect_canonical", canonical, &got),
        (None, None, expected) => {
            let loose = |text: &str| text.replace(", ", ",");
            compare("expect", &expected.as_deref().map(loose), &Some(loose(&got)))
        }
    }
}

/// A policy that cannot be written is refused when it is made, by a field of another name than the vector has for it.
fn refused(expected: Option<&str>, error: &ConfigError) -> Vec<Miss> {
    let says = match error.field() {
        "quota" => ["integer", "range"],
        _ => ["string", "char"],
    };
    let expected = expected.unwrap_or("no error");
    let meant = says.iter().any(|word| expected.contains(word));
    if meant { Vec::new() } else { compare("expect_error", &expected.to_owned(), &error.to_string()) }
}

pub(super) fn serialize_legacy(vector: &Vector) -> Checked {
    let headers = version(vector)?;
    let case: Serialize<BTreeMap<String, String>> = read(vector)?;
    let policies = case.policies.iter().map(Item::policy).collect::<Result<Vec<_>, _>>();
    let policies = policies.map_err(|error| Miss::before_all("policies", error))?;
    let states = case.policies.iter().zip(&policies).map(|(item, policy)| item.state(policy, None));
    let mut map = HeaderMap::new();
    headers.append(&mut map, &states.collect::<Vec<_>>());
    let expected = case.expect.unwrap_or_default();
    let got = |name: &String| map.get(name).and_then(|value| value.to_str().ok()).unwrap_or("nothing").to_owned();
    Ok(expected.iter().flat_map(|(name, value)| compare(name, value, &got(name))).collect())
}

#[derive(Deserialize)]
struct RetryAfter {
    wait_ns: Option<u64>,
    t_s: Option<u64>,
    expect_retry_after_s: Option<u64>,
}

/// By the whole refusal, as a caller gets it.
pub(super) fn retry_after(vector: &Vector) -> Checked {
    static THROTTLED: Kind = Kind::new("rate_limit", "throttled").over_quota();

    let case: RetryAfter = read(vector)?;
    let policy = Policy::new(Name::from_static("x"), 1).map_err(|error| Miss::before_all("policy", error))?;
    let mut rejection = Rejection::new(&THROTTLED, Name::from_static("x"));
    if let Some(nanos) = case.wait_ns {
        rejection = rejection.after(Duration::from_nanos(nanos));
    }
    let mut state = PolicyState::new(&policy, 0).violated();
    if let Some(seconds) = case.t_s {
        state = state.reset_after(Duration::from_secs(seconds));
    }
    let response: Response<String> = RateLimitHeaders::default().refuse(rejection, &[state]);
    let told = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    Ok(compare("expect_retry_after_s", &case.expect_retry_after_s, &told))
}

#[derive(Deserialize)]
struct Tightest {
    items: Vec<Item>,
    expect: String,
}

pub(super) fn tightest(vector: &Vector) -> Checked {
    let case: Tightest = read(vector)?;
    let policies = case.items.iter().map(Item::policy).collect::<Result<Vec<_>, _>>();
    let policies = policies.map_err(|error| Miss::before_all("items", error))?;
    let states: Vec<_> = case.items.iter().zip(&policies).map(|(item, policy)| item.state(policy, None)).collect();
    let got = PolicyState::tightest(&states).map(|state| state.policy().name().to_string());
    Ok(compare("expect", &Some(case.expect), &got))
}
