//! Errors as callers see them: `application/problem+json` (RFC 9457).

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use seawall_core::{ConfigError, Rejection};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of every error's body.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// How many violations one answer lists: enough to repair a request, too few to make a bad one expensive.
const MAX_VIOLATIONS: usize = 20;

/// How much of an offending value is repeated to the caller.
const MAX_ECHO: usize = 64;

/// When a refused caller may come back at the latest, and where nobody knows when: other callers may find out sooner.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(1);
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How a caller can say who it is.
const CHALLENGE: &str = r#"ApiKey realm="order-service""#;

/// The longest field name and the longest reason. Both may quote the request, so neither may grow with it.
const MAX_TEXT: usize = 256;

/// What went wrong, in the words of RFC 9457.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Identifies the kind of problem; does not change with its wording.
    #[serde(rename = "type")]
    #[schema(example = "urn:order-service:problem:invalid-order")]
    kind: String,
    /// The kind of problem, for people.
    title: &'static str,
    /// The status code of the response.
    #[serde(serialize_with = "as_number")]
    #[schema(value_type = u16, example = 422)]
    status: StatusCode,
    /// What was wrong with this very request.
    detail: String,
    /// The fields at fault, where fields are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Violation>,
    #[serde(skip)]
    retry_after: Option<Duration>,
    /// Whether a key would help.
    #[serde(skip)]
    challenges: bool,
}

/// One field that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Violation {
    /// The path of the field, from the root of the body or the name of the parameter.
    #[schema(example = "items[3].quantity")]
    field: String,
    /// The value at fault, as it was written; long ones are cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "-2")]
    value: Option<String>,
    /// What would be valid.
    #[schema(example = "must be a whole number from 1 to 10000")]
    detail: String,
}

impl Violation {
    /// `field` breaks the rule that `detail` states.
    pub(crate) fn new(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: elided(field.into()), value: None, detail: elided(detail.into()) }
    }

    /// The value that broke the rule.
    pub(crate) fn value(mut self, value: &str) -> Self {
        let mut echo: String = value.chars().take(MAX_ECHO).collect();
        if echo.len() < value.len() {
            echo.push('…');
        }
        self.value = Some(echo);
        self
    }
}

impl Problem {
    /// A problem of the kind `slug`.
    pub(crate) fn new(status: StatusCode, slug: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:order-service:problem:{slug}"),
            title,
            status,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            challenges: false,
        }
    }

    /// The request cannot be read at all.
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed-request", "The request cannot be read", detail)
    }

    /// The path or the query has values that mean nothing here.
    pub(crate) fn invalid_parameters(violations: Vec<Violation>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid-parameters",
            "The request's parameters are invalid",
            "see `errors` for each parameter at fault",
        )
        .violations(violations)
    }

    /// The body can be read, but not meant.
    pub(crate) fn invalid_body(violations: Vec<Violation>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-body",
            "The body is invalid",
            "see `errors` for each field at fault; nothing was stored",
        )
        .violations(violations)
    }

    /// A configuration that cannot be, by its first field at fault; nothing has changed.
    pub(crate) fn invalid_config(error: &ConfigError) -> Self {
        let fault = Violation::new(error.field(), format!("must be {}", error.valid())).value(error.value());
        Self::invalid_body(vec![fault])
    }

    /// The caller says who it is, and nobody knows it.
    pub(crate) fn unknown_caller(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, "unknown-caller", "Unknown caller", detail);
        problem.challenges = true;
        problem
    }

    /// There is no such thing.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// The service cannot do this now; trying again later is safe.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        let mut problem =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The service is unavailable", detail);
        problem.retry_after = Some(RETRY_AFTER);
        problem
    }

    /// Others use what the request needs; trying again later is safe.
    pub(crate) fn crowded(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "bulkhead-full", "Too much at once", detail)
    }

    /// What the request asks for is left undone under load; trying again later is safe.
    pub(crate) fn switched_off(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "switched-off", "Switched off under load", detail)
    }

    /// When to come back: once what refused the request lets requests pass again.
    pub(crate) fn refused_by(mut self, rejection: &Rejection) -> Self {
        let known = rejection.retry_after().unwrap_or_default();
        self.retry_after = Some(known.clamp(RETRY_AFTER, MAX_RETRY_AFTER));
        self
    }

    /// The service is at fault.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Internal error",
            "the request failed by a fault of the service; its log has the reason under this request's id",
        )
    }

    /// The fields at fault.
    pub(crate) fn violations(mut self, mut violations: Vec<Violation>) -> Self {
        violations.truncate(MAX_VIOLATIONS);
        self.errors = violations;
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).expect("a problem has string keys and finite numbers only");
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if self.challenges {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        }
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// `text` with its middle left out where it is too long: it names its subject first, and says what would be valid last.
fn elided(text: String) -> String {
    let length = text.chars().count();
    if length <= MAX_TEXT {
        return text;
    }
    let head = text.chars().take(MAX_ECHO);
    let tail = text.chars().skip(length - (MAX_TEXT - MAX_ECHO - 1));
    head.chain(['…']).chain(tail).collect()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut() {
        let violation = Violation::new("name", "is too long").value(&"é".repeat(65));
        assert_eq!(violation.value.as_deref(), Some(format!("{}…", "é".repeat(64)).as_str()));
    }

    #[test]
    fn no_text_grows_with_the_request() {
        let long = "é".repeat(1_000_000);
        let violation = Violation::new(&*long, format!("unknown field `{long}`, expected `id`"));
        assert_eq!((violation.field.chars().count(), violation.detail.chars().count()), (MAX_TEXT, MAX_TEXT));
        assert!(violation.detail.starts_with("unknown field `é") && violation.detail.ends_with("é`, expected `id`"));
    }

    #[test]
    fn a_problem_lists_a_bounded_number_of_fields() {
        let many = (0..100).map(|n| Violation::new(format!("items[{n}]"), "is wrong")).collect();
        assert_eq!(Problem::invalid_body(many).errors.len(), MAX_VIOLATIONS);
    }
}
