//! What a server tells of its limits, as a client reads it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use sfv::visitor::{EntryVisitor, InnerListVisitor, ItemVisitor, ListVisitor, Never, ParameterVisitor};
use sfv::{BareItemFromInput, KeyRef, Parser, StringRef};

use super::fields::{DRAFT_03, RATE_LIMIT, RATE_LIMIT_POLICY, number};

/// What a server says remains of one of its policies: an item of `RateLimit`, as the drafts from the eighth on have it.
///
/// It is a hint, not a promise, and `Retry-After` comes first where both are there. A server may say anything: a wait or a number
/// that is out of proportion is for the caller to bound.
///
/// ```
/// use http::HeaderMap;
/// use seawall_rate_limit::http::ServiceLimit;
/// use std::time::Duration;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("ratelimit", r#""burst";r=0;t=12, "daily";r=900"#.parse()?);
/// let limits = ServiceLimit::read(&headers).unwrap_or_default();
/// assert_eq!((&*limits[0].policy, limits[0].remaining), ("burst", 0));
/// assert_eq!(limits[0].reset_after, Some(Duration::from_secs(12)));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceLimit {
    /// The policy's name.
    pub policy: String,
    /// How much of its quota remains: `r`.
    pub remaining: u64,
    /// The time until there is more: `t`.
    pub reset_after: Option<Duration>,
    /// Which part of the quota is the caller's: `pk`.
    pub partition_key: Option<Vec<u8>>,
}

impl ServiceLimit {
    /// What these headers say, all lines together. Nothing if any of it is malformed, as the draft demands: a name that is no
    /// string, no `r`, numbers below zero or with a fraction.
    pub fn read(headers: &HeaderMap) -> Option<Vec<Self>> {
        members(headers, &RATE_LIMIT, ["r", "t", "pk", ""], |policy, [remaining, reset_after, partition_key, _]| {
            Some(Self {
                policy,
                remaining: whole(remaining?)?,
                reset_after: optional(reset_after, whole)?.map(Duration::from_secs),
                partition_key: optional(partition_key, bytes)?,
            })
        })
    }
}

/// A quota that a server says it has: an item of `RateLimit-Policy`, as the drafts from the eighth on have it.
///
/// ```
/// use http::HeaderMap;
/// use seawall_rate_limit::http::QuotaPolicy;
/// use std::time::Duration;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("ratelimit-policy", r#""peruser";q=65535;qu="content-bytes";w=10"#.parse()?);
/// let policies = QuotaPolicy::read(&headers).unwrap_or_default();
/// assert_eq!((&*policies[0].name, policies[0].quota), ("peruser", 65_535));
/// assert_eq!(policies[0].window, Some(Duration::from_secs(10)));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuotaPolicy {
    /// Its name.
    pub name: String,
    /// How much it is: `q`.
    pub quota: u64,
    /// What it counts, if the server says: `qu`. Otherwise requests.
    pub unit: Option<String>,
    /// The time that it is for: `w`.
    pub window: Option<Duration>,
    /// Which part of it is the caller's: `pk`.
    pub partition_key: Option<Vec<u8>>,
}

impl QuotaPolicy {
    /// What these headers say, all lines together. Nothing if any of it is malformed, as the draft demands: a name that is no
    /// string, no `q`, a window of no time, numbers below zero or with a fraction.
    pub fn read(headers: &HeaderMap) -> Option<Vec<Self>> {
        members(headers, &RATE_LIMIT_POLICY, ["q", "qu", "w", "pk"], |name, [quota, unit, window, partition_key]| {
            let window = optional(window, whole)?;
            Some(Self {
                name,
                quota: whole(quota?)?,
                unit: optional(unit, text)?,
                window: if window == Some(0) { None? } else { window.map(Duration::from_secs) },
                partition_key: optional(partition_key, bytes)?,
            })
        })
    }
}

/// What a server says in the fields of the drafts to the sixth: `RateLimit-Limit`, `RateLimit-Remaining`, `RateLimit-Reset`.
///
/// `X-RateLimit-*` is not read: its `Reset` is a number of seconds with one server, a date with another.
///
/// ```
/// use http::HeaderMap;
/// use seawall_rate_limit::http::LegacyLimit;
/// use std::time::Duration;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("ratelimit-limit", "10, 10;w=60, 1000;w=3600".parse()?);
/// headers.insert("ratelimit-remaining", "3".parse()?);
/// headers.insert("ratelimit-reset", "12".parse()?);
/// let limit = LegacyLimit::read(&headers).expect("well-formed");
/// assert_eq!((limit.quota, limit.remaining), (Some(10), 3));
/// assert_eq!(limit.reset_after, Some(Duration::from_secs(12)));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LegacyLimit {
    /// The quota that is nearest to its end.
    pub quota: Option<u64>,
    /// How much of it remains.
    pub remaining: u64,
    /// The time until the server counts anew.
    pub reset_after: Option<Duration>,
}

impl LegacyLimit {
    /// What these headers say: nothing without `RateLimit-Remaining`, or if any of the three is malformed or there twice.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let remaining = once(headers, &DRAFT_03.remaining)?.map(|value| number(value).ok_or(()));
        let reset = once(headers, &DRAFT_03.reset)?.map(|value| number(value).ok_or(()));
        let quota = once(headers, &DRAFT_03.limit)?.map(|value| first_number(value.as_bytes()).ok_or(()));
        Some(Self {
            quota: quota.transpose().ok()?,
            remaining: remaining?.ok()?,
            reset_after: reset.transpose().ok()?.map(Duration::from_secs),
        })
    }
}

/// A header's value, if there is one. Two are none that could be read.
#[expect(clippy::option_option, reason = "it is not there, or it cannot be read")]
fn once<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Option<&'a http::HeaderValue>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { None } else { Some(first) }
}

/// The first member of a list of numbers, whose parameters are comments. The whole list must be one.
fn first_number(value: &[u8]) -> Option<u64> {
    struct First(Option<u64>);

    impl<'de> ListVisitor<'de> for First {
        type Out = Option<u64>;
        type Error = Malformed;

        fn entry(&mut self) -> Result<impl EntryVisitor<'de>, Malformed> {
            Ok(Number(&mut self.0))
        }

        fn finish(self) -> Result<Option<u64>, Malformed> {
            Ok(self.0)
        }
    }

    struct Number<'a>(&'a mut Option<u64>);

    impl<'de> EntryVisitor<'de> for Number<'_> {
        type Error = Malformed;

        fn item(self) -> Result<impl ItemVisitor<'de>, Malformed> {
            Ok(|value: BareItemFromInput<'de>| {
                let number = whole(value).ok_or(Malformed)?;
                self.0.get_or_insert(number);
                Ok::<_, Malformed>(sfv::visitor::Ignored)
            })
        }

        fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Malformed> {
            Err::<Never, _>(Malformed)
        }
    }

    Parser::new(value).parse_list_with_visitor(First(None)).ok()?
}

/// The values of four parameters, in the order in which they are asked for.
type Values<'de> = [Option<BareItemFromInput<'de>>; 4];

/// What is made of the members of a list over all lines of a header; nothing if there is none, or one that nothing is made of.
fn members<T>(
    headers: &HeaderMap,
    name: &HeaderName,
    keys: [&'static str; 4],
    make: impl Fn(String, Values<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let mut all = Vec::new();
    for line in headers.get_all(name) {
        Parser::new(line.as_bytes()).parse_list_with_visitor(Members { keys, make: &make, all: &mut all }).ok()?;
    }
    if all.is_empty() { None } else { Some(all) }
}

/// A number that is not below zero.
#[expect(clippy::needless_pass_by_value, reason = "as the readers of other kinds, which keep what they take")]
fn whole(value: BareItemFromInput<'_>) -> Option<u64> {
    match value {
        BareItemFromInput::Integer(number) => i64::from(number).try_into().ok(),
        _ => None,
    }
}

fn bytes(value: BareItemFromInput<'_>) -> Option<Vec<u8>> {
    match value {
        BareItemFromInput::ByteSequence(bytes) => Some(bytes),
        _ => None,
    }
}

fn text(value: BareItemFromInput<'_>) -> Option<String> {
    match value {
        BareItemFromInput::String(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}

/// What is read of a parameter that may be left out, but not be of another kind.
#[expect(clippy::option_option, reason = "it is not there, or it cannot be read")]
fn optional<'de, T>(
    value: Option<BareItemFromInput<'de>>,
    read: impl Fn(BareItemFromInput<'de>) -> Option<T>,
) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(value) => read(value).map(Some),
    }
}

/// What is well-formed as a structured field, but not as one of these.
#[derive(Debug)]
struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a list of limits")
    }
}

impl Error for Malformed {}

struct Members<'a, T, F> {
    keys: [&'static str; 4],
    make: &'a F,
    all: &'a mut Vec<T>,
}

impl<'de, T, F: Fn(String, Values<'_>) -> Option<T>> ListVisitor<'de> for Members<'_, T, F> {
    type Out = ();
    type Error = Malformed;

    fn entry(&mut self) -> Result<impl EntryVisitor<'de>, Malformed> {
        Ok(Member { members: Members { keys: self.keys, make: self.make, all: self.all } })
    }

    fn finish(self) -> Result<(), Malformed> {
        Ok(())
    }
}

struct Member<'a, T, F> {
    members: Members<'a, T, F>,
}

impl<'de, T, F: Fn(String, Values<'_>) -> Option<T>> EntryVisitor<'de> for Member<'_, T, F> {
    type Error = Malformed;

    fn item(self) -> Result<impl ItemVisitor<'de>, Malformed> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Malformed> {
        Err::<Never, _>(Malformed)
    }
}

impl<'de, T, F: Fn(String, Values<'_>) -> Option<T>> ItemVisitor<'de> for Member<'_, T, F> {
    type Out = ();
    type Error = Malformed;

    fn bare_item(self, item: BareItemFromInput<'de>) -> Result<impl ParameterVisitor<'de, Out = ()>, Malformed> {
        match item {
            BareItemFromInput::String(name) => {
                Ok(Parameters { name, values: [const { None }; 4], members: self.members })
            }
            _ => Err(Malformed),
        }
    }
}

struct Parameters<'a, 'de, T, F> {
    name: Cow<'de, StringRef>,
    values: Values<'de>,
    members: Members<'a, T, F>,
}

impl<'de, T, F: Fn(String, Values<'_>) -> Option<T>> ParameterVisitor<'de> for Parameters<'_, 'de, T, F> {
    type Out = ();
    type Error = Malformed;

    fn parameter(&mut self, key: &'de KeyRef, value: BareItemFromInput<'de>) -> Result<(), Malformed> {
        // Of two with one name the last is meant (RFC 9651 section 4.2.3.2); others are comments.
        if let Some(place) = self.members.keys.iter().position(|known| *known == key.as_str()) {
            self.values[place] = Some(value);
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Malformed> {
        let made = (self.members.make)(self.name.as_str().to_owned(), self.values);
        self.members.all.push(made.ok_or(Malformed)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), line.parse().expect("a header"))).collect()
    }

    fn limits(lines: &[&str]) -> Option<Vec<ServiceLimit>> {
        ServiceLimit::read(&headers(&RATE_LIMIT, lines))
    }

    fn policies(lines: &[&str]) -> Option<Vec<QuotaPolicy>> {
        QuotaPolicy::read(&headers(&RATE_LIMIT_POLICY, lines))
    }

    #[test]
    fn limits_of_all_lines_are_read() {
        let limit = |policy: &str, remaining, reset_after: Option<u64>, key: Option<&[u8]>| ServiceLimit {
            policy: policy.into(),
            remaining,
            reset_after: reset_after.map(Duration::from_secs),
            partition_key: key.map(Into::into),
        };
        let lines =
            [r#""a\"\\";r=1;t=0 , "";r=2;pk=:QXBwLTk5OQ==:;acme-x=tok"#, r#" "c";r=999999999999999;x;t=5;r=3 "#];
        let expected =
            vec![limit("a\"\\", 1, Some(0), None), limit("", 2, None, Some(b"App-999")), limit("c", 3, Some(5), None)];
        assert_eq!(limits(&lines), Some(expected));
    }

    #[test]
    fn policies_are_read_with_the_drafts_own_keys() {
        // Both sequences have bits beyond their last byte that are not zero.
        let read =
            policies(&[r#""peruser";q=65535;qu="content-bytes";w=10;pk=:sdfjLJUOUH==:,"b";q=0;pk=:cHsdsRa894==:"#]);
        let read = read.expect("well-formed");
        let told = |policy: &QuotaPolicy| (policy.quota, policy.window, policy.partition_key.as_ref().map(Vec::len));
        assert_eq!(told(&read[0]), (65_535, Some(Duration::from_secs(10)), Some(7)));
        assert_eq!((read[0].unit.as_deref(), read[1].unit.as_deref()), (Some("content-bytes"), None));
        assert_eq!(told(&read[1]), (0, None, Some(7)));
    }

    #[test]
    fn a_malformed_field_is_nothing() {
        for line in [
            "",
            "\"a\"",
            "\"a\";t=1",
            "a;r=1",
            "1;r=1",
            "(\"a\");r=1",
            "\"a\";r=-1",
            "\"a\";r=1.0",
            "\"a\";r=\"1\"",
            "\"a\";r",
            "\"a\";r=1;t=-1",
            "\"a\";r=1;t=1.5",
            "\"a\";r=1;pk=x",
            "\"a\";r=1;pk=:$:",
            "\"a\";r=1000000000000000",
            "\"a\";r=1,",
            "\"a;r=1",
            "\"a\\x\";r=1",
            "\"a\";R=1",
            "\"a\" ;r=1",
            "\"a\";r =1",
            "\"a\";r=1;t=1;t=x",
            "limit=100, remaining=50, reset=5",
        ] {
            assert_eq!(limits(&[line]), None, "{line}");
        }
        assert_eq!(limits(&["\"a\";r=1", "b;r=1"]), None, "one line of it");
        assert_eq!(limits(&[]), None);
        for line in ["\"a\";w=1", "\"a\";q=10;w=0", "\"a\";q=1;w=-1", "\"a\";q=1;qu=requests", "\"a\";q=-1", "100;w=60"]
        {
            assert_eq!(policies(&[line]), None, "{line}");
        }
    }

    #[test]
    fn the_older_fields_are_read_or_are_nothing() {
        let read = |fields: &[(&'static str, &str)]| {
            let fields =
                fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a header")));
            LegacyLimit::read(&fields.collect())
        };
        let limit = |quota, remaining, reset: Option<u64>| {
            Some(LegacyLimit { quota, remaining, reset_after: reset.map(Duration::from_secs) })
        };
        let (l, m, s) = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset");
        assert_eq!(
            read(&[(l, "10, 10;w=1, 50;w=60;comment=\"x, y\""), (m, "3"), (s, " 7")]),
            limit(Some(10), 3, Some(7))
        );
        assert_eq!(read(&[(m, "3")]), limit(None, 3, None));
        assert_eq!(read(&[(l, "10"), (s, "7")]), None);
        for malformed in [
            &[(m, "-1")][..],
            &[(m, "3"), (m, "3")],
            &[(m, "3"), (s, "soon")],
            &[(m, "3"), (s, "1.5")],
            &[(m, "3"), (l, "ten")],
            &[(m, "3"), (l, "10, ")],
            &[(m, "3"), (l, "")],
        ] {
            assert_eq!(read(malformed), None, "{malformed:?}");
        }
    }
}
