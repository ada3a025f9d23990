use std::cmp::Reverse;
use std::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{Integer, KeyRef, ListSerializer, StringRef};

use super::{Policy, PolicyState};

/// `RateLimit`, of the drafts from the eighth on.
pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// `RateLimit-Policy`, likewise.
pub(super) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The three fields of the drafts to the sixth.
pub(super) static DRAFT_03: Triple = Triple {
    limit: HeaderName::from_static("ratelimit-limit"),
    remaining: HeaderName::from_static("ratelimit-remaining"),
    reset: HeaderName::from_static("ratelimit-reset"),
};

static LEGACY: Triple = Triple {
    limit: HeaderName::from_static("x-ratelimit-limit"),
    remaining: HeaderName::from_static("x-ratelimit-remaining"),
    reset: HeaderName::from_static("x-ratelimit-reset"),
};

/// In which form a response tells a caller how it stands.
///
/// The names of fields changed from draft to draft of `draft-ietf-httpapi-ratelimit-headers`, which is not yet a standard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum HeaderVersion {
    /// `RateLimit: "burst";r=80;t=12` and `RateLimit-Policy: "burst";q=100;w=60`. The default.
    ///
    /// The drafts 08 to 11, of May 2026, have these names and parameters; 11 says in other words what `r` and `t` mean, and the
    /// [time until there is more](PolicyState::reset_after) is what both mean. Other names (`a`, `w`) were proposed since, but
    /// are in no draft.
    #[default]
    #[cfg_attr(feature = "serde", serde(rename = "draft-10", alias = "draft-11"))]
    Draft10,
    /// `RateLimit-Limit: 100, 100;w=60`, `RateLimit-Remaining: 80` and `RateLimit-Reset: 12`: the drafts 00 to 03, which most
    /// clients of today know. They tell of one policy, the [tightest](PolicyState::tightest).
    #[cfg_attr(feature = "serde", serde(rename = "draft-03"))]
    Draft03,
    /// None: callers are told no more than `Retry-After`.
    #[cfg_attr(feature = "serde", serde(rename = "none"))]
    None,
}

/// What responses tell callers of the policies that apply to them.
///
/// ```
/// use http::HeaderMap;
/// use seawall_core::Name;
/// use seawall_rate_limit::http::{Policy, PolicyState, RateLimitHeaders};
/// use std::time::Duration;
///
/// let burst = Policy::new(Name::from_static("burst"), 100)?.window(Duration::from_secs(60));
/// let daily = Policy::new(Name::from_static("daily"), 1_000)?.window(Duration::from_secs(86_400));
/// let states = [PolicyState::new(&burst, 80).reset_after(Duration::from_millis(599)), PolicyState::new(&daily, 900)];
///
/// let mut headers = HeaderMap::new();
/// RateLimitHeaders::default().append(&mut headers, &states);
/// assert_eq!(headers["ratelimit"], r#""burst";r=80;t=1, "daily";r=900"#);
/// assert_eq!(headers["ratelimit-policy"], r#""burst";q=100;w=60, "daily";q=1000;w=86400"#);
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
///
/// # Where headers are already there
/// Every layer of a stack may have limits of its own, so nothing that an inner one told is lost: `RateLimit` and
/// `RateLimit-Policy` are lists, to which a line is added; the three fields of the older forms tell of one policy, so the
/// tighter one's stay or take their place, all three together.
///
/// # Cost
/// For each header one buffer, made large enough at once, and its value. An own order is made of the policies for the older
/// forms alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields, default))]
pub struct RateLimitHeaders {
    version: HeaderVersion,
    policies: bool,
    legacy: bool,
}

impl Default for RateLimitHeaders {
    fn default() -> Self {
        Self::new(HeaderVersion::default())
    }
}

impl RateLimitHeaders {
    /// Headers of this version.
    pub const fn new(version: HeaderVersion) -> Self {
        Self { version, policies: true, legacy: false }
    }

    /// Tells how the caller stands, but not what the policies are: no `RateLimit-Policy`, and no windows in the older forms.
    #[must_use]
    pub const fn without_policies(mut self) -> Self {
        self.policies = false;
        self
    }

    /// Adds `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset`, for clients that know nothing else. The last
    /// is a number of seconds, never a date.
    #[must_use]
    pub const fn with_legacy(mut self) -> Self {
        self.legacy = true;
        self
    }

    /// Which version.
    pub const fn version(&self) -> HeaderVersion {
        self.version
    }

    /// Tells of these policies, in this order. Of no policies nothing is told.
    pub fn append(&self, headers: &mut HeaderMap, states: &[PolicyState<'_>]) {
        self.write(headers, states, || Self::policies(states));
    }

    /// The same with a value of `RateLimit-Policy` that [`policies`](Self::policies) made before: it changes only with the
    /// policies, and making it is most of the work.
    ///
    /// ```
    /// # use http::HeaderMap;
    /// # use seawall_core::Name;
    /// # use seawall_rate_limit::http::{Policy, PolicyState, RateLimitHeaders};
    /// let burst = Policy::new(Name::from_static("burst"), 100)?;
    /// let policies = RateLimitHeaders::policies(&[PolicyState::new(&burst, 100)]).expect("one policy");
    ///
    /// let mut headers = HeaderMap::new();
    /// RateLimitHeaders::default().append_with(&mut headers, &[PolicyState::new(&burst, 80)], &policies);
    /// assert_eq!((&headers["ratelimit"], &headers["ratelimit-policy"]), (&"\"burst\";r=80".parse()?, &policies));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append_with(&self, headers: &mut HeaderMap, states: &[PolicyState<'_>], policies: &HeaderValue) {
        self.write(headers, states, || (!states.is_empty()).then(|| policies.clone()));
    }

    fn write(
        self,
        headers: &mut HeaderMap,
        states: &[PolicyState<'_>],
        policies: impl FnOnce() -> Option<HeaderValue>,
    ) {
        match self.version {
            HeaderVersion::Draft10 => {
                append(headers, RATE_LIMIT, Self::limits(states));
                if self.policies {
                    append(headers, RATE_LIMIT_POLICY, policies());
                }
            }
            HeaderVersion::Draft03 => DRAFT_03.write(headers, states, self.policies),
            HeaderVersion::None => {}
        }
        if self.legacy {
            LEGACY.write(headers, states, self.policies);
        }
    }

    /// The value of `RateLimit`; of no policies there is none.
    pub fn limits(states: &[PolicyState<'_>]) -> Option<HeaderValue> {
        let mut text = String::with_capacity(states.len() * 64);
        let mut list = ListSerializer::with_buffer(&mut text);
        for state in states {
            let item = list.bare_item(string(state.policy().name().as_str()));
            let mut item = item.parameter(key("r"), integer(state.remaining()));
            if let Some(seconds) = state.reset_seconds() {
                item = item.parameter(key("t"), integer(seconds));
            }
            if let Some(bytes) = state.told_key() {
                let _ = item.parameter(key("pk"), bytes);
            }
        }
        value(text)
    }

    /// The value of `RateLimit-Policy`; of no policies there is none. Without partition keys it is the same for every response
    /// as long as the policies are: keep it for [`append_with`](Self::append_with).
    pub fn policies(states: &[PolicyState<'_>]) -> Option<HeaderValue> {
        let mut text = String::with_capacity(states.len() * 64);
        let mut list = ListSerializer::with_buffer(&mut text);
        for state in states {
            let policy = state.policy();
            let item = list.bare_item(string(policy.name().as_str()));
            let mut item = item.parameter(key("q"), integer(policy.quota()));
            if policy.quota_unit() != super::QuotaUnit::default() {
                item = item.parameter(key("qu"), string(policy.quota_unit().as_str()));
            }
            if let Some(seconds) = policy.window_seconds() {
                item = item.parameter(key("w"), integer(seconds));
            }
            if let Some(bytes) = state.told_key() {
                let _ = item.parameter(key("pk"), bytes);
            }
        }
        value(text)
    }
}

fn append(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        headers.append(name, value);
    }
}

/// Fields of which each says one thing.
pub(super) struct Triple {
    pub(super) limit: HeaderName,
    pub(super) remaining: HeaderName,
    pub(super) reset: HeaderName,
}

impl Triple {
    /// Tells of the tightest policy, unless what is there tells of a tighter one.
    fn write(&self, headers: &mut HeaderMap, states: &[PolicyState<'_>], policies: bool) {
        let Some(tightest) = PolicyState::tightest(states) else { return };
        let (remaining, reset) = (tightest.remaining(), tightest.reset_seconds().unwrap_or(0));
        let there = |name| headers.get(name).and_then(number);
        // Of equals the one that is back later, as everywhere.
        if there(&self.remaining).is_some_and(|there_remaining| {
            (there_remaining, Reverse(there(&self.reset))) <= (remaining, Reverse(Some(reset)))
        }) {
            return;
        }
        headers.insert(&self.remaining, remaining.into());
        headers.insert(&self.reset, reset.into());
        let limit = limit_of(tightest, if policies { states } else { &[] });
        headers.insert(&self.limit, value(limit).unwrap_or_else(|| tightest.policy().quota().into()));
    }
}

/// The quota that is told of, then all policies, the tightest first. A policy without a window cannot be said here.
fn limit_of(tightest: &PolicyState<'_>, states: &[PolicyState<'_>]) -> String {
    let mut ordered: Vec<_> = states.iter().collect();
    ordered.sort_by_key(|state| state.rank());
    let mut text = String::with_capacity(20 + ordered.len() * 32);
    // Writing to a string cannot fail.
    let _ = write!(text, "{}", tightest.policy().quota());
    for policy in ordered.into_iter().map(PolicyState::policy) {
        if let Some(seconds) = policy.window_seconds() {
            let _ = write!(text, ", {};w={seconds}", policy.quota());
        }
    }
    text
}

/// A number without a sign. What is too large is the largest.
pub(super) fn number(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?.trim_matches([' ', '\t']);
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

fn value(text: String) -> Option<HeaderValue> {
    if text.is_empty() { None } else { HeaderValue::try_from(text).ok() }
}

fn key(name: &'static str) -> &'static KeyRef {
    KeyRef::constant(name)
}

/// Names are of printable ASCII, as a [`Policy`] makes sure: none is cut.
fn string(text: &str) -> &StringRef {
    StringRef::from_str(text).unwrap_or(StringRef::EMPTY)
}

/// What is too large for a field is the largest that it can say.
fn integer(number: u64) -> Integer {
    Integer::try_from(number.min(Policy::MAX_QUOTA)).unwrap_or(Integer::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use seawall_core::Name;
    use std::time::Duration;

    fn policy(name: &'static str, quota: u64, window: u64) -> Policy {
        Policy::new(Name::from_static(name), quota).expect("valid").window(Duration::from_secs(window))
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn written(headers: RateLimitHeaders, states: &[PolicyState<'_>]) -> HeaderMap {
        let mut map = HeaderMap::new();
        headers.append(&mut map, states);
        map
    }

    #[test]
    fn everything_of_a_policy_is_told_in_the_drafts_order() {
        let bytes = policy("per\"user\\", 65_535, 10).unit(super::super::QuotaUnit::ContentBytes);
        let state = [PolicyState::new(&bytes, u64::MAX).reset_after(Duration::MAX).partition_key(b"App-999")];
        let map = written(RateLimitHeaders::default(), &state);
        let limit = r#""per\"user\\";r=999999999999999;t=999999999999999;pk=:QXBwLTk5OQ==:"#;
        assert_eq!(map[RATE_LIMIT], limit);
        assert_eq!(map[RATE_LIMIT_POLICY], r#""per\"user\\";q=65535;qu="content-bytes";w=10;pk=:QXBwLTk5OQ==:"#);
    }

    #[test]
    fn nothing_is_told_of_no_policies_or_where_nothing_shall_be_told() {
        let a = policy("a", 10, 60);
        for headers in [RateLimitHeaders::default(), RateLimitHeaders::new(HeaderVersion::Draft03).with_legacy()] {
            assert!(written(headers, &[]).is_empty());
            let mut map = HeaderMap::new();
            headers.append_with(&mut map, &[], &HeaderValue::from_static("kept"));
            assert!(map.is_empty());
        }
        assert!(written(RateLimitHeaders::new(HeaderVersion::None), &[PolicyState::new(&a, 1)]).is_empty());
        let bare = written(RateLimitHeaders::default().without_policies(), &[PolicyState::new(&a, 1)]);
        assert_eq!((bare.len(), &bare[RATE_LIMIT]), (1, &HeaderValue::from_static("\"a\";r=1")));
    }

    #[test]
    fn the_older_form_tells_of_the_tightest_policy_first() {
        let (hourly, minutely, odd) = (policy("h", 1_000, 3_600), policy("m", 10, 60), policy("odd", 5, 0));
        let states = [
            PolicyState::new(&hourly, 900).reset_after(seconds(3_000)),
            PolicyState::new(&odd, 4),
            PolicyState::new(&minutely, 3).reset_after(Duration::from_millis(11_001)),
        ];
        let map = written(RateLimitHeaders::new(HeaderVersion::Draft03).with_legacy(), &states);
        assert_eq!(map.len(), 6);
        for prefix in ["", "x-"] {
            assert_eq!(map[format!("{prefix}ratelimit-limit")], "10, 10;w=60, 1000;w=3600");
            assert_eq!(map[format!("{prefix}ratelimit-remaining")], "3");
            assert_eq!(map[format!("{prefix}ratelimit-reset")], "12");
        }
        let bare = written(RateLimitHeaders::new(HeaderVersion::Draft03).without_policies(), &states);
        assert_eq!(bare["ratelimit-limit"], "10");
    }

    #[test]
    fn what_another_layer_told_stays() {
        let (inner, outer) = (policy("inner", 10, 60), policy("outer", 100, 60));
        let mut map = HeaderMap::new();
        let headers = RateLimitHeaders::default().with_legacy();
        headers.append(&mut map, &[PolicyState::new(&inner, 7).reset_after(seconds(7))]);
        headers.append(&mut map, &[PolicyState::new(&outer, 50).reset_after(seconds(50))]);
        let lines: Vec<_> = map.get_all(RATE_LIMIT).iter().collect();
        assert_eq!(lines, [r#""inner";r=7;t=7"#, r#""outer";r=50;t=50"#]);
        assert_eq!(map.get_all(RATE_LIMIT_POLICY).iter().count(), 2);
        // The looser one is not told, then a tighter one is, whole.
        let triple =
            |map: &HeaderMap| ["limit", "remaining", "reset"].map(|part| map[format!("x-ratelimit-{part}")].clone());
        assert_eq!(triple(&map), ["10, 10;w=60", "7", "7"]);
        headers.append(&mut map, &[PolicyState::new(&outer, 6)]);
        assert_eq!(triple(&map), ["100, 100;w=60", "6", "0"]);
        // As little remains of either: the later one stays, in whichever order they come.
        headers.append(&mut map, &[PolicyState::new(&inner, 6).reset_after(seconds(1))]);
        assert_eq!(triple(&map), ["10, 10;w=60", "6", "1"]);
        headers.append(&mut map, &[PolicyState::new(&outer, 6)]);
        assert_eq!(triple(&map), ["10, 10;w=60", "6", "1"]);
        // What is no number is nobody's word.
        map.insert("x-ratelimit-remaining", HeaderValue::from_static("plenty"));
        headers.append(&mut map, &[PolicyState::new(&inner, 9).reset_after(seconds(1))]);
        assert_eq!(triple(&map), ["10, 10;w=60", "9", "1"]);
        assert_eq!(map.get_all("x-ratelimit-remaining").iter().count(), 1);
    }
}
