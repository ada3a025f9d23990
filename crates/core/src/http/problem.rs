use std::fmt::{self, Write};
use std::time::Duration;

use ::http::header::{CONTENT_TYPE, RETRY_AFTER};
use ::http::{HeaderValue, Response, StatusCode};

use super::delay_seconds;
use crate::Rejection;

/// A refusal as the caller is told of it: a response with a problem detail (RFC 9457) as its body.
///
/// The status is 429 for a [kind](crate::Kind) of refusal that is [over quota](crate::Kind::over_quota), 503 for every other one.
/// `Retry-After` and the member `retry_after` are whole seconds, [rounded up](delay_seconds), and absent where nobody knows. The
/// caller is told the name of the instance that refused; where that is a secret, answer with a response of your own.
///
/// ```
/// use seawall_core::http::Problem;
/// use seawall_core::{Kind, Name, Rejection};
/// use std::time::Duration;
///
/// static SHUT: Kind = Kind::new("gate", "shut");
/// let rejection = Rejection::new(&SHUT, Name::from_static("payment")).after(Duration::from_millis(2_500));
/// let response: http::Response<String> = Problem::new(rejection).respond();
///
/// assert_eq!(response.status(), 503);
/// assert_eq!(response.headers()["retry-after"], "3");
/// assert_eq!(response.headers()["content-type"], "application/problem+json");
/// assert_eq!(
///     response.body(),
///     r#"{"type":"urn:seawall:problem:gate:shut","title":"Service Unavailable","status":503,"detail":"gate `payment` refused the request: shut","pattern":"gate","reason":"shut","name":"payment","retry_after":3}"#,
/// );
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    rejection: Rejection,
    max_retry_after: Duration,
    kind: Option<Type>,
}

/// A problem type that is not made of the refusal's pattern and reason.
#[derive(Clone, Copy, Debug)]
struct Type {
    uri: &'static str,
    title: &'static str,
    status: StatusCode,
}

impl Problem {
    /// The problem of this refusal, with a `Retry-After` of an hour at most.
    pub const fn new(rejection: Rejection) -> Self {
        Self { rejection, max_retry_after: Duration::from_secs(3_600), kind: None }
    }

    /// As a problem of this registered type, with its title and its status.
    #[must_use]
    pub const fn of_type(mut self, uri: &'static str, title: &'static str, status: StatusCode) -> Self {
        self.kind = Some(Type { uri, title, status });
        self
    }

    /// Tells no caller to wait longer than this; at least a second, the shortest wait that can be told.
    #[must_use]
    pub const fn max_retry_after(mut self, max: Duration) -> Self {
        self.max_retry_after = max;
        self
    }

    /// 429 or 503, or what its [type](Self::of_type) says.
    pub const fn status(&self) -> StatusCode {
        if let Some(kind) = &self.kind {
            kind.status
        } else if self.rejection.is_over_quota() {
            StatusCode::TOO_MANY_REQUESTS
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }

    /// After how many seconds the caller should come back, where that is known.
    pub fn retry_after(&self) -> Option<u64> {
        self.rejection.retry_after().map(|after| delay_seconds(after.min(self.max_retry_after)))
    }

    /// The body: a JSON object.
    pub fn to_json(&self) -> String {
        let status = self.status();
        let (pattern, reason) = (Escaped(self.rejection.pattern()), Escaped(self.rejection.reason()));
        let name = self.rejection.name();
        let name = Escaped(name.as_str());
        // Writing to a string cannot fail.
        let mut json = String::from("{\"type\":\"");
        let title = if let Some(kind) = &self.kind {
            let _ = write!(json, "{}", Escaped(kind.uri));
            kind.title
        } else {
            let _ = write!(json, "urn:seawall:problem:{pattern}:{reason}");
            status.canonical_reason().unwrap_or_default()
        };
        let _ = write!(
            json,
            "\",\"title\":\"{title}\",\"status\":{status},\
             \"detail\":\"{pattern} `{name}` refused the request: {reason}\",\
             \"pattern\":\"{pattern}\",\"reason\":\"{reason}\",\"name\":\"{name}\"",
            title = Escaped(title),
            status = status.as_u16(),
        );
        if let Some(seconds) = self.retry_after() {
            let _ = write!(json, ",\"retry_after\":{seconds}");
        }
        json.push('}');
        json
    }

    /// The body with one more member: a list of texts.
    fn json_listing(&self, member: &str, texts: impl IntoIterator<Item = impl fmt::Display>) -> String {
        let mut json = self.to_json();
        json.pop();
        let _ = write!(json, ",\"{}\":[", Escaped(member));
        for (i, text) in texts.into_iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let _ = write!(json, "{comma}\"{}\"", Escaped(&text.to_string()));
        }
        json.push_str("]}");
        json
    }

    /// The response.
    pub fn respond<B: From<String>>(&self) -> Response<B> {
        self.respond_with(self.to_json())
    }

    /// The response, whose body has one more member: a list of texts, such as the names of what refused.
    ///
    /// ```
    /// use seawall_core::http::Problem;
    /// use seawall_core::{Kind, Name, Rejection};
    ///
    /// static SHUT: Kind = Kind::new("gate", "shut");
    /// let problem = Problem::new(Rejection::new(&SHUT, Name::from_static("payment")));
    /// let response: http::Response<String> = problem.respond_listing("violated-policies", ["burst", "daily"]);
    /// assert!(response.body().ends_with(r#","violated-policies":["burst","daily"]}"#));
    /// ```
    pub fn respond_listing<B: From<String>>(
        &self,
        member: &str,
        texts: impl IntoIterator<Item = impl fmt::Display>,
    ) -> Response<B> {
        self.respond_with(self.json_listing(member, texts))
    }

    fn respond_with<B: From<String>>(&self, json: String) -> Response<B> {
        let mut response = Response::new(B::from(json));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// The response to a refused request, by the defaults of [`Problem`]: what a layer's `on_rejection` takes.
///
/// The body is whatever is made of a `String`: axum's, `Full<Bytes>`, a [`Held`](super::Held) one of these.
pub fn respond<B: From<String>>(rejection: Rejection) -> Response<B> {
    Problem::new(rejection).respond()
}

/// Text inside a JSON string.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '"' | '\\' => write!(f, "\\{letter}")?,
                '\0'..='\x1f' => write!(f, "\\u{:04x}", u32::from(letter))?,
                _ => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Name};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    static SHUT: Kind = Kind::new("gate", "shut");
    static GREEDY: Kind = Kind::new("meter", "throttled").over_quota();

    fn problem(kind: &'static Kind, name: &'static str) -> Problem {
        Problem::new(Rejection::new(kind, Name::from_static(name)))
    }

    fn body(problem: &Problem) -> Value {
        serde_json::from_str(&problem.to_json()).expect("JSON")
    }

    #[test]
    fn a_caller_over_its_quota_gets_429_and_every_other_one_503() {
        let refused: Response<String> = problem(&GREEDY, "tenant").respond();
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(body(&problem(&GREEDY, "tenant"))["title"], "Too Many Requests");
        assert_eq!(body(&problem(&GREEDY, "tenant"))["status"], 429);
        let refused: Response<String> = problem(&SHUT, "payment").respond();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn nobody_is_told_a_time_that_nobody_knows() {
        let refused: Response<String> = problem(&SHUT, "payment").respond();
        assert_eq!(refused.headers().get(RETRY_AFTER), None);
        assert_eq!(body(&problem(&SHUT, "payment")).get("retry_after"), None);
    }

    #[test]
    fn a_wait_is_never_longer_than_its_maximum_and_never_nothing() {
        let after = |after| Problem::new(Rejection::new(&SHUT, Name::from_static("payment")).after(after));
        assert_eq!(after(Duration::MAX).retry_after(), Some(3_600));
        assert_eq!(after(Duration::ZERO).retry_after(), Some(1));
        assert_eq!(after(Duration::from_secs(60)).max_retry_after(Duration::from_millis(1_500)).retry_after(), Some(2));
        assert_eq!(after(Duration::from_secs(60)).max_retry_after(Duration::ZERO).retry_after(), Some(1));
        let response: Response<String> = after(Duration::from_millis(61_001)).respond();
        assert_eq!(response.headers()[RETRY_AFTER], "62");
        assert_eq!(serde_json::from_str::<Value>(response.body()).expect("JSON")["retry_after"], json!(62));
    }

    #[test]
    fn a_kind_of_any_text_makes_json() {
        static ODD: Kind = Kind::new("a\"b", "c\\d\n\u{7f}é\u{2028}");
        let body = body(&problem(&ODD, "\u{1}\t\"\\"));
        assert_eq!(body["pattern"], "a\"b");
        assert_eq!(body["reason"], "c\\d\n\u{7f}é\u{2028}");
        assert_eq!(body["name"], "\u{1}\t\"\\");
    }

    #[test]
    fn a_registered_type_brings_its_title_and_its_status() {
        let typed =
            problem(&SHUT, "payment").of_type("https://a.example/\"#x", "Too \"Much\"", StatusCode::IM_A_TEAPOT);
        let response: Response<String> = typed.respond_listing("a\"b", ["", "c\\d"]);
        assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
        let told: Value = serde_json::from_str(response.body()).expect("JSON");
        assert_eq!((&told["type"], &told["title"]), (&json!("https://a.example/\"#x"), &json!("Too \"Much\"")));
        assert_eq!((&told["status"], &told["a\"b"]), (&json!(418), &json!(["", "c\\d"])));
        assert_eq!(told["name"], "payment");
        let none: Response<String> = typed.respond_listing("none", [""; 0]);
        assert_eq!(serde_json::from_str::<Value>(none.body()).expect("JSON")["none"], json!([]));
    }

    proptest! {
        #[test]
        fn a_name_of_any_text_makes_json(name in "\\PC{1,7}") {
            if let Ok(parsed) = name.parse::<Name>() {
                let body = body(&Problem::new(Rejection::new(&SHUT, parsed)));
                prop_assert_eq!(body["name"].as_str(), Some(name.as_str()));
            }
        }
    }
}
