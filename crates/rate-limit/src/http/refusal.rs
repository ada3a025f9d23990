use std::time::Duration;

use http::header::CACHE_CONTROL;
use http::{HeaderValue, Response, StatusCode};
use seawall_core::Rejection;
use seawall_core::http::{Problem, delay_seconds};

use super::{PolicyState, RateLimitHeaders};

/// Of what kind a refusal is, for those who read its body: the problem types of `draft-ietf-httpapi-ratelimit-headers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemType {
    /// The caller asked for more than its quota: 429.
    QuotaExceeded,
    /// What there is for everybody is less than usual: 503.
    TemporaryReducedCapacity,
    /// The caller's requests are of a pattern that looks like a mistake or worse: 429.
    AbnormalUsageDetected,
}

impl ProblemType {
    /// The type's address, which is its name.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::QuotaExceeded => "https://iana.org/assignments/http-problem-types#quota-exceeded",
            Self::TemporaryReducedCapacity => {
                "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
            }
            Self::AbnormalUsageDetected => "https://iana.org/assignments/http-problem-types#abnormal-usage-detected",
        }
    }

    /// The type's title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::QuotaExceeded => "Quota Exceeded",
            Self::TemporaryReducedCapacity => "Temporary Reduced Capacity",
            Self::AbnormalUsageDetected => "Abnormal Usage Detected",
        }
    }

    /// The status that goes with it.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::TemporaryReducedCapacity => StatusCode::SERVICE_UNAVAILABLE,
            Self::QuotaExceeded | Self::AbnormalUsageDetected => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// What this refusal is, as far as the refusal knows.
    fn of(rejection: Rejection) -> Self {
        if rejection.is_over_quota() { Self::QuotaExceeded } else { Self::TemporaryReducedCapacity }
    }
}

impl RateLimitHeaders {
    /// The response to a refused call: 429 or 503, a problem that names the policies that are [violated](PolicyState::violated),
    /// these headers of all policies, `Retry-After`, and `Cache-Control: no-store`, since a 429 must not be stored (RFC 6585
    /// section 4).
    ///
    /// Asked for a second too early, the same call would be refused again: `Retry-After` is [rounded up](retry_after_seconds),
    /// never less than the `t` of a violated policy, and has no maximum. It is left out where no waiting would help.
    ///
    /// ```
    /// use http::Response;
    /// use seawall_core::{Kind, Name, Rejection};
    /// use seawall_rate_limit::http::{Policy, PolicyState, RateLimitHeaders};
    /// use std::time::Duration;
    ///
    /// static THROTTLED: Kind = Kind::new("rate_limit", "throttled").over_quota();
    /// let wait = Duration::from_millis(500);
    /// let rejection = Rejection::new(&THROTTLED, Name::from_static("orders")).after(wait);
    /// let burst = Policy::new(Name::from_static("burst"), 100)?.window(Duration::from_secs(60));
    /// let states = [PolicyState::new(&burst, 0).reset_after(wait).violated()];
    ///
    /// let response: Response<String> = RateLimitHeaders::default().refuse(rejection, &states);
    /// assert_eq!(response.status(), 429);
    /// assert_eq!(response.headers()["retry-after"], "1");
    /// assert_eq!(response.headers()["ratelimit"], r#""burst";r=0;t=1"#);
    /// assert_eq!(response.headers()["cache-control"], "no-store");
    /// assert!(response.body().contains(r#""violated-policies":["burst"]"#));
    /// # Ok::<(), seawall_core::ConfigError>(())
    /// ```
    pub fn refuse<B: From<String>>(&self, rejection: Rejection, states: &[PolicyState<'_>]) -> Response<B> {
        self.refuse_as(ProblemType::of(rejection), rejection, states)
    }

    /// The same with a problem of this type, and the status of that type.
    pub fn refuse_as<B: From<String>>(
        &self,
        problem: ProblemType,
        mut rejection: Rejection,
        states: &[PolicyState<'_>],
    ) -> Response<B> {
        if let Some(wait) = rejection.retry_after() {
            rejection = rejection.after(Duration::from_secs(retry_after_seconds(wait, states)));
        }
        let violated = states.iter().filter(|state| state.is_violated()).map(|state| state.policy().name());
        let mut response = Problem::new(rejection)
            .max_retry_after(Duration::MAX)
            .of_type(problem.uri(), problem.title(), problem.status())
            .respond_listing("violated-policies", violated);
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.append(headers, states);
        response
    }
}

/// The seconds of a `Retry-After` after this wait: rounded up, at least 1, and no less than the `t` of any
/// [violated](PolicyState::violated) policy is. What a policy that refused nothing says does not count: its quota may be
/// back tomorrow.
///
/// ```
/// use seawall_rate_limit::http::retry_after_seconds;
/// use std::time::Duration;
///
/// assert_eq!(retry_after_seconds(Duration::from_nanos(1), &[]), 1);
/// assert_eq!(retry_after_seconds(Duration::from_millis(1_001), &[]), 2);
/// ```
pub fn retry_after_seconds(wait: Duration, states: &[PolicyState<'_>]) -> u64 {
    let violated = states.iter().filter(|state| state.is_violated());
    violated.filter_map(PolicyState::reset_seconds).fold(delay_seconds(wait), u64::max)
}

#[cfg(test)]
mod tests {
    use super::super::{HeaderVersion, Policy};
    use super::*;
    use seawall_core::{Kind, Name};
    use serde_json::{Value, json};

    static THROTTLED: Kind = Kind::new("rate_limit", "throttled").over_quota();
    static SHED: Kind = Kind::new("rate_limit", "shed");

    fn policy(name: &'static str) -> Policy {
        Policy::new(Name::from_static(name), 10).expect("valid")
    }

    fn body(response: &Response<String>) -> Value {
        serde_json::from_str(response.body()).expect("JSON")
    }

    #[test]
    fn a_refusal_names_what_it_violates_and_is_not_stored() {
        let [a, b, c] = [policy("burst"), policy("a\"b"), policy("idle")];
        let rejection = Rejection::new(&THROTTLED, Name::from_static("orders")).after(Duration::from_millis(1_500));
        let states = [
            PolicyState::new(&a, 0).reset_after(Duration::from_millis(1_500)).violated(),
            PolicyState::new(&b, 2).violated(),
            PolicyState::new(&c, 9).reset_after(Duration::from_secs(86_400)),
        ];
        let response = RateLimitHeaders::default().refuse(rejection, &states);
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        let headers = response.headers();
        assert_eq!(
            (&headers["retry-after"], &headers["cache-control"]),
            (&2.into(), &HeaderValue::from_static("no-store"))
        );
        assert_eq!(headers["content-type"], "application/problem+json");
        assert_eq!(headers["ratelimit"], r#""burst";r=0;t=2, "a\"b";r=2, "idle";r=9;t=86400"#);
        let expected = json!({
            "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
            "title": "Quota Exceeded",
            "status": 429,
            "detail": "rate_limit `orders` refused the request: throttled",
            "pattern": "rate_limit",
            "reason": "throttled",
            "name": "orders",
            "retry_after": 2,
            "violated-policies": ["burst", "a\"b"],
        });
        assert_eq!(body(&response), expected);
    }

    #[test]
    fn the_status_is_of_the_problems_type() {
        let none = RateLimitHeaders::new(HeaderVersion::None);
        let [over, shed] = [&THROTTLED, &SHED].map(|kind| Rejection::new(kind, Name::from_static("x")));
        for (response, status, title) in [
            (none.refuse::<String>(over, &[]), 429, "Quota Exceeded"),
            (none.refuse(shed, &[]), 503, "Temporary Reduced Capacity"),
            (none.refuse_as(ProblemType::AbnormalUsageDetected, shed, &[]), 429, "Abnormal Usage Detected"),
            (none.refuse_as(ProblemType::TemporaryReducedCapacity, over, &[]), 503, "Temporary Reduced Capacity"),
        ] {
            let body = body(&response);
            assert_eq!(
                (response.status().as_u16(), &body["status"], &body["title"]),
                (status, &json!(status), &json!(title))
            );
            assert_eq!(body["violated-policies"], json!([]));
            assert_eq!(response.headers().get("retry-after"), None, "no waiting helps");
            assert_eq!(response.headers().len(), 2, "{:?}", response.headers());
        }
    }

    #[test]
    fn retry_after_is_not_before_the_violated_policies_are_back() {
        let [a, b] = [policy("a"), policy("b")];
        let states = [
            PolicyState::new(&a, 0).reset_after(Duration::from_millis(2_001)).violated(),
            PolicyState::new(&b, 9).reset_after(Duration::from_secs(86_400)),
        ];
        assert_eq!(retry_after_seconds(Duration::from_millis(500), &states), 3);
        assert_eq!(retry_after_seconds(Duration::from_secs(5), &states), 5);
        // Beyond the hour that other refusals tell at most.
        let long = Rejection::new(&THROTTLED, Name::from_static("x")).after(Duration::from_secs(86_000));
        let response: Response<String> = RateLimitHeaders::default().refuse(long, &states);
        assert_eq!(response.headers()["retry-after"], "86000");
    }
}
