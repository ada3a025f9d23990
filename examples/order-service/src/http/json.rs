//! JSON bodies, read strictly: every way in which one can be wrong has its problem document.

use std::time::Duration;

use axum::extract::{FromRef, FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use seawall_retry::Timeout;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_path_to_error::Path;

use super::body::{MAX_BODY, Unread, read};
use super::object::Object;
use super::problem::{Problem, Violation};

/// How long a caller may take to send its body.
#[derive(Clone, Debug)]
pub(crate) struct Patience(pub(crate) Timeout);

/// A JSON object, read from a request's body.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<S, T> FromRequest<S> for Json<T>
where
    Patience: FromRef<S>,
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        check_content_type(request.headers())?;
        check_content_encoding(request.headers())?;
        let Patience(patience) = Patience::from_ref(state);
        let body = patience.run(read(request.into_body())).await;
        let body = body.map_err(|_late| too_slow(patience.duration()))?.map_err(unread)?;
        parse(&body).map(Json)
    }
}

/// Reads one object and nothing after it.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(body)
        .map_err(|error| Problem::malformed(format!("the body is not UTF-8: byte {} is wrong", error.valid_up_to())))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let Object(value) = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| refused(&error, text))?;
    deserializer.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

fn refused(error: &serde_path_to_error::Error<serde_json::Error>, text: &str) -> Problem {
    let message = error.inner().to_string();
    // Where an enum's name belongs, the reader calls any other value bad syntax.
    let wrong_kind = message.starts_with("expected value ") && serde_json::from_str::<IgnoredAny>(text).is_ok();
    if wrong_kind {
        Problem::invalid_body(vec![violation(error.path(), "is of the wrong kind")])
    } else if error.inner().is_data() {
        Problem::invalid_body(vec![violation(error.path(), &message)])
    } else {
        not_json(error.inner())
    }
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::malformed(format!("the body is not valid JSON: {error}"))
}

/// Names the field itself where serde names the object around it.
fn violation(path: &Path, message: &str) -> Violation {
    let parent = match path.to_string() {
        root if root == "." => String::new(),
        inner => inner,
    };
    let named = |prefix: &str| {
        let (name, _) = message.strip_prefix(prefix)?.split_once('`')?;
        Some(if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") })
    };
    if let Some(field) = named("missing field `") {
        Violation::new(field, "is missing")
    } else if let Some(field) = named("duplicate field `") {
        Violation::new(field, "is given twice")
    } else {
        let field = if parent.is_empty() { "." } else { &parent };
        match mismatch(message) {
            Some((value, expected)) => Violation::new(field, format!("must be {expected}")).value(value),
            None => Violation::new(field, message),
        }
    }
}

/// The value at fault and what would be valid, from serde's `invalid type: string "x", expected a number`.
fn mismatch(message: &str) -> Option<(&str, &str)> {
    // What was expected is this program's own text, and nothing follows it; the value before it is the caller's.
    let (found, expected) = message.rsplit_once(", expected ")?;
    // The field says where it is.
    let expected = expected.rsplit_once(" at line ").map_or(expected, |(expected, _)| expected);
    let found =
        ["invalid type: ", "invalid value: ", "unknown variant "].iter().find_map(|it| found.strip_prefix(it))?;
    Some((bare(found), expected))
}

/// A text or a number without what serde says of its kind: `string "x"`, ``integer `7` ``.
fn bare(found: &str) -> &str {
    let text = found.strip_prefix("string \"").and_then(|text| text.strip_suffix('"'));
    let quoted = || found.split_once('`').and_then(|(_, value)| value.strip_suffix('`'));
    text.or_else(quoted).unwrap_or(found)
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let essence = given.as_deref().map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let detail = match essence.as_deref() {
        Some("application/json") => return Ok(()),
        Some(kind) if kind.starts_with("application/") && kind.ends_with("+json") => return Ok(()),
        Some(_) => "must be application/json",
        None => "is missing, must be application/json",
    };
    Err(unsupported("Content-Type", given.as_deref(), detail))
}

/// A compressed body is refused as such: read as it is, it would be reported as bad text.
fn check_content_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    for given in headers.get_all(header::CONTENT_ENCODING) {
        let given = String::from_utf8_lossy(given.as_bytes());
        if !given.trim().eq_ignore_ascii_case("identity") {
            return Err(unsupported("Content-Encoding", Some(&given), "must be left out: bodies are sent as they are"));
        }
    }
    Ok(())
}

fn unsupported(header: &str, given: Option<&str>, detail: &str) -> Problem {
    let violation = Violation::new(header, detail);
    let violation = match given {
        Some(given) => violation.value(given),
        None => violation,
    };
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "Unsupported media type",
        format!("the header {header} {detail}"),
    )
    .violations(vec![violation])
}

fn unread(reason: Unread) -> Problem {
    match reason {
        Unread::TooLarge => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            "The body is too large",
            format!("the body has more than {MAX_BODY} bytes"),
        ),
        Unread::BrokenOff => Problem::malformed("the body broke off"),
    }
}

fn too_slow(patience: Duration) -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "request-timeout",
        "The request took too long to arrive",
        format!("the body was not complete after {}", humantime::format_duration(patience)),
    )
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only its reading is tested")]
        items: Vec<Object<Inner>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only its reading is tested")]
        name: String,
        #[expect(dead_code, reason = "only its reading is tested")]
        price: Box<RawValue>,
        #[expect(dead_code, reason = "only its reading is tested")]
        #[serde(default)]
        size: Size,
    }

    #[derive(Debug, Default, Deserialize)]
    enum Size {
        #[default]
        Small,
    }

    fn problem(body: &[u8]) -> Value {
        serde_json::to_value(parse::<Outer>(body).expect_err("a bad body")).expect("a serialisable problem")
    }

    #[test]
    fn a_good_body_is_read_whole() {
        assert!(parse::<Outer>(br#" {"items":[{"name":"a","price":4.50}]} "#).is_ok());
    }

    #[test]
    fn the_field_at_fault_is_named() {
        for (body, field) in [
            (r#"{"items":[{"name":"a"}]}"#, "items[0].price"),
            (r#"{"items":[{"name":"a","price":1,"price":2}]}"#, "items[0].price"),
            (r#"{"items":[{"name":"a","price":1,"colour":2}]}"#, "items[0].colour"),
            (r#"{"items":[{"name":7,"price":1}]}"#, "items[0].name"),
            (r#"{"items":[["a",1]]}"#, "items[0]"),
            (r#"{"items":[{"name":"a","price":1,"size":7}]}"#, "items[0].size"),
            (r#"{"items":[{"name":"a","price":1,"size":null}]}"#, "items[0].size"),
            (r#"{"items":[{"name":"a","price":1,"size":[]}]}"#, "items[0].size"),
            (r#"{"items":[{"name":"a","price":1,"size":"Large"}]}"#, "items[0].size"),
            (r#"{"items":7}"#, "items"),
            (r#"{"items":[],"x":1}"#, "x"),
            ("{}", "items"),
            ("[[]]", "."),
            ("null", "."),
        ] {
            let problem = problem(body.as_bytes());
            assert_eq!((&problem["status"], &problem["errors"][0]["field"]), (&json!(422), &json!(field)), "{body}");
        }
    }

    #[test]
    fn the_value_at_fault_is_told_apart_from_what_would_be_valid() {
        for (name, value) in
            [("7", "7"), ("-1.5", "-1.5"), ("null", "null"), (r#""a, expected `b`""#, "a, expected `b`")]
        {
            let told = problem(format!(r#"{{"items":{name}}}"#).as_bytes())["errors"][0].clone();
            assert_eq!(told, json!({"field": "items", "value": value, "detail": "must be a sequence"}));
        }
    }

    #[test]
    fn a_body_that_is_encoded_is_refused_as_such() {
        for (encoding, taken) in [("identity", true), ("Identity", true), ("gzip", false), ("br, identity", false)] {
            let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, encoding.parse().expect("a good value"))]);
            let checked = check_content_encoding(&headers).map_err(|problem| {
                let problem = serde_json::to_value(problem).expect("a serialisable problem");
                assert_eq!(
                    (&problem["status"], &problem["errors"][0]["field"]),
                    (&json!(415), &json!("Content-Encoding"))
                );
            });
            assert_eq!(checked.is_ok(), taken, "{encoding}");
        }
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        for body in [
            &b""[..],
            b"{",
            br#"{"items":[]}}"#,
            br#"{"items":[]} trailing"#,
            br#"{"items":[{"name":"a","price":1e}]}"#,
            br#"{"items":[{"name":"a","price":1,"size":7}}"#,
            br#"{"items":[{"name":"\ud800","price":1}]}"#,
            b"{\"items\":[{\"name\":\"\xff\",\"price\":1}]}",
        ] {
            assert_eq!(problem(body)["status"], 400, "{}", String::from_utf8_lossy(body));
        }
    }
}
